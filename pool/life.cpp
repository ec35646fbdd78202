// The pool's own life: turns, drain, stop, time.
#include <algorithm>
#include <utility>

#include "pool/core.hpp"

namespace warmpool {

void Core::on(const event::Tick&) {
  if (promised_ != kNever) on(event::LoopLate{now - promised_});
  drop_orphans();
  answer_cancels_until(now);
  TaskTimers::Fired fired{};
  while (timers.pop_due(now, fired)) fire_timer(fired);
  for (SlotId id : std::exchange(health_changed_, {})) {
    Slot& slot = slots[id];
    tell_health(slot);
    const bool ill = slot.health.band() == Band::Unhealthy && slot.state == SlotState::Running;
    if (ill) recall_unstarted(slot);  // it would be given none of them now
    slots.look_at(slot, due_of(slot));
    refresh(slot);
  }
  while (Slot* slot = slots.pop_due(now)) judge_slot(*slot);
  keys.expire(now, KeyAges(options));
  judge_breakers();
  judge_recovery();
  recall_opened();
  archive_dead();
  if (stopping_ && !finished_ && !forced_ && stop_at_ <= now) stop_by_force();
  // Where no worker is to come no hello says so; only at the end of a turn are all classes known.
  if (resized_) pool_may_be_initialized();
  resized_ = false;
  for (const bool critical : {true, false}) {
    for (auto& worker_class : classes) {
      const bool its_turn = worker_class.options.critical == critical;
      if (its_turn && !worker_class.due.empty()) recycle(worker_class);
    }
  }
  gate_memory();
  dispatch();
  for (const bool critical : {true, false}) {
    for (auto& worker_class : classes) {
      if (worker_class.options.critical != critical) continue;
      if (worker_class.idle_due) judge_idle(worker_class);
      if (worker_class.parked != 0) fill_again(worker_class);
    }
  }
  judge_memory_waits();
  judge_admission();  // those who were in the way may be gone by now
  make_way();
  recall_for_idle();
  finish_when_empty();
  promised_ = std::max(next_deadline(), now);
}

Instant Core::next_deadline() const {
  Instant next = std::min({timers.next(), slots.next_due(), orphans_until_});
  next = std::min(next, keys.next_expiry(KeyAges(options)));
  next = std::min(next, next_archive());
  next = std::min(next, breakers.next());
  next = std::min(next, memory_needs.due);
  next = std::min(next, next_recovery());
  next = std::min(next, due_of_recall());
  if (!cancels_due_.empty()) next = std::min(next, cancels_due_.front().at);
  if (stopping_ && !finished_ && !forced_) next = std::min(next, stop_at_);
  if (forced_ && !finished_) next = std::min(next, give_up_at());
  return next;
}

// A dead letter can be archived once its record is kept; that brings a Tick of its own.
Instant Core::next_archive() const {
  const Instant due = stopping_ ? kNever : dead_.due(options);
  if (due == kNever || !is_kept(tasks[*tasks.find(dead_.oldest())].record)) return kNever;
  return due;
}

void Core::fire_timer(const TaskTimers::Fired& fired) {
  const Task& task = tasks[fired.task];
  const TaskExtras* extras = tasks.find_extras(fired.task);
  switch (fired.timer) {
    case TaskTimer::Due:
      if (task.state != TaskState::Delayed) return;
      if (task.eligible_at > now) return timers.set(fired.task, TaskTimer::Due, task.eligible_at);
      tasks.fire(fired.task, TaskTrigger::Due);
      return lanes.push(fired.task);
    case TaskTimer::Expiry:
      if (!is_waiting(task.state) || task.began || extras->expires_at > now) return;
      return settle(fired.task, Verdict::Expired, End{.cause = EndCause::Expired});
    case TaskTimer::Deadline:
      if (!is_waiting(task.state) || extras->deadline_at > now) return;
      return settle(fired.task, Verdict::Expired, End{.cause = EndCause::Deadline});
  }
}

void Core::on(const event::Drain& event) {
  if (stopping_) return refuse(event.client, event.request, {}, Refusal::Stopping);
  draining_ = event.on;
  if (event.on) {
    Notification told{.notice = Notice::PoolDraining};
    told.count = static_cast<std::uint32_t>(tasks.unsettled());
    notify(told);
  }
  complete(event.client, event.request, tasks.unsettled(), tasks.unsettled());
}

void Core::on(const event::Stop& event) {
  if (!stopping_) {
    stopping_ = true;
    stop_at_ = now + options.drain_timeout;
    orphans_until_ = kNever;  // the next life gives their clients time to come back
    for (std::size_t at = 0; at < slots.size(); ++at) {
      Slot& slot = slots[SlotId{static_cast<std::uint16_t>(at)}];
      if (!slot.removing && slot.state != SlotState::Gone) drain(slot);
    }
  }
  if (event.now) stop_at_ = std::min(stop_at_, now);
  complete(event.client, event.request, tasks.unsettled(), tasks.unsettled());
}

void Core::stop_by_force() {
  forced_ = true;
  for (std::size_t at = 0; at < slots.size(); ++at) {
    Slot& slot = slots[SlotId{static_cast<std::uint16_t>(at)}];
    if (!has_process(slot.state)) continue;
    if (!slot.killed) end_by_force(slot, ExitCause::Shutdown, command::Force::Kill);
  }
}

// When the store does not answer, or a killed process does not go: after that the pool is over all
// the same.
Instant Core::give_up_at() const { return stop_at_ + seconds(1); }

void Core::finish_when_empty() {
  if (!stopping_ || finished_) return;
  if ((slots.processes() != 0 || !recorder.idle()) && now < give_up_at()) return;
  finished_ = true;
  Notification told{.notice = Notice::PoolShutdown};
  told.count = static_cast<std::uint32_t>(tasks.unsettled());
  notify(told);
  std::uint64_t in_memory = 0;
  tasks.each([&](TaskIndex index) {
    in_memory += !is_settled(tasks[index].state) && tasks[index].durability == Durability::None;
  });
  emit(command::Finished{tasks.unsettled(), in_memory});
}

// Nobody is left waiting for a disk that may stay full for hours.
void Core::on(const event::StoreState& event) {
  store_accepting_ = event.accepting;
  if (event.accepting) return;
  if (event.undone) withdraw();
  answer_cancels_until(kNever);
}

void Core::on(const event::Listen& event) { task_notices_ = event.to_tasks; }

// Run-at is a wall date: the tasks that wait for one are judged again. A timer that is too early
// sets itself again, so that only what comes nearer needs another.
void Core::on(const event::WallStepped& event) {
  wall_offset_ = event.wall.ns - now.ns;
  tasks.each([this](TaskIndex index) {
    Task& task = tasks[index];
    const TaskExtras* extras = tasks.find_extras(index);
    const bool waits = task.state == TaskState::Delayed || task.state == TaskState::Recording;
    if (!waits || task.attempt != 0 || task.round != 1) return;
    if (extras == nullptr || extras->run_at.ns == 0) return;
    const Instant before = task.eligible_at;
    task.eligible_at = wall_date(extras->run_at, now);
    if (task.state == TaskState::Delayed && task.eligible_at < before) {
      timers.set(index, TaskTimer::Due, task.eligible_at);
    }
  });
}

// Bounds: at least `least`.
Instant Core::wall_date(WallTime wall, Instant least) const {
  return std::clamp(Instant{wall.ns - wall_offset_}, least, now + kDurationMax);
}

}  // namespace warmpool
