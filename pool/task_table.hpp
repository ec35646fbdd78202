// All tasks that the core holds: a slab with handles, a lookup by id, and the one function that
// changes a task's state. Nothing else is allowed to.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "pool/ids.hpp"
#include "pool/record.hpp"
#include "pool/slab_index.hpp"
#include "pool/task_machine.hpp"
#include "pool/task_spec.hpp"
#include "pool/time.hpp"

namespace warmpool {

using TaskIndex = std::uint32_t;
using LaneIndex = std::uint32_t;
inline constexpr std::uint32_t kNone = 0xffffffff;

// What few tasks have.
struct TaskExtras {
  Duration deadline{}, expiry{};  // as asked for; both start again with each round
  Instant deadline_at = kNever, expires_at = kNever;
  WallTime run_at{};
  ClientId owner;  // with cancel_on_disconnect
  std::optional<IdempotencyKey> key{};
};

// A million may wait: so what few have is in extras, and what nothing is decided by is the store's.
struct Task {
  TaskId id;
  Instant eligible_at;
  Duration timeout;
  RecordNumber record;  // the last one that must be kept before it goes on
  TypeId type;
  TenantId tenant;
  std::uint32_t payload_bytes = 0;
  std::uint32_t extras = kNone;
  std::uint32_t stamp = 0;   // of its one valid entry in a heap; 24 bits
  std::uint32_t timers = 0;  // entries in the timer heap that name it
  record::Used used;
  SlotId slot;               // while it runs
  ClassId bound = kNoClass;  // where alone it runs, after a death for memory or time
  std::uint16_t round = 1, attempt = 0;
  std::uint16_t retries = 0, crashes_max = 0;
  std::uint8_t priority = 0;
  EndCause last_cause = EndCause::Done;
  TaskState state : 4 = TaskState::Recording;
  Durability durability : 2 = Durability::Full;
  bool cancel_on_disconnect : 1 = false;
  bool suspect : 1 = false;     // runs next alone
  bool spared : 1 = false;      // a hint has kept it from that once in this round
  bool hold_next : 1 = false;   // goes from recording to held
  bool cancelling : 1 = false;  // is cancelled when its attempt ends, unless that is done
  bool dropped : 1 = false;     // so because its client left
  bool began : 1 = false;       // an attempt of this round was started, not only given
  bool recalled : 1 = false;    // was taken back and has not begun since

  static auto fields(auto& task);  // pool/image/
};
static_assert(sizeof(Task) == 80);

// What of a task has no byte of its own, as one number.
template <class T>
struct TaskBits {
  T& task;
  std::uint16_t pack() const {
    return static_cast<std::uint16_t>(
        task.cancel_on_disconnect | task.suspect << 1 | task.spared << 2 | task.hold_next << 3 |
        task.cancelling << 4 | task.dropped << 5 | task.began << 6 | task.recalled << 7 |
        static_cast<unsigned>(task.state) << 8 | static_cast<unsigned>(task.durability) << 12);
  }
  // False: no task has these.
  bool unpack(std::uint16_t bits) const {
    task.cancel_on_disconnect = (bits & 1) != 0;
    task.suspect = (bits & 2) != 0;
    task.spared = (bits & 4) != 0;
    task.hold_next = (bits & 8) != 0;
    task.cancelling = (bits & 16) != 0;
    task.dropped = (bits & 32) != 0;
    task.began = (bits & 64) != 0;
    task.recalled = (bits & 128) != 0;
    const unsigned state = bits >> 8 & 15, durability = bits >> 12;
    if (!is_word<TaskState>(state) || !is_word<Durability>(durability)) return false;
    task.state = static_cast<TaskState>(state);
    task.durability = static_cast<Durability>(durability);
    return true;
  }
};

auto Task::fields(auto& task) {
  auto& [id, eligible_at, timeout, record, type, tenant, payload_bytes, extras, stamp, timers, used,
         slot, bound, round, attempt, retries, crashes_max, priority, last_cause, b0, b1, b2, b3,
         b4, b5, b6, b7, b8, b9] = task;
  return std::tuple_cat(
      std::tie(id, eligible_at, timeout, record, type, tenant, payload_bytes, extras, stamp, timers,
               used, slot, bound, round, attempt, retries, crashes_max, priority, last_cause),
      std::tuple(TaskBits<std::remove_reference_t<decltype(task)>>{task}));
}

class TaskTable {
 public:
  // A new task in state recording.
  TaskIndex add(TaskId id);
  // Order: its state is settled, or it is a dead letter that is removed.
  void erase(TaskIndex index);
  // For replay: of a task that settled in an earlier life.
  void drop(TaskIndex index);

  Task& operator[](TaskIndex index) { return chunks_[index / kChunk][index % kChunk]; }
  const Task& operator[](TaskIndex index) const { return chunks_[index / kChunk][index % kChunk]; }
  std::optional<TaskIndex> find(TaskId id) const;

  void fire(TaskIndex index, TaskTrigger trigger);

  TaskExtras& extras(TaskIndex index);  // makes them where there are none
  const TaskExtras* find_extras(TaskIndex index) const;
  // With whom it is cancelled when he leaves; none for most.
  ClientId owner(TaskIndex index) const;
  void own(TaskIndex index, ClientId client);
  void disown(TaskIndex index);

  std::uint64_t count(TaskState state) const { return counts_[static_cast<std::size_t>(state)]; }
  std::uint64_t waiting() const;
  std::uint64_t unsettled() const { return waiting() + count(TaskState::Running); }
  std::uint64_t payload_bytes() const { return payload_bytes_; }  // of unsettled ones
  void set_payload_bytes(TaskIndex index, std::uint32_t bytes);
  const std::array<std::uint64_t, kTaskRows.size()>& row_hits() const { return row_hits_; }

  // In order of place, not of age. For lists and for the end of a replay only.
  template <class Visit>
  void each(Visit visit) const {
    for (TaskIndex index = 0; index < used_; ++index) {
      if ((*this)[index].id) visit(index);
    }
  }

  // pool/image/: the places that are or were in use, and one more.
  TaskIndex places() const { return used_; }
  TaskIndex add_place() {
    if (used_ / kChunk == chunks_.size()) chunks_.push_back(std::make_unique<Task[]>(kChunk));
    return used_++;
  }
  static auto fields(auto& self) {
    auto& [chunks, free, used, index, extras, extras_free, counts, row_hits, payload_bytes] = self;
    return std::tie(free, extras, extras_free, counts, row_hits, payload_bytes);
  }
  // pool/image/: after the last place was read. False: a task stands twice.
  bool restore();

 private:
  static constexpr std::size_t kChunk = 1024;
  auto id_at() const {
    return [this](TaskIndex index) { return (*this)[index].id.value; };
  }
  void release(TaskIndex index);

  std::vector<std::unique_ptr<Task[]>> chunks_;
  std::vector<TaskIndex> free_;
  TaskIndex used_ = 0;
  SlabIndex index_;
  std::vector<TaskExtras> extras_;
  std::vector<std::uint32_t> extras_free_;
  std::array<std::uint64_t, 11> counts_{};
  std::array<std::uint64_t, kTaskRows.size()> row_hits_{};
  std::uint64_t payload_bytes_ = 0;
};

}  // namespace warmpool
