// The queue: a lane per (type, tenant), each a heap of waiting tasks; each class keeps a heap of
// its open lanes by their first key. Pausing a type moves its lanes, never its tasks. Tasks bound
// to a class have lanes of their own, which stand in the heap of that class alone.
//
// Key = eligible_at + priority x priority_step, ties by age: ageing is static, nothing is
// re-sorted. Cost: push and pop O(log n) in the lane, O(log lanes) per class that serves the type.
#pragma once

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "pool/heap.hpp"
#include "pool/ids.hpp"
#include "pool/lane_group.hpp"
#include "pool/task_table.hpp"
#include "pool/time.hpp"

namespace warmpool {

using HoldSet = std::uint8_t;
constexpr HoldSet hold_bit(Hold hold) {
  return static_cast<HoldSet>(1U << static_cast<unsigned>(hold));
}

// First comes first: by key, then by age.
struct LaneKey {
  std::int64_t key = 0;
  std::uint64_t age = 0;
  friend constexpr auto operator<=>(const LaneKey&, const LaneKey&) = default;
};

// No task stands before the one or after the other.
inline constexpr LaneKey kFirstPlace{std::numeric_limits<std::int64_t>::min(), 0};
inline constexpr LaneKey kLastPlace{std::numeric_limits<std::int64_t>::max(), 0};

class LaneTable {
 public:
  LaneTable(TaskTable& tasks, Duration priority_step) : tasks_(tasks), step_(priority_step) {}

  // Which classes serve a type from now on. Bounds: at most 8.
  void serve(TypeId type, const std::vector<ClassId>& classes);
  bool is_served(TypeId type) const;

  // Order: the task has just become ready.
  void push(TaskIndex index);
  // Order: the task is ready and stops being so without having been popped (its entry is stale
  // now).
  void forget(TaskIndex index);

  // The first task of a class; kNone if there is none.
  TaskIndex first(ClassId worker_class, LaneKind kind);
  LaneKey first_key(ClassId worker_class, LaneKind kind) const;
  void pop_first(ClassId worker_class, LaneKind kind);
  bool empty(ClassId worker_class, LaneKind kind) const;
  // How many ordinary tasks of a class come before `key`, counted up to `most`. Cost: O(most).
  std::size_t count_before(ClassId worker_class, const LaneKey& key, std::size_t most) const;

  // Where a ready task stands.
  LaneKey place_of(TaskIndex index) const;

  // A hold closes all lanes of the type. Opened again they may claim no age over `age_max`.
  void close(TypeId type, Hold hold);
  void open(TypeId type, Hold hold, Instant now, Duration age_max);
  // As close(), but these are not held by this one hold, of which there is one a type.
  void close_but(TypeId type, Hold hold, std::optional<LaneGroup> spared);
  std::optional<LaneGroup> spared(TypeId type) const;
  HoldSet holds(TypeId type) const;
  HoldSet holds_of(TaskIndex index) const;  // this task
  std::span<const ClassId> classes(TypeId type) const;
  // That serve this task: the one that it is bound to, or all where that one does not serve its
  // type.
  std::span<const ClassId> classes_of(TaskIndex index) const;
  // None: any class that serves its type may run it.
  std::optional<ClassId> bound_to(TaskIndex index) const;
  LaneGroup group_of(TaskIndex index) const;

  std::uint64_t waiting(TypeId type) const;  // ready ones
  // Of each lane of the type that has a ready task, whatever holds it: visit(what it is bound to,
  // kind, the classes that may run it).
  template <class Visit>
  void each_waiting(TypeId type, Visit visit) const {
    if (type.value >= types_.size()) return;
    const TypeLanes& known = types_[type.value];
    for (const auto& [name, index] : known.lanes) {
      const Lane& lane = lanes_[index];
      if (lane.live == 0) continue;
      visit(bound_among(known, lane.bound), lane.kind, serving(known, lane.bound));
    }
  }
  Instant oldest() const;  // earliest eligible_at of the first tasks of open lanes; kNever if none

  static auto fields(auto& self) {
    auto& [tasks, step, lanes, types, heaps] = self;
    return std::tie(step, lanes, types, heaps);
  }

 private:
  struct Entry {
    std::int64_t key;
    std::uint64_t id;
    TaskIndex task;
    std::uint32_t stamp_priority;  // stamp << 8 | priority
  };
  struct Before {
    bool operator()(const Entry& a, const Entry& b) const {
      return a.key != b.key ? a.key < b.key : a.id < b.id;
    }
  };
  struct Place {
    ClassId worker_class;
    std::uint32_t at = kNone;  // in the class's heap
  };
  struct Lane {
    TypeId type;
    LaneKind kind{};
    ClassId bound;
    std::vector<Entry> heap;
    std::size_t live = 0;
    Instant floor{};  // no entry counts as older
    LaneKey head;
    LaneKey given;        // the last in its order of what was popped, as it stands in the heap,
    LaneKey given_place;  // and the last that any counted as: what stands after counts as no less
    std::vector<Place> places;
  };
  struct TypeLanes {
    HoldSet holds = 0;
    Hold sparing{};                   // the one that
    std::optional<LaneGroup> spared;  // does not hold these
    Instant floor{};                  // of lanes that are made from now on
    std::vector<ClassId> classes;
    std::map<std::uint64_t, LaneIndex> lanes;  // see lane_name
  };
  using ClassHeap = std::vector<LaneIndex>;

  TypeLanes& type_lanes(TypeId type);
  LaneIndex lane_of(const Task& task);
  static std::span<const ClassId> serving(const TypeLanes& type, ClassId bound);
  static ClassId bound_among(const TypeLanes& type, ClassId bound);
  static HoldSet holds_of(const TypeLanes& type, const LaneGroup& lanes);
  ClassHeap& class_heap(ClassId worker_class, LaneKind kind);
  const ClassHeap* find_heap(ClassId worker_class, LaneKind kind) const;
  static std::uint64_t lane_name(const Task& task);
  Entry entry_of(TaskIndex index) const;
  bool valid(const Entry& entry) const;
  bool is_open(const Lane& lane) const;
  std::size_t count_lanes(const ClassHeap& heap, std::size_t at, const LaneKey& key,
                          std::size_t most) const;
  std::size_t count_entries(const Lane& lane, std::size_t at, const LaneKey& key,
                            std::size_t most) const;
  LaneKey key_of(const Lane& lane, const Entry& entry) const;
  void drop_stale(Lane& lane);
  void compact(Lane& lane);
  void update(LaneIndex index);
  void place(LaneIndex index, Place& place, bool open);

  TaskTable& tasks_;
  Duration step_;
  std::vector<Lane> lanes_;
  std::vector<TypeLanes> types_;
  std::vector<ClassHeap> heaps_;  // class x kind
};

}  // namespace warmpool
