// The circuit breaker of one task type: counts how its runs end, and says when that is too bad or
// good again. What follows from that is decided in breakers.cpp.
//
// Bounds: 8 buckets of counts, whatever the load. A run counts by the bucket in which it ended; the
// window is the present bucket and the seven before.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <tuple>

#include "pool/breaker_machine.hpp"
#include "pool/breaker_options.hpp"
#include "pool/time.hpp"

namespace warmpool {

// How a run ended, to a breaker. Neither: cancelled, taken back, failed for good and the like.
enum class RunEnd : std::uint8_t { Neither, Success, Failure };

class Breaker {
 public:
  static constexpr std::int64_t kBuckets = 8;
  // When so many may run at once, nothing is held back any more.
  static constexpr std::uint64_t kRampEnd = 65'536;

  Breaker() = default;
  Breaker(const BreakerOptions& options, Instant now)
      : options_(options), since_(now), counts_after_(now) {}

  const BreakerOptions& options() const { return options_; }
  // Its state stays; what was counted begins anew where it would mean something else.
  void set_options(const BreakerOptions& options);

  // Whether a run that began then counts: not one that began before it was opened last.
  bool counts(Instant began) const;
  void run_begins(Instant now);
  // Why its state is to change now; nothing: it is not to.
  std::optional<BreakerWhy> run_ends(Instant began, RunEnd end, Instant now);

  // Order: all that change the state come with the row that allows it (kBreakerRows).
  void open(BreakerTrigger trigger, BreakerWhy why, Instant now, Instant until);
  void half_open(Instant now);
  // Probed: what may run at once grows from the number of probes. Else nothing is held back.
  void close(BreakerTrigger trigger, BreakerWhy why, Instant now);

  BreakerState state() const { return state_; }
  // One more of its type may be started now.
  bool admits() const;
  bool limited() const { return state_ == BreakerState::Open || limit_ != 0; }
  std::uint64_t limit() const { return limit_; }      // that may run at once; 0: any number
  std::uint64_t running() const { return running_; }  // of those that count
  std::uint64_t row() const { return row_; }          // failures in a row
  std::uint64_t openings() const { return openings_; }
  std::uint64_t opened() const { return opened_; }
  BreakerWhy why() const { return why_; }
  Instant since() const { return since_; }
  Instant until() const { return until_; }  // while it is open
  struct Share {
    std::uint64_t runs = 0, failures = 0;
  };
  Share share(Instant now) const;  // within the window

  static auto fields(auto& self) {
    auto& [options, state, why, since, until, counts_after, buckets, row, running, limit, successes,
           openings, opened] = self;
    return std::tie(options, state, why, since, until, counts_after, buckets, row, running, limit,
                    successes, openings, opened);
  }

 private:
  struct Bucket {
    std::int64_t number = -1;  // time since the store was made / the width of a bucket
    std::uint64_t runs = 0, failures = 0;
  };
  void fire(BreakerTrigger trigger);
  std::int64_t bucket_of(Instant now) const;
  void count(RunEnd end, Instant now);
  std::optional<BreakerWhy> judge(Instant now) const;
  void ramp();

  BreakerOptions options_;
  BreakerState state_ = BreakerState::Closed;
  BreakerWhy why_ = BreakerWhy::Off;
  Instant since_, until_, counts_after_;
  std::array<Bucket, kBuckets> buckets_{};
  std::uint64_t row_ = 0, running_ = 0, limit_ = 0;
  std::uint64_t successes_ = 0;  // in a row, while what may run is limited
  std::uint64_t openings_ = 0;   // since nothing was held back
  std::uint64_t opened_ = 0;     // in this life
};

}  // namespace warmpool
