// The daemon's one clock: an Instant that never goes back, and the wall beside it.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "pool/time.hpp"

namespace warmpool::daemon {

// Readings of the kernel's clocks; tests put their own in.
class TimeSource {
 public:
  virtual ~TimeSource() = default;
  virtual std::int64_t steady_ns() = 0;
  virtual WallTime wall() = 0;
};

// CLOCK_MONOTONIC and CLOCK_REALTIME.
class SystemTime : public TimeSource {
 public:
  std::int64_t steady_ns() override;
  WallTime wall() override;
};

// Units: `base` is the Instant at which this life begins: for a store that outlives the process,
// the last one that it kept plus what the wall says has passed since.
class Clock {
 public:
  Clock(TimeSource& source, Instant base);

  Instant now();
  WallTime wall() { return source_.wall(); }
  // The wall time that belongs to an instant, by the wall as it is now.
  WallTime wall_of(Instant instant) const { return {instant.ns + offset_}; }
  // The moment of std::chrono::steady_clock at which now() will return `instant`.
  std::chrono::steady_clock::time_point steady_of(Instant instant) const;

  // The wall, when it moved against the steady clock by more than `tolerance` since the last time
  // that this told so (or since the start).
  std::optional<WallTime> wall_step(Duration tolerance);

 private:
  TimeSource& source_;
  std::int64_t shift_;   // Instant minus steady
  std::int64_t offset_;  // wall minus Instant
};

// "2026-11-23T06:55:33.120Z".
std::string rfc3339(WallTime time);

}  // namespace warmpool::daemon
