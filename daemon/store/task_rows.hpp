// The rows of the image in memory: a slab, an index by id, and two lists in order of settling.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/store/history.hpp"
#include "pool/flat_map.hpp"

namespace warmpool::daemon {

// Source: a million waiting tasks may cost 400 bytes each beyond the payload, the core included;
// this is 96 and the index 33, so every field is as small as it can be.
struct TaskRow {
  enum class State : std::uint8_t { Free, Live, Dead, Finished };
  struct Extras {
    std::unique_ptr<TaskTexts> texts;
    History history;
  };

  TaskId task;
  Instant accepted_at, started_at, settled_at;
  Blob body;
  std::unique_ptr<Extras> extras;
  TypeId type;
  TenantId tenant;
  std::uint32_t uid = 0;
  std::uint32_t payload_bytes = 0;
  std::uint32_t previous = 0, next = 0;  // in its list; of a free row: the next free one
  std::uint16_t round = 0, attempt = 0;
  record::Used used;
  SlotId slot;
  State state = State::Free;
  Content content{};
  Verdict verdict{};
  EndCause cause{};
  Durability durability{};
  bool keep_result = false;
  bool result_gone = false;  // its submitter has it; only the history is left

  Extras& extra() {
    if (!extras) extras = std::make_unique<Extras>();
    return *extras;
  }
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

  // Oldest settled first; null at the end.
  const TaskRow* oldest(TaskRow::State state) const;
  const TaskRow* after(const TaskRow& row) const;
  std::uint64_t count(TaskRow::State state) const;
  // All rows that are or were in use, from 0.
  std::uint32_t places() const { return used_; }
  const TaskRow& place(std::uint32_t place) const { return at(place + 1); }

 private:
  static constexpr std::uint32_t kNone = 0;  // row numbers count from 1
  static constexpr std::size_t kChunk = 1024;
  struct List {
    std::uint32_t first = kNone, last = kNone;
    std::uint64_t count = 0;
  };

  TaskRow& at(std::uint32_t number) const;
  List& list_of(TaskRow::State state) { return lists_[static_cast<std::size_t>(state)]; }
  void unlink(std::uint32_t number, TaskRow& row);

  std::vector<std::unique_ptr<std::array<TaskRow, kChunk>>> chunks_;
  FlatMap<std::uint32_t> index_;
  std::uint32_t free_ = kNone, used_ = 0;
  std::array<List, 4> lists_;
};

}  // namespace warmpool::daemon
