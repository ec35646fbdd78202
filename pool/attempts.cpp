// Attempts: given to workers, answered, recalled, ended, buried with their worker. Who is blamed
// for a death is decided here: exactly one in hand is, of several each is a suspect and none is
// charged.
#include <algorithm>

#include "pool/core.hpp"
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

// How an attempt ends whose end we had ordered, when its worker dies of it.
End ordered_end(const Held& held, WorkerId worker, std::int32_t code) {
  const Charge charge = held.ending == EndCause::Timeout ? Charge::Failure : Charge::Nothing;
  return End{
      .cause = held.ending, .charge = charge, .retry_after = {}, .code = code, .worker = worker};
}

// A cancel that came while the attempt was ending for another reason wins.
End cancelled_end(const Task& task, WorkerId worker, std::int32_t code) {
  const EndCause cause = task.dropped ? EndCause::Dropped : EndCause::Cancelled;
  return End{
      .cause = cause, .charge = Charge::Nothing, .retry_after = {}, .code = code, .worker = worker};
}

constexpr std::uint32_t kRunsKnown = 8;

}  // namespace

Duration Core::expected(TypeId type) const {
  const TypeState& state = types[type.value];
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
  }
  slot.held.push_back(Held{.key = key,
                           .task = index,
                           .place = place,
                           .timeout = task.timeout,
                           .expected = expected(task.type),
                           .assigned_at = now});
  ++slot.attempts;
  ++slot.attempts_of_worker;
  ++counters.attempts;
  slot.alone = task.suspect;
  const TaskExtras* extras = tasks.find_extras(index);
  const Instant deadline = extras == nullptr ? kNever : extras->deadline_at;
  emit(command::Assign{slot.worker, key, task.type, task.timeout,
                       deadline == kNever ? Duration{} : std::max(deadline - now, nanoseconds(1)),
                       task.used.failures, task.used.crashes});
  recorder.persist(record::Started{task.id, task.round, task.attempt, slot.worker, slot.id, now},
                   *out_);
  if (task_notices_) notify(about(index, Notice::TaskStarted));
  start_next(slot);
  WorkerClass& worker_class = class_of(slot);
  worker_class.cleared.set(slot.index, false);
  if (!slot.held.back().started()) {
    worker_class.ahead_due = std::min(worker_class.ahead_due, now + options.recall_idle_after);
  }
  refresh(slot);
}

// The first `concurrency` in hand count as started: a worker takes them in the order given.
void Core::start_next(Slot& slot) {
  const std::size_t most = std::min<std::size_t>(slot.concurrency, slot.held.size());
  for (std::size_t at = 0; at < most; ++at) {
    if (!slot.held[at].started()) start(slot, slot.held[at]);
  }
  if (slot.state == SlotState::Running || slot.state == SlotState::Draining) {
    slots.look_at(slot, due_of(slot));
  }
}

void Core::start(Slot& slot, Held& held) {
  held.started_at = now;
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

Held Core::take_from_hand(Slot& slot, std::size_t at) {
  const Held held = slot.held[at];
  if (held.recalling()) look_behind();
  slot.held.erase(slot.held.begin() + static_cast<std::ptrdiff_t>(at));
  if (slot.held.empty()) {
    emptied(slot);
  } else {
    start_next(slot);
  }
  refresh(slot);
  return held;
}

void Core::refuse_result(WorkerId worker, const AttemptKey& key) {
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
  heard(*slot);
  slot->unproductive = 0;
  ++slot->answers_of_worker;
  const Held held = slot->held[at];
  learn(held, event.service);
  answered_task(held, event);
  take_from_hand(*slot, at);
}

void Core::on(const event::AttemptProgressed& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr || find_held(*slot, event.key) == slot->held.size()) {
    return refuse_result(event.worker, event.key);
  }
  heard(*slot);
  if (task_notices_) {
    notify(about(slot->held[find_held(*slot, event.key)].task, Notice::TaskProgress));
  }
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
  } else if (event.outcome == Outcome::Failed && held.ending == EndCause::Timeout) {
    end.cause = EndCause::Timeout;
  }
  if (end.cause == EndCause::Failed || end.cause == EndCause::FailedForGood ||
      end.cause == EndCause::RetryAfter || end.cause == EndCause::Timeout) {
    end.charge = Charge::Failure;
  }
  task.suspect = false;
  mark_rung(task.id, held.rung);
  end_attempt(held.task, end);
}

void Core::mark_rung(TaskId id, Rung rung) {
  const auto [first, last] = cancels_.equal_range(id);
  for (auto each = first; each != last; ++each) each->second.rung = rung;
}

void Core::begin_ending(Slot& slot, Held& held, EndCause cause) {
  if (held.is_ending()) return;
  held.ending = cause;
  held.rung = Rung::Frame;
  held.rung_at = now + options.cancel_grace;
  emit(command::CancelAttempt{slot.worker, held.key, cause});
  recall_unstarted(slot);
  slots.look_at(slot, held.rung_at);
  refresh(slot);
}

void Core::climb(Slot& slot, Held& held) {
  held.rung = Rung::Term;
  held.rung_at = kNever;
  const bool cancel = held.ending == EndCause::Cancelled || held.ending == EndCause::Dropped;
  end_by_force(slot, cancel ? ExitCause::Cancel : ExitCause::Timeout, command::Force::Term);
}

void Core::judge_held(Slot& slot) {
  for (auto& held : slot.held) {
    if (!held.started()) continue;
    if (!held.is_ending() && held.end_at <= now) {
      const TaskExtras* extras = tasks.find_extras(held.task);
      const bool whole = extras != nullptr && extras->deadline_at <= now;
      begin_ending(slot, held, whole ? EndCause::Deadline : EndCause::Timeout);
    }
    if (held.is_ending() && held.rung_at <= now) return climb(slot, held);
  }
  recall_behind_late(slot);
  if (slot.stopped && slot.stopped_at + options.dead_after <= now) {
    ++counters.zombies;
    end_by_force(slot, ExitCause::Stopped, command::Force::Kill);
  }
}

// Uncharged: back to its place in the queue.
void Core::return_task(TaskIndex index, EndCause cause, WorkerId worker, std::int32_t code,
                       bool suspect) {
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
  recorder.persist(record::Ended{task.id, task.round, task.attempt, worker, cause, Charge::Nothing,
                                 code, task.used, now, task.eligible_at, false, task.suspect},
                   *out_);
  lanes.push(index);
}

void Core::bury_hand(Slot& slot, WorkerId worker, ExitCause cause, std::int32_t code) {
  const auto hand = std::move(slot.held);
  slot.held.clear();
  const bool ordered = std::ranges::any_of(hand, &Held::is_ending);
  look_behind();
  for (const auto& held : hand) {
    Task& task = tasks[held.task];
    mark_rung(task.id, held.rung);
    if (held.is_ending()) {
      End end = ordered_end(held, worker, code);
      if (task.cancelling) end = cancelled_end(task, worker, code);
      end_attempt(held.task, end);
    } else if (cause == ExitCause::Shutdown) {
      return_task(held.task, EndCause::Interrupted, worker, code, false);
    } else if (ordered || task.cancelling) {
      const auto why = held.started() ? EndCause::Drained : EndCause::NeverStarted;
      return_task(held.task, why, worker, code, false);
    } else if (hand.size() == 1) {
      end_attempt(held.task, End{.cause = crash_cause(cause),
                                 .charge = Charge::Crash,
                                 .retry_after = {},
                                 .code = code,
                                 .worker = worker});
    } else {
      return_task(held.task, EndCause::Suspect, worker, code, true);
    }
  }
}

}  // namespace warmpool
