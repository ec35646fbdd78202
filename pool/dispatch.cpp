// Who runs what next, at each Tick. First whom a suspect needs, then the class's first lane: to a
// worker that can start it at once, else behind short tasks of a worker that has credit left.
#include <algorithm>

#include "pool/core.hpp"

namespace warmpool {

// Keeps the class's sets of who may be given what. Order: after every change of a slot.
void Core::refresh(Slot& slot) {
  WorkerClass& worker_class = class_of(slot);
  const bool works = slot.state == SlotState::Ready || slot.state == SlotState::Running;
  const bool reserved = worker_class.has_reserved && worker_class.reserved == slot.id;
  const bool ending = std::ranges::any_of(slot.held, &Held::is_ending);
  const bool usable = works && !slot.unresponsive && !slot.stopped && !slot.removing &&
                      !slot.alone && !ending && !reserved;
  const bool free = usable && slot.held.size() < slot.concurrency;
  worker_class.free.set(slot.index, free);
  worker_class.credit.set(slot.index, usable && !free && may_prefetch(slot));
}

// All in hand are short and their sum leaves room, and the first is not late already.
bool Core::may_prefetch(const Slot& slot) const {
  if (slot.held.empty() || slot.held.size() >= slot.credits) return false;
  Duration sum{};
  for (const auto& held : slot.held) {
    if (held.expected.ns == 0 || held.recalling) return false;
    sum = sum + held.expected;
  }
  return sum < options.prefetch_budget;
}

void Core::dispatch() {
  if (stopping_ || paused_) return;
  for (const bool critical : {true, false}) {
    for (auto& worker_class : classes) {
      const bool open = worker_class.declared && !worker_class.paused;
      if (open && worker_class.options.critical == critical) dispatch_class(worker_class);
    }
  }
}

void Core::dispatch_class(WorkerClass& worker_class) {
  const ClassId id = worker_class.id;
  for (bool gave = true; gave;) {
    const bool suspects = !lanes.empty(id, LaneKind::Suspect);
    const bool ordinary = !lanes.empty(id, LaneKind::Ordinary);
    if (!suspects) unreserve(worker_class);
    const bool suspect_first =
        suspects && (!ordinary || lanes.first_key(id, LaneKind::Suspect) <
                                      lanes.first_key(id, LaneKind::Ordinary));
    gave = (suspect_first && dispatch_suspect(worker_class)) ||
           (ordinary && dispatch_ordinary(worker_class)) ||
           (suspects && !suspect_first && dispatch_suspect(worker_class));
  }
}

bool Core::dispatch_suspect(WorkerClass& worker_class) {
  Slot* slot = find_empty(worker_class);
  if (slot == nullptr) {
    reserve(worker_class);
    return false;
  }
  const TaskIndex index = lanes.first(worker_class.id, LaneKind::Suspect);
  lanes.pop_first(worker_class.id, LaneKind::Suspect);
  unreserve(worker_class);
  assign(*slot, index);
  return true;
}

Slot* Core::find_empty(WorkerClass& worker_class) {
  if (worker_class.has_reserved) {
    Slot& reserved = slots[worker_class.reserved];
    if (reserved.state == SlotState::Ready && !reserved.unresponsive && !reserved.stopped) {
      return &reserved;
    }
  }
  Slot* empty = nullptr;
  worker_class.free.each([&](std::uint16_t index) {
    Slot& slot = slots[worker_class.members[index]];
    if (empty == nullptr && slot.held.empty()) empty = &slot;
  });
  return empty;
}

// The one that will be empty first, as far as one can tell: with the fewest in hand.
void Core::reserve(WorkerClass& worker_class) {
  if (worker_class.has_reserved) {
    const Slot& slot = slots[worker_class.reserved];
    const bool works = slot.state == SlotState::Running || slot.state == SlotState::Ready;
    if (works && !slot.removing && !slot.stopped) return;
    unreserve(worker_class);
  }
  Slot* best = nullptr;
  for (SlotId id : worker_class.members) {
    Slot& slot = slots[id];
    if (slot.state != SlotState::Running || slot.removing || slot.stopped || slot.alone) continue;
    if (best == nullptr || slot.held.size() < best->held.size()) best = &slot;
  }
  if (best == nullptr) return;
  worker_class.has_reserved = true;
  worker_class.reserved = best->id;
  refresh(*best);
}

void Core::unreserve(WorkerClass& worker_class) {
  if (!worker_class.has_reserved) return;
  worker_class.has_reserved = false;
  refresh(slots[worker_class.reserved]);
}

bool Core::dispatch_ordinary(WorkerClass& worker_class) {
  const TaskIndex index = lanes.first(worker_class.id, LaneKind::Ordinary);
  Slot* slot = nullptr;
  if (!worker_class.free.empty()) {
    const Strategy& strategy = strategy_named(worker_class.options.strategy);
    const auto chosen = strategy.choose(worker_class, slots, worker_class.free);
    slot = &slots[worker_class.members[chosen]];
  } else {
    slot = find_credit(worker_class, index);
  }
  if (slot == nullptr) return false;
  lanes.pop_first(worker_class.id, LaneKind::Ordinary);
  assign(*slot, index);
  return true;
}

Slot* Core::find_credit(WorkerClass& worker_class, TaskIndex index) {
  const Duration own = expected(tasks[index].type);
  if (own.ns == 0) return nullptr;
  for (auto at = worker_class.credit.next(0); at; at = worker_class.credit.next(*at + 1U)) {
    Slot& slot = slots[worker_class.members[*at]];
    const bool late = slot.held.front().started_at + options.recall_after <= now;
    Duration sum = own;
    for (const auto& held : slot.held) sum = sum + held.expected;
    if (!late && sum <= options.prefetch_budget) return &slot;
  }
  return nullptr;
}

}  // namespace warmpool
