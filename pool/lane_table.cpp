// Entries go stale when their task leaves the queue by another way than pop (a cancel, an expiry);
// they are dropped when they come to the top, and a heap is compacted when more than half is stale.
// An entry is valid only with the task's newest stamp, so a task that comes back has one valid
// entry.
#include "pool/lane_table.hpp"

#include <algorithm>

namespace warmpool {

LaneTable::TypeLanes& LaneTable::type_lanes(TypeId type) {
  if (type.value >= types_.size()) types_.resize(type.value + 1);
  return types_[type.value];
}

void LaneTable::serve(TypeId type, const std::vector<ClassId>& classes) {
  auto& lanes = type_lanes(type);
  lanes.classes = classes;
  for (const auto& [tenant, index] : lanes.lanes) {
    for (auto& old : lanes_[index].places) place(index, old, false);
    lanes_[index].places.clear();
    for (ClassId worker_class : serving(lanes, lanes_[index].bound)) {
      lanes_[index].places.push_back({worker_class});
    }
    update(index);
  }
}

bool LaneTable::is_served(TypeId type) const {
  return type.value < types_.size() && !types_[type.value].classes.empty();
}

std::span<const ClassId> LaneTable::classes(TypeId type) const {
  if (type.value >= types_.size()) return {};
  return types_[type.value].classes;
}

// Bound to a class that does not serve the type any more it would wait for ever.
std::span<const ClassId> LaneTable::serving(const TypeLanes& type, ClassId bound) {
  const std::span<const ClassId> all = type.classes;
  const auto found = std::ranges::find(all, bound);
  if (found == all.end()) return all;
  return all.subspan(static_cast<std::size_t>(found - all.begin()), 1);
}

ClassId LaneTable::bound_among(const TypeLanes& type, ClassId bound) {
  return std::ranges::find(type.classes, bound) == type.classes.end() ? kNoClass : bound;
}

std::span<const ClassId> LaneTable::classes_of(TaskIndex index) const {
  const Task& task = tasks_[index];
  if (task.type.value >= types_.size()) return {};
  return serving(types_[task.type.value], task.bound);
}

std::uint64_t LaneTable::lane_name(const Task& task) {
  return std::uint64_t{task.bound.value} << 33 | std::uint64_t{task.tenant.value} << 1 |
         (task.suspect ? 1U : 0U);
}

std::optional<ClassId> LaneTable::bound_to(TaskIndex index) const {
  const Task& task = tasks_[index];
  if (task.type.value >= types_.size()) return std::nullopt;
  const ClassId bound = bound_among(types_[task.type.value], task.bound);
  return bound == kNoClass ? std::nullopt : std::optional(bound);
}

LaneGroup LaneTable::group_of(TaskIndex index) const {
  const auto kind = tasks_[index].suspect ? LaneKind::Suspect : LaneKind::Ordinary;
  return {bound_to(index).value_or(kNoClass), kind};
}

LaneIndex LaneTable::lane_of(const Task& task) {
  auto& type = type_lanes(task.type);
  const auto kind = task.suspect ? LaneKind::Suspect : LaneKind::Ordinary;
  const std::uint64_t name = lane_name(task);
  const auto found = type.lanes.find(name);
  if (found != type.lanes.end()) return found->second;
  const auto index = static_cast<LaneIndex>(lanes_.size());
  Lane lane;
  lane.type = task.type;
  lane.kind = kind;
  lane.bound = task.bound;
  lane.floor = type.floor;
  lane.given = lane.given_place = kFirstPlace;
  for (ClassId worker_class : serving(type, task.bound)) lane.places.push_back({worker_class});
  lanes_.push_back(std::move(lane));
  type.lanes.emplace(name, index);
  return index;
}

LaneTable::ClassHeap& LaneTable::class_heap(ClassId worker_class, LaneKind kind) {
  const std::size_t at = 2 * std::size_t{worker_class.value} + static_cast<std::size_t>(kind);
  if (at >= heaps_.size()) heaps_.resize(at + 1);
  return heaps_[at];
}

const LaneTable::ClassHeap* LaneTable::find_heap(ClassId worker_class, LaneKind kind) const {
  const std::size_t at = 2 * std::size_t{worker_class.value} + static_cast<std::size_t>(kind);
  return at < heaps_.size() ? &heaps_[at] : nullptr;
}

bool LaneTable::valid(const Entry& entry) const {
  const Task& task = tasks_[entry.task];
  return task.id.value == entry.id && task.state == TaskState::Ready &&
         (task.stamp & 0xffffff) == entry.stamp_priority >> 8;
}

LaneKey LaneTable::key_of(const Lane& lane, const Entry& entry) const {
  const std::int64_t floor = lane.floor.ns + (entry.stamp_priority & 0xff) * step_.ns;
  const LaneKey own{std::max(entry.key, floor), entry.id};
  return lane.given < LaneKey{entry.key, entry.id} ? std::max(own, lane.given_place) : own;
}

LaneTable::Entry LaneTable::entry_of(TaskIndex index) const {
  const Task& task = tasks_[index];
  return {task.eligible_at.ns + task.priority * step_.ns, task.id.value, index,
          task.stamp << 8 | task.priority};
}

LaneKey LaneTable::place_of(TaskIndex index) const {
  const auto& lanes = types_[tasks_[index].type.value].lanes;
  return key_of(lanes_[lanes.at(lane_name(tasks_[index]))], entry_of(index));
}

void LaneTable::push(TaskIndex index) {
  Task& task = tasks_[index];
  const LaneIndex lane_index = lane_of(task);
  Lane& lane = lanes_[lane_index];
  task.stamp = (task.stamp + 1) & 0xffffff;
  const Entry entry = entry_of(index);
  heap_push(lane.heap, entry, Before{});
  ++lane.live;
  if (lane.live == 1 || lane.heap.front().id == entry.id) update(lane_index);
}

void LaneTable::forget(TaskIndex index) {
  Task& task = tasks_[index];
  const LaneIndex lane_index = lane_of(task);
  Lane& lane = lanes_[lane_index];
  task.stamp = (task.stamp + 1) & 0xffffff;
  REQUIRE(lane.live > 0);
  --lane.live;
  compact(lane);
  update(lane_index);
}

void LaneTable::drop_stale(Lane& lane) {
  while (!lane.heap.empty() && !valid(lane.heap.front())) heap_remove(lane.heap, 0, Before{});
}

void LaneTable::compact(Lane& lane) {
  if (lane.heap.size() < 64 || 2 * lane.live > lane.heap.size()) return;
  std::erase_if(lane.heap, [this](const Entry& entry) { return !valid(entry); });
  heap_rebuild(lane.heap, Before{});
}

void LaneTable::place(LaneIndex index, Place& place, bool open) {
  const auto before = [this](LaneIndex a, LaneIndex b) { return lanes_[a].head < lanes_[b].head; };
  ClassHeap& heap = class_heap(place.worker_class, lanes_[index].kind);
  const auto moved = [this, &place](LaneIndex lane, std::size_t at) {
    for (auto& other : lanes_[lane].places) {
      if (other.worker_class == place.worker_class) other.at = static_cast<std::uint32_t>(at);
    }
  };
  if (!open) {
    if (place.at != kNone) heap_remove(heap, place.at, before, moved);
    place.at = kNone;
  } else if (place.at == kNone) {
    place.at = static_cast<std::uint32_t>(heap.size());
    heap_push(heap, index, before, moved);
  } else {
    sift_down(heap, place.at, before, moved);
    sift_up(heap, place.at, before, moved);
  }
}

bool LaneTable::is_open(const Lane& lane) const {
  const TypeLanes& type = types_[lane.type.value];
  if (lane.heap.empty()) return false;
  return type.holds == 0 || holds_of(type, {bound_among(type, lane.bound), lane.kind}) == 0;
}

void LaneTable::update(LaneIndex index) {
  Lane& lane = lanes_[index];
  drop_stale(lane);
  if (!is_open(lane)) {
    for (auto& each : lane.places) place(index, each, false);
    return;
  }
  const LaneKey head = key_of(lane, lane.heap.front());
  const bool same = head == lane.head;
  lane.head = head;
  for (auto& each : lane.places) {
    if (!same || each.at == kNone) place(index, each, true);
  }
}

TaskIndex LaneTable::first(ClassId worker_class, LaneKind kind) {
  const ClassHeap& heap = class_heap(worker_class, kind);
  if (heap.empty()) return kNone;
  return lanes_[heap.front()].heap.front().task;
}

LaneKey LaneTable::first_key(ClassId worker_class, LaneKind kind) const {
  const ClassHeap* heap = find_heap(worker_class, kind);
  REQUIRE(heap != nullptr && !heap->empty());
  return lanes_[heap->front()].head;
}

void LaneTable::pop_first(ClassId worker_class, LaneKind kind) {
  const LaneIndex index = class_heap(worker_class, kind).front();
  Lane& lane = lanes_[index];
  Task& task = tasks_[lane.heap.front().task];
  task.stamp = (task.stamp + 1) & 0xffffff;
  const LaneKey first{lane.heap.front().key, lane.heap.front().id};
  lane.given = std::max(lane.given, first);
  lane.given_place = std::max(lane.given_place, lane.head);
  heap_remove(lane.heap, 0, Before{});
  --lane.live;
  update(index);
}

bool LaneTable::empty(ClassId worker_class, LaneKind kind) const {
  const ClassHeap* heap = find_heap(worker_class, kind);
  return heap == nullptr || heap->empty();
}

void LaneTable::close(TypeId type, Hold hold) {
  auto& lanes = type_lanes(type);
  lanes.holds = static_cast<HoldSet>(lanes.holds | hold_bit(hold));
  for (const auto& [tenant, index] : lanes.lanes) update(index);
}

void LaneTable::close_but(TypeId type, Hold hold, std::optional<LaneGroup> spared) {
  auto& lanes = type_lanes(type);
  lanes.sparing = hold;
  lanes.spared = spared;
  close(type, hold);
}

std::optional<LaneGroup> LaneTable::spared(TypeId type) const {
  return type.value < types_.size() ? types_[type.value].spared : std::nullopt;
}

HoldSet LaneTable::holds_of(const TypeLanes& type, const LaneGroup& lanes) {
  const bool spares = type.spared && *type.spared == lanes;
  return spares ? static_cast<HoldSet>(type.holds & ~hold_bit(type.sparing)) : type.holds;
}

HoldSet LaneTable::holds_of(TaskIndex index) const {
  const Task& task = tasks_[index];
  if (task.type.value >= types_.size()) return 0;
  return holds_of(types_[task.type.value], group_of(index));
}

void LaneTable::open(TypeId type, Hold hold, Instant now, Duration age_max) {
  auto& lanes = type_lanes(type);
  if ((lanes.holds & hold_bit(hold)) == 0) return;
  lanes.holds = static_cast<HoldSet>(lanes.holds & ~hold_bit(hold));
  if (lanes.sparing == hold) lanes.spared.reset();
  lanes.floor = std::max(lanes.floor, now - age_max);
  for (const auto& [tenant, index] : lanes.lanes) {
    lanes_[index].floor = lanes.floor;
    update(index);
  }
}

HoldSet LaneTable::holds(TypeId type) const {
  return type.value < types_.size() ? types_[type.value].holds : HoldSet{0};
}

std::uint64_t LaneTable::waiting(TypeId type) const {
  std::uint64_t sum = 0;
  if (type.value >= types_.size()) return 0;
  for (const auto& [tenant, index] : types_[type.value].lanes) sum += lanes_[index].live;
  return sum;
}

Instant LaneTable::oldest() const {
  Instant oldest = kNever;
  for (const Lane& lane : lanes_) {
    if (is_open(lane)) oldest = std::min(oldest, tasks_[lane.heap.front().task].eligible_at);
  }
  return oldest;
}

// What comes before a key hangs together at the top of a heap: nothing is looked at below an entry
// that comes later. A lane that was opened again keeps its inner order, so that some of its entries
// count later than their key; they are walked through and not counted.
std::size_t LaneTable::count_before(ClassId worker_class, const LaneKey& key,
                                    std::size_t most) const {
  const ClassHeap* heap = find_heap(worker_class, LaneKind::Ordinary);
  return heap == nullptr ? 0 : count_lanes(*heap, 0, key, most);
}

std::size_t LaneTable::count_lanes(const ClassHeap& heap, std::size_t at, const LaneKey& key,
                                   std::size_t most) const {
  if (at >= heap.size() || !(lanes_[heap[at]].head < key)) return 0;
  std::size_t found = count_entries(lanes_[heap[at]], 0, key, most);
  for (std::size_t child = 4 * at + 1; child <= 4 * at + 4 && found < most; ++child) {
    found += count_lanes(heap, child, key, most - found);
  }
  return found;
}

std::size_t LaneTable::count_entries(const Lane& lane, std::size_t at, const LaneKey& key,
                                     std::size_t most) const {
  if (at >= lane.heap.size()) return 0;
  const Entry& entry = lane.heap[at];
  if (!(LaneKey{entry.key, entry.id} < key)) return 0;
  std::size_t found = valid(entry) && key_of(lane, entry) < key ? 1 : 0;
  for (std::size_t child = 4 * at + 1; child <= 4 * at + 4 && found < most; ++child) {
    found += count_entries(lane, child, key, most - found);
  }
  return found;
}

}  // namespace warmpool
