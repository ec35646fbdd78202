// What may be asked of workers: what they can hold, in the right order, and an end only for a
// cause that the world really had.
#include <algorithm>

#include "tests/sim/oracle.hpp"

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
  if (SeenWorker* found = find_worker(worker)) found->heard_at = now_;
}

void Oracle::mark_started(SeenWorker& worker) const {
  const std::size_t running = std::min(worker.hand.size(), worker.concurrency);
  for (std::size_t i = 0; i < running; ++i) {
    HeldAttempt& attempt = worker.hand[i];
    if (attempt.started) continue;
    attempt.started = true;
    attempt.started_at = now_;
  }
  if (worker.hand.empty()) worker.empty_since = now_;
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
  if (doubtful_answer_) slot_of(answered.worker).deaths_least = 0;
  if (!fresh_answer_) return;
  worker->productive = true;
  ++worker->answers;
  SeenSlot& slot = slot_of(answered.worker);
  slot.deaths_least = slot.deaths_most = 0;
  const SeenTask& task = task_of(answered.key.task);
  SeenType& type = types_[task.spec.type.value];
  ++type.answers;
  type.service_least = std::min(type.service_least, answered.service);
}

void Oracle::exit_comes(const event::WorkerExited& exited) {
  SeenWorker& worker = worker_of(exited.worker, "world");
  SeenSlot& slot = slot_of(exited.worker);
  dead_ = worker;
  dying_ = std::move(worker.hand);
  dying_count_ = dying_.size();
  dying_by_order_ = std::ranges::any_of(dying_, &HeldAttempt::cancel_ordered);
  note_hint(exited.running);
  worker.hand.clear();
  worker.live = false;
  slot.died_at = now_;
  ++seen_.exits;
  const bool asked = dead_.retired || dead_.unwanted() || dead_.end_cause == ExitCause::Shutdown;
  const bool by_task =
      dead_.kill_ordered || dead_.term_ordered || dying_count_ > 0;  // a matter of words
  if (dead_.unwanted()) slot.pending = false;
  if (succeeded(dead_) || asked || stopping_) {
    slot.deaths_least = slot.deaths_most = 0;
  } else if (!dead_.productive) {
    ++slot.deaths_most;
    if (!by_task || !dead_.ready) ++slot.deaths_least;
  }
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
  successor_spawns(slot, spawn);
  if (slot.deaths_least >= 2 && slot.worker_class == spawn.worker_class) {
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
  worker.spawned_at = worker.heard_at = worker.empty_since = now_;
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
  const std::uint32_t index = index_of(task.id) - 1;
  const auto rule = [&](bool holds, std::string_view name, std::string_view why) {
    require_rule(holds, name, [&] {
      return task_name(task.id) + " to " + worker_name(worker.id) + ": " + std::string(why);
    });
  };
  rule(worker.assignable() && !worker.broken, "assign-to-ready", "it may be given nothing");
  rule(task.phase != Phase::Running, "one-worker", "it is with another worker");
  rule(task.phase == Phase::Waiting, "assign-waiting", "it does not wait");
  rule(task.accept_kept && task.gate <= kept_record_, "gate-assign", "its record is not kept");
  rule(task.eligible_at <= now_ || task.spec.run_at.ns != 0, "assign-early", "its time is later");
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
  rule(assign.type == task.spec.type && assign.timeout == task.spec.timeout, "assign-spec",
       "it is told a wrong type or timeout");
  const Duration left = task.spec.deadline.ns > 0
                            ? std::max(task.round_at + task.spec.deadline - now_, nanoseconds(1))
                            : Duration{};
  rule(assign.deadline_left == left, "assign-spec", "it is told a wrong deadline");
  rule(worker.hand.size() < worker.credits, "credits", "it has no credit left");
  const bool alone = std::ranges::none_of(worker.hand, &HeldAttempt::alone);
  rule(alone && (!task.suspect || worker.hand.empty()), "suspect-alone", "a suspect runs alone");
  const bool silent = worker.hand.empty() && !worker.beatless &&
                      now_ - worker.heard_at >= options_.unresponsive_after;
  rule(!silent && !worker.stopped, "silent-gets-nothing", "it is silent or stopped");
  judge_prefetch(worker, assign);
  judge_order(worker, task, index);
  if (worker.idle_at_last_tick && worker.hand.empty() && task.waiting_since <= previous_tick_ &&
      task.spec.run_at.ns == 0 && task.gate <= kept_at_tick_ &&
      types_[task.spec.type.value].changed_at <= previous_tick_) {
    judge_due(task.eligible_at, "a delayed task");
  }
  ++task.starts;
  const std::uint32_t most = task.spec.retries + std::max<std::uint32_t>(task.spec.crashes_max, 1) +
                             task.free_ends + task.life_ends +
                             static_cast<std::uint32_t>(daemon_deaths_);
  rule(task.starts <= most, "starts", "it was started too often");
  task.phase = Phase::Running;
  task.attempt = assign.key.attempt;
  worker.hand.push_back(HeldAttempt{.task = index,
                                    .key = assign.key,
                                    .type = assign.type,
                                    .timeout = assign.timeout,
                                    .assigned_at = now_,
                                    .alone = task.suspect});
  mark_started(worker);
  ++seen_.attempts;
}

void Oracle::judge_prefetch(const SeenWorker& worker, const command::Assign& assign) const {
  if (worker.hand.size() < worker.concurrency) return;
  Duration least{};
  bool known = true;
  const auto add = [&](TypeId type) {
    known = known && types_[type.value].answers >= 8;
    least = least + types_[type.value].service_least;
  };
  add(assign.type);
  for (const HeldAttempt& held : worker.hand) add(held.type);
  require_rule(known && (least <= options_.prefetch_budget), "prefetch", [&] {
    return task_name(assign.key.task) + " waits behind others at " + worker_name(worker.id) +
           (known ? ", beyond the budget" : ", with a time not yet known");
  });
}

namespace {

// Suspects go before and after others as empty workers come; who was a dead letter may still be
// one; the wall clock moves what waits for a date.
bool keeps_order(const SeenTask& task) {
  return !task.suspect && !task.revived && task.spec.run_at.ns == 0;
}

}  // namespace

// The promise: within a lane strictly by key, then by acceptance; across lanes of a class by key,
// unless a lane was closed and opened again.
void Oracle::judge_order(const SeenWorker& worker, const SeenTask& task,
                         std::uint32_t index) const {
  if (!keeps_order(task)) return;
  const Instant key = key_of(task);
  const SeenType& type = types_[task.spec.type.value];
  for (std::uint32_t other_index : unsettled_) {
    const SeenTask& other = tasks_[other_index];
    if (other_index == index || other.phase != Phase::Waiting || !keeps_order(other)) continue;
    const Instant other_key = key_of(other);
    if (other_key > key || !ready_now(other)) continue;
    const bool same_lane =
        other.spec.type == task.spec.type && other.spec.tenant == task.spec.tenant;
    if (other_key == key) {
      const bool plain = task.attempt == 0 && task.round == 1 && other.attempt == 0 &&
                         other.round == 1 && other.spec.delay == task.spec.delay;
      if (!same_lane || !plain || index < other_index) continue;
    } else if (!same_lane) {
      const SeenType& other_type = types_[other.spec.type.value];
      if (type.reopened || other_type.reopened || !worker.hand.empty()) continue;
      if (!served_by(other, worker.worker_class)) continue;
    }
    violate(same_lane ? "order-in-lane" : "order-across-lanes",
            task_name(task.id) + " overtakes " + task_name(other.id));
  }
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

void Oracle::judge_recall(const command::Recall& recall) {
  SeenWorker& worker = worker_of(recall.worker, "recall-unstarted");
  const auto found = std::ranges::find(worker.hand, recall.key, &HeldAttempt::key);
  require_rule(
      worker.recall && found != worker.hand.end() && !found->recall_ordered && !found->started,
      "recall-unstarted", [&] {
        return task_name(recall.key.task) + " at " + worker_name(worker.id) +
               " is not recallable, not in hand, started or recalled already";
      });
  found->recall_ordered = true;
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

bool Oracle::end_is_due(const SeenWorker& worker, const command::EndWorker& end) const {
  const bool drained = stopping_ && (stop_now_ || now_ >= stop_at_ + options_.drain_timeout);
  if (drained && end.force == command::Force::Kill) return true;  // the cause is the first order's
  switch (end.cause) {
    case ExitCause::StartTimeout:
      return !worker.ready && now_ >= worker.spawned_at + options_.start_timeout;
    case ExitCause::Unresponsive:
      return worker.ready && worker.hand.empty() && !worker.beatless &&
             now_ >= worker.heard_at + options_.dead_after;
    case ExitCause::Stopped:
      return worker.stopped && now_ >= worker.stopped_at + options_.dead_after;
    case ExitCause::Timeout:
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
  const bool judged = end.cause == ExitCause::Unresponsive || end.cause == ExitCause::Stopped ||
                      end.cause == ExitCause::StartTimeout || end.cause == ExitCause::Timeout;
  const bool stalled = now_ < grace_until_ && judged && !stopping_;
  require_rule(!stalled, "stall-kills-none",
               [&] { return worker_name(worker.id) + " is killed right after a stall"; });
  worker.end_cause = end.cause;
  if (end.force == command::Force::Kill) {
    worker.kill_ordered = true;
  } else {
    worker.term_ordered = true;
    worker.term_at = now_;
  }
}

}  // namespace warmpool::sim
