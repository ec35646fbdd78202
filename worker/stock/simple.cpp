// The types for trying things out: what they do is what tests and people want to see happen.
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <optional>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "worker/stock/stock.hpp"

namespace warmpool::worker::stock {
namespace {

constexpr std::uint64_t kAllocMibMax = 1 << 20;
constexpr std::size_t kMib = 1 << 20;
constexpr std::size_t kPageBytes = 4096;
constexpr std::uint64_t kSleepMsMax = 24ULL * 3600 * 1000;

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string quoted(std::string_view text) { return '"' + std::string(text.substr(0, 64)) + '"'; }

std::optional<std::uint64_t> times_from(std::string_view text) {
  const auto given = nlohmann::json::parse(text, nullptr, false);
  if (given.is_number_unsigned()) return given.get<std::uint64_t>();
  if (!given.is_object() || given.size() != 1) return std::nullopt;
  const auto times = given.find("times");
  if (times == given.end() || !times->is_number_unsigned()) return std::nullopt;
  return times->get<std::uint64_t>();
}

// By number or name, with or without SIG; glibc knows the names.
std::optional<int> signal_from(std::string_view text) {
  if (const auto number = whole_number<int>(text)) {
    return *number > 0 && *number < NSIG ? number : std::nullopt;
  }
  std::string name(text);
  if (::strncasecmp(name.c_str(), "SIG", 3) == 0) name.erase(0, 3);
  for (int signal = 1; signal < NSIG; ++signal) {
    const char* known = ::sigabbrev_np(signal);
    if (known != nullptr && ::strcasecmp(known, name.c_str()) == 0) return signal;
  }
  return std::nullopt;
}

void die_by(int signal) {
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  ::sigaction(signal, &by_default, nullptr);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, signal);
  ::pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  ::raise(signal);
}

}  // namespace

Answer echo(Context& context) { return done(std::string(context.text()), context.content()); }

Answer sleep(Context& context) {
  const auto ms = whole_number<std::uint64_t>(trimmed(context.text()));
  if (!ms || *ms > kSleepMsMax) {
    return failed_for_good("sleep takes milliseconds from 0 to 86400000 as text, not " +
                           quoted(context.text()));
  }
  if (context.wait_for(std::chrono::milliseconds(*ms))) return failed("cancelled while it slept");
  return done(std::to_string(*ms), Content::Utf8);
}

Answer fail(Context& context) {
  const auto times = times_from(context.text());
  if (!times) {
    return failed_for_good("fail takes a whole number or {\"times\":N}, not " +
                           quoted(context.text()));
  }
  const std::string so_far = std::to_string(context.failures());
  if (context.failures() < *times) {
    return failed("failed as asked, failures before: " + so_far + " of " + std::to_string(*times));
  }
  return done("done after " + so_far + " failures", Content::Utf8);
}

Answer crash(Context& context) {
  const std::string_view text = trimmed(context.text());
  if (text.starts_with("exit:")) {
    const auto status = whole_number<unsigned>(text.substr(5));
    if (status && *status <= 255) ::_exit(static_cast<int>(*status));
  } else if (const auto signal = signal_from(text)) {
    die_by(*signal);
    return failed("signal " + std::to_string(*signal) + " does not end a process");
  }
  return failed_for_good("crash takes a signal (SIGSEGV, 11) or exit:N with N to 255, not " +
                         quoted(context.text()));
}

// A mapping of its own, so that what is given back is given back to the kernel.
Answer alloc(Context& context) {
  std::string_view text = trimmed(context.text());
  const bool keep = text.starts_with("keep:");
  if (keep) text.remove_prefix(5);
  const auto blank = text.find(' ');
  const auto mib = whole_number<std::uint64_t>(text.substr(0, blank));
  const auto rest = blank == std::string_view::npos ? "0" : trimmed(text.substr(blank));
  const auto ms = whole_number<std::uint64_t>(rest);
  if (!mib || *mib == 0 || *mib > kAllocMibMax || !ms || *ms > kSleepMsMax) {
    return failed_for_good(
        "alloc takes MiB from 1 to 1048576 (keep:MiB: for good) and perhaps "
        "milliseconds to hold them, not " +
        quoted(context.text()));
  }
  const std::size_t bytes = *mib * kMib;
  void* const place = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) return failed("there is no room for " + std::to_string(*mib) + " MiB");
  for (std::size_t at = 0; at < bytes; at += kPageBytes) {
    static_cast<volatile char*>(place)[at] = 1;
  }
  const bool cancelled = context.wait_for(std::chrono::milliseconds(*ms));
  if (!keep) ::munmap(place, bytes);
  if (cancelled) return failed("cancelled while it held its memory");
  return done(std::to_string(*mib), Content::Utf8);
}

}  // namespace warmpool::worker::stock
