// What people are shown must be so: a notice for each thing that happened and for nothing else, and
// figures and states as clients and workers saw them.
#include <algorithm>

#include "pool/verdict.hpp"
#include "tests/sim/oracle_breaker.hpp"
#include "tests/sim/oracle_liveness.hpp"
#include "tests/sim/oracle_recovery.hpp"

namespace warmpool::sim {
namespace {

// Told when the core judges it so: checked one by one, not counted.
bool is_judged(Notice notice) {
  return notice == Notice::PoolInitialized || notice == Notice::WorkerHealthChanged ||
         notice == Notice::RecoveryGivenUp || notice == Notice::TaskSlow ||
         notice == Notice::RecoveryOpened || notice == Notice::RecoveryHalfOpen ||
         notice == Notice::RecoveryClosed;
}

void same(std::string_view what, std::uint64_t shown, std::uint64_t seen) {
  require_rule(shown == seen, "shown", [&] {
    return std::string(what) + ": shown are " + std::to_string(shown) + ", seen were " +
           std::to_string(seen);
  });
}

}  // namespace

void Oracle::note_notice(const Notification& notification) {
  ++given_[static_cast<std::size_t>(notification.notice)];
  BreakerWatch{*this}.told(notification);
  RecoveryWatch{*this}.told(notification);
  switch (notification.notice) {
    case Notice::PoolInitialized:
      return judge_initialized();
    case Notice::WorkerHealthChanged:
    case Notice::ZombieDetected:
      return LivenessWatch{*this}.judge_told(notification);
    case Notice::TaskSlow:
      return LivenessWatch{*this}.note_slow(notification);
    case Notice::RecoveryGivenUp:
      return require_rule(
          std::ranges::any_of(slots_,
                              [&](const SeenSlot& slot) {
                                const auto& its = classes_[slot.worker_class.value].options;
                                return slot.used && slot.worker.home == notification.slot &&
                                       (slot.deaths_most >= options_.restarts_max ||
                                        !its.automatic_restart);
                              }),
          "notices",
          [&] { return std::string("a slot was said to have failed after too few deaths"); });
    default:
      return;
  }
}

// Once in a life, when every class has its minimum.
void Oracle::judge_initialized() {
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    const auto ready = std::ranges::count_if(slots_, [&](const SeenSlot& slot) {
      return slot.worker.live && slot.worker.ready && slot.worker.worker_class.value == c;
    });
    const auto needed = std::min(classes_[c].options.size_min, classes_[c].target);
    const bool enough = static_cast<std::uint64_t>(ready) >= needed || !held_.empty();
    require_rule(!initialized_ && enough, "notices",
                 [] { return std::string("the pool was said to be initialized and is not"); });
  }
  initialized_ = true;
}

void Oracle::judge_notices() {
  for (std::size_t i = 0; i < given_.size(); ++i) {
    const bool judged = is_judged(kNoticeRows[i].notice);
    require_rule(judged || given_[i] == owed_[i], "notices", [&] {
      return std::string(kNoticeRows[i].name) + " was told " + std::to_string(given_[i]) +
             " times, and had to be " + std::to_string(owed_[i]) + " times";
    });
  }
  given_.fill(0);
  owed_.fill(0);
}

void Oracle::judge_slot_shown(const SlotView& view) const {
  // A place whose first worker is held was never seen.
  const SeenWorker none;
  const bool known = view.slot.value < slots_.size();
  const SeenWorker& worker = known ? slots_[view.slot.value].worker : none;
  same("worker", view.worker.value, worker.live ? worker.id.value : 0);
  if (!worker.live) return;
  same("attempts in hand", view.attempts_held.size(), worker.hand.size());
  for (std::size_t i = 0; i < worker.hand.size(); ++i) {
    const HeldAttempt& held = worker.hand[i];
    const AttemptView& shown = view.attempts_held[i];
    same("attempt", shown.key.token, held.key.token);
    same("started", shown.started, held.started);
    same("being ended", shown.cancelling, held.cancel_ordered);
  }
  same("stopped", view.stopped, worker.stopped);
  const auto told = is_told(view.health) ? view.health : WorkerHealth::Unknown;
  require_rule(told == worker.told, "shown", [&] {
    return worker_name(worker.id) + " is shown as " + std::string(name_of(view.health)) +
           " and was said to be " + std::string(name_of(worker.told));
  });
  if (!worker.stopped && !worker.kill_ordered) {
    same("unresponsive", view.unresponsive, is_silence(worker.told));
    same("slow", view.slow, std::ranges::any_of(worker.hand, &HeldAttempt::slow));
  }
  if (worker.assignable() && !worker.broken) same("credits", view.credits, worker.credits);
}

void Oracle::judge_queue_shown(const Snapshot& shown) const {
  QueueView seen;
  std::vector<std::uint64_t> ready(types_.size());
  for (std::uint32_t index : unsettled_) {
    const SeenTask& task = tasks_[index];
    if (task.phase == Phase::Running) {
      ++seen.running;
    } else if (!task.accept_kept || task.gate > kept_record_ || outlives(task.id)) {
      ++seen.recording;
    } else if (task.phase == Phase::Held) {
      ++seen.held;
    } else if (task.eligible_at > now_) {
      ++seen.delayed;
    } else {
      ++seen.ready;
      ++ready[task.spec.type.value];
    }
  }
  const QueueView& queue = shown.queue;
  same("recording", queue.recording, seen.recording);
  same("ready", queue.ready, seen.ready);
  same("delayed", queue.delayed, seen.delayed);
  same("held", queue.held, seen.held);
  same("running", queue.running, seen.running);
  Instant oldest = now_;
  for (bool suspects : {false, true}) {
    for (const SeenTask* head : lane_heads(std::nullopt, suspects)) {
      oldest = std::min(oldest, head->eligible_at);
    }
  }
  // While the pool is paused nothing is ready for anybody, and that still has an age.
  require_rule(paused_ || queue.oldest_ready == now_ - oldest, "shown",
               [] { return std::string("the age of the oldest ready task is wrong"); });
  for (const TypeView& type : shown.types) {
    same("waiting of a type", type.waiting, ready[type.type.value]);
    same("paused", type.paused_itself, types_[type.type.value].paused);
  }
}

void Oracle::judge_shown(const Pool& pool) const {
  const Snapshot shown = pool.snapshot();
  judge_queue_shown(shown);
  for (const SlotView& view : shown.slots) judge_slot_shown(view);
  for (const ClassView& view : shown.classes) {
    std::uint64_t in_flight = 0;
    for (const SeenSlot& slot : slots_) {
      if (slot.worker_class == view.worker_class) in_flight += slot.worker.hand.size();
    }
    same("size", view.target, classes_[view.worker_class.value].target);
    same("in flight", view.in_flight, in_flight);
  }
  same("draining", shown.draining, draining_);
  same("stopping", shown.stopping, stopping_);
  same("store accepts", shown.store_accepting, accepting_);
}

}  // namespace warmpool::sim
