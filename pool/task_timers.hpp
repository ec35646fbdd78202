// When tasks are due, expire or pass their deadline. Entries of tasks that are gone go stale; the
// heap is compacted when more than half is, so a million settled tasks with an expiry cost nothing.
#pragma once

#include <tuple>
#include <vector>

#include "pool/task_table.hpp"
#include "pool/time.hpp"

namespace warmpool {

enum class TaskTimer : std::uint8_t { Due, Expiry, Deadline };

class TaskTimers {
 public:
  struct Fired {
    TaskIndex task;
    TaskTimer timer;
  };

  explicit TaskTimers(TaskTable& tasks) : tasks_(tasks) {}

  void set(TaskIndex index, TaskTimer timer, Instant at);
  // Order: before the task is erased.
  void forget(TaskIndex index);

  // The time of the first; may be of a stale one. kNever if none.
  Instant next() const { return heap_.empty() ? kNever : heap_.front().at; }
  // Takes the first that is due and whose task lives. Whether it still matters is the caller's to
  // judge: a task may have moved on.
  bool pop_due(Instant now, Fired& fired);

  static auto fields(auto& self) {
    auto& [tasks, heap, stale] = self;
    return std::tie(heap, stale);
  }

 private:
  struct Entry {
    Instant at;
    std::uint64_t id;
    TaskIndex task;
    TaskTimer timer;
  };
  struct Before {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.at != b.at ? a.at < b.at : a.id < b.id;
    }
  };
  bool stale(const Entry& entry) const { return tasks_[entry.task].id.value != entry.id; }

  TaskTable& tasks_;
  std::vector<Entry> heap_;
  std::size_t stale_ = 0;
};

}  // namespace warmpool
