// Attempts: given to workers, answered, recalled, ended, buried with their worker. Who is blamed
// for a death is decided here: exactly one in hand is, of several each is a suspect and none is
// charged. What the worker said that it was in makes fewer suspects, and is no proof.
#include <algorithm>
#include <utility>

#include "pool/core.hpp"
#include "pool/hand_sums.hpp"
#include "pool/memory.hpp"
#include "pool/token.hpp"

namespace warmpool {
namespace {

EndCause crash_cause(ExitCause cause) {
  switch (cause) {
    case ExitCause::Memory:
    case ExitCause::OutOfMemory:
      return EndCause::Memory;
    case ExitCause::Stopped:
      return EndCause::Hung;
    default:
      return EndCause::Crashed;
  }
}

// How an attempt ends whose end we had ordered, when its worker dies. A cancel that came while it
// was ending for another reason wins.
End ordered_end(const Task& task, const Held& held, const event::WorkerExited& died) {
  if (task.cancelling) {
    const EndCause cause = task.dropped ? EndCause::Dropped : EndCause::Cancelled;
    return End{.cause = cause,
               .charge = Charge::Nothing,
               .retry_after = {},
               .code = died.code,
               .worker = died.worker};
  }
  const bool hung = held.ending == EndCause::Hung, timeout = held.ending == EndCause::Timeout;
  const Charge charge = hung ? Charge::Crash : timeout ? Charge::Failure : Charge::Nothing;
  return End{.cause = held.ending,
             .charge = charge,
             .retry_after = {},
             .code = died.code,
             .worker = died.worker};
}

// What the handler had may be of use to the next attempt.
bool is_tried_again(EndCause cause) {
  return cause == EndCause::Timeout || cause == EndCause::Hung;
}

// Ended by us for an attempt in its hand, or with the pool: that says nothing of the others there.
bool is_of_our_order(ExitCause cause) {
  return cause == ExitCause::Cancel || cause == ExitCause::Timeout || cause == ExitCause::Hung ||
         cause == ExitCause::Shutdown;
}

// What is tried again may have failed by the worker's doing, and shows of nobody that he is of use;
// nor does what somebody cancelled, or what was over its time.
bool shows_use(TaskState after) { return after == TaskState::Done || after == TaskState::Dead; }

// A worker that runs one at a time takes its hand in order: what lies behind the one that it said
// it was in was not begun.
std::size_t begun_by_hint(const Slot& slot, const std::vector<Held>& hand, std::uint64_t token) {
  const auto named =
      std::ranges::find_if(hand, [&](const Held& held) { return held.key.token == token; });
  const bool usable = token != 0 && named != hand.end() && slot.concurrency == 1;
  return usable ? static_cast<std::size_t>(named - hand.begin()) + 1 : hand.size();
}

}  // namespace

Duration CoreState::expected(TypeId type) const {
  const TypeState& state = types[type.value];
  if (state.breaker && breakers.find(type)->limited()) return {};  // probes are not given ahead
  return state.runs >= kRunsKnown ? std::max(state.service, nanoseconds(1)) : Duration{};
}

void Core::assign(Slot& slot, TaskIndex index, const LaneKey& place) {
  Task& task = tasks[index];
  ++task.attempt;
  const AttemptKey key{task.id, task.round, task.attempt,
                       attempt_token(genesis.secret, task.id.value, task.round, task.attempt)};
  tasks.fire(index, TaskTrigger::Assign);
  task.slot = slot.id;
  if (slot.state == SlotState::Ready) {
    slots.fire(slot, SlotTrigger::Take, now);
    slot.busy_since = now;
    slot.motion = Motion::Unknown;
  }
  const ClassOptions& limits = class_of(slot).options;
  const Duration timeout = timeout_of(limits, task.timeout, task.used.timeouts);
  slot.held.push_back(Held{.key = key,
                           .task = index,
                           .place = place,
                           .timeout = timeout,
                           .expected = expected(task.type),
                           .assigned_at = now});
  ++slot.attempts;
  ++slot.attempts_of_worker;
  ++counters.attempts;
  slot.alone = task.suspect;
  const TaskExtras* extras = tasks.find_extras(index);
  const Instant deadline = extras == nullptr ? kNever : extras->deadline_at;
  emit(command::Assign{slot.worker, key, task.type, timeout,
                       deadline == kNever ? Duration{} : std::max(deadline - now, nanoseconds(1)),
                       task.used.failures, task.used.crashes,
                       memory_max_of(limits, task.used.memory_ends)});
  recorder.persist(record::Started{task.id, task.round, task.attempt, slot.worker, slot.home, now},
                   *out_);
  if (task_notices_) notify(about(index, Notice::TaskStarted));
  run_begins(slot.held.back(), task.type);
  start_next(slot);
  WorkerClass& worker_class = class_of(slot);
  worker_class.cleared.set(slot.index, false);
  const bool ahead = !slot.held.back().started();  // then nothing else has started now
  if (ahead) {
    worker_class.ahead_due = std::min(worker_class.ahead_due, now + options.recall_idle_after);
    count_given(slot);
  }
  refresh(slot, ahead);
}

// The first `concurrency` in hand count as started: a worker takes them in the order given. The
// slot is looked at in time for all else already.
void Core::start_next(Slot& slot) {
  const std::size_t most = std::min<std::size_t>(slot.concurrency, slot.held.size());
  Instant due = kNever;
  for (std::size_t at = 0; at < most; ++at) {
    if (slot.held[at].started()) continue;
    start(slot, slot.held[at]);
    due = std::min(due, due_of_held(slot, slot.held[at]));
  }
  if (slot.state == SlotState::Running || slot.state == SlotState::Draining) {
    slots.look_at(slot, std::min(due, due_of_late(slot)));
  }
}

void Core::start(Slot& slot, Held& held) {
  held.started_at = held.saved_at = now;
  held.moves(now);
  held.end_at = now + held.timeout;
  const TaskExtras* extras = tasks.find_extras(held.task);
  if (extras != nullptr) held.end_at = std::min(held.end_at, extras->deadline_at);
  Task& task = tasks[held.task];
  task.began = true;
  task.recalled = false;
  if (task.cancelling && !held.is_ending()) {
    begin_ending(slot, held, task.dropped ? EndCause::Dropped : EndCause::Cancelled);
  }
}

void Core::take_from_hand(Slot& slot, std::size_t at) {
  const Held& held = slot.held[at];
  const bool slow = held.slow, plain = leaves_plainly(slot, at);
  const Duration expected = held.expected;
  if (held.recalling()) look_behind();
  slot.held.erase(slot.held.begin() + static_cast<std::ptrdiff_t>(at));
  if (slow) judge_slow(slot);
  if (slot.held.empty()) {
    emptied(slot);
  } else {
    start_next(slot);
  }
  const bool counted = plain && !slot.held.front().is_ending();
  if (counted) count_taken(slot, expected);
  refresh(slot, counted);
}

void CoreState::refuse_result(WorkerId worker, const AttemptKey& key) {
  ++counters.refused_results;
  Notification refused{.notice = Notice::ResultRefused};
  refused.task = key.task;
  refused.round = key.round;
  refused.attempt = key.attempt;
  refused.worker = worker;
  notify(refused);
}

void Core::on(const event::AttemptAnswered& event) {
  Slot* slot = slots.find(event.worker);
  const std::size_t at = slot == nullptr ? 0 : find_held(*slot, event.key);
  if (slot == nullptr || at == slot->held.size()) return refuse_result(event.worker, event.key);
  heard(*slot);  // who has something in hand need not beat
  if (!event.ungiven) {
    ++slot->answers_of_worker;
    answers_ping(*slot);
  }
  const Held held = slot->held[at];
  const bool had_more = tasks[held.task].used.memory_ends != 0;
  if (!event.ungiven) {
    note_run(*slot, held, event);
    learn(held, event.service);
  }
  answered_task(held, event);
  if (!event.ungiven && shows_use(tasks[held.task].state)) {
    if (!std::exchange(slot->useful, true)) of_use(*slot);
  }
  take_from_hand(*slot, at);
  const std::uint64_t most = class_of(*slot).options.max_tasks;
  if (most != 0 && slot->answers_of_worker >= most) become_due(*slot, DueReason::Tasks);
  if (had_more) judge_memory(*slot);  // what it may have is less now
}

void Core::on(const event::AttemptProgressed& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr || find_held(*slot, event.key) == slot->held.size()) {
    return refuse_result(event.worker, event.key);
  }
  heard(*slot);
  Held& held = slot->held[find_held(*slot, event.key)];
  held.moves(now);
  if (task_notices_) notify(about(held.task, Notice::TaskProgress));
}

