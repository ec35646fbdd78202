// Instants follow CLOCK_MONOTONIC, so that setting the wall clock neither kills a worker nor ends a
// task early; run-at dates are the wall's, and the core judges them again at each step of it.
#include "daemon/clock.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <limits>

namespace warmpool::daemon {

std::int64_t SystemTime::steady_ns() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

WallTime SystemTime::wall() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

Clock::Clock(TimeSource& source, Instant base)
    : source_(source), shift_(base.ns - source.steady_ns()), offset_(source.wall().ns - base.ns) {}

Instant Clock::now() { return {source_.steady_ns() + shift_}; }

std::chrono::steady_clock::time_point Clock::steady_of(Instant instant) const {
  using Point = std::chrono::steady_clock::time_point;
  // Far dates would overflow; Asio adds to what it is given too.
  constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max() / 4;
  const std::int64_t steady = instant.ns > far ? far : instant.ns - shift_;
  return Point(std::chrono::nanoseconds(std::min(steady, far)));
}

std::optional<WallTime> Clock::wall_step(Duration tolerance) {
  const auto before = now();
  const auto wall = source_.wall();
  const auto offset = wall.ns - before.ns;
  const auto moved = offset > offset_ ? offset - offset_ : offset_ - offset;
  if (moved <= tolerance.ns) return std::nullopt;
  offset_ = offset;
  return wall;
}

std::string rfc3339(WallTime time) {
  auto seconds = static_cast<std::time_t>(time.ns / 1'000'000'000);
  auto rest = time.ns % 1'000'000'000;
  if (rest < 0) {
    rest += 1'000'000'000;
    --seconds;
  }
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 48> text{};
  const auto length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + length, text.size() - length, ".%03dZ",
                static_cast<int>(rest / 1'000'000));
  return text.data();
}

}  // namespace warmpool::daemon
