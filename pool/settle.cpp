// What becomes of a task when an attempt ended, and what happens when a record is kept.
//
// A charged end waits for its record before the task may start again: else a daemon that dies in
// between would forget the charge, and a poison task could start for ever inside one unsynced
// window.
#include <algorithm>

#include "pool/core.hpp"

namespace warmpool {
namespace {

// So long an answer waits for a disk that is slow.
constexpr Duration kCancelPatience = seconds(1);

TaskTrigger trigger_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::Done:
      return TaskTrigger::Finish;
    case Verdict::Dead:
      return TaskTrigger::Bury;
    case Verdict::Cancelled:
      return TaskTrigger::Cancel;
    case Verdict::Expired:
      return TaskTrigger::Expire;
    case Verdict::Skipped:
      break;
  }
  REQUIRE(false && "nothing skips a task before dependencies exist");
  return TaskTrigger::Bury;
}

Verdict verdict_of(TaskState state) {
  REQUIRE(is_settled(state));
  return static_cast<Verdict>(static_cast<int>(state) - static_cast<int>(TaskState::Done));
}

// What the next attempt is given is derived of these, so that it is the same after a restart.
void count_cause(record::Used& used, EndCause cause) {
  if (cause == EndCause::Memory && used.memory_ends < 0xff) ++used.memory_ends;
  if (cause == EndCause::Timeout && used.timeouts < 0xff) ++used.timeouts;
}

Notice notice_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::Done:
      return Notice::TaskCompleted;
    case Verdict::Dead:
      return Notice::TaskDead;
    case Verdict::Expired:
      return Notice::TaskExpired;
    default:
      return Notice::TaskCancelled;
  }
}

}  // namespace

void Core::end_attempt(const Held& held, const End& end) {
  const TaskIndex index = held.task;
  run_ends(held, end.cause, end.charge);
  Task& task = tasks[index];
  task.last_cause = end.cause;
  if (end.charge == Charge::Failure) ++task.used.failures, ++counters.failures;
  if (end.charge == Charge::Crash) ++task.used.crashes, ++counters.crashes;
  if (end.charge == Charge::Interruption) ++task.used.interruptions, ++counters.interruptions;
  if (end.charge != Charge::Nothing) {
    count_cause(task.used, end.cause);
    bind(task, end.cause);
  }
  switch (end.cause) {
    case EndCause::Done:
      return settle(index, Verdict::Done, end);
    case EndCause::FailedForGood:
      return settle(index, Verdict::Dead, end);
    case EndCause::Cancelled:
    case EndCause::Dropped:
      return settle(index, Verdict::Cancelled, end);
    case EndCause::Deadline:
      return settle(index, Verdict::Expired, end);
    case EndCause::Held:
      return go_on_later(index, end, now, true);
    default:
      break;
  }
  if (over_budget(task)) return settle(index, Verdict::Dead, end);
  go_on_later(index, end, retry_at(task, end), false);
}

// Once bound it stays so for its round: to go back where it died would be to die there again. Who
// is bound and dies in a class that names no other stays too.
void CoreState::bind(Task& task, EndCause cause) {
  const ClassOptions& its = class_of(slots[task.slot]).options;
  const bool memory = cause == EndCause::Memory;
  if (!memory && cause != EndCause::Timeout) return;
  const std::string& name = memory ? its.retry_memory_class : its.retry_timeout_class;
  const auto next = std::ranges::find_if(classes, [&](const WorkerClass& one) {
    return one.declared && !name.empty() && one.options.name == name;
  });
  if (next != classes.end()) task.bound = next->id;
}

bool Core::over_budget(const Task& task) const {
  return task.used.failures > task.retries || task.used.crashes >= task.crashes_max ||
         task.used.interruptions > options.interruptions_max || task.attempt == 0xffff;
}

Instant Core::retry_at(const Task& task, const End& end) {
  if (end.cause == EndCause::RetryAfter) return now + end.retry_after;
  const bool interrupted = end.charge == Charge::Interruption;
  std::uint64_t nth = interrupted ? task.used.interruptions : task.used.failures;
  if (end.charge == Charge::Crash) {
    if (task.used.crashes <= 1) return now;
    nth = task.used.crashes - 1U;
  }
  return now + jitter_.shorten(backoff(options.backoff_first, 2, nth, options.backoff_max));
}

void Core::go_on_later(TaskIndex index, const End& end, Instant eligible_at, bool held) {
  Task& task = tasks[index];
  auto told = about(index, Notice::TaskFailed);
  tasks.fire(index, TaskTrigger::Charge);
  task.eligible_at = eligible_at;
  task.hold_next = held;
  task.suspect = is_crash(end.cause);
  task.record = recorder.persist(
      record::Ended{task.id, task.round, task.attempt, end.worker, end.cause, end.charge, end.code,
                    task.used, now, eligible_at, held, task.suspect, task.bound},
      *out_);
  recorder.then(Recorder::Then::GoOn, index, task.id);
  told.retried = !held;
  notify(held ? about(index, Notice::TaskHeld) : told);
}

void Core::settle(TaskIndex index, Verdict verdict, const End& end) {
  Task& task = tasks[index];
  task.last_cause = end.cause;
  if (task.state == TaskState::Ready) lanes.forget(index);
  if (verdict == Verdict::Dead && task.state == TaskState::Running) {
    notify(about(index, Notice::TaskFailed));
  }
  tasks.fire(index, trigger_of(verdict));
  ++counters.settled[static_cast<std::size_t>(verdict)];
  task.record =
      recorder.persist(record::Settled{task.id, task.round, task.attempt, end.worker, verdict,
                                       end.cause, end.charge, end.code, task.used, now},
                       *out_);
  recorder.then(Recorder::Then::Settle, index, task.id);
  release_key(index, verdict, end.cause, now);
  if (verdict == Verdict::Dead) dead_.add(task.id, task.payload_bytes, now);
  if (verdict != Verdict::Done || task_notices_) notify(about(index, notice_of(verdict)));
  if (!cancels_.contains(task.id)) return;
  cancels_due_.push_back({task.id, now + kCancelPatience});
  if (!store_accepting_) answer_cancels(index);
}

