// Rows never move, so lists are numbers of rows and half the size of pointers.
#include "daemon/store/task_rows.hpp"

#include "pool/require.hpp"

namespace warmpool::daemon {

TaskRow& TaskRows::at(std::uint32_t number) const {
  return (*chunks_[(number - 1) / kChunk])[(number - 1) % kChunk];
}

TaskRow& TaskRows::add(TaskId task) {
  std::uint32_t number = free_;
  if (number != kNone) {
    free_ = at(number).next;
  } else {
    number = ++used_;
    if (chunks_.size() * kChunk < used_) {
      chunks_.push_back(std::make_unique<std::array<TaskRow, kChunk>>());
    }
  }
  auto& row = at(number);
  row = TaskRow{};
  row.task = task;
  row.state = TaskRow::State::Live;
  ++list_of(row.state).count;
  index_.insert(task.value, number);
  return row;
}

TaskRow* TaskRows::find(TaskId task) {
  if (!task) return nullptr;
  const auto* number = index_.find(task.value);
  return number == nullptr ? nullptr : &at(*number);
}

void TaskRows::remove(TaskRow& row) {
  const auto* found = index_.find(row.task.value);
  REQUIRE(found != nullptr);
  const auto number = *found;
  unlink(number, row);
  index_.erase(row.task.value);
  row = TaskRow{};
  row.next = free_;
  free_ = number;
}

void TaskRows::set_state(TaskRow& row, TaskRow::State state) {
  const auto number = *index_.find(row.task.value);
  unlink(number, row);
  row.state = state;
  auto& list = list_of(state);
  ++list.count;
  if (state == TaskRow::State::Live) return;
  row.previous = list.last;
  row.next = kNone;
  (list.last == kNone ? list.first : at(list.last).next) = number;
  list.last = number;
}

void TaskRows::unlink(std::uint32_t number, TaskRow& row) {
  auto& list = list_of(row.state);
  --list.count;
  if (row.state == TaskRow::State::Live) return;
  (row.previous == kNone ? list.first : at(row.previous).next) = row.next;
  (row.next == kNone ? list.last : at(row.next).previous) = row.previous;
  REQUIRE(list.count != 0 || (list.first == kNone && list.last == kNone && number != kNone));
  row.previous = row.next = kNone;
}

const TaskRow* TaskRows::oldest(TaskRow::State state) const {
  const auto first = lists_[static_cast<std::size_t>(state)].first;
  return first == kNone ? nullptr : &at(first);
}

const TaskRow* TaskRows::after(const TaskRow& row) const {
  return row.next == kNone ? nullptr : &at(row.next);
}

std::uint64_t TaskRows::count(TaskRow::State state) const {
  return lists_[static_cast<std::size_t>(state)].count;
}

}  // namespace warmpool::daemon
