// A run counts with what its type needs from when it is given to a worker until it leaves its hand.
// What does not fit beside what runs closes the lanes of its type, so that tasks of other types go
// on, also smaller ones that need memory. Where nothing runs that needs any, everything fits: what
// needs more than there is runs alone.
//
// So that a large one is not passed for ever, the type that has waited longest is *awaited* once
// that is memory_pass_max: what it needs counts as taken, for all others, until one of its tasks is
// given to a worker. It is not awaited while it has no worker that works, or nobody would run.
//
// What a learned type needs is not known before a run of it was measured. Until then one runs at a
// time, or all that wait after a start would begin at once; runs that are too short for a look
// count as little after the first few.
//
// Cost: a pass over the types that have the option at each Tick, and at each run of such a type.
#include <algorithm>

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

// Neither measured, nor too short for that as far as one can tell.
bool CoreState::memory_is_unknown(const MemoryNeed& need) const {
  const TypeState& type = types[need.type.value];
  return need.wanted.learned && type.peaks.runs() == 0 && type.runs < kRunsKnown;
}

TypeMemoryView CoreState::memory_view(TypeId type) const {
  const MemoryPeaks& peaks = types[type.value].peaks;
  TypeMemoryView view{.high = peaks.high(), .most = peaks.most(), .runs = peaks.runs()};
  const MemoryNeed* need = need_of(memory_needs, type);
  if (need == nullptr) return view;
  view.wanted = need->wanted;
  view.need = memory_of(*need);
  view.unknown = memory_is_unknown(*need);
  view.since = need->since;
  return view;
}

void CoreTaskMemory::on(const event::TypeConfigured& event) {
  CoreBreakers::on(event);
  auto at = std::ranges::lower_bound(memory_needs.types, event.type, {}, &MemoryNeed::type);
  const bool known = at != memory_needs.types.end() && at->type == event.type;
  if (event.memory.any()) {
    if (!known) at = memory_needs.types.insert(at, MemoryNeed{.type = event.type});
    at->wanted = event.memory;
  } else if (known) {
    memory_needs.types.erase(at);
    lanes.open(event.type, Hold::Memory, now, kDurationMax);
    if (memory_needs.awaited == event.type) memory_needs.awaited.reset();
  }
}

void CoreTaskMemory::run_begins(Held& held, TypeId type) {
  CoreBreakers::run_begins(type);
  ++types[type.value].in_hands;
  MemoryNeed* need = need_of(memory_needs, type);
  if (need == nullptr) return;
  held.memory = memory_of(*need);
  memory_needs.taken += held.memory;
  need->since = kNever;
  if (memory_needs.awaited == type) memory_needs.awaited.reset();
  gate_memory();
}

// One that was cut short says nothing of what it would have needed, unless memory was the reason.
void CoreTaskMemory::run_ends(const Held& held, EndCause cause, Charge charge) {
  CoreBreakers::run_ends(held, cause, charge);
  memory_needs.taken -= held.memory;
  --types[tasks[held.task].type.value].in_hands;
  const bool whole = cause == EndCause::Done || charge != Charge::Nothing;
  if (whole && held.peak != 0) types[tasks[held.task].type.value].peaks.add(held.peak);
}

void CoreTaskMemory::note_peaks(Slot& slot, std::uint64_t bytes) {
  for (Held& held : slot.held) {
    if (held.started()) held.peak = std::max(held.peak, bytes);
  }
}

bool CoreTaskMemory::fits(const MemoryNeed& need) const {
  if (options.memory_tasks_total == 0) return true;
  if (memory_is_unknown(need)) return types[need.type.value].in_hands == 0;
  const std::uint64_t own = memory_of(need);
  std::uint64_t taken = memory_needs.taken;
  const MemoryNeed* awaited =
      memory_needs.awaited ? need_of(memory_needs, *memory_needs.awaited) : nullptr;
  if (awaited != nullptr && awaited->type != need.type) taken += memory_of(*awaited);
  return own == 0 || taken == 0 || taken + own <= options.memory_tasks_total;
}

// They keep the age that they have, or tasks of a busy pool would be overtaken for ever.
void CoreTaskMemory::gate_memory() {
  for (const MemoryNeed& need : memory_needs.types) {
    const bool shut = (lanes.holds(need.type) & hold_bit(Hold::Memory)) != 0;
    if (shut != fits(need)) continue;
    if (shut) {
      lanes.open(need.type, Hold::Memory, now, kDurationMax);
    } else {
      lanes.close(need.type, Hold::Memory);
    }
  }
}

void CoreTaskMemory::judge_memory_waits() {
  memory_needs.due = kNever;
  if (memory_needs.types.empty()) return;
  const auto before = memory_needs.awaited;
  if (before && !wants_room(*need_of(memory_needs, *before))) memory_needs.awaited.reset();
  const MemoryNeed* first = nullptr;
  for (MemoryNeed& need : memory_needs.types) {
    const bool waits = !fits(need) && wants_room(need);
    need.since = waits ? std::min(need.since, now) : kNever;
    if (waits && (first == nullptr || need.since < first->since)) first = &need;
  }
  if (!memory_needs.awaited && first != nullptr) {
    memory_needs.due = first->since + options.memory_pass_max;
    if (memory_needs.due <= now) memory_needs.awaited = first->type;
  }
  if (memory_needs.awaited != before) memory_needs.due = now;  // others fit now, or do not any more
}

// One that fits by now goes on being awaited until it has begun.
bool CoreTaskMemory::wants_room(const MemoryNeed& need) const {
  const bool held_otherwise = (lanes.holds(need.type) & ~hold_bit(Hold::Memory)) != 0;
  return options.memory_tasks_total != 0 && memory_of(need) != 0 && !held_otherwise &&
         has_worker(need.type);
}

// Of those that may run one that waits: it may be bound to a class, or a suspect.
bool CoreTaskMemory::has_worker(TypeId type) const {
  return lanes.any_waiting(
      type, [this](ClassId id, LaneKind kind) { return could_take(classes[id.value], kind); });
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

bool CoreTaskMemory::waits_for_memory(ClassId worker_class) const {
  return std::ranges::any_of(memory_needs.types, [&](const MemoryNeed& need) {
    const bool shut = (lanes.holds(need.type) & hold_bit(Hold::Memory)) != 0;
    return shut && std::ranges::count(lanes.classes(need.type), worker_class) != 0 &&
           lanes.waiting(need.type) != 0;
  });
}

}  // namespace warmpool
