// Who is judged when. Silence counts only against the idle: while a task runs, its deadline or a
// stopped process decides. After the loop itself was late nobody is judged before a grace is over.
#include <algorithm>

#include "pool/core.hpp"

namespace warmpool {

// Looks at a slot whose time has come.
void Core::judge_slot(Slot& slot) {
  const bool waits = slot.state == SlotState::Backoff || slot.state == SlotState::Failed;
  if (now < grace_until_ && !waits) {
    recall_behind_late(slot);
    return slots.look_at(slot, std::min(grace_until_, due_of_late(slot)));
  }
  switch (slot.state) {
    case SlotState::Starting:
      if (slot.spawned_at + options.start_timeout <= now) {
        end_by_force(slot, ExitCause::StartTimeout, command::Force::Kill);
      }
      break;
    case SlotState::Ready:
      judge_silence(slot);
      break;
    case SlotState::Running:
    case SlotState::Draining:
      judge_held(slot);
      break;
    case SlotState::Completing:
    case SlotState::Recovery:
      judge_forced(slot);
      break;
    case SlotState::Backoff:
    case SlotState::Failed:
      if (slot.retry_at <= now) try_again(slot);
      break;
    case SlotState::Gone:
      break;
  }
  slots.look_at(slot, std::max(due_of(slot), now + microseconds(100)));
}

void Core::try_again(Slot& slot) {
  slots.fire(slot, SlotTrigger::RetryDue, now);
  auto told = about(slot, Notice::RecoveryAttempted);
  told.count = slot.unproductive;
  notify(told);
  start_worker(slot);
}

void Core::judge_silence(Slot& slot) {
  if (slot.stopped && slot.stopped_at + options.dead_after <= now) {
    ++counters.zombies;
    return end_by_force(slot, ExitCause::Stopped, command::Force::Kill);
  }
  if (class_of(slot).options.beatless) return;
  const Duration silent = now - slot.last_heard;
  if (silent >= options.dead_after) {
    ++counters.zombies;
    auto told = about(slot, Notice::ZombieDetected);
    told.duration_ns = silent.ns;
    notify(told);
    return end_by_force(slot, ExitCause::Unresponsive, command::Force::Kill);
  }
  if (silent >= options.unresponsive_after && !slot.unresponsive) {
    slot.unresponsive = true;
    auto told = about(slot, Notice::WorkerHealthChanged);
    told.to = 1;
    notify(told);
    refresh(slot);
  }
}

void Core::judge_forced(Slot& slot) {
  if (slot.force_at > now) return;
  if (slot.killed) return give_up_hand(slot);
  const bool asked = slot.state == SlotState::Completing;
  const bool termed = slot.order != ExitCause::Exited;
  end_by_force(slot, asked ? ExitCause::Requested : slot.order_later,
               asked && !termed ? command::Force::Term : command::Force::Kill);
}

// A process that does not go though it was killed, as in a system call that never returns. What it
// had goes on elsewhere; what it may still answer is refused.
void Core::give_up_hand(Slot& slot) {
  slot.force_at = kNever;
  if (slot.held.empty()) return;
  slot.busy = slot.busy + (now - slot.busy_since);
  auto told = about(slot, Notice::WorkerError);
  told.exit_cause = slot.order;
  notify(told);
  bury_hand(slot, slot.worker, slot.order, 0);
  refresh(slot);
}

Instant Core::due_of(const Slot& slot) const {
  switch (slot.state) {
    case SlotState::Starting:
      return slot.spawned_at + options.start_timeout;
    case SlotState::Ready:
      return due_of_idle(slot);
    case SlotState::Running:
    case SlotState::Draining:
      return due_of_busy(slot);
    case SlotState::Completing:
    case SlotState::Recovery:
      return slot.force_at;
    case SlotState::Backoff:
    case SlotState::Failed:
      return slot.retry_at;
    case SlotState::Gone:
      break;
  }
  return kNever;
}

Instant Core::due_of_idle(const Slot& slot) const {
  const Instant stopped = slot.stopped ? slot.stopped_at + options.dead_after : kNever;
  if (classes[slot.worker_class.value].options.beatless) return stopped;
  const Duration silence = slot.unresponsive ? options.dead_after : options.unresponsive_after;
  return std::min(stopped, slot.last_heard + silence);
}

Instant Core::due_of_busy(const Slot& slot) const {
  Instant due = slot.stopped ? slot.stopped_at + options.dead_after : kNever;
  for (const auto& held : slot.held) {
    if (held.started()) due = std::min(due, held.is_ending() ? held.rung_at : held.end_at);
  }
  return std::min(due, due_of_late(slot));
}

// The loop was late: what looks like silence or slowness may be ours.
void Core::forgive_stall() {
  grace_until_ = now + options.heartbeat_interval;
  for (std::size_t at = 0; at < slots.size(); ++at) {
    Slot& slot = slots[SlotId{static_cast<std::uint16_t>(at)}];
    heard(slot);
    slot.stopped_at = now;
    if (slot.state == SlotState::Starting) slot.spawned_at = now;
  }
}

}  // namespace warmpool
