// A task as documents show it: what the core decides by and what the store remembers, joined by id.
// Only sources of documents include it.
#pragma once

#include "daemon/documents.hpp"
#include "daemon/json.hpp"

namespace warmpool::daemon {

TaskState state_of(Verdict verdict);

class TaskJson {
 public:
  TaskJson(const Services& services, const Workers& workers)
      : services_(services), workers_(workers) {}

  // What lists show of it.
  Json row(TaskId task) const;
  // Where alone it is tried again, and after which death. `live` is bound to a class.
  Json bound(const TaskView& live, const StoredTask& stored) const;
  // All of its history.
  Json attempts(const StoredTask& stored) const;

 private:
  Json time(Instant instant) const { return time_of(services_.engine.clock(), instant); }
  void add_live(const TaskView& live, Json& row) const;
  void add_settled(const StoredTask& stored, Json& row) const;
  void add_stored(const StoredTask& stored, Json& row) const;
  Json attempt(const AttemptEntry& entry) const;

  const Services& services_;
  const Workers& workers_;
};

}  // namespace warmpool::daemon
