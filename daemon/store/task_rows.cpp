// Rows and runs never move, so lists are numbers of rows and half the size of pointers.
#include "daemon/store/task_rows.hpp"

#include <algorithm>

#include "pool/require.hpp"

namespace warmpool::daemon {

TaskRow& TaskRows::at(std::uint32_t number) const {
  return (*rows_[(number - 1) / kChunk])[(number - 1) % kChunk];
}

TaskRun& TaskRows::run_at(std::uint32_t number) const {
  return (*runs_[(number - 1) / kChunk])[(number - 1) % kChunk];
}

std::uint32_t TaskRows::number_of(TaskId task) const {
  if (!task || task.value > newest_) return kNone;
  const auto place = index_.find(task.value, id_at());
  return place == SlabIndex::kNowhere ? kNone : place + 1;
}

TaskRow& TaskRows::add(TaskId task) {
  REQUIRE(number_of(task) == kNone);
  std::uint32_t number = free_;
  if (number != kNone) {
    free_ = at(number).run;
  } else {
    number = ++used_;
    if (rows_.size() * kChunk < used_) {
      rows_.push_back(std::make_unique<std::array<TaskRow, kChunk>>());
    }
  }
  auto& row = at(number);
  row = TaskRow{};
  row.task = task;
  newest_ = std::max(newest_, task.value);
  row.state = TaskRow::State::Live;
  ++list_of(row.state).count;
  index_.insert(number - 1, used_, id_at());
  return row;
}

TaskRow* TaskRows::find(TaskId task) {
  const auto number = number_of(task);
  return number == kNone ? nullptr : &at(number);
}

void TaskRows::remove(TaskRow& row) {
  const auto number = number_of(row.task);
  REQUIRE(number != kNone);
  unlink(number, row);
  index_.erase(number - 1, id_at());
  if (row.run != kNone) {
    run_at(row.run).next = free_run_;
    free_run_ = row.run;
  }
  row = TaskRow{};
  row.run = free_;
  free_ = number;
}

const TaskRun& TaskRows::run(const TaskRow& row) const {
  static const TaskRun kBeforeTheFirst{};
  return row.run == kNone ? kBeforeTheFirst : run_at(row.run);
}

TaskRun& TaskRows::make_run(TaskRow& row) {
  if (row.run != kNone) return run_at(row.run);
  if (free_run_ != kNone) {
    row.run = free_run_;
    free_run_ = run_at(row.run).next;
  } else {
    row.run = ++used_runs_;
    if (runs_.size() * kChunk < used_runs_) {
      runs_.push_back(std::make_unique<std::array<TaskRun, kChunk>>());
    }
  }
  return run_at(row.run) = TaskRun{};
}

void TaskRows::set_state(TaskRow& row, TaskRow::State state) {
  const auto number = number_of(row.task);
  unlink(number, row);
  row.state = state;
  auto& list = list_of(state);
  ++list.count;
  if (state == TaskRow::State::Live) return;
  auto& run = make_run(row);
  run.previous = list.last;
  run.next = kNone;
  (list.last == kNone ? list.first : run_of(list.last).next) = number;
  list.last = number;
}

void TaskRows::unlink(std::uint32_t number, TaskRow& row) {
  auto& list = list_of(row.state);
  --list.count;
  if (row.state == TaskRow::State::Live) return;
  auto& run = run_at(row.run);
  (run.previous == kNone ? list.first : run_of(run.previous).next) = run.next;
  (run.next == kNone ? list.last : run_of(run.next).previous) = run.previous;
  REQUIRE(list.count != 0 || (list.first == kNone && list.last == kNone && number != kNone));
  run.previous = run.next = kNone;
}

const TaskRow* TaskRows::oldest(TaskRow::State state) const {
  const auto first = lists_[static_cast<std::size_t>(state)].first;
  return first == kNone ? nullptr : &at(first);
}

const TaskRow* TaskRows::after(const TaskRow& row) const {
  const auto next = run(row).next;
  return next == kNone ? nullptr : &at(next);
}

std::uint64_t TaskRows::count(TaskRow::State state) const {
  return lists_[static_cast<std::size_t>(state)].count;
}

}  // namespace warmpool::daemon
