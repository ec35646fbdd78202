// One heap for the three kinds, because few tasks have any: it stays small beside the queue.
#include "pool/task_timers.hpp"

#include "pool/heap.hpp"

namespace warmpool {

void TaskTimers::set(TaskIndex index, TaskTimer timer, Instant at) {
  if (at == kNever) return;
  Task& task = tasks_[index];
  heap_push(heap_, Entry{at, task.id.value, index, timer}, Before{});
  ++task.timers;
}

void TaskTimers::forget(TaskIndex index) {
  Task& task = tasks_[index];
  stale_ += task.timers;
  task.timers = 0;
  if (heap_.size() < 64 || 2 * stale_ < heap_.size()) return;
  const std::uint64_t gone = task.id.value;
  std::erase_if(heap_, [&](const Entry& entry) { return entry.id == gone || stale(entry); });
  heap_rebuild(heap_, Before{});
  stale_ = 0;
}

bool TaskTimers::pop_due(Instant now, Fired& fired) {
  while (!heap_.empty() && heap_.front().at <= now) {
    const Entry entry = heap_.front();
    heap_remove(heap_, 0, Before{});
    if (stale(entry)) {
      if (stale_ > 0) --stale_;
      continue;
    }
    Task& task = tasks_[entry.task];
    --task.timers;
    fired = {entry.task, entry.timer};
    return true;
  }
  return false;
}

}  // namespace warmpool
