// Rebuilds the core from records of earlier lives. Tasks stay in state recording while records are
// read; at the end each goes on from there, those cut short by the daemon's end with that counted.
#include "pool/core.hpp"

namespace warmpool {

void Core::replay(const Record& record) {
  std::visit([this](const auto& each) { apply(each); }, record);
}

void Core::apply(const record::Accepted& record) {
  if (tasks.find(record.task)) return;
  const TaskIndex index = accept(record.spec, record.task, record.at);
  tasks[index].eligible_at = record.eligible_at;
  tasks[index].cancel_on_disconnect = record.spec.cancel_on_disconnect;
  if (record.spec.run_at.ns != 0) {
    tasks[index].eligible_at = wall_date(record.spec.run_at, record.at);
  }
}

void Core::apply(const record::Started& record) {
  const auto index = tasks.find(record.task);
  if (!index) return;
  tasks[*index].attempt = record.attempt;
  open_attempts_.insert_or_assign(record.task, record);
}

void Core::apply(const record::Ended& record) {
  const auto index = tasks.find(record.task);
  if (!index) return;
  Task& task = tasks[*index];
  task.attempt = record.attempt;
  task.used = record.used;
  task.eligible_at = record.eligible_at;
  task.last_cause = record.cause;
  task.hold_next = record.held;
  task.suspect = record.suspect;
  task.bound = record.bound;
  // Perhaps it was: then the next hint counts for nothing, which is always right.
  if (record.cause == EndCause::NeverStarted) task.spared = true;
  task.began =
      task.began || (record.cause != EndCause::Recalled && record.cause != EndCause::NeverStarted);
  open_attempts_.erase(record.task);
}

void Core::apply(const record::Settled& record) {
  const auto index = tasks.find(record.task);
  if (!index || tasks[*index].state == TaskState::Dead) return;
  Task& task = tasks[*index];
  task.used = record.used;
  task.attempt = record.attempt;
  task.last_cause = record.cause;
  open_attempts_.erase(record.task);
  ++counters.settled[static_cast<std::size_t>(record.verdict)];
  release_key(*index, record.verdict, record.cause, record.at);
  if (record.verdict == Verdict::Dead) {
    tasks.fire(*index, TaskTrigger::Bury);
    return dead_.add(task.id, task.payload_bytes, record.at);
  }
  timers.forget(*index);
  tasks.drop(*index);
}

void Core::apply(const record::Revived& record) {
  const auto index = tasks.find(record.task);
  if (!index || tasks[*index].state != TaskState::Dead) return;
  revive(*index, record.at, record.payload_bytes);
  tasks[*index].round = record.round;
  tasks[*index].eligible_at = record.eligible_at;
}

void Core::apply(const record::Released& record) {
  const auto index = tasks.find(record.task);
  if (!index) return;
  tasks[*index].hold_next = false;
  tasks[*index].eligible_at = record.eligible_at;
}

void Core::apply(const record::Removed& record) {
  const auto index = tasks.find(record.task);
  if (index && tasks[*index].state == TaskState::Dead) remove_dead(*index);
}

void Core::apply(const record::Paused& record) {
  if (record.target.scope == PauseScope::Type) type_state(record.target.type);
  set_paused(record.target, record.paused);
}

void Core::apply(const record::Kept& record) {
  if (const auto index = tasks.find(record.task)) tasks[*index].cancel_on_disconnect = false;
}

// What was accepted is what has settled and what has not.
void Core::replay_totals(const std::array<std::uint64_t, 5>& settled) {
  counters.settled = settled;
  counters.accepted = tasks.unsettled();
  for (const auto rounds : settled) counters.accepted += rounds;
}

void Core::finish_replay(Instant at, Commands& commands) {
  REQUIRE(at >= now);
  now = at;
  out_ = &commands;
  tasks.each([this](TaskIndex index) {
    if (tasks[index].state != TaskState::Recording) return;
    if (tasks[index].cancel_on_disconnect) orphans_.push_back(tasks[index].id);
    resume_replayed(index);
  });
  if (!orphans_.empty()) orphans_until_ = now + options.reconnect_grace;
  open_attempts_.clear();
  keys.renew(now);
  keys.expire(now, KeyAges(options));
  out_ = nullptr;
}

void Core::resume_replayed(TaskIndex index) {
  Task& task = tasks[index];
  const auto open = open_attempts_.find(task.id);
  if (open == open_attempts_.end() || open->second.round != task.round) return go_on(index);
  ++task.used.interruptions;
  ++counters.interruptions;
  const End end{.cause = EndCause::Interrupted,
                .charge = Charge::Interruption,
                .retry_after = {},
                .code = 0,
                .worker = open->second.worker};
  task.last_cause = end.cause;
  task.began = true;
  if (over_budget(task)) return settle(index, Verdict::Dead, end);
  task.eligible_at = now;
  task.record = recorder.persist(
      record::Ended{task.id, task.round, task.attempt, end.worker, end.cause, end.charge, 0,
                    task.used, now, now, false, task.suspect, task.bound},
      *out_);
  recorder.then(Recorder::Then::GoOn, index, task.id);
}

}  // namespace warmpool
