// FNV-1a names the place: a mark is no secret and nobody gains by a collision of their own making
// (their own processes die), so a short stable hash does; the life's 128 random bits are what
// cannot be guessed.
#include "daemon/process/life_mark.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <sys/random.h>
#include <sys/stat.h>

namespace warmpool::daemon {
namespace {

constexpr std::size_t kPlaceDigits = 16, kLifeDigits = 32, kWorkerDigits = 16;

std::string hex(std::uint64_t number) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(number));
  return text.data();
}

std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char byte : bytes) {
    hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
  }
  return hash;
}

Error cannot(const std::string& what) {
  const int code = errno;
  return Error{code, "cannot " + what + ": " + strerrordesc_np(code)};
}

bool all_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string LifeMark::of(WorkerId worker) const { return life_prefix() + hex(worker.value); }

Result<LifeMark> make_life_mark(const std::string& runtime_dir) {
  struct stat status {};
  const std::unique_ptr<char, void (*)(void*)> path(realpath(runtime_dir.c_str(), nullptr), free);
  if (path == nullptr || stat(path.get(), &status) != 0) {
    return cannot("look at the runtime directory " + runtime_dir +
                  " (create it, or name another with --runtime-dir)");
  }
  std::array<std::uint64_t, 2> life{};
  if (getrandom(life.data(), sizeof life, 0) != static_cast<ssize_t>(sizeof life)) {
    return cannot("draw random bytes from the kernel (getrandom must be allowed)");
  }
  const std::string place = std::string(path.get()) + '\0' + hex(status.st_dev);
  return LifeMark{hex(fnv1a(place)), hex(life[0]) + hex(life[1])};
}

std::optional<ParsedMark> parse_mark(std::string_view mark) {
  constexpr std::size_t kLifeAt = kPlaceDigits + 1, kWorkerAt = kLifeAt + kLifeDigits + 1;
  if (mark.size() != kWorkerAt + kWorkerDigits) return std::nullopt;
  if (mark[kLifeAt - 1] != '-' || mark[kWorkerAt - 1] != '-') return std::nullopt;
  ParsedMark parsed{mark.substr(0, kPlaceDigits), mark.substr(kLifeAt, kLifeDigits), {}};
  const std::string_view worker = mark.substr(kWorkerAt);
  if (!all_hex(parsed.place) || !all_hex(parsed.life) || !all_hex(worker)) return std::nullopt;
  std::from_chars(worker.data(), worker.data() + worker.size(), parsed.worker.value, 16);
  return parsed;
}

std::string_view mark_in_environment(std::string_view block) {
  while (!block.empty()) {
    const std::size_t end = block.find('\0');
    std::string_view entry = block.substr(0, end);
    if (entry.starts_with(kMarkVariable) && entry.substr(kMarkVariable.size()).starts_with('=')) {
      return entry.substr(kMarkVariable.size() + 1);
    }
    if (end == std::string_view::npos) break;
    block.remove_prefix(end + 1);
  }
  return {};
}

}  // namespace warmpool::daemon
