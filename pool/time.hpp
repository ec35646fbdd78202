// Time as a value. Nothing in pool/ reads a clock: whoever calls brings the time along.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace warmpool {

struct Duration {
  std::int64_t ns = 0;
  friend constexpr auto operator<=>(const Duration&, const Duration&) = default;
  friend constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
  friend constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
  friend constexpr Duration operator*(Duration a, std::int64_t times) { return {a.ns * times}; }
  friend constexpr Duration operator/(Duration a, std::int64_t parts) { return {a.ns / parts}; }
};

constexpr Duration nanoseconds(std::int64_t n) { return {n}; }
constexpr Duration microseconds(std::int64_t n) { return {n * 1'000}; }
constexpr Duration milliseconds(std::int64_t n) { return {n * 1'000'000}; }
constexpr Duration seconds(std::int64_t n) { return {n * 1'000'000'000}; }
constexpr Duration minutes(std::int64_t n) { return seconds(n * 60); }
constexpr Duration hours(std::int64_t n) { return seconds(n * 3600); }

// Units: nanoseconds since the store was made. Never goes back.
struct Instant {
  std::int64_t ns = 0;
  friend constexpr auto operator<=>(const Instant&, const Instant&) = default;
  friend constexpr Instant operator+(Instant a, Duration d) { return {a.ns + d.ns}; }
  friend constexpr Instant operator-(Instant a, Duration d) { return {a.ns - d.ns}; }
  friend constexpr Duration operator-(Instant a, Instant b) { return {a.ns - b.ns}; }
};

constexpr Instant kNever{std::numeric_limits<std::int64_t>::max()};

// Units: nanoseconds since 1970-01-01T00:00:00Z. May step either way.
struct WallTime {
  std::int64_t ns = 0;
  friend constexpr auto operator<=>(const WallTime&, const WallTime&) = default;
};

// Any duration that a person may give, so that Instant + Duration never overflows.
constexpr Duration kDurationMax = hours(24 * 366 * 10);

}  // namespace warmpool
