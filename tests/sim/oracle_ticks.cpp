// After each Tick nothing that was due is left undone, and the next deadline was told in time.
#include <algorithm>

#include "tests/sim/oracle_admission.hpp"
#include "tests/sim/oracle_bound.hpp"
#include "tests/sim/oracle_breaker.hpp"
#include "tests/sim/oracle_checkpoints.hpp"
#include "tests/sim/oracle_health.hpp"
#include "tests/sim/oracle_liveness.hpp"
#include "tests/sim/oracle_recovery.hpp"
#include "tests/sim/oracle_strangers.hpp"
#include "tests/sim/oracle_suspects.hpp"
#include "tests/sim/oracle_task_memory.hpp"

namespace warmpool::sim {
namespace {

// From one Tick to the next at least.
constexpr Duration kTurn = microseconds(1);
// A worker whose channel closed has this time to end by itself.
constexpr Duration kLastWords = milliseconds(100);

}  // namespace

// Something that was due between the last Tick and now should have had a Tick of its own.
void Oracle::judge_due(Instant due, std::string_view what) const {
  if (stalled_turn_ || !calm() || due + kSlack <= previous_tick_) return;
  if (std::max(due + kSlack, previous_tick_ + kTurn) >= now_) return;
  violate("deadline-told", std::string(what) + " was due " +
                               std::to_string((now_ - due).ns / 1000) +
                               " us ago and next_deadline did not say so");
}

bool Oracle::is_open(ClassId worker_class) const {
  return !paused_ && !classes_[worker_class.value].paused;
}

bool Oracle::judge_idle(const SeenWorker& worker, bool surely) const {
  const bool silent = !worker.beatless && now_ - worker.heard_at >= options_.unresponsive_after;
  return worker.assignable() && is_open(worker.worker_class) && worker.hand.empty() && !silent &&
         !worker.stopped && !worker.broken && Fitness{*this}.may_take(worker, surely);
}

void Oracle::judge_hand(const SeenWorker& worker) const {
  const auto missed = [&](bool holds, std::string_view rule, const HeldAttempt& held) {
    require_rule(holds, rule, [&] {
      return task_name(held.key.task) + " in the hand of " + worker_name(worker.id) + " since " +
             std::to_string((now_ - held.assigned_at).ns / 1000) + " us";
    });
  };
  if (worker.broken) return;
  const HeldAttempt& head = worker.hand.front();
  const bool long_head =
      head.started_at > options_at_ && now_ >= head.started_at + options_.recall_after + kSlack;
  for (const HeldAttempt& held : worker.hand) {
    const bool behind = worker.recall && !held.started && !worker.term_ordered;
    missed(!behind || held.recall_ordered || !(long_head || stopping_), "recall-after", held);
    missed(!behind || held.recall_ordered || !head.cancel_ordered, "recall-at-cancel", held);
  }
  if (now_ <= grace_until_ + kSlack) return;
  for (const HeldAttempt& held : worker.hand) {
    const SeenTask& task = tasks_[held.task];
    const bool over = held.started && now_ >= held.started_at + held.timeout + kSlack;
    const bool late =
        task.spec.deadline.ns > 0 && now_ >= task.round_at + task.spec.deadline + kSlack;
    if (held.started && !worker.term_ordered) {
      missed(held.cancel_ordered || !(over || late), "timeout-acts", held);
    }
    if (!calm() || !held.cancel_ordered || worker.retired) continue;
    const Instant term_due = held.cancel_at + options_.cancel_grace + kSlack;
    const bool ends = worker.term_ordered || worker.kill_ordered;
    missed(ends || now_ < term_due || held.cancel_at == now_, "ladder", held);
  }
  if (calm() && worker.term_ordered && worker.term_at < now_) {
    missed(now_ < worker.term_at + options_.term_grace + kSlack, "ladder", head);
  }
}

void Oracle::judge_silence(const SeenWorker& worker) const {
  const auto rule = [&](bool holds, std::string_view name) {
    require_rule(holds, name, [&] { return worker_name(worker.id) + " is not ended"; });
  };
  rule(!worker.broken || worker.term_ordered || worker.retired || !calm() ||
           now_ <= worker.broken_at + kLastWords + kSlack,
       "broken-ends");
  const bool asked = worker.retired && !worker.term_ordered && calm();
  rule(!asked || now_ <= worker.retired_at + options_.term_grace + kSlack, "retire-ends");
  if (!calm() || worker.broken || worker.retired || worker.term_ordered) return;
  const bool quiet = worker.ready && worker.hand.empty() && !worker.beatless &&
                     now_ >= worker.heard_at + options_.unresponsive_after + kSlack;
  rule(worker.told != WorkerHealth::Unknown || !quiet, "unresponsive-told");
  rule(
      worker.ready || worker.prepares || now_ < worker.spawned_at + options_.start_timeout + kSlack,
      "start-timeout");
  rule(!worker.stopped || now_ < worker.stopped_at + options_.dead_after + kSlack, "stopped-ends");
  const bool silent = worker.ready && worker.hand.empty() && !worker.beatless &&
                      now_ >= worker.heard_at + options_.dead_after + kSlack;
  rule(!silent, "zombie-ends");
}

// A suspect needs a worker that has nothing in hand, others one that can start one more.
void Oracle::judge_waiting(std::uint64_t idle_classes, std::uint64_t free_classes) const {
  for (std::uint32_t index : unsettled_) {
    const SeenTask& task = tasks_[index];
    if (task.phase == Phase::Running || !ready_now(task)) continue;
    const std::uint64_t able = task.suspect ? idle_classes : free_classes;
    for (ClassId worker_class : types_[task.spec.type.value].classes) {
      const bool turn = !task.suspect || !full_of_suspects(worker_class);
      const bool serves = turn && served_by(task, worker_class);
      require_rule(!serves || (able >> worker_class.value & 1) == 0, "idle-beside-ready", [&] {
        return task_name(task.id) + " waits beside a free worker of class " +
               std::to_string(worker_class.value);
      });
    }
  }
}

// What waits is over at its expiry, unless it began, and at its deadline. What an attempt was
// charged for is kept first.
void Oracle::judge_expiry() const {
  for (std::uint32_t index : unsettled_) {
    const SeenTask& task = tasks_[index];
    if (task.phase == Phase::Running || task.gate > kept_record_) continue;
    const bool late = task.spec.deadline.ns > 0 && now_ >= task.round_at + task.spec.deadline;
    const bool expired = task.spec.expiry.ns > 0 && !task.began && task.phase == Phase::Waiting &&
                         now_ >= task.round_at + task.spec.expiry;
    require_rule(!late && !expired, "expires", [&] {
      return task_name(task.id) + " waits beyond its " + (late ? "deadline" : "expiry");
    });
  }
}

// A place of its class is filled, unless it waits as the restart intensity says.
void Oracle::judge_places() const {
  if (stopping_) return;
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    const ClassId worker_class{static_cast<std::uint16_t>(c)};
    const std::uint64_t filled = homes(worker_class), waiting = waiting_places(worker_class);
    const std::uint64_t target = classes_[c].target - classes_[c].parked;
    require_rule(filled + waiting >= target, "places", [&] {
      return "class " + std::to_string(c) + " has " + std::to_string(filled) + " workers and " +
             std::to_string(waiting) + " places that wait; its size is " + std::to_string(target);
    });
  }
}

