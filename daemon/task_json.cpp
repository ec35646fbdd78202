// The core knows live tasks and dead letters, the store all that are kept.
#include "daemon/task_json.hpp"

#include "pool/memory.hpp"

namespace warmpool::daemon {

TaskState state_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::Done:
      return TaskState::Done;
    case Verdict::Dead:
      return TaskState::Dead;
    case Verdict::Cancelled:
      return TaskState::Cancelled;
    case Verdict::Expired:
      return TaskState::Expired;
    case Verdict::Skipped:
      return TaskState::Skipped;
  }
  return TaskState::Done;
}

namespace {

Json holds_json(std::uint8_t holds) {
  Json names = Json::array();
  for (const auto& row : Words<Hold>::rows) {
    if ((unsigned{holds} >> static_cast<unsigned>(row.value) & 1U) != 0) names.push_back(row.name);
  }
  return names;
}

// Those of this life and those of an earlier one are told apart by their class's name and a number.
std::string class_of_slot(const std::string& slot) { return slot.substr(0, slot.rfind('-')); }

const ClassOptions* options_named(const Services& services, const std::string& name) {
  for (const auto& worker_class : services.configuration.classes) {
    if (worker_class.values.name == name) return &worker_class.values;
  }
  return nullptr;
}

Json memory_json(std::uint64_t bytes) { return bytes == kUnlimited ? Json() : Json(bytes); }

}  // namespace

Json TaskJson::bound(const TaskView& live, const StoredTask& stored) const {
  const auto& next = services_.options_of(*live.bound);
  Json json{{"class", next.name},
            {"memory_max_bytes", memory_json(memory_max_of(next, live.used.memory_ends))},
            {"timeout_seconds", seconds_of(timeout_of(next, live.timeout, live.used.timeouts))}};
  if (stored.attempts == nullptr) return json;
  unsigned memory_ends = 0, timeouts = 0;
  for (const auto& entry : *stored.attempts) {
    const bool memory = entry.cause == EndCause::Memory, late = entry.cause == EndCause::Timeout;
    if (entry.round != live.round || entry.charge == Charge::Nothing || !(memory || late)) continue;
    const auto worker = workers_.places().slot_name(entry.slot), from = class_of_slot(worker);
    const auto* options = options_named(services_, from);
    if (options != nullptr && from != next.name) {
      json["after"] = {
          {"attempt", entry.attempt},
          {"cause", name_of(entry.cause)},
          {"worker", worker},
          {"class", from},
          {"memory_max_bytes", memory_json(memory_max_of(*options, memory_ends))},
          {"timeout_seconds", seconds_of(timeout_of(*options, live.timeout, timeouts))}};
    }
    memory_ends += memory ? 1 : 0;
    timeouts += late ? 1 : 0;
  }
  return json;
}

Json TaskJson::row(TaskId task) const {
  const auto live = services_.engine.pool().task(task);
  const auto stored = services_.store.find(task);
  Json row{{"id", task.value}};
  if (live) add_live(*live, row);
  if (!live && stored && stored->verdict) add_settled(*stored, row);
  if (stored) add_stored(*stored, row);
  if (live && live->behind) row["started_at"] = nullptr;  // that it was given is kept as that
  return row;
}

Json TaskJson::attempts(const StoredTask& stored) const {
  Json list = Json::array();
  if (stored.attempts != nullptr) {
    for (const auto& entry : *stored.attempts) list.push_back(attempt(entry));
  } else if (stored.attempt != 0) {
    AttemptEntry only{stored.round,
                      stored.attempt,
                      stored.cause,
                      Charge::Nothing,
                      0,
                      stored.slot,
                      WorkerId{},
                      stored.started_at,
                      stored.settled_at,
                      {},
                      {},
                      {}};
    list.push_back(attempt(only));
    if (!stored.verdict) list.back().erase("cause");
  }
  return list;
}

void TaskJson::add_live(const TaskView& live, Json& row) const {
  row["type"] = services_.types.at(live.type).name;
  row["state"] = name_of(live.state);
  row["priority"] = live.priority;
  row["round"] = live.round;
  row["attempt"] = live.attempt;
  row["failures"] = live.used.failures;
  row["crashes"] = live.used.crashes;
  row["interruptions"] = live.used.interruptions;
  row["retries"] = live.retries;
  row["crashes_max"] = live.crashes_max;
  row["holds"] = holds_json(live.holds);
  row["worker"] = nullptr;
  if (const auto* worker = workers_.find(live.worker)) {
    row["worker"] = workers_.places().slot_name(worker->slot);
  }
  if (live.behind) row["behind"] = live.behind->value;
  row["eligible_at"] = time(live.eligible_at);
  row["timeout_seconds"] = seconds_of(live.timeout);
  if (live.deadline.ns != 0) row["deadline_seconds"] = seconds_of(live.deadline);
  if (live.expiry.ns != 0) row["expiry_seconds"] = seconds_of(live.expiry);
  if (live.state == TaskState::Dead) row["cause"] = name_of(live.last_cause);
}

void TaskJson::add_settled(const StoredTask& stored, Json& row) const {
  row["type"] = services_.types.at(stored.type).name;
  row["state"] = name_of(state_of(*stored.verdict));
  row["round"] = stored.round;
  row["attempt"] = stored.attempt;
  row["failures"] = stored.used.failures;
  row["crashes"] = stored.used.crashes;
  row["interruptions"] = stored.used.interruptions;
  row["cause"] = name_of(stored.cause);
}

void TaskJson::add_stored(const StoredTask& stored, Json& row) const {
  row["tenant"] = services_.tenants.at(stored.tenant);
  row["uid"] = stored.uid;
  row["payload_bytes"] = stored.payload_bytes;
  if (stored.payload_lost) row["payload_lost"] = true;
  row["durability"] = name_of(stored.durability);
  row["age_ms"] = milliseconds_of(services_.engine.now() - stored.accepted_at);
  row["accepted_at"] = time(stored.accepted_at);
  row["started_at"] = time(stored.started_at);
  row["settled_at"] = stored.verdict ? time(stored.settled_at) : Json();
  if (stored.error != nullptr) row["error"] = *stored.error;
  if (stored.texts == nullptr) return;
  if (!stored.texts->key.empty()) row["key"] = stored.texts->key;
  if (!stored.texts->labels.empty()) row["labels"] = stored.texts->labels;
}

Json TaskJson::attempt(const AttemptEntry& entry) const {
  Json json{{"round", entry.round},
            {"attempt", entry.attempt},
            {"cause", name_of(entry.cause)},
            {"charged", name_of(entry.charge)},
            {"worker", workers_.places().slot_name(entry.slot)},
            {"started_at", time(entry.started_at)},
            {"ended_at", time(entry.ended_at)}};
  if (entry.code != 0) json["code"] = entry.code;
  if (!entry.error.empty()) json["error"] = entry.error;
  if (!entry.output.empty()) json["output"] = entry.output;
  return json;
}

}  // namespace warmpool::daemon