void Core::on(const event::AttemptCheckpointed& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr || find_held(*slot, event.key) == slot->held.size()) {
    return refuse_result(event.worker, event.key);
  }
  heard(*slot);
  take_checkpoint(slot->held[find_held(*slot, event.key)], event.bytes);
}

// The daemon's clock counts for long runs: what a worker reports ends at 65 ms.
void Core::learn(const Held& held, Duration service) {
  TypeState& type = types[tasks[held.task].type.value];
  const bool beyond = service >= microseconds(65'535) && held.started();
  const Duration sample = beyond ? now - held.started_at : service;
  type.service = type.runs == 0 ? sample : type.service + (sample - type.service) / 8;
  type.runs = std::min(type.runs + 1, kRunsKnown);
}

void Core::answered_task(const Held& held, const event::AttemptAnswered& event) {
  Task& task = tasks[held.task];
  End end{.cause = EndCause::Done,
          .charge = Charge::Nothing,
          .retry_after = event.retry_after,
          .code = 0,
          .worker = event.worker};
  switch (event.outcome) {
    case Outcome::Done:
      break;
    case Outcome::Failed:
      end.cause = EndCause::Failed;
      break;
    case Outcome::FailedForGood:
      end.cause = EndCause::FailedForGood;
      break;
    case Outcome::RetryAfter:
      end.cause = EndCause::RetryAfter;
      break;
    case Outcome::Held:
      end.cause = EndCause::Held;
      break;
  }
  if (event.outcome != Outcome::Done && task.cancelling) {
    end.cause = task.dropped ? EndCause::Dropped : EndCause::Cancelled;
  } else if (event.outcome != Outcome::Done && held.ending == EndCause::Deadline) {
    end.cause = EndCause::Deadline;
  } else if (event.no_room) {  // it was done, so its time does not matter
    end.cause = EndCause::Interrupted;
    end.charge = Charge::Interruption;
  } else if (event.outcome == Outcome::Failed && held.ending == EndCause::Timeout) {
    end.cause = EndCause::Timeout;
  } else if (event.outcome == Outcome::Failed && held.ending == EndCause::Hung) {
    end.cause = EndCause::Hung;
    end.charge = Charge::Crash;
  } else if (event.outcome == Outcome::Failed && event.out_of_memory) {
    end.cause = EndCause::Memory;
    end.charge = Charge::Crash;
  }
  if (end.cause == EndCause::Failed || end.cause == EndCause::FailedForGood ||
      end.cause == EndCause::RetryAfter || end.cause == EndCause::Timeout) {
    end.charge = Charge::Failure;
  }
  task.suspect = false;
  mark_rung(task.id, held.rung);
  end_attempt(held, end);
}

void CoreState::mark_rung(TaskId id, Rung rung) {
  const auto [first, last] = cancels_.equal_range(id);
  for (auto each = first; each != last; ++each) each->second.rung = rung;
}

// A worker that was told to end before, for whatever reason, heeds no frame any more.
void Core::begin_ending(Slot& slot, Held& held, EndCause cause) {
  if (held.is_ending()) return;
  const bool termed = slot.order != ExitCause::Exited;
  held.ending = cause;
  held.rung = slot.killed ? Rung::Kill : termed ? Rung::Term : Rung::Frame;
  held.rung_at = now + options.cancel_grace;
  if (is_tried_again(cause) && !termed) ask(slot, held);
  emit(command::CancelAttempt{slot.worker, held.key, cause});
  recall_unstarted(slot);
  slots.look_at(slot, held.rung_at);
  refresh(slot);
}

void Core::climb(Slot& slot, Held& held) {
  held.rung = Rung::Term;
  held.rung_at = kNever;
  const bool cancel = held.ending == EndCause::Cancelled || held.ending == EndCause::Dropped;
  const auto late = held.ending == EndCause::Hung ? ExitCause::Hung : ExitCause::Timeout;
  end_by_force(slot, cancel ? ExitCause::Cancel : late, command::Force::Term);
}

void Core::judge_held(Slot& slot) {
  judge_slow(slot);
  ask_due(slot);
  const Duration patience = class_of(slot).options.progress_timeout;
  for (auto& held : slot.held) {
    if (!held.started()) continue;
    if (!held.is_ending() && held.end_at <= now) {
      const TaskExtras* extras = tasks.find_extras(held.task);
      const bool whole = extras != nullptr && extras->deadline_at <= now;
      begin_ending(slot, held, whole ? EndCause::Deadline : EndCause::Timeout);
    }
    if (!held.is_ending() && hung_at(held, patience) <= now) {
      begin_ending(slot, held, EndCause::Hung);
    }
    if (held.is_ending() && held.rung_at <= now) return climb(slot, held);
  }
  recall_behind_late(slot);
  if (slot.stopped && slot.stopped_at + options.dead_after <= now) {
    end_zombie(slot, ExitCause::Stopped, now - slot.stopped_at);
  }
}

// Uncharged: back to its place in the queue.
void Core::return_task(const Held& held, EndCause cause, WorkerId worker, std::int32_t code,
                       bool suspect) {
  const TaskIndex index = held.task;
  run_ends(held, cause, Charge::Nothing);
  Task& task = tasks[index];
  ++counters.free_ends;
  if (suspect) ++counters.suspects;
  const TaskExtras* extras = tasks.find_extras(index);
  if (task.cancelling) {
    const auto why = task.dropped ? EndCause::Dropped : EndCause::Cancelled;
    return settle(index, Verdict::Cancelled, End{.cause = why, .code = code, .worker = worker});
  }
  if (extras != nullptr && extras->deadline_at <= now) {
    return settle(index, Verdict::Expired, End{.cause = EndCause::Deadline, .worker = worker});
  }
  const bool unstarted = cause == EndCause::Recalled || cause == EndCause::NeverStarted;
  task.began = task.began || !unstarted;
  if (extras != nullptr && !task.began && extras->expires_at <= now) {
    return settle(index, Verdict::Expired, End{.cause = EndCause::Expired, .worker = worker});
  }
  if (over_budget(task)) return settle(index, Verdict::Dead, End{.cause = cause, .worker = worker});
  task.recalled = cause == EndCause::Recalled;
  task.last_cause = cause;
  task.suspect = task.suspect || suspect;
  tasks.fire(index, TaskTrigger::Return);
  recorder.persist(
      record::Ended{task.id, task.round, task.attempt, worker, cause, Charge::Nothing, code,
                    task.used, now, task.eligible_at, false, task.suspect, task.bound},
      *out_);
  lanes.push(index);
}

void Core::bury_hand(Slot& slot, const event::WorkerExited& event, ExitCause cause) {
  const auto hand = std::move(slot.held);
  slot.held.clear();
  look_behind();
  if (!is_of_our_order(cause) && hand.size() > 1) return bury_suspects(slot, hand, event);
  for (const auto& held : hand) {
    Task& task = tasks[held.task];
    mark_rung(task.id, held.rung);
    if (held.is_ending()) {
      end_attempt(held, ordered_end(task, held, event));
    } else if (cause == ExitCause::Shutdown) {
      return_task(held, EndCause::Interrupted, event.worker, event.code, false);
    } else if (is_of_our_order(cause) || task.cancelling) {
      const auto why = held.started() ? EndCause::Drained : EndCause::NeverStarted;
      return_task(held, why, event.worker, event.code, false);
    } else {
      end_attempt(held, End{.cause = crash_cause(cause),
                            .charge = Charge::Crash,
                            .retry_after = {},
                            .code = event.code,
                            .worker = event.worker});
    }
  }
}

// The hint may lie. It only makes fewer suspects, never one guilty; and a task is spared once a
// round, so that no lie keeps a deadly one from running alone and being found. Those that were
// being ended come to the end that was ordered.
void Core::bury_suspects(const Slot& slot, const std::vector<Held>& hand,
                         const event::WorkerExited& event) {
  const std::size_t begun = begun_by_hint(slot, hand, event.running);
  for (std::size_t at = 0; at < hand.size(); ++at) {
    const Held& held = hand[at];
    Task& task = tasks[held.task];
    mark_rung(task.id, held.rung);
    const bool spared = at >= begun && !task.spared;
    if (held.is_ending()) {
      end_attempt(held, ordered_end(task, held, event));
    } else if (task.cancelling) {
      const auto why = held.started() ? EndCause::Drained : EndCause::NeverStarted;
      return_task(held, why, event.worker, event.code, false);
    } else if (spared) {
      task.spared = true;
      return_task(held, EndCause::NeverStarted, event.worker, event.code, false);
    } else {
      return_task(held, EndCause::Suspect, event.worker, event.code, true);
    }
  }
}

}  // namespace warmpool
