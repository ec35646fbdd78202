// The report of progress that came too soon after another one: the latest waits until it is due.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "pool/words.hpp"

namespace warmpool::worker {

// Order: begin() between two runs. Threads: the handler's takes, who holds the baton says what is
// due. Cost where nothing waits: one load.
class HeldReport {
 public:
  using Clock = std::chrono::steady_clock;
  struct Report {
    std::uint16_t permille = 0;
    std::string text;
    std::string partial;
    Content content = Content::Bytes;
  };
  enum class Fate : std::uint8_t { SayNow, Kept, KeptFirst };

  // Of the run before nothing counts.
  void begin();
  // SayNow: the last one was long ago, or all is done; what waited goes into it. KeptFirst:
  // nothing waited before, so whoever looks after due_at() has to be told.
  // A partial result that waited is kept for a report without one.
  Fate take(Clock::time_point now, Report& report);
  // max(): nothing waits.
  Clock::time_point due_at() const;
  // What waits, if it is due by then.
  std::optional<Report> due(Clock::time_point now);
  // What waits, due or not. Order: at the end of the run.
  std::optional<Report> rest();
  static constexpr std::chrono::milliseconds kInterval{100};

 private:
  static constexpr auto kNever = Clock::time_point::max();

  std::mutex mutex_;
  Report report_;
  Clock::time_point next_{};  // not said before that
  std::atomic<Clock::duration::rep> due_{kNever.time_since_epoch().count()};
};

}  // namespace warmpool::worker