// A key stands for a live task, a dead letter, and for a while for one that is done. One that
// serves to reconnect does so for every verdict, or the client that lost its connection meanwhile
// would begin anew; but not where its leaving was the reason.
void Core::release_key(TaskIndex index, Verdict verdict, EndCause cause, Instant at) {
  const TaskExtras* extras = tasks.find_extras(index);
  if (extras == nullptr || !extras->key || verdict == Verdict::Dead) return;
  const bool reconnects = extras->key->use == KeyUse::Reconnect && cause != EndCause::Dropped;
  if (verdict == Verdict::Done || reconnects) {
    keys.remember(*extras->key, tasks[index].id, at, options.keys_max);
  } else {
    keys.erase(*extras->key, tasks[index].id);
  }
}

void Core::on(const event::Persisted& event) {
  recorder.keep(event.through);
  Recorder::Waiting waiting;
  while (recorder.pop_kept(waiting)) kept(waiting);
}

void Core::kept(const Recorder::Waiting& waiting) {
  using Then = Recorder::Then;
  switch (waiting.then) {
    case Then::Accept:
    case Then::Duplicate:
      if (waiting.client) {
        emit(command::Accepted{waiting.client, waiting.request, waiting.id,
                               waiting.then == Then::Duplicate});
      }
      break;
    case Then::GoOn:
    case Then::Answer:
      complete(waiting.client, waiting.request, 0, 1);
      break;
    case Then::Settle:
      return announce(waiting.task);
  }
  if (waiting.then != Then::Accept && waiting.then != Then::GoOn) return;
  const auto index = tasks.find(waiting.id);
  if (!index) return;
  if (waiting.then == Then::Accept && task_notices_) notify(about(*index, Notice::TaskSubmitted));
  const Task& task = tasks[*index];
  if (task.state == TaskState::Recording && task.record == waiting.number) go_on(*index);
}

void Core::go_on(TaskIndex index) {
  Task& task = tasks[index];
  const TaskExtras* extras = tasks.find_extras(index);
  if (extras != nullptr && extras->deadline_at <= now) {
    return settle(index, Verdict::Expired, End{.cause = EndCause::Deadline});
  }
  if (std::ranges::find(outlived_, task.id) != outlived_.end()) return;
  if (task.hold_next) {
    tasks.fire(index, TaskTrigger::KeptHeld);
  } else if (task.eligible_at > now) {
    tasks.fire(index, TaskTrigger::KeptDelayed);
    timers.set(index, TaskTimer::Due, task.eligible_at);
  } else {
    tasks.fire(index, TaskTrigger::KeptReady);
    lanes.push(index);
  }
}

void Core::announce(TaskIndex index) {
  const Task& task = tasks[index];
  const Verdict verdict = verdict_of(task.state);
  emit(command::Announce{task.id, task.round, task.attempt, verdict, task.last_cause, task.used});
  answer_cancels(index);
  if (verdict != Verdict::Dead) forget_task(index);
}

void Core::answer_cancels(TaskIndex index) {
  const Task& task = tasks[index];
  const auto [first, last] = cancels_.equal_range(task.id);
  for (auto each = first; each != last; ++each) {
    const CancelRequest& request = each->second;
    if (!request.client) continue;
    if (task.state == TaskState::Cancelled) {
      emit(command::Cancelled{request.client, request.request, task.id, request.rung,
                              is_kept(task.record)});
    } else {
      refuse(request.client, request.request, task.id, Refusal::AlreadySettled);
    }
  }
  cancels_.erase(first, last);
}

// A round that has settled stays settled until its record is kept, and then they are answered.
void Core::answer_cancels_until(Instant due) {
  while (!cancels_due_.empty() && cancels_due_.front().at <= due) {
    const auto index = tasks.find(cancels_due_.front().task);
    cancels_due_.pop_front();
    if (index && is_settled(tasks[*index].state)) answer_cancels(*index);
  }
}

void Core::forget_task(TaskIndex index) {
  timers.forget(index);
  tasks.erase(index);
}

void Core::remove_dead(TaskIndex index) {
  const Task& task = tasks[index];
  dead_.erase(task.id);
  const TaskExtras* extras = tasks.find_extras(index);
  if (extras != nullptr && extras->key) keys.erase(*extras->key, task.id);
  forget_task(index);
}

// One whose death is not kept yet stays, and all after it. What the end of the pool would cut short
// is left to the next life.
void Core::archive_dead() {
  while (!stopping_ && dead_.due(options) <= now) {
    const Task& letter = tasks[*tasks.find(dead_.oldest())];
    if (!is_kept(letter.record)) return;
    dead_.begin_archive(letter.id);
    emit(command::Archive{letter.id, letter.round});
  }
}

// Meanwhile it may have been retried or removed: then the archive has what it was.
void Core::on(const event::Archived& event) {
  const auto index = tasks.find(event.task);
  if (!index || tasks[*index].round != event.round || !dead_.is_archiving(event.task)) return;
  if (!event.kept) return dead_.not_archived(event.task, now);
  recorder.persist(record::Removed{event.task, true, now}, *out_);
  notify(about(*index, Notice::DeadArchived));
  dead_.archived();
  remove_dead(*index);
}

}  // namespace warmpool
