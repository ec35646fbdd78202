// A worker's id carries the slot's index in its low 16 bits, so that finding the slot of a worker
// is one load, and a worker of the past is told by the number in the high bits.
#include "pool/slot_table.hpp"

#include <algorithm>

#include "pool/heap.hpp"

namespace warmpool {

bool SlotTable::Before::operator()(SlotId a, SlotId b) const {
  const Slot &x = (*table)[a], &y = (*table)[b];
  return x.due != y.due ? x.due < y.due : a < b;
}

// A place whose worker was replaced lives in another slot by now, so the lowest number that is free
// need not be that of a slot that is free.
std::vector<bool> SlotTable::taken_homes(const WorkerClass& worker_class) const {
  std::vector<bool> taken(worker_class.members.size());
  for (SlotId id : worker_class.members) {
    const Slot& slot = (*this)[id];
    if (slot.state != SlotState::Gone) taken[(*this)[slot.home].index] = true;
  }
  return taken;
}

SlotId SlotTable::free_home(const WorkerClass& worker_class) const {
  const auto taken = taken_homes(worker_class);
  const auto free = std::ranges::find(taken, false);
  return free == taken.end() ? kNoSlot
                             : worker_class.members[static_cast<std::size_t>(free - taken.begin())];
}

Slot& SlotTable::append(WorkerClass& worker_class, Instant now) {
  REQUIRE(slots_.size() < kSlotsMax);
  auto slot = std::make_unique<Slot>();
  slot->id = slot->home = SlotId{static_cast<std::uint16_t>(slots_.size())};
  slot->worker_class = worker_class.id;
  slot->index = static_cast<std::uint16_t>(worker_class.members.size());
  slot->state_since = now;
  worker_class.members.push_back(slot->id);
  slots_.push_back(std::move(slot));
  return *slots_.back();
}

Slot& SlotTable::add(WorkerClass& worker_class, Instant now, SlotId home) {
  const bool successor = home != kNoSlot;
  if (!successor) home = free_home(worker_class);
  if (const auto gone = worker_class.gone.next(0)) {
    worker_class.gone.set(*gone, false);
    Slot& slot = renew(*slots_[worker_class.members[*gone].value], now);
    // Processes are counted by place.
    if (slot.home != home || successor) slot.spawns = 0;
    slot.home = home;
    return slot;
  }
  Slot& slot = append(worker_class, now);
  if (home != kNoSlot) slot.home = home;
  return slot;
}

// Numbers come round again after some dozens: a class that never comes up would otherwise use them
// all within weeks.
Slot& SlotTable::add_anew(WorkerClass& worker_class, Instant now, SlotId former) {
  constexpr std::size_t kept_free = 64;
  Slot* oldest = nullptr;
  const auto taken = taken_homes(worker_class);
  worker_class.gone.each([&](std::uint16_t index) {
    Slot& slot = *slots_[worker_class.members[index].value];
    if (taken[index] || slot.id == former) return;
    if (oldest == nullptr || slot.state_since < oldest->state_since) oldest = &slot;
  });
  const bool full = slots_.size() >= kSlotsMax;
  if (oldest == nullptr || (worker_class.gone.count() < kept_free && !full)) {
    return append(worker_class, now);
  }
  worker_class.gone.set(oldest->index, false);
  Slot& slot = renew(*oldest, now);
  slot.home = slot.id;
  slot.spawns = 0;
  return slot;
}

std::size_t SlotTable::active(const WorkerClass& worker_class) const {
  return static_cast<std::size_t>(std::ranges::count_if(worker_class.members, [this](SlotId id) {
    const Slot& slot = (*this)[id];
    return slot.state != SlotState::Gone && !slot.removing && !slot.successor && !slot.registered;
  }));
}

std::size_t SlotTable::registered(std::optional<ClassId> worker_class) const {
  return static_cast<std::size_t>(std::ranges::count_if(slots_, [&](const auto& slot) {
    return slot->registered && slot->state != SlotState::Gone &&
           (!worker_class || slot->worker_class == *worker_class);
  }));
}

int SlotTable::room(const WorkerClass& worker_class) const {
  return static_cast<int>(active(worker_class) + worker_class.gone.count() + kSlotsMax -
                          slots_.size());
}

// A place of the past: its name and its count of workers stay, and its entry among those that are
// looked at.
Slot& SlotTable::renew(Slot& slot, Instant now) {
  Slot fresh;
  fresh.id = slot.id;
  fresh.worker_class = slot.worker_class;
  fresh.index = slot.index;
  fresh.home = slot.home;
  fresh.spawns = slot.spawns;
  fresh.due_place = slot.due_place;
  fresh.due = slot.due;
  fresh.state_since = now;
  slot = std::move(fresh);
  return slot;
}

Instant hung_at(const Held& held, Duration patience) {
  if (patience == Duration{} || !held.started()) return kNever;
  return held.moved_at + std::min(held.forgiven, patience) + patience;
}

std::size_t find_held(const Slot& slot, const AttemptKey& key) {
  std::size_t at = 0;
  while (at < slot.held.size() && slot.held[at].key != key) ++at;
  return at;
}

Slot* SlotTable::find(WorkerId worker) {
  const std::size_t index = worker.value & 0xffff;
  if (!worker || index >= slots_.size() || slots_[index]->worker != worker) return nullptr;
  return slots_[index].get();
}

const Slot* SlotTable::find(SlotId id) const {
  return id.value < slots_.size() ? slots_[id.value].get() : nullptr;
}

WorkerId SlotTable::next_worker(SlotId slot) { return {++workers_ << 16 | slot.value}; }

void SlotTable::fire(Slot& slot, SlotTrigger trigger, Instant now) {
  const std::size_t row = find_row(kSlotRows, slot.state, trigger);
  REQUIRE(row != kNoRow);
  ++row_hits_[row];
  const SlotState to = kSlotRows[row].to;
  count(slot, to);
  slot.state = to;
  slot.state_since = now;
}

void SlotTable::count(const Slot& slot, SlotState to) {
  const std::size_t its = slot.worker_class.value;
  if (its >= living_.size()) living_.resize(its + 1);
  if (has_process(slot.state)) {
    --processes_;
    if (!slot.registered) --living_[its];
  }
  if (has_process(to)) {
    ++processes_;
    if (!slot.registered) ++living_[its];
  }
  if (slot.state == SlotState::Held) std::erase(held_, slot.id);
  if (to == SlotState::Held) held_.push_back(slot.id);
}

void SlotTable::look_at(Slot& slot, Instant at) {
  if (at >= slot.due) return;
  slot.due = at;
  const auto moved = [this](SlotId id, std::size_t place) {
    slots_[id.value]->due_place = static_cast<std::uint32_t>(place);
  };
  if (slot.due_place == kNone) {
    heap_push(due_, slot.id, Before{this}, moved);
  } else {
    sift_up(due_, slot.due_place, Before{this}, moved);
  }
}

Instant SlotTable::next_due() const { return due_.empty() ? kNever : (*this)[due_.front()].due; }

Slot* SlotTable::pop_due(Instant now) {
  if (due_.empty()) return nullptr;
  Slot& slot = *slots_[due_.front().value];
  if (slot.due > now) return nullptr;
  const auto moved = [this](SlotId id, std::size_t place) {
    slots_[id.value]->due_place = static_cast<std::uint32_t>(place);
  };
  heap_remove(due_, 0, Before{this}, moved);
  slot.due = kNever;
  slot.due_place = kNone;
  return &slot;
}

}  // namespace warmpool
