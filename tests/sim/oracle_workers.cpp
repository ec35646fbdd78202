// What may be asked of workers: what they can hold, in the right order, and an end only for a
// cause that the world really had.
#include <algorithm>

#include "tests/sim/oracle_admission.hpp"
#include "tests/sim/oracle_breaker.hpp"
#include "tests/sim/oracle_health.hpp"
#include "tests/sim/oracle_liveness.hpp"
#include "tests/sim/oracle_memory.hpp"
#include "tests/sim/oracle_recovery.hpp"
#include "tests/sim/oracle_strangers.hpp"
#include "tests/sim/oracle_suspects.hpp"
#include "tests/sim/oracle_task_memory.hpp"

namespace warmpool::sim {

SeenSlot& Oracle::slot_of(WorkerId worker) {
  const auto slot = static_cast<std::size_t>(worker.value & 0xffff);
  if (slots_.size() <= slot) slots_.resize(slot + 1);
  return slots_[slot];
}

SeenWorker* Oracle::find_worker(WorkerId worker) {
  SeenWorker& current = slot_of(worker).worker;
  return current.live && current.id == worker ? &current : nullptr;
}

SeenWorker& Oracle::worker_of(WorkerId worker, std::string_view rule) {
  SeenWorker* found = find_worker(worker);
  require_rule(found != nullptr, rule, [&] { return "no such worker: " + worker_name(worker); });
  return *found;
}

void Oracle::heard(WorkerId worker) {
  SeenWorker* found = find_worker(worker);
  if (found == nullptr) return;
  found->heard_at = found->stopped_at = now_;
  found->motion = Motion::Unknown;
}

void Oracle::mark_started(SeenWorker& worker) {
  const std::size_t running = std::min(worker.hand.size(), worker.concurrency);
  for (std::size_t i = 0; i < running; ++i) mark_started(worker.hand[i]);
  if (!worker.hand.empty()) return;
  worker.empty_since = now_;
  if (worker.may_drain) worker.drained_at = now_;
  worker.may_drain = false;
}

void Oracle::mark_started(HeldAttempt& attempt) {
  if (attempt.started) return;
  attempt.started = true;
  attempt.started_at = attempt.saved_at = now_;
  attempt.moves(now_);
  tasks_[attempt.task].began = true;
  tasks_[attempt.task].recalled = false;
}

// Some workers of the class end after what they have in hand; which is seen when they are retired.
void Oracle::may_drain(ClassId worker_class) {
  for (SeenSlot& slot : slots_) {
    SeenWorker& worker = slot.worker;
    const bool may = slot.worker_class == worker_class && !worker.registered;
    if (may && !worker.hand.empty()) worker.may_drain = true;
    const bool ends = worker.term_ordered || worker.kill_ordered || worker.broken;
    if (may && worker.live && ends) worker.may_be_removed = true;
  }
}

// Whoever was killed and is still there after unkillable_after has nothing any more.
void Oracle::give_up_due() {
  for (SeenSlot& slot : slots_) {
    SeenWorker& worker = slot.worker;
    if (!worker.live || !worker.kill_ordered || worker.hand.empty()) continue;
    if (worker.registered) continue;  // see oracle_strangers.cpp
    if (now_ < worker.kill_at + options_.unkillable_after || now_ < grace_until_) continue;
    judge_due(worker.kill_at + options_.unkillable_after, "giving up a worker");
    worker.given_up = worker.hand.size();
    owe(Notice::WorkerError);
  }
}

void Oracle::answer_comes(const event::AttemptAnswered& answered) {
  answered_ = &answered;
  fresh_answer_ = stale_answer_ = doubtful_answer_ = false;
  SeenWorker* worker = find_worker(answered.worker);
  const bool in_hand =
      worker != nullptr && std::ranges::any_of(worker->hand, [&](const HeldAttempt& held) {
        return held.key == answered.key;
      });
  // After the kill was ordered the core may take the answer or leave it.
  doubtful_answer_ = in_hand && worker->kill_ordered;
  fresh_answer_ = in_hand && !worker->kill_ordered;
  stale_answer_ = !in_hand;
  if (stale_answer_) owe(Notice::ResultRefused);
  if (stale_answer_ || answered.ungiven) return;
  const HeldAttempt& run = *std::ranges::find(worker->hand, answered.key, &HeldAttempt::key);
  learn(answered, run);
  if (fresh_answer_) ++worker->answers;
}

// How often its type was answered at most, and what such a run took at least and at most.
void Oracle::learn(const event::AttemptAnswered& answered, const HeldAttempt& run) {
  SeenType& type = types_[task_of(answered.key.task).spec.type.value];
  ++type.answers;
  const Duration seen = run.started ? now_ - run.started_at : Duration{};
  type.service_least = std::min(type.service_least, answered.service);
  type.service_most = std::max({type.service_most, answered.service, seen});
}

void Oracle::exit_comes(const event::WorkerExited& exited) {
  SeenWorker& worker = worker_of(exited.worker, "world");
  SeenSlot& slot = slot_of(exited.worker);
  dead_ = worker;
  dying_ = std::move(worker.hand);
  dying_count_ = dying_.size();
  note_hint(exited.running);
  worker.hand.clear();
  worker.live = false;
  slot.died_at = now_;
  ++seen_.exits;
  owe(Notice::WorkerExited);
  const bool ordered = dead_.term_ordered || dead_.kill_ordered;
  const bool left = dead_.registered && exited.cause == ExitCause::ChannelClosed;
  const bool retired = dead_.retired && (exited.cause == ExitCause::Exited || left);
  if (!ordered && !retired) owe(Notice::WorkerError);
  const bool asked = dead_.retired || dead_.substituted || dead_.unwanted() ||
                     dead_.end_cause == ExitCause::Shutdown;
  const bool by_task =
      dead_.kill_ordered || dead_.term_ordered || dying_count_ > 0;  // a matter of words
  if (dead_.registered) return;
  if (dead_.unwanted()) slot.pending = false;
  if (succeeded(dead_) || asked || stopping_) {
    slot.deaths_least = slot.deaths_most = 0;
  } else if (!dead_.productive) {
    ++slot.deaths_most;
    if (!by_task || !dead_.ready) ++slot.deaths_least;
    if (dead_.may_be_removed) slot.deaths_least = 0;
  }
  slot.let_go = false;
  RecoveryWatch{*this}.died(slot, dead_);
}

// Which attempts cannot have begun, if the worker spoke the truth.
void Oracle::note_hint(std::uint64_t running) {
  if (running == 0 || dead_.concurrency != 1) return;
  bool behind = false;
  for (HeldAttempt& held : dying_) {
    held.behind = behind;
    behind = behind || held.key.token == running;
  }
}

void Oracle::judge_spawn(const command::Spawn& spawn) {
  SeenSlot& slot = slot_of(spawn.worker);
  require_rule((spawn.worker.value & 0xffff) == spawn.slot.value, "worker-id",
               [&] { return worker_name(spawn.worker) + " is not of its slot"; });
  require_rule(!slot.worker.live, "two-in-slot",
               [&] { return worker_name(spawn.worker) + " beside a living one"; });
  require_rule(!stopping_, "stop-starts-nothing",
               [&] { return worker_name(spawn.worker) + " was started by a stopping pool"; });
  const bool was_held = AdmissionWatch{*this}.judge_spawn(slot, spawn);
  const bool successor = successor_spawns(slot, spawn, was_held);
  RecoveryWatch{*this}.judge_spawn(slot, spawn, was_held);
  if (slot.deaths_least >= 2 && slot.worker_class == spawn.worker_class && !slot.let_go) {
    const Duration wait = restart_wait(slot.deaths_least);
    require_rule(now_ >= slot.died_at + wait / 4 * 3, "restart-backoff", [&] {
      return worker_name(spawn.worker) + " after " + std::to_string(slot.deaths_least) +
             " useless deaths was started after " +
             std::to_string((now_ - slot.died_at).ns / 1000) + " us";
    });
  }
  SeenWorker worker{.id = spawn.worker, .slot = spawn.slot, .worker_class = spawn.worker_class};
  const ClassOptions& options = classes_[spawn.worker_class.value].options;
  worker.home = spawn.home;
  worker.live = true;
  worker.beatless = options.beatless;
  worker.concurrency = options.concurrency;
  worker.born_at = worker.spawned_at = worker.heard_at = worker.empty_since = now_;
  auto& unparking = classes_[spawn.worker_class.value].unparking;
  const bool unparks = unparking > 0 && spawn.recovery.attempt == 0;
  if (unparks) --unparking;
  worker.recovers = event_ != nullptr && !successor && !unparks &&
                    !std::holds_alternative<event::Scale>(*event_) &&
                    !std::holds_alternative<event::ClassDeclared>(*event_);
  const bool substitutes = std::ranges::any_of(slots_, [&](const SeenSlot& one) {
    return one.worker.live && one.worker.substituted && one.worker_class == spawn.worker_class &&
           one.worker.home == spawn.home;
  });
  if (was_held || substitutes) worker.recovers = spawn.recovery.attempt != 0;
  owe(Notice::WorkerStarted);
  if (worker.recovers) owe(Notice::RecoveryAttempted);
  slot.worker = std::move(worker);
  slot.used = true;
  slot.worker_class = spawn.worker_class;
  ++seen_.spawns;
}

Duration Oracle::restart_wait(std::uint32_t deaths) const {
  Duration wait = options_.restart_cooldown;
  for (std::uint32_t i = 2; i < deaths && wait < options_.restart_backoff_max; ++i) {
    wait = wait * static_cast<std::int64_t>(options_.restart_multiplier);
  }
  return std::min(wait, options_.restart_backoff_max);
}

void Oracle::judge_assign(const command::Assign& assign) {
  SeenWorker& worker = worker_of(assign.worker, "assign-to-ready");
  SeenTask& task = task_of(assign.key.task);
  const auto rule = [&](bool holds, std::string_view name, std::string_view why) {
    require_rule(holds, name, [&] {
      return task_name(task.id) + " to " + worker_name(worker.id) + ": " + std::string(why);
    });
  };
  rule(worker.assignable() && !worker.broken, "assign-to-ready", "it may be given nothing");
  rule(task.phase != Phase::Running, "one-worker", "it is with another worker");
  rule(task.phase == Phase::Waiting, "assign-waiting", "it does not wait");
  rule(!task.withdrawn, "withdrawn", "its submit was refused");
  rule(task.accept_kept && task.gate <= kept_record_, "gate-assign", "its record is not kept");
  rule(task.eligible_at <= now_, "assign-early", "its time is later");
  rule(!types_[task.spec.type.value].paused, "pause", "its type is paused");
  rule(!classes_[worker.worker_class.value].paused && !paused_, "pause", "its class is paused");
  rule(!stopping_, "stop-starts-nothing", "the pool stops");
  rule(!task.cancel_asked && !task.dropped, "cancel-holds", "it is cancelled");
  rule(served_by(task, worker.worker_class), "class-serves", "another class serves its type");
  rule(assign.key.round == task.round && assign.key.attempt == task.attempt + 1, "attempt-number",
       "attempt " + std::to_string(assign.key.attempt));
  rule(tokens_.insert(assign.key.token).second, "token", "its token was used before");
  rule(assign.failures == task.used.failures && assign.crashes == task.used.crashes,
       "assign-budget", "it is told wrong budgets");
  rule(assign.type == task.spec.type, "assign-spec", "it is told a wrong type");
  MemoryWatch{*this}.judge_given(task, assign);
  const Duration left = task.spec.deadline.ns > 0
                            ? std::max(task.round_at + task.spec.deadline - now_, nanoseconds(1))
                            : Duration{};
  rule(assign.deadline_left == left, "assign-spec", "it is told a wrong deadline");
  rule(worker.hand.size() < worker.credits, "credits", "it has no credit left");
  const bool silent = worker.hand.empty() && !worker.beatless &&
                      now_ - worker.heard_at >= options_.unresponsive_after;
  rule(!silent && !worker.stopped, "silent-gets-nothing", "it is silent or stopped");
  SuspectWatch{*this}.judge_given(worker, task);
  StrangerWatch{*this}.judge_given(task);
  BreakerWatch{*this}.judge_given(worker, task);
  TaskMemoryWatch{*this}.judge_given(worker, task);
  HealthWatch{*this}.judge_given(worker, task);
  judge_prefetch(worker, task);
  judge_order(worker, task);
  if (!task.suspect) judge_choice(worker, task);
  if (worker.idle_at_last_tick && worker.hand.empty() && task.waiting_since <= previous_tick_ &&
      task.spec.run_at.ns == 0 && task.gate <= kept_at_tick_ &&
      types_[task.spec.type.value].changed_at <= previous_tick_ &&
      !SuspectWatch{*this}.takes_turns(worker, task)) {
    judge_due(task.eligible_at, "a delayed task");
  }
  ++task.starts;
  const std::uint32_t most = task.spec.retries + std::max<std::uint32_t>(task.spec.crashes_max, 1) +
                             task.free_ends + task.life_ends +
                             static_cast<std::uint32_t>(daemon_deaths_);
  rule(task.starts <= most, "starts", "it was started too often");
  take_in_hand(worker, task, assign);
}

void Oracle::take_in_hand(SeenWorker& worker, SeenTask& task, const command::Assign& assign) {
  task.phase = Phase::Running;
  task.attempt = assign.key.attempt;
  worker.hand.push_back(HeldAttempt{.task = index_of(task.id) - 1,
                                    .key = assign.key,
                                    .type = assign.type,
                                    .timeout = assign.timeout,
                                    .place = place_of(task),
                                    .assigned_at = now_,
                                    .alone = task.suspect,
                                    .probe = types_[assign.type.value].breaker.holds_back()});
  TaskMemoryWatch{*this}.given(worker.hand.back());
  note_given(task);
  if (worker.hand.size() == 1) worker.motion = Motion::Unknown;
  worker.cleared = false;
  worker.free_from = 0;
  mark_started(worker);
  ++seen_.attempts;
  if (listening_) owe(Notice::TaskStarted);
}

void Oracle::judge_cancel(const command::CancelAttempt& cancel) {
  SeenWorker& worker = worker_of(cancel.worker, "cancel-in-hand");
  const auto found = std::ranges::find(worker.hand, cancel.key, &HeldAttempt::key);
  require_rule(found != worker.hand.end() && !found->cancel_ordered, "cancel-in-hand", [&] {
    return task_name(cancel.key.task) + " is not in the hand of " + worker_name(worker.id) +
           ", or is cancelled already";
  });
  const SeenTask& task = tasks_[found->task];
  const Instant deadline = task.round_at + task.spec.deadline;
  bool due = false;
  switch (cancel.cause) {
    case EndCause::Timeout:
      due = found->started && now_ >= found->started_at + found->timeout;
      if (due) judge_due(found->started_at + found->timeout, "a timeout");
      break;
    case EndCause::Deadline:
      due = task.spec.deadline.ns > 0 && now_ >= deadline;
      if (due) judge_due(std::max(deadline, found->started_at), "a deadline");
      break;
    case EndCause::Hung:
      due = found->started && now_ >= LivenessWatch{*this}.hung_at(worker, *found);
      if (due) judge_due(LivenessWatch{*this}.hung_at(worker, *found), "a progress timeout");
      break;
    case EndCause::Cancelled:
      due = task.cancel_asked;
      break;
    case EndCause::Dropped:
      due = task.dropped;
      break;
    default:
      break;
  }
  require_rule(due, "cancel-due", [&] {
    return task_name(task.id) + " is ended for " + std::string(name_of(cancel.cause)) +
           " without reason";
  });
  found->cancel_ordered = true;
  found->cancel_cause = cancel.cause;
  found->cancel_at = now_;
}

void Oracle::judge_retire(const command::Retire& retire) {
  SeenWorker& worker = worker_of(retire.worker, "retire-once");
  require_rule(!worker.retired, "retire-once",
               [&] { return worker_name(worker.id) + " was asked to end twice"; });
  judge_capacity(worker);
  worker.retired = true;
  worker.retired_at = now_;
}

bool Oracle::ladder_is_due(const SeenWorker& worker, command::Force force) const {
  const Duration grace = options_.cancel_grace;
  if (force == command::Force::Kill) {
    if (!worker.term_ordered || now_ < worker.term_at + options_.term_grace) return false;
    judge_due(worker.term_at + options_.term_grace, "a kill");
    return true;
  }
  Instant first = kNever;
  for (const HeldAttempt& held : worker.hand) {
    if (held.cancel_ordered) first = std::min(first, held.cancel_at + grace);
  }
  if (first > now_) return false;
  judge_due(first, "a SIGTERM");
  return true;
}

bool Oracle::end_is_due(const SeenWorker& worker, const command::EndWorker& end) {
  const bool drained = stopping_ && (stop_now_ || now_ >= stop_at_ + options_.drain_timeout);
  const bool kills = end.force == command::Force::Kill;
  // The cause is the first order's.
  if (kills && (drained || MemoryWatch{*this}.over(worker))) return true;
  const bool silent = worker.ready && worker.hand.empty() && !worker.beatless &&
                      now_ >= worker.heard_at + options_.dead_after;
  switch (end.cause) {
    case ExitCause::CheckFailed:
      return worker.ready && worker.hand.empty() && worker.fails_check;
    case ExitCause::StartTimeout:
      return !worker.ready && !worker.prepares &&
             now_ >= worker.spawned_at + options_.start_timeout;
    case ExitCause::Unresponsive:
    case ExitCause::Spinning:
    case ExitCause::Wedged:
      return silent;
    case ExitCause::Stopped:
      return worker.stopped && (silent || now_ >= worker.stopped_at + options_.dead_after);
    case ExitCause::Timeout:
    case ExitCause::Hung:
    case ExitCause::Cancel:
      return ladder_is_due(worker, end.force);
    case ExitCause::ChannelClosed:
    case ExitCause::Protocol:
      return worker.broken;
    case ExitCause::Shutdown:
      return stopping_ && (drained || worker.retired || worker.term_ordered || !worker.ready);
    case ExitCause::Requested:
      return worker.retired || !worker.ready || worker.unwanted();
    default:
      return false;
  }
}

void Oracle::judge_end(const command::EndWorker& end) {
  SeenWorker& worker = worker_of(end.worker, "end-living");
  require_rule(end_is_due(worker, end), "healthy-killed", [&] {
    return worker_name(worker.id) + " is ended for " + std::string(name_of(end.cause)) +
           " without reason";
  });
  require_rule(!worker.kill_ordered && !(worker.term_ordered && end.force == command::Force::Term),
               "end-once", [&] { return worker_name(worker.id) + " is ended twice"; });
  LivenessWatch{*this}.judge_cause(worker, end.cause);
  const bool silent = is_silence(end.cause);
  const bool judged = silent || end.cause == ExitCause::Stopped || end.cause == ExitCause::Hung ||
                      end.cause == ExitCause::CheckFailed || end.cause == ExitCause::StartTimeout ||
                      end.cause == ExitCause::Timeout;
  const bool over = MemoryWatch{*this}.over(worker);
  const bool stalled = now_ < grace_until_ && judged && !stopping_ && !over;
  require_rule(!stalled, "stall-kills-none",
               [&] { return worker_name(worker.id) + " is killed right after a stall"; });
  worker.end_cause = end.cause;
  if (end.cause != ExitCause::Requested && end.cause != ExitCause::Shutdown) {
    owe(Notice::WorkerError);
  }
  if (silent || end.cause == ExitCause::Stopped) owe(Notice::ZombieDetected);
  if (end.force == command::Force::Kill) {
    worker.kill_ordered = true;
    worker.kill_at = now_;
  } else {
    worker.term_ordered = true;
    worker.term_at = now_;
  }
}

}  // namespace warmpool::sim
