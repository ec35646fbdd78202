// Chunks instead of one vector: growing never moves a task, so a million of them cost no pause.
#include "pool/task_table.hpp"

namespace warmpool {

TaskIndex TaskTable::add(TaskId id) {
  TaskIndex index = 0;
  if (!free_.empty()) {
    index = free_.back();
    free_.pop_back();
  } else {
    index = add_place();
  }
  Task& task = (*this)[index];
  const std::uint32_t stamp = task.stamp;
  task = Task{};
  task.id = id;
  task.stamp = stamp;
  index_.insert(index, used_, id_at());
  ++counts_[static_cast<std::size_t>(task.state)];
  return index;
}

void TaskTable::erase(TaskIndex index) {
  REQUIRE((*this)[index].id && is_settled((*this)[index].state));
  release(index);
}

void TaskTable::drop(TaskIndex index) {
  REQUIRE((*this)[index].state == TaskState::Recording);
  payload_bytes_ -= (*this)[index].payload_bytes;
  release(index);
}

void TaskTable::release(TaskIndex index) {
  Task& task = (*this)[index];
  --counts_[static_cast<std::size_t>(task.state)];
  index_.erase(index, id_at());
  if (task.extras != kNone) {
    extras_free_.push_back(task.extras);
    task.extras = kNone;
  }
  task.id = TaskId{};
  free_.push_back(index);
}

std::optional<TaskIndex> TaskTable::find(TaskId id) const {
  if (!id) return std::nullopt;
  const TaskIndex index = index_.find(id.value, id_at());
  if (index == SlabIndex::kNowhere) return std::nullopt;
  return index;
}

bool TaskTable::restore() {
  for (TaskIndex index = 0; index < used_; ++index) {
    const TaskId id = (*this)[index].id;
    if (!id) continue;
    if (find(id)) return false;
    index_.insert(index, index + 1, id_at());
  }
  return true;
}

void TaskTable::fire(TaskIndex index, TaskTrigger trigger) {
  Task& task = (*this)[index];
  const std::size_t row = find_row(kTaskRows, task.state, trigger);
  REQUIRE(row != kNoRow);
  ++row_hits_[row];
  const TaskState to = kTaskRows[row].to;
  if (is_settled(to) && !is_settled(task.state)) payload_bytes_ -= task.payload_bytes;
  if (!is_settled(to) && is_settled(task.state)) payload_bytes_ += task.payload_bytes;
  --counts_[static_cast<std::size_t>(task.state)];
  ++counts_[static_cast<std::size_t>(to)];
  task.state = to;
}

TaskExtras& TaskTable::extras(TaskIndex index) {
  Task& task = (*this)[index];
  if (task.extras == kNone) {
    if (extras_free_.empty()) {
      extras_free_.push_back(static_cast<std::uint32_t>(extras_.size()));
      extras_.emplace_back();
    }
    task.extras = extras_free_.back();
    extras_free_.pop_back();
    extras_[task.extras] = TaskExtras{};
  }
  return extras_[task.extras];
}

const TaskExtras* TaskTable::find_extras(TaskIndex index) const {
  const Task& task = (*this)[index];
  return task.extras == kNone ? nullptr : &extras_[task.extras];
}

ClientId TaskTable::owner(TaskIndex index) const {
  const TaskExtras* extras = find_extras(index);
  return extras == nullptr ? ClientId{} : extras->owner;
}

void TaskTable::own(TaskIndex index, ClientId client) {
  (*this)[index].cancel_on_disconnect = true;
  extras(index).owner = client;
}

void TaskTable::disown(TaskIndex index) {
  (*this)[index].cancel_on_disconnect = false;
  if (owner(index)) extras(index).owner = {};
}

std::uint64_t TaskTable::waiting() const {
  std::uint64_t sum = 0;
  for (std::size_t state = 0; state < static_cast<std::size_t>(TaskState::Running); ++state) {
    sum += counts_[state];
  }
  return sum;
}

void TaskTable::set_payload_bytes(TaskIndex index, std::uint32_t bytes) {
  Task& task = (*this)[index];
  REQUIRE(!is_settled(task.state));
  payload_bytes_ += bytes;
  payload_bytes_ -= task.payload_bytes;
  task.payload_bytes = bytes;
}

}  // namespace warmpool