// Workers without work are asked to end at once; at the end of the drain nobody is spared.
void Oracle::judge_stopping(const SeenWorker& worker) const {
  if (worker.kill_ordered || worker.term_ordered) return;
  const bool asked = worker.retired || worker.broken || !worker.ready || !worker.hand.empty();
  const bool spared = now_ > stop_at_ + (stop_now_ ? Duration{} : options_.drain_timeout);
  require_rule(asked && !spared, "stop-ends-all", [&] {
    return worker_name(worker.id) + (spared ? " outlives the drain" : " is idle and not retired");
  });
}

void Oracle::after_tick(const Pool& pool, Instant promised) {
  std::uint64_t idle_classes = 0, free_classes = 0;
  SuspectWatch{*this}.judge_reserve(pool);
  for (SeenSlot& slot : slots_) {
    SeenWorker& worker = slot.worker;
    if (!worker.live) continue;
    if (!worker.kill_ordered) {
      if (!worker.hand.empty()) judge_hand(worker);
      judge_silence(worker);
    }
    LivenessWatch{*this}.judge_after_tick(worker);
    HealthWatch{*this}.judge_after_tick(worker);
    CheckpointWatch{*this}.judge_after_tick(worker);
    if (stopping_) judge_stopping(worker);
    require_rule(worker.given_up == 0 || worker.hand.empty(), "unkillable-gives-up",
                 [&] { return worker_name(worker.id) + " was given up and still has tasks"; });
    worker.idle_at_last_tick = judge_idle(worker);
    if (!worker.idle_at_last_tick) worker.idle_since = kNever;
    if (worker.idle_at_last_tick) worker.idle_since = std::min(worker.idle_since, now_);
    note_free(worker);
    const std::uint64_t bit = 1ULL << worker.worker_class.value;
    if (worker.idle_at_last_tick) idle_classes |= bit;
    if (is_free(worker) && !worker.reserved) free_classes |= bit;
  }
  if (free_classes != 0 && !stopping_) judge_waiting(idle_classes, free_classes);
  if (!stopping_) judge_hands();
  judge_letters();
  judge_cancels();
  judge_expiry();
  for (std::uint32_t index : orphans_due_) {
    const SeenTask& task = tasks_[index];
    require_rule(task.phase >= Phase::Running, "dropped", [&] {
      return task_name(task.id) + " is not dropped though its client did not come back";
    });
  }
  orphans_due_.clear();
  AdmissionWatch{*this}.judge_after_tick();
  judge_places();
  judge_due_workers();
  StrangerWatch{*this}.judge_after_tick();
  BreakerWatch{*this}.judge_after_tick(pool);
  RecoveryWatch{*this}.judge_after_tick(pool);
  if (++ticks_ % 16 == 0) {
    judge_shown(pool);
    BoundWatch{*this}.judge_shown(pool);
    SuspectWatch{*this}.judge_shown(pool);
  }
  TaskMemoryWatch{*this}.judge_after_tick(pool, promised);
  quiet_ticks_ = commands_of_turn_ == 0 && promised <= now_ ? quiet_ticks_ + 1 : 0;
  require_rule(quiet_ticks_ < 100, "no-spinning", [] {
    return std::string("next_deadline is in the past and the Tick does nothing, 100 times");
  });
  previous_tick_ = now_;
  core_promised_ = std::max(promised, now_);
  kept_at_tick_ = kept_record_;
}

}  // namespace warmpool::sim
