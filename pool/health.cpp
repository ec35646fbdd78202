// The mean of what is known, by weights. Failures of a worker are held against what its peers do
// with tasks of the same types: a type that fails everywhere is the type's fault, and a worker that
// fails what others do is ill however few of its tasks they are. Of failures in a row it is counted
// how unlikely they would be at a peer, in bits, so that a type that fails now and then cannot make
// a spiral of chance. Cost: an answer some ns, a judgement 50 ns.
#include "pool/health.hpp"

#include <algorithm>
#include <limits>

namespace warmpool {
namespace {

constexpr Duration kStale = minutes(10);
// Beyond that a failure is the type's, and says nothing of who ran it.
constexpr std::uint16_t kUsual = 750;
// Rates of the last tasks wander by so much.
constexpr int kNoise = 100;
constexpr std::uint8_t kSpeedsKnown = 8;
constexpr std::uint32_t kLeakFrom = 32, kLeakTo = 288;

// kScoreMax up to `from`, 0 from `to` on, straight between.
std::uint16_t falls(std::int64_t value, std::int64_t from, std::int64_t to) {
  if (value <= from) return kScoreMax;
  if (value >= to) return 0;
  std::int64_t over = value - from, width = to - from;
  for (; width > std::int64_t{1} << 50; width /= 1024) over /= 1024;  // nanoseconds of years
  return static_cast<std::uint16_t>(kScoreMax - over * kScoreMax / width);
}

// An eighth of the way, and at least one step, so that it arrives.
std::uint16_t nearer(std::uint16_t value, int target) {
  const int away = target - int{value};
  const int step = away / 8 != 0 ? away / 8 : (away > 0) - (away < 0);
  return static_cast<std::uint16_t>(value + step);
}

// How surprising a failure is of which so many per mille are usual: -log2, in sixteenths. At most 4
// bits, so that five in a row are the least that is a spiral.
std::uint32_t surprise_of(std::uint16_t usual) {
  constexpr std::array<std::uint8_t, 16> kBits{64, 64, 48, 39, 32, 27, 23, 19,
                                               16, 13, 11, 9,  7,  5,  3,  1};
  return kBits[std::min<std::size_t>(usual * 16U / 1000U, kBits.size() - 1)];
}

// The lowest counts.
void lower(PartScore& part, std::uint16_t value, HealthReason reason) {
  if (part.known && part.value <= value) return;
  part = {true, value, value == kScoreMax ? HealthReason::None : reason};
}

std::uint16_t mean(const PartScores& parts, const ClassOptions& options, bool& known) {
  const std::array<std::uint64_t, std::tuple_size_v<PartScores>> weights{
      options.health_liveness, options.health_activity, options.health_errors,
      options.health_resources, options.health_velocity};
  std::uint64_t sum = 0, all = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].known) continue;
    sum += weights[i] * parts[i].value;
    all += weights[i];
  }
  known = all != 0;
  return known ? static_cast<std::uint16_t>(sum / all) : kScoreMax;
}

}  // namespace

std::optional<std::uint16_t> PeerRates::of_others(TypeId type, WorkerId worker, Instant now) const {
  if (type.value >= rates_.size()) return std::nullopt;
  const Rate& rate = rates_[type.value];
  const bool others = rate.several || (rate.last && rate.last != worker);
  if (!others || now - rate.at > kStale) return std::nullopt;
  return rate.failing;
}

void PeerRates::add(TypeId type, WorkerId worker, bool failed, Instant now) {
  if (type.value >= rates_.size()) rates_.resize(type.value + std::size_t{1});
  Rate& rate = rates_[type.value];
  if (rate.last == worker) return;
  const int target = failed ? kScoreMax : 0;
  const bool first = !rate.last;
  rate.failing = first ? static_cast<std::uint16_t>(target) : nearer(rate.failing, target);
  rate.several = !first;
  rate.last = worker;
  rate.at = now;
}

void Health::begin(Instant now) {
  *this = Health{};
  judged_at_ = band_since_ = moved_at_ = now;
}

