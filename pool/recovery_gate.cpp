// Deaths count from the second in a row of a place on: that one dies is no news, that its
// replacement does is. A mass kill so opens nothing, a program that cannot run does at once.
#include "pool/recovery_gate.hpp"

#include <algorithm>

#include "pool/require.hpp"

namespace warmpool {

void RecoveryGate::fire(RecoveryTrigger trigger) {
  const std::size_t row = find_row(kRecoveryRows, state_, trigger);
  REQUIRE(row != kNoRow);
  ++row_hits_[row];
  state_ = kRecoveryRows[row].to;
}

bool RecoveryGate::died(Instant now, const ClassOptions& options) {
  const std::uint64_t most = options.recovery_deaths;
  if (most == 0) return false;
  deaths_.push_back(now);
  while (deaths_.size() > most) deaths_.pop_front();
  return deaths_.size() >= most && deaths_.front() + options.recovery_window > now;
}

std::uint32_t RecoveryGate::deaths(Instant now, Duration window) const {
  return static_cast<std::uint32_t>(
      std::ranges::count_if(deaths_, [=](Instant at) { return at + window > now; }));
}

void RecoveryGate::open(RecoveryTrigger trigger, RecoveryWhy why, Instant now, Instant until) {
  fire(trigger);
  why_ = why;
  since_ = now;
  until_ = until;
  has_probe_ = false;
  ++openings_;
  ++opened_;
}

void RecoveryGate::half_open(Instant now) {
  fire(RecoveryTrigger::Cool);
  why_ = RecoveryWhy::Cooled;
  since_ = now;
  has_probe_ = false;
}

void RecoveryGate::close(RecoveryTrigger trigger, RecoveryWhy why, Instant now) {
  fire(trigger);
  why_ = why;
  since_ = now;
  has_probe_ = false;
  if (trigger == RecoveryTrigger::Close) openings_ = 0;
  deaths_.clear();
}

void RecoveryGate::proved(SlotId slot) {
  deaths_.clear();
  if (!shut() || is_probe(slot)) openings_ = 0;
}

void RecoveryGate::set_probe(SlotId slot) {
  probe_ = slot;
  has_probe_ = true;
  proved_at_ = kNever;
}

}  // namespace warmpool
