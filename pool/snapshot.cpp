// Copies of what the core holds, for those who look at it. Nothing here decides.
#include <algorithm>

#include "pool/core.hpp"
#include "pool/verdict.hpp"

namespace warmpool {

QueueView Core::queue() const {
  QueueView view;
  view.recording = tasks.count(TaskState::Recording);
  view.ready = tasks.count(TaskState::Ready);
  view.delayed = tasks.count(TaskState::Delayed);
  view.blocked = tasks.count(TaskState::Blocked);
  view.held = tasks.count(TaskState::Held);
  view.running = tasks.count(TaskState::Running);
  view.dead_letters = tasks.count(TaskState::Dead);
  view.payload_bytes = tasks.payload_bytes();
  view.keys = keys.size();
  const Instant oldest = lanes.oldest();
  if (oldest < now) view.oldest_ready = now - oldest;
  return view;
}

SlotView Core::view(const Slot& slot) const {
  SlotView view;
  view.slot = slot.id;
  view.index = slot.index;
  view.home = slot.home;
  view.successor = slot.successor;
  view.leaving = slot.leaving;
  view.registered = slot.registered;
  view.due = slot.due_for;
  view.worker_class = slot.worker_class;
  view.worker = slot.worker;
  view.state = slot.state;
  view.last_cause = slot.last_cause;
  view.unresponsive = slot.unresponsive;
  view.stopped = slot.stopped;
  view.slow = slot.slow;
  view.motion = slot.motion;
  view.health = health_of(slot);
  view.health_state = slot.health;
  view.parts = slot.health.parts(situation_of(slot));
  view.credits = slot.credits;
  view.unproductive_deaths = slot.unproductive;
  view.strategy = slot.strategy;
  view.tries = slot.tries;
  view.recovering = slot.recovering;
  view.former = slot.former;
  view.memory = slot.memory;
  view.memory_base = slot.memory_base;
  view.memory_max = memory_max(slot);
  view.attempts = slot.attempts;
  view.attempts_of_worker = slot.attempts_of_worker;
  view.spawns = slot.spawns;
  view.busy_time = slot.held.empty() ? slot.busy : slot.busy + (now - slot.busy_since);
  view.spawned_at = slot.spawned_at;
  view.ready_at = slot.ready_at;
  view.last_heard = slot.last_heard;
  view.state_since = slot.state_since;
  view.retry_at = slot.retry_at;
  const auto& worker_class = classes[slot.worker_class.value];
  const bool waits = slot.state == SlotState::Backoff || slot.state == SlotState::Failed;
  view.held_back = waits && slot.retry_at == kNever && worker_class.gate.shut();
  view.reserved = worker_class.has_reserved && worker_class.reserved == slot.id;
  for (const auto& held : slot.held) {
    view.attempts_held.push_back({held.key, tasks[held.task].type, held.assigned_at,
                                  held.started_at, held.end_at, held.started(), held.is_ending(),
                                  held.slow});
  }
  return view;
}

TaskView Core::view(TaskIndex index) const {
  const Task& task = tasks[index];
  TaskView view;
  view.task = task.id;
  view.type = task.type;
  view.tenant = task.tenant;
  view.state = task.state;
  view.priority = task.priority;
  if (task.state == TaskState::Ready) {
    view.holds = lanes.holds_of(index);
    if (paused_by(task.type, lanes.classes_of(index))) {
      view.holds = static_cast<HoldSet>(view.holds | hold_bit(Hold::Paused));
    }
  }
  if (task.state == TaskState::Held) view.holds = hold_bit(Hold::Manual);
  if (task.suspect && is_waiting(task.state)) {
    view.holds = static_cast<HoldSet>(view.holds | hold_bit(Hold::Suspect));
  }
  view.round = task.round;
  view.attempt = task.attempt;
  view.retries = task.retries;
  view.crashes_max = task.crashes_max;
  view.used = task.used;
  if (!is_settled(task.state)) view.bound = lanes.bound_to(index);
  if (task.state == TaskState::Running) {
    const Slot& slot = slots[task.slot];
    view.worker = slot.worker;
    const auto held = std::ranges::find(slot.held, index, &Held::task);
    const bool behind = held != slot.held.end() && !held->started();
    if (behind) view.behind = slot.held.front().key.task;
  }
  view.eligible_at = task.eligible_at;
  view.timeout = task.timeout;
  if (const TaskExtras* extras = tasks.find_extras(index)) {
    view.deadline = extras->deadline;
    view.expiry = extras->expiry;
  }
  view.last_cause = task.last_cause;
  view.payload_bytes = task.payload_bytes;
  return view;
}

namespace {

void count(ClassView& view, const Slot& slot) {
  if (slot.state == SlotState::Gone) return;
  ++view.slots;
  if (slot.registered) ++view.registered;
  if (slot.state == SlotState::Ready) ++view.ready;
  if (!slot.held.empty()) ++view.running;
  if (slot.state == SlotState::Failed) ++view.failed;
  if (slot.state == SlotState::Held) ++view.held;
  if (slot.state == SlotState::Failed || slot.state == SlotState::Backoff) ++view.recovery.waiting;
  if (slot.state == SlotState::Ready || slot.state == SlotState::Running) {
    view.capacity += slot.concurrency;
  }
  view.in_flight += static_cast<std::uint32_t>(slot.held.size());
}

}  // namespace

Snapshot Core::overview() const {
  Snapshot all;
  all.now = now;
  all.counters = counters;
  all.queue = queue();
  for (const auto& worker_class : classes) {
    ClassView view{.worker_class = worker_class.id, .target = worker_class.target};
    view.paused = worker_class.paused;
    view.parked = worker_class.parked;
    view.suspects = static_cast<std::uint16_t>(worker_class.suspects.count());
    view.recovery = recovery_view(worker_class);
    for (SlotId id : worker_class.members) count(view, slots[id]);
    all.classes.push_back(view);
  }
  all.recoveries = recoveries_view();
  all.memory = memory_view();
  all.draining = draining_;
  all.stopping = stopping_;
  all.paused = paused_;
  all.store_accepting = store_accepting_;
  return all;
}

RecoveryView CoreState::recovery_view(const WorkerClass& worker_class) const {
  const RecoveryGate& gate = worker_class.gate;
  const Duration window = worker_class.options.recovery_window;
  return {gate.state(), gate.why(),    gate.since(),
          gate.until(), gate.opened(), gate.deaths(now, window)};
}

MemoryView CoreState::memory_view() const {
  return {options.memory_total,       memory_declared(),  slots.held(),
          options.memory_tasks_total, memory_needs.taken, memory_needs.awaited};
}

RecoveriesView CoreState::recoveries_view() const {
  std::int64_t wanted_ms = 0, down_ms = recoveries.down_ms;
  for (const auto& worker_class : classes) {
    wanted_ms += worker_class.place_time.until(now, worker_class.wanted());
    for (const SlotId id : worker_class.members) {
      const Slot& slot = slots[id];
      if (slot.recovering && !slot.successor) down_ms += (now - slot.died_at).ns / 1'000'000;
    }
  }
  return {recoveries.attempts,     recoveries.succeeded, recoveries.failed,
          recoveries.mean(),       recoveries.median(),  recoveries.longest,
          milliseconds(wanted_ms), milliseconds(down_ms)};
}

std::optional<BreakerView> CoreState::breaker_view(TypeId type) const {
  const Breaker* breaker = breakers.find(type);
  if (breaker == nullptr) return std::nullopt;
  const auto share = breaker->share(now);
  return BreakerView{breaker->state(),   breaker->why(),   breaker->since(), breaker->until(),
                     breaker->row(),     share.runs,       share.failures,   breaker->limit(),
                     breaker->running(), breaker->opened()};
}

Snapshot Core::snapshot(TypesShown shown) const {
  Snapshot all = overview();
  for (std::size_t at = 0; at < slots.size(); ++at) {
    all.slots.push_back(view(slots[SlotId{static_cast<std::uint16_t>(at)}]));
  }
  for (std::uint32_t at = 0; at < types.size(); ++at) {
    const TypeId type{at};
    if (shown == TypesShown::OfNote && !types[at].breaker && lanes.waiting(type) == 0) continue;
    const auto paused = paused_by(type);
    const bool itself = (lanes.holds(type) & hold_bit(Hold::Paused)) != 0;
    all.types.push_back({type, paused.has_value(), itself, paused.value_or(PauseScope::Type),
                         lanes.waiting(type), types[at].service, expected(type).ns != 0,
                         types[at].breaker ? breaker_view(type) : std::nullopt, memory_view(type)});
  }
  return all;
}

Notification CoreState::about(TaskIndex index, Notice notice) const {
  const Task& task = tasks[index];
  Notification told{.notice = notice};
  told.task = task.id;
  told.round = task.round;
  told.attempt = task.attempt;
  told.type = task.type;
  told.end_cause = task.last_cause;
  if (task.attempt != 0 && task.slot.value < slots.size()) {
    const Slot& slot = slots[task.slot];
    told.slot = slot.home;
    told.worker = slot.worker;
    told.worker_class = slot.worker_class;
    for (const auto& held : slot.held) {
      if (held.task == index && held.started()) told.duration_ns = (now - held.started_at).ns;
    }
  }
  return told;
}

Notification CoreState::about(const Slot& slot, Notice notice) const {
  Notification told{.notice = notice};
  told.slot = slot.home;
  told.worker = slot.worker;
  told.worker_class = slot.worker_class;
  return told;
}

}  // namespace warmpool
