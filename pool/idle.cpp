// Workers that nobody needs end, and come back when somebody does. What keeps that from swinging: a
// worker goes after max_idle without work, and one comes only when a task waits and none is free;
// so no place changes twice within max_idle.
#include <algorithm>

#include "pool/core.hpp"

namespace warmpool {

Instant CoreState::idle_at(const Slot& slot) const {
  const WorkerClass& worker_class = classes[slot.worker_class.value];
  const Duration most = worker_class.options.max_idle;
  if (most.ns == 0 || slot.state != SlotState::Ready || slot.registered) return kNever;
  if (worker_class.wanted() <= worker_class.options.size_min || slot.successor) return kNever;
  return std::max(slot.state_since, worker_class.wanted_at) + most;
}

// Order: after dispatch, so that what waits now waits for want of workers, or for the end of a
// pause. While the workers of a class die, that one is idle says nothing.
void Core::judge_idle(WorkerClass& worker_class) {
  worker_class.idle_due = false;
  const bool waits = !lanes.empty(worker_class.id, LaneKind::Ordinary) ||
                     suspect_waits(worker_class) || waits_for_memory(worker_class);
  if (waits || worker_class.gate.shut() || stopping_) {
    worker_class.wanted_at = now;
    return;
  }
  const auto idle = idle_ones(worker_class);
  for (std::size_t next = 0; next < idle.size();) {
    Slot* slot = idle[next];
    if (slot->removing || idle_at(*slot) > now) {
      ++next;
      continue;
    }
    // Whoever waits for room is missed less than one that works.
    if (Slot* held = held_place(worker_class)) {
      slot = held;
    } else {
      ++next;
    }
    worker_class.place_time.count(now, worker_class.wanted());
    ++worker_class.parked;
    ++counters.parked;
    auto told = about(*slot, Notice::WorkerParked);
    told.duration_ns = (now - slot->state_since).ns;
    notify(told);
    drain(*slot);
  }
  recycle(worker_class);  // one whose successor was held makes room for others
}

// As many as tasks wait and are not being brought for already; one, where all that are left are
// unhealthy.
void Core::fill_again(WorkerClass& worker_class) {
  const bool can = is_open(worker_class) && !worker_class.gate.shut() && !stopping_;
  const bool ailing = worker_class.health.sound.empty() && !worker_class.health.ailing.empty();
  if (!can || (!ailing && !worker_class.places().empty())) return;
  const bool suspects = suspect_waits(worker_class);
  if (!ailing && !suspects && lanes.empty(worker_class.id, LaneKind::Ordinary)) return;
  const auto starting =
      static_cast<std::size_t>(std::ranges::count_if(worker_class.members, [this](SlotId id) {
        const bool comes =
            slots[id].state == SlotState::Starting || slots[id].state == SlotState::Held;
        return comes && !slots[id].successor;
      }));
  if (ailing) return bring_back(worker_class, starting == 0 ? 1 : 0);
  const std::size_t waiting =
      lanes.count_before(worker_class.id, kLastPlace, starting + worker_class.parked) +
      (suspects ? 1 : 0);
  if (waiting > starting) bring_back(worker_class, waiting - starting);
}

void Core::bring_back(WorkerClass& worker_class, std::uint64_t count) {
  count = std::min<std::uint64_t>(count, worker_class.parked);
  if (count == 0) return;
  worker_class.place_time.count(now, worker_class.wanted());
  worker_class.parked = static_cast<std::uint16_t>(worker_class.parked - count);
  for (; count > 0; --count) {
    Slot& slot = slots.add(worker_class, now);
    notify(about(slot, Notice::WorkerUnparked));
    start_or_hold(slot, SlotTrigger::Spawn);
  }
  // Now the class may do without some again.
  for (const SlotId id : worker_class.members) slots.look_at(slots[id], due_of(slots[id]));
}

}  // namespace warmpool
