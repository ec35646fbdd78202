// Who is judged when. Silence counts only against the idle: while a task runs, its deadline or a
// stopped process decides. After the loop itself was late nobody is judged before a grace is over.
#include <algorithm>

#include "pool/core.hpp"
#include "pool/verdict.hpp"

namespace warmpool {
namespace {

constexpr Duration kLateLeast = milliseconds(1);  // as late any loop is

Instant due_of_idle(const Slot& slot, const Options& options, bool beatless) {
  const Instant stopped = slot.stopped ? slot.stopped_at + options.dead_after : kNever;
  if (beatless) return stopped;
  const Duration silence = slot.unresponsive ? options.dead_after : options.unresponsive_after;
  return std::min(stopped, slot.last_heard + silence);
}

// A single lateness that is half of its patience or more is a stall to that run: what it reported
// meanwhile may not be read yet.
void forgive(Held& held, Duration late, Duration patience, Instant now) {
  if (!held.started() || patience.ns == 0) return;
  if (late >= patience) return held.moves(now);
  held.forgiven = std::min(now - held.moved_at, held.forgiven + late);
}

}  // namespace

Duration CoreState::slow_time(const Held& held) const {
  const Duration share = held.timeout / 100 * static_cast<std::int64_t>(options.slow_percent);
  return std::min(options.slow_after, share);
}

// Looks at a slot whose time has come.
void Core::judge_slot(Slot& slot) {
  const bool waits = slot.state == SlotState::Backoff || slot.state == SlotState::Failed;
  if (now < grace_until_ && !waits) {
    recall_behind_late(slot);
    return slots.look_at(slot, std::min(grace_until_, due_of_late(slot)));
  }
  if (old_at(slot) <= now) become_due(slot, DueReason::Age);
  if (ill_at(slot) <= now) become_due(slot, DueReason::Health);
  switch (slot.state) {
    case SlotState::Starting:
      if (hello_due(slot) <= now) {
        end_by_force(slot, ExitCause::StartTimeout, command::Force::Kill);
      }
      break;
    case SlotState::Ready:
      if (idle_at(slot) <= now) class_of(slot).idle_due = true;
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
    case SlotState::Held:
    case SlotState::Gone:
      break;
  }
  slots.look_at(slot, std::max(due_of(slot), now + microseconds(100)));
}

void Core::judge_silence(Slot& slot) {
  if (slot.stopped && slot.stopped_at + options.dead_after <= now) {
    return end_zombie(slot, ExitCause::Stopped, now - slot.stopped_at);
  }
  if (slot.health.fails_check()) {
    return end_by_force(slot, ExitCause::CheckFailed, command::Force::Kill);
  }
  if (class_of(slot).options.beatless) return;
  const Duration silent = now - slot.last_heard;
  if (silent >= options.dead_after) {
    slot.unresponsive = true;
    return end_zombie(slot, verdict_row(Hand::Idle, sign_of(slot)).cause, silent);
  }
  if (silent >= options.unresponsive_after && !slot.unresponsive) {
    slot.unresponsive = true;
    tell_health(slot);
    refresh(slot);
  }
}

void Core::end_zombie(Slot& slot, ExitCause cause, Duration since) {
  ++counters.zombies;
  auto told = about(slot, Notice::ZombieDetected);
  told.duration_ns = since.ns;
  notify(told);
  end_by_force(slot, cause, command::Force::Kill);
}

// Order: after each change of what its health is made of.
void Core::tell_health(Slot& slot) {
  const WorkerHealth health = health_of(slot);
  const WorkerHealth noted = is_told(health) ? health : WorkerHealth::Unknown;
  if (noted == slot.told) return;
  const bool leaves = slot.state == SlotState::Recovery;
  const auto ordinary = leaves              ? WorkerHealth::Recovering
                        : slot.held.empty() ? WorkerHealth::Healthy
                                            : WorkerHealth::Working;
  auto told = about(slot, Notice::WorkerHealthChanged);
  told.from = slot.told == WorkerHealth::Unknown ? ordinary : slot.told;
  told.to = noted == WorkerHealth::Unknown ? ordinary : noted;
  slot.told = noted;
  told.score = slot.health.score();
  told.health_reason = slot.health.reason();
  notify(told);
}

// Slow is shown and told, and kills nobody: the timeout does. Order: also when one left its hand.
void Core::judge_slow(Slot& slot) {
  bool slow = false;
  for (auto& held : slot.held) {
    if (held.started() && !held.slow && held.started_at + slow_time(held) <= now) {
      held.slow = true;
      auto told = about(held.task, Notice::TaskSlow);
      told.duration_ns = (now - held.started_at).ns;
      notify(told);
    }
    slow = slow || held.slow;
  }
  if (slow == slot.slow) return;
  slot.slow = slow;
  tell_health(slot);
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
  if (slot.registered) {  // perhaps nobody here may kill it: its place is nobody's
    emit(command::Disown{slot.worker});
    return on(event::WorkerExited{.worker = slot.worker, .cause = slot.order, .code = 0});
  }
  slot.force_at = kNever;
  stays(slot);
  tell_health(slot);
  if (slot.held.empty()) return substitute(slot);
  slot.busy = slot.busy + (now - slot.busy_since);
  auto told = about(slot, Notice::WorkerError);
  told.exit_cause = slot.order;
  notify(told);
  bury_hand(slot, event::WorkerExited{.worker = slot.worker, .cause = slot.order, .code = 0},
            slot.order);
  refresh(slot);
  substitute(slot);
}

Instant Core::due_of(const Slot& slot) const {
  const ClassOptions& class_options = classes[slot.worker_class.value].options;
  switch (slot.state) {
    case SlotState::Starting:
      return hello_due(slot);
    case SlotState::Ready:
      if (slot.health.fails_check()) return now;
      return std::min({old_at(slot), idle_at(slot), ill_at(slot),
                       due_of_idle(slot, options, class_options.beatless)});
    case SlotState::Running:
    case SlotState::Draining: {
      Instant due = slot.stopped ? slot.stopped_at + options.dead_after : kNever;
      if (slot.state == SlotState::Running) due = std::min({due, old_at(slot), ill_at(slot)});
      for (const auto& held : slot.held) due = std::min(due, due_of_held(slot, held));
      return std::min(due, due_of_late(slot));
    }
    case SlotState::Completing:
    case SlotState::Recovery:
      return slot.force_at;
    case SlotState::Backoff:
    case SlotState::Failed:
      return slot.retry_at;
    case SlotState::Held:  // whoever makes room for it brings a Tick
    case SlotState::Gone:
      break;
  }
  return kNever;
}

Instant Core::due_of_held(const Slot& slot, const Held& held) const {
  if (!held.started()) return kNever;
  const Duration patience = classes[slot.worker_class.value].options.progress_timeout;
  Instant due = std::min(held.is_ending() ? held.rung_at : held.end_at, ask_at(slot, held));
  if (!held.is_ending()) due = std::min(due, hung_at(held, patience));
  if (!held.slow) due = std::min(due, held.started_at + slow_time(held));
  return due;
}

// The loop was late: what looks like silence or slowness may be ours. However little that was, it
// may be much of a progress_timeout: a run has as long again, because what was late with the loop
// is heard after it. Under load every turn is late: all that is forgiven is bounded by hung_at().
void Core::on(const event::LoopLate& event) {
  if (event.by <= kLateLeast) return;
  const bool stall = event.by > options.heartbeat_interval;
  if (stall) grace_until_ = now + options.heartbeat_interval;
  // Their clients may have come and not been heard.
  if (stall && orphans_until_ != kNever) orphans_until_ = now + options.reconnect_grace;
  for (std::size_t at = 0; at < slots.size(); ++at) {
    Slot& slot = slots[SlotId{static_cast<std::uint16_t>(at)}];
    const Duration patience = class_of(slot).options.progress_timeout;
    for (auto& held : slot.held) forgive(held, event.by * 2, patience, now);
    if (!stall) continue;
    heard(slot);
    slot.health.forgive();
    for (auto& held : slot.held) held.moves(now);
    if (slot.state == SlotState::Starting) slot.spawned_at = now;
  }
}

}  // namespace warmpool
