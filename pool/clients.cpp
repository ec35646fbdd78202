// What clients ask for. A request is answered at once when it changes nothing that must be kept,
// else when its record is kept.
#include <algorithm>
#include <utility>

#include "pool/core.hpp"

namespace warmpool {

void CoreState::refuse(ClientId client, RequestId request, TaskId task, Refusal code,
                       Duration after) {
  if (client) emit(command::Refused{client, request, task, code, after});
}

void CoreState::complete(ClientId client, RequestId request, std::uint64_t before,
                         std::uint64_t after) {
  if (client) emit(command::Completed{client, request, before, after});
}

std::optional<Refusal> Core::refusal_of(const TaskSpec& spec) const {
  if (stopping_) return Refusal::Stopping;
  if (draining_) return Refusal::Draining;
  if (!store_accepting_) return Refusal::StoreUnavailable;
  if (spec.type.value >= types.size() || !types[spec.type.value].declared) {
    return Refusal::UnknownType;
  }
  // Dead letters that the archive does not take are in memory like what waits.
  if (tasks.unsettled() + dead_.over(options) >= options.tasks_max) return Refusal::QueueFull;
  const auto bytes = tasks.payload_bytes() + dead_.bytes_over(options);
  if (bytes + spec.payload_bytes > options.payload_bytes_total_max) return Refusal::BytesFull;
  return std::nullopt;
}

namespace {

// Refusals that pass by themselves say when to come back.
Duration retry_hint(Refusal code) {
  return static_cast<unsigned>(code) < 200 ? seconds(1) : Duration{};
}

}  // namespace

void Core::on(const event::Submit& event) {
  if (answer_duplicate(event)) return;
  if (const auto code = refusal_of(event.spec)) {
    ++counters.refused_submits;
    refuse(event.client, event.request, {}, *code, retry_hint(*code));
    return;
  }
  const TaskId id{genesis.life << 40 | ++tasks_made_};
  const TaskIndex index = accept(event.spec, id, now);
  Task& task = tasks[index];
  task.eligible_at = first_eligible(event.spec);
  if (event.spec.cancel_on_disconnect) own(index, event.client);
  task.record = recorder.persist(record::Accepted{id, event.spec, now, task.eligible_at}, *out_);
  recorder.then(Recorder::Then::Accept, index, id, event.client, event.request);
}

bool Core::answer_duplicate(const event::Submit& event) {
  const auto& key = event.spec.key;
  const auto owner = key ? keys.find(*key) : std::nullopt;
  if (!owner) return false;
  if (owner->digest != key->digest) {
    ++counters.refused_submits;
    refuse(event.client, event.request, owner->task, Refusal::KeyConflict);
    return true;
  }
  const auto index = tasks.find(owner->task);
  const bool keeps =
      index && tasks[*index].cancel_on_disconnect && !event.spec.cancel_on_disconnect;
  // It would wait for the disk.
  if (!store_accepting_ && (keeps || recorder.kept() != recorder.last())) return false;
  ++counters.duplicates;
  if (keeps) keep_for_good(*index);
  if (index && event.spec.cancel_on_disconnect) own(*index, event.client);
  if (recorder.kept() == recorder.last()) {
    emit(command::Accepted{event.client, event.request, owner->task, true});
  } else {
    recorder.then(Recorder::Then::Duplicate, kNone, owner->task, event.client, event.request);
  }
  return true;
}

// Submits whose record did not come to the disk are refused for good: their tasks end with records
// that come there together with those which made them, or not at all.
void Core::withdraw() {
  for (const auto& waiting : recorder.take_submits()) {
    ++counters.refused_submits;
    refuse(waiting.client, waiting.request, {}, Refusal::StoreUnavailable,
           retry_hint(Refusal::StoreUnavailable));
    if (waiting.then != Recorder::Then::Accept || is_settled(tasks[waiting.task].state)) continue;
    settle(waiting.task, Verdict::Cancelled, End{.cause = EndCause::Dropped});
  }
}

Instant Core::first_eligible(const TaskSpec& spec) const {
  if (spec.run_at.ns == 0) return now + spec.delay;
  return wall_date(spec.run_at, now);
}

TaskIndex Core::accept(const TaskSpec& spec, TaskId id, Instant at) {
  const TaskIndex index = tasks.add(id);
  Task& task = tasks[index];
  task.timeout = spec.timeout;
  task.type = spec.type;
  task.tenant = spec.tenant;
  task.retries = spec.retries;
  task.crashes_max = spec.crashes_max;
  task.priority = spec.priority;
  task.durability = spec.durability;
  tasks.set_payload_bytes(index, spec.payload_bytes);
  if (spec.deadline.ns > 0) tasks.extras(index).deadline = spec.deadline;
  if (spec.expiry.ns > 0) tasks.extras(index).expiry = spec.expiry;
  if (spec.run_at.ns != 0) tasks.extras(index).run_at = spec.run_at;
  if (spec.key) {
    tasks.extras(index).key = spec.key;
    keys.insert(*spec.key, id);
  }
  ++counters.accepted;
  set_round_timers(index, at);
  return index;
}

void Core::set_round_timers(TaskIndex index, Instant from) {
  if (tasks.find_extras(index) == nullptr) return;
  TaskExtras& extras = tasks.extras(index);
  extras.deadline_at = extras.deadline.ns > 0 ? from + extras.deadline : kNever;
  extras.expires_at = extras.expiry.ns > 0 ? from + extras.expiry : kNever;
  timers.set(index, TaskTimer::Deadline, extras.deadline_at);
  timers.set(index, TaskTimer::Expiry, extras.expires_at);
}

void Core::own(TaskIndex index, ClientId client) {
  tasks.own(index, client);
  Owned& owned = owned_[client];
  owned.tasks.push_back(tasks[index].id);
  if (owned.tasks.size() < owned.sweep_at) return;
  std::erase_if(owned.tasks, [&](TaskId id) {
    const auto found = tasks.find(id);
    return !found || is_settled(tasks[*found].state) || tasks.owner(*found) != client;
  });
  owned.sweep_at = std::max<std::size_t>(1024, 2 * owned.tasks.size());
}

// Also beyond the daemon's own end: else a restart would wait for an owner that never comes.
void Core::keep_for_good(TaskIndex index) {
  tasks.disown(index);
  recorder.persist(record::Kept{tasks[index].id}, *out_);
}

void Core::on(const event::Cancel& event) {
  const auto index = tasks.find(event.task);
  if (!index) {
    refuse(event.client, event.request, event.task, Refusal::NoSuchTask);
    return;
  }
  const Task& task = tasks[*index];
  if (is_settled(task.state)) {
    refuse(event.client, event.request, event.task, Refusal::AlreadySettled);
    return;
  }
  cancels_.emplace(event.task, CancelRequest{event.client, event.request});
  if (task.state == TaskState::Running) {
    cancel_running(*index, EndCause::Cancelled);
  } else {
    settle(*index, Verdict::Cancelled, End{.cause = EndCause::Cancelled});
  }
}

// Not started yet: it is taken back if that can be asked for, else it is ended once it starts, so
// that the task before it is not harmed.
void Core::cancel_running(TaskIndex index, EndCause cause) {
  Task& task = tasks[index];
  task.cancelling = true;
  task.dropped = cause == EndCause::Dropped;
  Slot& slot = slots[task.slot];
  for (auto& held : slot.held) {
    if (held.task != index) continue;
    if (held.started()) {
      begin_ending(slot, held, cause);
    } else if (slot.recall && !held.recalling()) {
      recall(slot, held);
      refresh(slot);
    }
    return;
  }
  REQUIRE(false && "a running task is in the hand of its worker");
}

void Core::on(const event::Received& event) {
  keys.received(event.task);
  const auto index = tasks.find(event.task);
  const TaskExtras* extras = index ? tasks.find_extras(*index) : nullptr;
  if (extras == nullptr || !extras->key || extras->key->use != KeyUse::Reconnect) return;
  keys.erase(*extras->key, event.task);
  tasks.extras(*index).key.reset();
}

void Core::on(const event::ClientGone& event) {
  recorder.forget(event.client);
  for (auto& [task, request] : cancels_) {
    if (request.client == event.client) request.client = ClientId{};
  }
  const auto owned = owned_.find(event.client);
  if (owned == owned_.end()) return;
  const auto ids = std::move(owned->second.tasks);
  owned_.erase(owned);
  for (TaskId id : ids) {
    const auto index = tasks.find(id);
    if (!index) continue;
    if (tasks.owner(*index) == event.client) drop(*index);
  }
}

void Core::drop(TaskIndex index) {
  const Task& task = tasks[index];
  if (!task.cancel_on_disconnect || is_settled(task.state)) return;
  if (task.state != TaskState::Running) {
    settle(index, Verdict::Cancelled, End{.cause = EndCause::Dropped});
  } else if (!task.cancelling) {
    cancel_running(index, EndCause::Dropped);
  }
}

// Nobody has come for them.
void Core::drop_orphans() {
  if (now < orphans_until_) return;
  orphans_until_ = kNever;
  for (TaskId id : std::exchange(orphans_, {})) {
    const auto index = tasks.find(id);
    if (index && !tasks.owner(*index)) drop(*index);
  }
}

std::optional<Refusal> Core::refusal_of_dead(std::optional<TaskIndex> index) const {
  if (!index) return Refusal::NoSuchTask;
  const Task& task = tasks[*index];
  if (task.state != TaskState::Dead || !is_kept(task.record)) return Refusal::NotDead;
  return std::nullopt;
}

void Core::on(const event::RetryDead& event) {
  const auto index = tasks.find(event.task);
  auto code = refusal_of_dead(index);
  if (!code && tasks[*index].round == 0xffff) code = Refusal::RoundsExhausted;
  if (!code) {
    const auto bytes = event.payload_bytes.value_or(tasks[*index].payload_bytes);
    code = refusal_of(TaskSpec{.type = tasks[*index].type, .payload_bytes = bytes});
  }
  if (code) {
    refuse(event.client, event.request, event.task, *code, retry_hint(*code));
    return;
  }
  revive(*index, now, event.payload_bytes);
  Task& task = tasks[*index];
  task.record =
      recorder.persist(record::Revived{task.id, task.round, now, now, event.payload_bytes}, *out_);
  recorder.then(Recorder::Then::GoOn, *index, task.id, event.client, event.request);
  notify(about(*index, Notice::TaskRevived));
}

void Core::revive(TaskIndex index, Instant at, std::optional<std::uint32_t> payload_bytes) {
  Task& task = tasks[index];
  tasks.fire(index, TaskTrigger::Revive);
  dead_.erase(task.id);
  if (payload_bytes) tasks.set_payload_bytes(index, *payload_bytes);
  ++task.round;
  task.attempt = 0;
  task.used = {};
  task.bound = kNoClass;
  task.eligible_at = at;
  task.suspect = is_crash(task.last_cause);  // who died of killing workers runs alone again
  task.hold_next = task.cancelling = task.dropped = task.spared = false;
  task.began = task.recalled = false;
  tasks.disown(index);  // a person wants this round, and stays
  ++counters.accepted;
  set_round_timers(index, at);
}

void Core::on(const event::RemoveDead& event) {
  const auto index = tasks.find(event.task);
  if (const auto code = refusal_of_dead(index)) {
    refuse(event.client, event.request, event.task, *code);
    return;
  }
  recorder.persist(record::Removed{event.task, false, now}, *out_);
  recorder.then(Recorder::Then::Answer, kNone, event.task, event.client, event.request);
  remove_dead(*index);
}

void Core::on(const event::Release& event) {
  const auto index = tasks.find(event.task);
  if (!index || tasks[*index].state != TaskState::Held) {
    refuse(event.client, event.request, event.task, index ? Refusal::NotHeld : Refusal::NoSuchTask);
    return;
  }
  Task& task = tasks[*index];
  tasks.fire(*index, TaskTrigger::Release);
  task.eligible_at = now;
  task.hold_next = false;
  task.record = recorder.persist(record::Released{task.id, now, now}, *out_);
  recorder.then(Recorder::Then::GoOn, *index, task.id, event.client, event.request);
}

}  // namespace warmpool