void Health::ran(const Run& run) {
  if (run.others && *run.others < kUsual) {
    const bool first = judged_ == 0;
    const int failed = run.failed ? kScoreMax : 0;
    failing_ = first ? static_cast<std::uint16_t>(failed / 8) : nearer(failing_, failed);
    expected_ =
        first ? static_cast<std::uint16_t>(*run.others / 8) : nearer(expected_, *run.others);
    if (judged_ < std::numeric_limits<std::uint8_t>::max()) ++judged_;
    row_ = run.failed ? row_ + 1 : 0;
    surprise_ = run.failed ? std::min(surprise_ + surprise_of(*run.others), kSpiral) : 0;
    ran_at_ = run.at;
  }
  if (run.failed || run.usual.ns <= 0) return;
  // Bounds: days are as good as months, and their product with 1000 fits.
  const std::int64_t taken = std::clamp<std::int64_t>(run.service.ns, 1, hours(2'400).ns);
  const std::int64_t usual = std::min<std::int64_t>(run.usual.ns, taken);
  const int speed = static_cast<int>(usual * kScoreMax / taken);
  speed_ = speeds_ == 0 ? static_cast<std::uint16_t>(speed) : nearer(speed_, speed);
  if (speeds_ < kSpeedsKnown) ++speeds_;
}

void Health::measured(const event::Measures& measures, bool idle, Instant now) {
  last_ = measures;
  measured_at_ = now;
  if (measures.moved || measures.cpu >= 5) moved_at_ = now;
  if (measures.descriptors == 0) return;
  const bool lower = descriptors_base_ == 0 || measures.descriptors < descriptors_base_;
  if (lower && idle) descriptors_base_ = measures.descriptors;
}

bool Health::checked(const event::WorkerChecked& check, std::uint64_t threshold, Instant now) {
  ++checks_;
  checked_at_ = now;
  check_took_ = check.took;
  check_threshold_ = static_cast<std::uint32_t>(std::max<std::uint64_t>(threshold, 1));
  check_failures_ = check.passed ? 0 : check_failures_ + 1;
  check_failed_ = check_failures_ >= check_threshold_ || (check_failed_ && !check.passed);
  return settle(now);
}

bool Health::uncheck(Instant now) {
  check_failures_ = 0;
  check_failed_ = false;
  return settle(now);
}

bool Health::flag(bool degraded, Instant now) {
  flagged_ = degraded;
  return settle(now);
}

bool Health::settle(Instant now) {
  const Band said = flagged_ ? Band::Degraded : Band::Healthy;
  const Band all = check_failed_ ? Band::Unhealthy : std::max(scored_, said);
  if (all == band_) return false;
  band_ = all;
  band_since_ = now;
  return true;
}

std::uint16_t Health::blame() const {
  const int more = int{failing_} - int{expected_} - kNoise;
  if (judged_ == 0 || more <= 0) return 0;
  const int room = kScoreMax - kNoise - int{expected_};
  return static_cast<std::uint16_t>(std::min<int>(more * kScoreMax / std::max(room, 1), kScoreMax));
}

std::optional<std::uint16_t> Health::speed() const {
  if (speeds_ < kSpeedsKnown) return std::nullopt;
  return speed_;
}

// A handler need not beat: of a busy one only its check and a process that stands still tell.
PartScore Health::liveness(const Situation& situation) const {
  PartScore part;
  const Duration age = situation.now - situation.heard_at;
  const Duration fresh = situation.heartbeat_interval * 2;
  const bool busy = situation.moved_at != kNever;
  if (!situation.beatless && (!busy || age <= fresh)) {
    const auto dead = std::max(situation.dead_after, fresh + nanoseconds(1));
    lower(part, falls(age.ns, fresh.ns, dead.ns), HealthReason::NotHeard);
  }
  if (checks_ != 0) {
    const std::uint32_t failures = check_failed_ ? check_threshold_ : check_failures_;
    lower(part, falls(failures, 0, check_threshold_), HealthReason::CheckFails);
  }
  if (situation.stopped) lower(part, 0, HealthReason::Stopped);
  return part;
}

// Who has nothing to do is as active as need be.
PartScore Health::activity(const Situation& situation) const {
  PartScore part;
  if (situation.moved_at == kNever) {
    lower(part, kScoreMax, HealthReason::None);
  } else if (measured_at_ != Instant{}) {
    const Duration quiet = situation.now - std::max(situation.moved_at, moved_at_);
    lower(part, falls(quiet.ns, situation.patience.ns / 4, situation.patience.ns),
          HealthReason::ShowsNothing);
  }
  return part;
}

PartScore Health::errors() const {
  PartScore part;
  if (judged_ == 0) return part;
  lower(part, static_cast<std::uint16_t>(kScoreMax - blame()), HealthReason::FailsMore);
  lower(part, falls(surprise_, kSpiral / 5, kSpiral), HealthReason::Spiral);
  return part;
}

PartScore Health::resources(const Situation& situation) const {
  PartScore part;
  using R = HealthReason;
  if (situation.memory != 0 && situation.memory_max != kUnlimited) {
    const auto share = situation.memory * 1000 / std::max<std::uint64_t>(situation.memory_max, 1);
    lower(part, falls(static_cast<std::int64_t>(share), 600, 1000), R::Memory);
  }
  if (last_.descriptors != 0 && last_.descriptors_max != 0) {
    const auto share = std::uint64_t{last_.descriptors} * 1000 / last_.descriptors_max;
    lower(part, falls(static_cast<std::int64_t>(share), 600, 1000), R::Descriptors);
  }
  if (last_.descriptors != 0 && descriptors_base_ != 0) {
    const auto more = std::int64_t{last_.descriptors} - std::int64_t{descriptors_base_};
    lower(part, falls(more, kLeakFrom, kLeakTo), R::Leaks);
  }
  if (last_.throttled) lower(part, falls(*last_.throttled, 200, 800), R::Throttled);
  if (last_.disk_wait) lower(part, falls(*last_.disk_wait, 500, 1000), R::DiskWait);
  const bool idle = situation.moved_at == kNever && measured_at_ != Instant{};
  if (idle) lower(part, falls(last_.cpu, 200, 1000), R::IdleCpu);
  return part;
}

PartScore Health::velocity() const {
  PartScore part;
  const auto well = static_cast<std::uint32_t>(kScoreMax - blame());
  if (judged_ != 0) lower(part, static_cast<std::uint16_t>(well), HealthReason::FailsMore);
  if (const auto share = speed()) {
    const std::uint32_t fast = std::min<std::uint32_t>(*share * 2U, kScoreMax);
    lower(part, static_cast<std::uint16_t>(fast * well / kScoreMax), HealthReason::Slower);
  }
  return part;
}

PartScores Health::parts(const Situation& situation) const {
  return {liveness(situation), activity(situation), errors(), resources(situation), velocity()};
}

void Health::smooth(std::uint16_t raw, Instant now, Duration over) {
  const Duration since = now - judged_at_;
  const int away = int{raw} - int{score_};
  const std::int64_t share = since.ns / std::max<std::int64_t>(over.ns / 1000, 1);
  if (share == 0 && since < over) return;
  judged_at_ = now;
  auto step = static_cast<int>(since >= over ? away : away * share / 1000);
  if (step == 0) step = (away > 0) - (away < 0);
  score_ = static_cast<std::uint16_t>(score_ + step);
}

bool Health::judge(const Situation& situation, const ClassOptions& options) {
  // Whom nobody gives anything any more would never be anything else.
  if (situation.moved_at == kNever && situation.now - ran_at_ > kStale) {
    judged_ = 0;
    row_ = surprise_ = 0;
  }
  const auto all = parts(situation);
  smooth(mean(all, options, known_), situation.now, options.health_smoothing);
  const auto lowest = std::ranges::min_element(
      all, {}, [](const PartScore& part) { return part.known ? part.value : kScoreMax; });
  lowest_ = lowest->known ? lowest->reason : HealthReason::None;
  // What it does is of no use, however well it is otherwise.
  if (in_spiral() && options.health_unhealthy != 0) {
    score_ = std::min(score_, static_cast<std::uint16_t>(options.health_unhealthy / 2));
  }
  scored_ = band_of(scored_, score_, options);
  return settle(situation.now);
}

HealthReason Health::reason() const {
  if (check_failed_) return HealthReason::CheckFails;
  if (in_spiral()) return HealthReason::Spiral;
  return flagged_ && scored_ == Band::Healthy ? HealthReason::SaidSo : lowest_;
}

Band band_of(Band was, std::uint16_t score, const ClassOptions& options) {
  const std::uint64_t up = options.health_hysteresis;
  const auto reaches = [&](std::uint64_t mark, bool from_below) {
    return mark == 0 || score >= (from_below ? mark + up : mark);
  };
  if (!reaches(options.health_unhealthy, was == Band::Unhealthy)) return Band::Unhealthy;
  return reaches(options.health_degraded, was != Band::Healthy) ? Band::Healthy : Band::Degraded;
}

}  // namespace warmpool
