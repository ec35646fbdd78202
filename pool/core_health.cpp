// A score is judged when its worker was measured or checked, which is now and then; of answers only
// failures, and those of workers that are not healthy: what goes well costs a table and some sums.
#include "pool/core_health.hpp"

#include <algorithm>

namespace warmpool {
namespace {

bool serves(const Slot& slot) {
  return slot.state == SlotState::Ready || slot.state == SlotState::Running ||
         slot.state == SlotState::Draining;
}

}  // namespace

Situation CoreHealth::situation_of(const Slot& slot) const {
  Situation situation;
  situation.now = now;
  situation.heard_at = slot.last_heard;
  situation.moved_at = kNever;
  for (const Held& held : slot.held) {
    if (!held.started()) continue;
    const bool first = situation.moved_at == kNever;
    situation.moved_at = first ? held.moved_at : std::max(situation.moved_at, held.moved_at);
    situation.patience = std::max(situation.patience, slow_time(held));
  }
  situation.heartbeat_interval = options.heartbeat_interval;
  situation.dead_after = options.dead_after;
  situation.beatless = classes[slot.worker_class.value].options.beatless;
  situation.stopped = slot.stopped;
  situation.memory = slot.memory;
  situation.memory_max = memory_max(slot);
  return situation;
}

// After a stall of the loop nothing is judged before the grace is over.
void CoreHealth::judge_health(Slot& slot) {
  if (!serves(slot) || now < grace_until_) return;
  note(slot, slot.health.judge(situation_of(slot), class_of(slot).options));
}

void CoreHealth::note(const Slot& slot, bool changed) {
  if (changed) health_changed_.push_back(slot.id);
}

void CoreHealth::on(const event::WorkerMeasured& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr) return;
  slot->health.measured(event.measures, slot->held.empty(), now);
  judge_health(*slot);
}

// One that failed while the loop itself was late tells nothing.
void CoreHealth::on(const event::WorkerChecked& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr || !serves(*slot)) return;
  const bool late = promised_ != kNever && now > promised_ + options.heartbeat_interval;
  if (!event.passed && (late || now < grace_until_)) return;
  note(*slot, slot->health.checked(event, class_of(*slot).options.check_threshold, now));
  if (slot->health.fails_check()) slots.look_at(*slot, now);
  judge_health(*slot);
}

// What a ping asks for has come: it was heard in its channel. So who holds its interpreter's lock
// while it works is marked by pings that fail, and not ended for them.
void CoreHealth::answers_ping(Slot& slot) {
  const bool failed = slot.health.check_failures() != 0 || slot.health.fails_check();
  if (failed && class_of(slot).options.check == "ping") uncheck(slot);
}

void CoreHealth::uncheck(Slot& slot) { note(slot, slot.health.uncheck(now)); }

void CoreHealth::on(const event::WorkerFlagged& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr || !serves(*slot)) return;
  note(*slot, slot->health.flag(event.degraded, now));
}

// What was cancelled, held for a person, failed for good or took too much says nothing of the
// worker; nor does a result that found no room.
void CoreHealth::note_run(Slot& slot, const Held& held, const event::AttemptAnswered& event) {
  const Task& task = tasks[held.task];
  const bool failed = event.outcome == Outcome::Failed || event.outcome == Outcome::RetryAfter;
  const bool ours = task.cancelling || event.out_of_memory || event.no_room;
  if (ours || (!failed && event.outcome != Outcome::Done)) return;
  PeerRates& rates = class_of(slot).health.rates;
  Health::Run run;
  run.failed = failed;
  run.others = rates.of_others(task.type, slot.worker, now);
  run.usual = held.expected;
  run.at = now;
  const bool beyond = event.service >= microseconds(65'535) && held.started();
  run.service = beyond ? now - held.started_at : event.service;
  slot.health.ran(run);
  rates.add(task.type, slot.worker, failed, now);
  if (failed || slot.health.band() != Band::Healthy) judge_health(slot);
}

Instant CoreHealth::ill_at(const Slot& slot) const {
  const Duration patience = classes[slot.worker_class.value].options.health_replace_after;
  const bool works = slot.state == SlotState::Ready || slot.state == SlotState::Running;
  const bool ill = works && slot.health.band() == Band::Unhealthy && !slot.removing;
  if (!ill || patience.ns == 0 || slot.registered || slot.due_for != DueReason::None) return kNever;
  return slot.health.band_since() + patience;
}

}  // namespace warmpool
