// Counts are kept in a ring of buckets that are emptied when they come round again, so that a type
// with a million runs a minute costs no more than one with ten. Failures in a row see a dependency
// that is down within five runs; the share sees one that fails now and then.
#include "pool/breaker.hpp"

#include <algorithm>

#include "pool/require.hpp"

namespace warmpool {

void Breaker::fire(BreakerTrigger trigger) {
  const std::size_t row = find_row(kBreakerRows, state_, trigger);
  REQUIRE(row != kNoRow);
  state_ = kBreakerRows[row].to;
}

void Breaker::set_options(const BreakerOptions& options) {
  if (options.window != options_.window) buckets_ = {};
  const bool ramps = limit_ != 0 && state_ == BreakerState::Closed;
  options_ = options;
  if (state_ == BreakerState::HalfOpen) limit_ = options.probes;
  if (ramps) limit_ = std::max(limit_, options.probes);
}

std::int64_t Breaker::bucket_of(Instant now) const {
  return now.ns / std::max<std::int64_t>(1, options_.window.ns / kBuckets);
}

void Breaker::count(RunEnd end, Instant now) {
  const std::int64_t number = bucket_of(now);
  Bucket& bucket = buckets_[static_cast<std::size_t>(number % kBuckets)];
  if (bucket.number != number) bucket = Bucket{number, 0, 0};
  ++bucket.runs;
  if (end == RunEnd::Failure) ++bucket.failures;
}

Breaker::Share Breaker::share(Instant now) const {
  Share sum;
  const std::int64_t oldest = bucket_of(now) - kBuckets;
  for (const Bucket& bucket : buckets_) {
    if (bucket.number <= oldest) continue;
    sum.runs += bucket.runs;
    sum.failures += bucket.failures;
  }
  return sum;
}

std::optional<BreakerWhy> Breaker::judge(Instant now) const {
  if (options_.failures != 0 && row_ >= options_.failures) return BreakerWhy::InARow;
  if (options_.percent == 0) return std::nullopt;
  const Share sum = share(now);
  const bool enough = sum.runs >= options_.runs;
  if (enough && sum.failures * 100 >= options_.percent * sum.runs) return BreakerWhy::Share;
  return std::nullopt;
}

bool Breaker::counts(Instant began) const { return began > counts_after_; }

bool Breaker::admits() const {
  return state_ != BreakerState::Open && (limit_ == 0 || running_ < limit_);
}

void Breaker::run_begins(Instant now) {
  if (counts(now)) ++running_;
}

std::optional<BreakerWhy> Breaker::run_ends(Instant began, RunEnd end, Instant now) {
  if (!counts(began)) return std::nullopt;
  REQUIRE(running_ > 0 && state_ != BreakerState::Open);
  --running_;
  if (end == RunEnd::Neither) return std::nullopt;
  const bool failed = end == RunEnd::Failure;
  row_ = failed ? row_ + 1 : 0;
  successes_ = failed ? 0 : successes_ + 1;
  if (state_ == BreakerState::HalfOpen) {
    if (failed) return BreakerWhy::Probe;
    if (successes_ >= options_.successes) return BreakerWhy::Recovered;
    return std::nullopt;
  }
  count(end, now);
  if (failed) return judge(now);
  ramp();
  return std::nullopt;
}

void Breaker::ramp() {
  if (limit_ == 0 || successes_ < options_.successes) return;
  successes_ = 0;
  limit_ = limit_ * 2;
  if (limit_ < kRampEnd) return;
  limit_ = 0;
  openings_ = 0;
}

void Breaker::open(BreakerTrigger trigger, BreakerWhy why, Instant now, Instant until) {
  if (state_ != BreakerState::Open) since_ = now;
  fire(trigger);
  why_ = why;
  until_ = until;
  counts_after_ = now;
  running_ = limit_ = successes_ = 0;
  ++openings_;
  ++opened_;
}

void Breaker::half_open(Instant now) {
  fire(BreakerTrigger::Cool);
  why_ = BreakerWhy::Cooled;
  since_ = now;
  limit_ = options_.probes;
  successes_ = 0;
}

void Breaker::close(BreakerTrigger trigger, BreakerWhy why, Instant now) {
  fire(trigger);
  why_ = why;
  since_ = now;
  limit_ = trigger == BreakerTrigger::Recover ? options_.probes : 0;
  if (limit_ == 0) openings_ = 0;
  row_ = successes_ = 0;
  buckets_ = {};
}

}  // namespace warmpool
