// A run counts with what its type needs from when it is given to a worker until it leaves its hand.
// What does not fit beside what runs closes the lanes of its type, so that tasks of other types go
// on, also smaller ones that need memory. Where nothing runs that needs any, everything fits: what
// needs more than there is runs alone.
//
// So that a large one is not passed for ever, the group (tasks of a type that are bound to one
// class, or to none, suspects apart) that has waited longest is *awaited* once that is
// memory_pass_max: what it needs counts as taken, for all others, until one of its tasks is given
// to a worker. It is not awaited while it has no worker that works, or nobody would run; and once
// it fits, for memory_pass_max at most: what is not started then waits for something else, and
// waits anew when room is short again. But suspects are as long as a worker is being emptied for
// them: by then the others of their type, which need none, would have taken the room.
//
// What a learned type needs is not known before a run of it was measured. Until then one runs at a
// time, or all that wait after a start would begin at once; runs that are too short for a look
// count as little after the first few.
//
// Cost: a pass over the types that have the option at each Tick, and at each run of such a type.
#include <algorithm>
#include <utility>

#include "pool/core_task_memory.hpp"

namespace warmpool {
namespace {

constexpr std::uint64_t kTaskMemoryMax = std::uint64_t{1} << 40;
constexpr std::string_view kLearned = "learned";

template <class Needs>
auto* need_of(Needs& needs, TypeId type) {
  const auto at = std::ranges::lower_bound(needs.types, type, {}, &MemoryNeed::type);
  return at == needs.types.end() || at->type != type ? nullptr : &*at;
}

}  // namespace

Result<TaskMemory> parse_task_memory(std::string_view text) {
  if (text.empty()) return TaskMemory{};
  if (text == kLearned) return TaskMemory{.bytes = 0, .learned = true};
  const auto bytes = parse_bytes(text);
  if (bytes && *bytes <= kTaskMemoryMax) return TaskMemory{.bytes = *bytes, .learned = false};
  return Error{0, "give a size with unit, such as 200MiB, up to 1024GiB, or learned"};
}

std::uint64_t CoreState::memory_of(const MemoryNeed& need) const {
  return need.wanted.learned ? types[need.type.value].peaks.high() : need.wanted.bytes;
}

// Neither measured, nor too short for that as far as one can tell. What fails at once says nothing
// of that.
bool CoreState::memory_is_unknown(const MemoryNeed& need) const {
  const TypeState& type = types[need.type.value];
  return need.wanted.learned && type.peaks.runs() == 0 && type.done < kRunsKnown;
}

TypeMemoryView CoreState::memory_view(TypeId type) const {
  const MemoryPeaks& peaks = types[type.value].peaks;
  TypeMemoryView view{.high = peaks.high(), .most = peaks.most(), .runs = peaks.runs()};
  const MemoryNeed* need = need_of(memory_needs, type);
  if (need == nullptr) return view;
  view.wanted = need->wanted;
  view.need = memory_of(*need);
  view.unknown = memory_is_unknown(*need);
  for (const MemoryWait& wait : need->waits) view.since = std::min(view.since, wait.since);
  return view;
}

void CoreTaskMemory::on(const event::TypeConfigured& event) {
  REQUIRE(event.type.value < types.size());
  CoreBreakers::on(event);
  auto at = std::ranges::lower_bound(memory_needs.types, event.type, {}, &MemoryNeed::type);
  const bool known = at != memory_needs.types.end() && at->type == event.type;
  if (event.memory.any()) {
    if (!known) at = memory_needs.types.insert(at, MemoryNeed{.type = event.type});
    at->wanted = event.memory;
  } else if (known) {
    memory_needs.types.erase(at);
    lanes.open(event.type, Hold::Memory, now, kDurationMax);
    if (is_awaited(event.type)) await_nobody();
  }
}

void CoreTaskMemory::run_begins(Held& held, TypeId type) {
  CoreBreakers::run_begins(type);
  ++types[type.value].in_hands;
  MemoryNeed* need = need_of(memory_needs, type);
  if (need == nullptr) return;
  held.memory = memory_of(*need);
  memory_needs.taken += held.memory;
  const MemoryGroup group{type, lanes.group_of(held.task)};
  std::erase_if(need->waits, [&](const MemoryWait& wait) { return wait.lanes == group.lanes; });
  if (memory_needs.awaited == group) await_nobody();
  gate_memory();
}

// One that was cut short says nothing of what it would have needed, unless memory was the reason;
// nor does one that failed.
void CoreTaskMemory::run_ends(const Held& held, EndCause cause, Charge charge) {
  CoreBreakers::run_ends(held, cause, charge);
  memory_needs.taken -= held.memory;
  TypeState& type = types[tasks[held.task].type.value];
  --type.in_hands;
  if (cause == EndCause::Done) type.done = std::min(type.done + 1, kRunsKnown);
  const bool teaches = cause == EndCause::Done || cause == EndCause::Memory;
  if (teaches && held.peak != 0) type.peaks.add(held.peak);
}

void CoreTaskMemory::note_peaks(Slot& slot, std::uint64_t bytes) {
  for (Held& held : slot.held) {
    if (held.started()) held.peak = std::max(held.peak, bytes);
  }
}

bool CoreTaskMemory::is_awaited(TypeId type) const {
  return memory_needs.awaited && memory_needs.awaited->type == type;
}

void CoreTaskMemory::await_nobody() {
  memory_needs.awaited.reset();
  memory_needs.kept_since = kNever;
}

bool CoreTaskMemory::fits(const MemoryNeed& need, bool awaited) const {
  if (options.memory_tasks_total == 0) return true;
  const MemoryNeed* kept = memory_needs.awaited && !awaited
                               ? need_of(memory_needs, memory_needs.awaited->type)
                               : nullptr;
  if (memory_is_unknown(need)) return kept != &need && types[need.type.value].in_hands == 0;
  const std::uint64_t own = memory_of(need);
  const std::uint64_t taken = memory_needs.taken + (kept == nullptr ? 0 : memory_of(*kept));
  return own == 0 || taken == 0 || taken + own <= options.memory_tasks_total;
}

// They keep the age that they have, or tasks of a busy pool would be overtaken for ever.
void CoreTaskMemory::gate_memory() {
  for (const MemoryNeed& need : memory_needs.types) {
    const bool shut = !fits(need, false);
    const bool spares = shut && is_awaited(need.type) && fits(need, true);
    const auto spared = spares ? std::optional(memory_needs.awaited->lanes) : std::nullopt;
    const bool was_shut = (lanes.holds(need.type) & hold_bit(Hold::Memory)) != 0;
    if (shut == was_shut && lanes.spared(need.type) == spared) continue;
    if (shut) {
      lanes.close_but(need.type, Hold::Memory, spared);
    } else {
      lanes.open(need.type, Hold::Memory, now, kDurationMax);
    }
  }
}

void CoreTaskMemory::judge_memory_waits() {
  memory_needs.due = kNever;
  if (memory_needs.types.empty()) return;
  const auto before = memory_needs.awaited;
  if (before) judge_awaited();
  std::optional<MemoryGroup> first;
  Instant since = kNever;
  for (MemoryNeed& need : memory_needs.types) {
    note_waits(need);
    for (const MemoryWait& wait : need.waits) {
      if (first && since <= wait.since) continue;
      first = MemoryGroup{need.type, wait.lanes};
      since = wait.since;
    }
  }
  if (!memory_needs.awaited && first) {
    memory_needs.due = since + options.memory_pass_max;
    if (memory_needs.due <= now) memory_needs.awaited = first;
  }
  if (memory_needs.awaited != before) memory_needs.due = now;  // others fit now, or do not any more
}

// One of these classes keeps a worker for its suspects, and they are such.
bool CoreTaskMemory::is_emptied_for(const MemoryGroup& group) const {
  if (group.lanes.kind != LaneKind::Suspect) return false;
  bool kept = false;
  lanes.each_waiting(group.type, [&](ClassId bound, LaneKind kind, std::span<const ClassId> may) {
    if (LaneGroup{bound, kind} != group.lanes) return;
    kept = kept ||
           std::ranges::any_of(may, [&](ClassId id) { return classes[id.value].has_reserved; });
  });
  return kept;
}

// It goes on being awaited until one of it has begun. Once it fits it is not memory that holds it,
// and others have waited too.
void CoreTaskMemory::judge_awaited() {
  const MemoryNeed& need = *need_of(memory_needs, memory_needs.awaited->type);
  const auto groups = who_wants_room(need);
  if (std::ranges::find(groups, memory_needs.awaited->lanes) == groups.end()) return await_nobody();
  if (!fits(need, true)) return;
  if (is_emptied_for(*memory_needs.awaited)) {
    memory_needs.kept_since = kNever;
    return;
  }
  memory_needs.kept_since = std::min(memory_needs.kept_since, now);
  memory_needs.due = memory_needs.kept_since + options.memory_pass_max;
  if (memory_needs.due <= now) await_nobody();
}

void CoreTaskMemory::note_waits(MemoryNeed& need) {
  const auto before = std::exchange(need.waits, {});
  if (fits(need, false)) return;
  const bool spares = is_awaited(need.type) && fits(need, true);
  for (const LaneGroup& group : who_wants_room(need)) {
    if (spares && memory_needs.awaited->lanes == group) continue;
    const auto known = std::ranges::find(before, group, &MemoryWait::lanes);
    need.waits.push_back({group, known == before.end() ? now : known->since});
  }
}

// The groups of which a task waits that some class could run but for memory. Of a
// type that is not known one runs at a time, so that they are in each other's way alone.
std::vector<LaneGroup> CoreTaskMemory::who_wants_room(const MemoryNeed& need) const {
  std::vector<LaneGroup> groups;
  const bool held_otherwise = (lanes.holds(need.type) & ~hold_bit(Hold::Memory)) != 0;
  const bool unknown = memory_is_unknown(need);
  if (options.memory_tasks_total == 0 || held_otherwise) return groups;
  if (!unknown && memory_of(need) == 0) return groups;
  lanes.each_waiting(need.type, [&](ClassId bound, LaneKind kind, std::span<const ClassId> may) {
    const LaneGroup group{bound, kind};
    if (std::ranges::find(groups, group) != groups.end()) return;
    const auto can = [&](ClassId id) { return could_take(classes[id.value], kind); };
    if (std::ranges::any_of(may, can)) groups.push_back(group);
  });
  if (unknown && groups.size() == 1) groups.clear();
  return groups;
}

// A parked place comes back, unless nothing of its class is started now or one of it is held, which
// waits for memory that others may never give back.
bool CoreTaskMemory::could_take(const WorkerClass& its, LaneKind kind) const {
  const bool works = !its.health.sound.empty() || !its.health.ailing.empty();
  const auto is_its = [&](SlotId id) { return slots[id].worker_class == its.id; };
  const bool comes =
      its.parked != 0 && !its.gate.shut() && std::ranges::none_of(slots.held(), is_its);
  return is_open(its) && (kind == LaneKind::Ordinary || has_turn(its)) && (works || comes);
}

bool CoreTaskMemory::may_wait_in_hand(TypeId type) const {
  return options.memory_tasks_total == 0 || need_of(memory_needs, type) == nullptr;
}

// Not one that waits for its turn as a suspect, nor one that is bound to another class.
bool CoreTaskMemory::waits_for_memory(const WorkerClass& worker_class) const {
  return std::ranges::any_of(memory_needs.types, [&](const MemoryNeed& need) {
    if (lanes.holds(need.type) != hold_bit(Hold::Memory)) return false;
    bool waits = false;
    lanes.each_waiting(need.type, [&](ClassId, LaneKind kind, std::span<const ClassId> may) {
      const bool serves = std::ranges::find(may, worker_class.id) != may.end();
      waits = waits || (serves && (kind == LaneKind::Ordinary || has_turn(worker_class)));
    });
    return waits;
  });
}

}  // namespace warmpool
