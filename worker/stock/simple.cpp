// The types for trying things out: what they do is what tests and people want to see happen.
#include <array>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <optional>
#include <strings.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "worker/stock/stock.hpp"

namespace warmpool::worker::stock {
namespace {

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
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_number_unsigned()) return json.get<std::uint64_t>();
  if (!json.is_object() || json.size() != 1) return std::nullopt;
  const auto times = json.find("times");
  if (times == json.end() || !times->is_number_unsigned()) return std::nullopt;
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

}  // namespace warmpool::worker::stock
