// Workers that are replaced while they work. A successor starts in a slot of its own beside the
// worker that it replaces, counts for nothing until it is ready, and takes over the place (the
// number that people know) in the moment in which the other is asked to finish and end. So the
// class never has less capacity for it; what it costs is one process more for each pair, and the
// pairs are bounded. A successor that cannot start waits like any slot, and its predecessor works.
#include <algorithm>
#include <utility>

#include "pool/core.hpp"

namespace warmpool {

void Core::on(const event::Restart& event) {
  if (stopping_) return refuse(event.client, event.request, {}, Refusal::Stopping, seconds(1));
  if (event.worker_class && (event.worker_class->value >= classes.size() ||
                             !classes[event.worker_class->value].declared)) {
    return refuse(event.client, event.request, {}, Refusal::NoSuchClass);
  }
  for (auto& worker_class : classes) {
    const bool meant = !event.worker_class || worker_class.id == *event.worker_class;
    if (!event.home && meant) close_by_hand(worker_class);
  }
  std::uint64_t marked = 0;
  for (std::size_t at = 0; at < slots.size(); ++at) {
    Slot& slot = slots[SlotId{static_cast<std::uint16_t>(at)}];
    if (event.worker_class && slot.worker_class != *event.worker_class) continue;
    if (slot.registered && !event.home) continue;  // nobody would take its place
    if (!event.home || slot.home == *event.home) marked += restart(slot) ? 1U : 0U;
  }
  if (event.home && marked == 0) {
    return refuse(event.client, event.request, {}, Refusal::NoSuchWorker);
  }
  complete(event.client, event.request, marked, marked);
}

// Whether it is a place that was meant. A pending successor was started before this request, so
// that it is replaced in its turn.
bool Core::restart(Slot& slot) {
  if (slot.state == SlotState::Gone || slot.removing) return false;
  if (slot.registered) {
    drain(slot);
    return true;
  }
  if (slot.state == SlotState::Backoff || slot.state == SlotState::Failed) {
    slot.unproductive = 0;
    slot.by_hand = true;
    slot.retry_at = now;
    slots.look_at(slot, now);
  } else if (slot.state == SlotState::Held) {
    slot.unproductive = 0;
    slot.by_hand = slot.recovering;  // it still waits for its memory
  } else if (slot.state != SlotState::Recovery) {
    become_due(slot, DueReason::Restart);
  }
  return !slot.successor;
}

// Order: a worker that is not ready yet stands in line when it is.
void Core::become_due(Slot& slot, DueReason reason) {
  if (slot.due_for != DueReason::None || slot.removing || slot.registered) return;
  slot.due_for = reason;
  const bool works = slot.state == SlotState::Ready || slot.state == SlotState::Running;
  if (works) class_of(slot).due.push_back(slot.id);
}

void Core::recycle(WorkerClass& worker_class) {
  const std::uint64_t share = worker_class.target * worker_class.options.recycle_share / 100;
  if (worker_class.gate.shut()) return;
  while (!worker_class.due.empty() && worker_class.replacing < std::max<std::uint64_t>(share, 1)) {
    Slot& slot = slots[worker_class.due.front()];
    worker_class.due.pop_front();
    const bool works = slot.state == SlotState::Ready || slot.state == SlotState::Running;
    const bool alone = slot.partner == kNoSlot && slot.leaver == kNoSlot;
    const bool due = slot.due_for != DueReason::None && !slot.removing && !stopping_;
    if (works && alone && due) start_successor(worker_class, slot);
  }
}

void Core::start_successor(WorkerClass& worker_class, Slot& slot) {
  Slot& successor = slots.add(worker_class, now, slot.home);
  successor.successor = slot.replaced = true;
  successor.partner = slot.id;
  slot.partner = successor.id;
  ++worker_class.replacing;
  start_or_hold(successor, SlotTrigger::Spawn);
}

void Core::hand_over(Slot& predecessor, Slot& successor) {
  ++counters.recycles;
  predecessor.partner = successor.partner = kNoSlot;
  successor.successor = false;
  predecessor.leaving = true;
  predecessor.heir = successor.id;
  successor.leaver = predecessor.id;
  successor.attempts += std::exchange(predecessor.attempts, predecessor.attempts_of_worker);
  successor.spawns += std::exchange(predecessor.spawns, 1);
  successor.busy = successor.busy + std::exchange(predecessor.busy, {});
  auto told = about(predecessor, Notice::WorkerRecycled);
  told.due = predecessor.due_for;
  notify(told);
  drain(predecessor);
}

// A worker died before its successor was ready: the place is the successor's, and it is not made to
// wait for what it did not start for before.
void Core::succeed_the_dead(Slot& predecessor) {
  Slot& successor = slots[predecessor.partner];
  predecessor.partner = successor.partner = kNoSlot;
  predecessor.removing = true;
  successor.successor = false;
  successor.attempts += std::exchange(predecessor.attempts, 0);
  successor.spawns += std::exchange(predecessor.spawns, 0);
  successor.busy = successor.busy + std::exchange(predecessor.busy, {});
  const bool held = successor.state == SlotState::Held;
  if (!successor.recovering && !held) ++recoveries.attempts;
  if (!successor.recovering && held) inherit(successor, predecessor);
  successor.died_at = now;
  successor.recovering = true;
  // Whoever asked for the successor wants the place.
  if (held && !class_of(predecessor).options.automatic_restart) successor.by_hand = true;
  if (successor.state != SlotState::Backoff && successor.state != SlotState::Failed) return;
  successor.retry_at = now;
  slots.look_at(successor, now);
}

// What a pair cost is gone. Who has its place may be replaced
// again.
void Core::left(Slot& slot) {
  WorkerClass& worker_class = class_of(slot);
  if (slot.replaced) --worker_class.replacing;
  slot.replaced = slot.leaving = false;
  slot.spawns = 0;
  if (slot.heir == kNoSlot) return;
  Slot& heir = slots[slot.heir];
  slot.heir = kNoSlot;
  if (heir.leaver != slot.id) return;
  heir.leaver = kNoSlot;
  substitute(heir);  // if it hangs, too
  if (heir.due_for != DueReason::None) worker_class.due.push_back(heir.id);
}

// One of both is drained. Without its predecessor a pending successor is not wanted; until it is
// gone it is what the pair costs.
void Core::part(Slot& slot) {
  Slot& other = slots[slot.partner];
  slot.partner = other.partner = kNoSlot;
  slot.replaced = other.replaced = false;
  Slot& successor = slot.successor ? slot : other;
  successor.successor = false;
  successor.replaced = true;
  if (!successor.removing) drain(successor);
}

Instant CoreState::old_at(const Slot& slot) const {
  const Duration most = classes[slot.worker_class.value].options.max_age;
  const bool works = slot.state == SlotState::Ready || slot.state == SlotState::Running;
  if (most.ns == 0 || !works || slot.removing || slot.registered || slot.due_for != DueReason::None)
    return kNever;
  return slot.spawned_at + most;
}

}  // namespace warmpool
