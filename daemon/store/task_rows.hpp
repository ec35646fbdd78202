// The rows of the image in memory: slabs of rows and runs, an index by id, and two lists in order
// of settling.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/store/history.hpp"
#include "pool/slab_index.hpp"

namespace warmpool::daemon {

// Source: a million waiting tasks may cost 200 bytes each beyond the payload, the core included; of
// those this is 56. What is known only of a task that has run is in its run.
struct TaskRow {
  enum class State : std::uint8_t { Free, Live, Dead, Finished };
  struct Extras {
    std::unique_ptr<TaskTexts> texts;
    History history;
  };

  TaskId task;
  Instant accepted_at;
  Blob body;
  std::unique_ptr<Extras> extras;
  TypeId type;
  TenantId tenant;
  std::uint32_t uid = 0;
  std::uint32_t payload_bytes = 0;
  std::uint32_t run = 0;  // 0: it has none; of a free row: the next free one
  std::uint16_t round = 0;
  State state : 2 = State::Free;
  Content content : 2 {};
  Durability durability : 2 {};
  bool keep_result : 1 = false;
  bool payload_lost : 1 = false;

  Extras& extra() {
    if (!extras) extras = std::make_unique<Extras>();
    return *extras;
  }
};
static_assert(sizeof(TaskRow) == 56);

// Of a task that was started or has settled.
struct TaskRun {
  Instant started_at, settled_at;
  record::Used used;
  std::uint32_t previous = 0, next = 0;  // rows of its list; of a free one: the next free one
  SlotId slot;
  std::uint16_t attempt = 0;
  Verdict verdict{};
  EndCause cause{};
  bool result_gone = false;  // its submitter has it; only the history is left
};

// Bounds: 2^32 - 2 rows. References stay valid until the row is removed.
class TaskRows {
 public:
  TaskRow& add(TaskId task);  // live; REQUIREs that it is not there
  TaskRow* find(TaskId task);
  const TaskRow* find(TaskId task) const { return const_cast<TaskRows*>(this)->find(task); }
  void remove(TaskRow& row);
  // Puts it at the end of the list of its new state, or in none for Live.
  void set_state(TaskRow& row, TaskRow::State state);

  // As it is so far; an empty one where it was never started.
  const TaskRun& run(const TaskRow& row) const;
  // Makes one where it has none. Stays where it is until the row is removed.
  TaskRun& make_run(TaskRow& row);

  // Oldest settled first; null at the end.
  const TaskRow* oldest(TaskRow::State state) const;
  const TaskRow* after(const TaskRow& row) const;
  std::uint64_t count(TaskRow::State state) const;
  // All rows that are or were in use, from 0.
  std::uint32_t places() const { return used_; }
  const TaskRow& place(std::uint32_t place) const { return at(place + 1); }

 private:
  static constexpr std::uint32_t kNone = 0;  // rows and runs are numbered from 1
  static constexpr std::size_t kChunk = 1024;
  template <class T>
  using Chunks = std::vector<std::unique_ptr<std::array<T, kChunk>>>;
  struct List {
    std::uint32_t first = kNone, last = kNone;
    std::uint64_t count = 0;
  };

  TaskRow& at(std::uint32_t number) const;
  TaskRun& run_at(std::uint32_t number) const;
  TaskRun& run_of(std::uint32_t row) const { return run_at(at(row).run); }
  auto id_at() const {
    return [this](std::uint32_t place) { return at(place + 1).task.value; };
  }
  std::uint32_t number_of(TaskId task) const;  // kNone: it is not there
  List& list_of(TaskRow::State state) { return lists_[static_cast<std::size_t>(state)]; }
  void unlink(std::uint32_t number, TaskRow& row);

  Chunks<TaskRow> rows_;
  Chunks<TaskRun> runs_;
  SlabIndex index_;
  // The largest id that was ever there: who is accepted has a larger one, and is looked up nowhere.
  std::uint64_t newest_ = 0;
  std::uint32_t free_ = kNone, used_ = 0;
  std::uint32_t free_run_ = kNone, used_runs_ = 0;
  std::array<List, 4> lists_;
};

}  // namespace warmpool::daemon
