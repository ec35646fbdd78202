// Workers that are replaced while they work: capacity stays, the budget holds, and nobody who is
// due is forgotten.
#include <algorithm>
#include <set>

#include "tests/sim/oracle_admission.hpp"
#include "tests/sim/oracle_checkpoints.hpp"
#include "tests/sim/oracle_health.hpp"
#include "tests/sim/oracle_memory.hpp"
#include "tests/sim/oracle_recovery.hpp"

namespace warmpool::sim {
void Oracle::restart_comes(const event::Restart& restart) {
  for (SeenSlot& slot : slots_) {
    if (restart.worker_class && slot.worker_class != *restart.worker_class) continue;
    if (restart.home && slot.worker.home != *restart.home) continue;
    if (slot.worker.registered) {
      if (!restart.home) continue;  // nobody would take its place: it is asked by name only
      slot.worker.leaving = slot.worker.leaving || (slot.worker.ready && !slot.worker.broken);
      continue;
    }
    if (!slot.worker.live) slot.deaths_least = 0;  // it may be started now
    slot.worker.restart_asked =
        slot.worker.live && (slot.worker.assignable() || !slot.worker.ready);
  }
}

// Another living worker of the same place.
SeenWorker* Oracle::beside(const SeenWorker& worker) {
  for (SeenSlot& slot : slots_) {
    SeenWorker& other = slot.worker;
    const bool same = other.live && other.id != worker.id &&
                      other.worker_class == worker.worker_class && other.home == worker.home;
    if (same) return &other;
  }
  return nullptr;
}

bool Oracle::is_pair(const SeenWorker& worker) const {
  if (AdmissionWatch{const_cast<Oracle&>(*this)}.successor_of(worker) != nullptr) return true;
  return std::ranges::any_of(slots_, [&](const SeenSlot& slot) {
    const SeenWorker& other = slot.worker;
    return slot.used && (other.live || slot.pending) && other.id != worker.id &&
           other.worker_class == worker.worker_class && other.home == worker.home;
  });
}

std::uint64_t Oracle::recycle_max(ClassId worker_class) const {
  const SeenClass& seen = classes_[worker_class.value];
  return std::max<std::uint64_t>(seen.target * seen.options.recycle_share / 100, 1);
}

std::uint64_t Oracle::homes(ClassId worker_class) const {
  std::set<SlotId> homes;
  for (const SeenSlot& slot : slots_) {
    const SeenWorker& worker = slot.worker;
    if (!slot.used || slot.worker_class != worker_class) continue;
    if (worker.registered) continue;
    if (worker.live && !worker.retired && !worker.replaced && !worker.unwanted()) {
      homes.insert(worker.home);
    }
  }
  return homes.size();
}

std::uint64_t Oracle::waiting_places(ClassId worker_class) const {
  const AdmissionWatch admission{const_cast<Oracle&>(*this)};
  const auto held = [&](const SeenSlot& slot) {
    return admission.is_held(SlotId{static_cast<std::uint16_t>(&slot - slots_.data())});
  };
  const auto waiting = std::ranges::count_if(slots_, [&](const SeenSlot& slot) {
    return slot.used && slot.worker_class == worker_class && !slot.worker.live && !slot.pending &&
           !held(slot) &&
           (RecoveryWatch{const_cast<Oracle&>(*this)}.holds(slot) ||
            !classes_[worker_class.value].options.automatic_restart ||
            (slot.deaths_most >= std::min<std::uint64_t>(2, options_.restarts_max) &&
             now_ < slot.died_at + restart_wait(slot.deaths_most) + kSlack));
  });
  return static_cast<std::uint64_t>(waiting) + admission.held(worker_class);
}

// Whether it begins a pair.
bool Oracle::successor_spawns(SeenSlot& slot, const command::Spawn& spawn, bool was_held) {
  if (slot.worker.home != spawn.home) {  // what was here is not wanted any more
    slot.pending = false;
    if (spawn.recovery.attempt == 0) slot.deaths_least = slot.deaths_most = 0;
  }
  // Perhaps in the place of one that did not go, and it had to wait for the memory that this had.
  const bool substitutes = was_held && spawn.recovery.attempt != 0;
  if (substitutes) slot.deaths_most = std::max(slot.deaths_most, spawn.recovery.deaths);
  slot.let_go = slot.let_go || substitutes;
  SeenWorker* at_home = nullptr;
  std::set<SlotId> pairs{spawn.home};
  for (SeenSlot& one : slots_) {
    SeenWorker& other = one.worker;
    if (!other.live || other.worker_class != spawn.worker_class) continue;
    const SeenWorker* partner = beside(other);
    const bool pair = partner != nullptr && !other.substituted && !partner->substituted;
    if (pair) pairs.insert(other.home);
    if (other.home != spawn.home) continue;
    require_rule(at_home == nullptr, "two-at-home",
                 [&] { return worker_name(spawn.worker) + " is the third in its place"; });
    at_home = &other;
  }
  if (at_home == nullptr || at_home->replaced || slot.pending) return false;
  const bool stuck = at_home->kill_ordered && now_ >= at_home->kill_at + options_.unkillable_after;
  if (stuck && spawn.recovery.attempt != 0) {
    at_home->replaced = at_home->substituted = true;
    const SeenSlot& home = slot_of(at_home->id);
    slot.deaths_least = std::min(slot.deaths_least, home.deaths_least);
    slot.deaths_most = home.deaths_most;
    slot.let_go = true;  // there was nothing to wait for
    return false;
  }
  MemoryWatch{*this}.judge_reason(*at_home);
  slot.pending = true;
  slot.deaths_least = slot.deaths_most = 0;  // what died in this slot before was of another place
  for (const SeenHeld& held : held_) {
    if (held.worker_class == spawn.worker_class && held.successor) pairs.insert(held.home);
  }
  // Of one that was held its share counted when it was begun.
  require_rule(was_held || pairs.size() <= recycle_max(spawn.worker_class), "recycle-share", [&] {
    return std::to_string(pairs.size()) + " are replaced at once, allowed are " +
           std::to_string(recycle_max(spawn.worker_class));
  });
  return true;
}

// The hello of one that is being ended comes too late: its next life is the successor.
void Oracle::successor_ready(SeenSlot& slot) {
  if (!slot.pending) return;
  const bool unwanted = slot.worker.term_ordered || slot.worker.kill_ordered || slot.worker.broken;
  if (unwanted) return;
  slot.pending = false;
  SeenWorker* predecessor = beside(slot.worker);
  if (predecessor == nullptr) return;
  CheckpointWatch{*this}.drains(*predecessor);
  predecessor->replaced = true;
  owe(Notice::WorkerRecycled);
}

// A place whose worker dies is its successor's, which may be started at once. False: it has none.
bool Oracle::succeeded(const SeenWorker& dead) {
  if (SeenHeld* held = AdmissionWatch{*this}.successor_of(dead)) {
    held->successor = false;
    SeenSlot& heir = slot_of(WorkerId{held->slot.value});
    heir.deaths_least = 0;
    if (!held->recovering) heir.deaths_most = 0;
    heir.pending = false;
    return true;
  }
  const auto heir = std::ranges::find_if(slots_, [&](const SeenSlot& slot) {
    return slot.pending && slot.worker.home == dead.home &&
           slot.worker_class == dead.worker_class && slot.worker.id != dead.id;
  });
  if (heir == slots_.end()) return false;
  heir->pending = false;
  heir->deaths_least = 0;
  // Perhaps both were to go; until it has, the pair costs what it cost.
  heir->worker.parted = dead.retired || dead.may_drain || dead.may_be_removed || dead.unwanted();
  heir->worker.recovers = true;
  return true;
}

// Who works is asked to end only for a smaller class, or when its successor is ready.
void Oracle::judge_capacity(const SeenWorker& worker) {
  const bool smaller = std::holds_alternative<event::Scale>(*event_) ||
                       std::holds_alternative<event::ClassDeclared>(*event_);
  if (stopping_ || (worker.registered && worker.leaving)) return;
  require_rule(!worker.registered, "stranger-retired",
               [&] { return worker_name(worker.id) + " is asked to go without reason"; });
  if (smaller || worker.replaced || worker.parked) return;
  const SeenWorker* other = beside(worker);
  const bool alone = worker.drained_at == now_ || other == nullptr || other->replaced ||
                     other->retired || other->unwanted();
  require_rule(alone, "capacity", [&] {
    return worker_name(worker.id) + " is asked to end, and its successor is not ready";
  });
  // The worker itself is counted as asked already.
  const std::uint64_t left = homes(worker.worker_class) + waiting_places(worker.worker_class);
  const SeenClass& seen = classes_[worker.worker_class.value];
  const std::uint64_t target = seen.target - seen.parked;
  require_rule(left >= target, "capacity", [&] {
    return worker_name(worker.id) + " is asked to end and leaves " + std::to_string(left) + " of " +
           std::to_string(target);
  });
}

// An idle one tells: one with work may be on its way out for a smaller class, which nobody sees.
void Oracle::judge_due_workers() const {
  if (stopping_) return;
  for (const SeenSlot& slot : slots_) {
    const SeenWorker& worker = slot.worker;
    if (worker.registered) continue;
    if (classes_[worker.worker_class.value].recovery.state != RecoveryState::Closed) continue;
    if (!worker.assignable() || worker.broken || !worker.hand.empty() || is_pair(worker)) continue;
    const ClassOptions& options = classes_[worker.worker_class.value].options;
    const bool tasks = options.max_tasks != 0 && worker.answers >= options.max_tasks;
    const bool aged =
        options.max_age.ns != 0 && calm() && now_ > worker.spawned_at + options.max_age + kSlack;
    const Instant ill_at = worker.band_since + options.health_replace_after + kSlack;
    const bool ill = worker.band == Band::Unhealthy && options.health_replace_after.ns != 0 &&
                     calm() && now_ > ill_at;
    if (!worker.restart_asked && !tasks && !aged && !worker.memory_due && !ill) continue;
    std::set<SlotId> pairs;
    for (const SeenSlot& other : slots_) {
      if (!other.used || other.worker_class != worker.worker_class) continue;
      const bool leaves = other.worker.live &&
                          (other.worker.replaced || other.worker.parted || other.worker.unwanted());
      if (other.pending || leaves || (other.worker.live && is_pair(other.worker))) {
        pairs.insert(other.worker.home);
      }
    }
    for (const SeenHeld& held : held_) {
      if (held.worker_class == worker.worker_class && held.successor) pairs.insert(held.home);
    }
    require_rule(pairs.size() >= recycle_max(worker.worker_class), "due-is-replaced", [&] {
      return worker_name(worker.id) + " is due and idle, only " + std::to_string(pairs.size()) +
             " are being replaced, and it has no successor";
    });
  }
}

}  // namespace warmpool::sim
