// No more is started than fits; what fits is started, in the order that was promised; and what is
// shown of it is so.
#include "tests/sim/oracle_admission.hpp"

#include <algorithm>

namespace warmpool::sim {

std::uint64_t AdmissionWatch::declared() const {
  std::uint64_t sum = 0;
  for (const SeenSlot& slot : oracle.slots_) {
    const SeenWorker& worker = slot.worker;
    if (!worker.live || worker.registered) continue;
    sum += oracle.classes_[worker.worker_class.value].options.memory_declared;
  }
  return sum;
}

bool AdmissionWatch::fits(ClassId worker_class, std::uint64_t declared) const {
  const std::uint64_t its = oracle.classes_[worker_class.value].options.memory_declared;
  const std::uint64_t total = oracle.options_.memory_total;
  return its == 0 || total == 0 || declared + its <= total;
}

bool AdmissionWatch::is_waited_for(const SeenHeld& held) const {
  return oracle.now_ >= held.since + oracle.options_.memory_pass_max;
}

int AdmissionWatch::rank(ClassId worker_class, bool successor) const {
  return (successor ? 2 : 0) + (oracle.classes_[worker_class.value].options.critical ? 0 : 1);
}

bool AdmissionWatch::breaker_lets(const SeenHeld& held) const {
  const SeenRecovery& seen = oracle.classes_[held.worker_class.value].recovery;
  const bool tries = seen.state == RecoveryState::HalfOpen && !seen.probe && held.recovering;
  return seen.state == RecoveryState::Closed || tries;
}

void AdmissionWatch::look(const Pool& pool) const {
  const bool on = oracle.scenario_.has(Fault::Admission);
  if (!on && oracle.held_.empty() && oracle.ticks_ % 16 != 0) return;
  const MemoryView shown = pool.memory();
  require_rule(shown.total == oracle.options_.memory_total && shown.declared == declared(),
               "memory-shown", [&] {
                 return "living workers declare " + std::to_string(declared()) +
                        " bytes, shown are " + std::to_string(shown.declared);
               });
  std::vector<SeenHeld> held;
  for (const SlotId id : shown.held) {
    const SlotView view = *pool.slot(id);
    const auto known = std::ranges::find(oracle.held_, id, &SeenHeld::slot);
    const bool live = oracle.slot_of(WorkerId{id.value}).worker.live;
    require_rule(!live && view.state == SlotState::Held, "memory-shown",
                 [&] { return "slot " + std::to_string(id.value) + " is held, and it lives"; });
    const Instant since = known == oracle.held_.end() ? oracle.now_ : known->since;
    held.push_back({id, view.home, view.worker_class, since, view.successor, view.recovering});
  }
  const auto before = oracle.held_.size();
  oracle.held_ = std::move(held);
  if (oracle.held_.size() > before) judge_share(oracle.held_.back());
}

// One that was one of a pair before is no further pair, however small its class has become.
void AdmissionWatch::judge_share(const SeenHeld& latest) const {
  if (oracle.slot_of(WorkerId{latest.slot.value}).pending) return;
  const auto successors = std::ranges::count_if(oracle.held_, [&](const SeenHeld& held) {
    return held.worker_class == latest.worker_class && held.successor;
  });
  const auto most = oracle.recycle_max(latest.worker_class);
  require_rule(!latest.successor || static_cast<std::uint64_t>(successors) <= most, "recycle-share",
               [&] { return std::to_string(successors) + " successors are held in one class"; });
}

bool AdmissionWatch::judge_spawn(const SeenSlot& slot, const command::Spawn& spawn) const {
  const std::uint64_t before = declared();
  require_rule(fits(spawn.worker_class, before), "memory-fits", [&] {
    return worker_name(spawn.worker) + " is started beside " + std::to_string(before) +
           " bytes, though all may declare " + std::to_string(oracle.options_.memory_total);
  });
  const auto own = std::ranges::find_if(oracle.held_, [&](const SeenHeld& held) {
    const bool moved = held.worker_class == spawn.worker_class && !held.successor &&
                       held.home == spawn.recovery.former;
    return held.slot == spawn.slot || moved;
  });
  const bool was_held = own != oracle.held_.end();
  const bool beside = std::ranges::any_of(oracle.slots_, [&](const SeenSlot& one) {
    return one.worker.live && one.worker.worker_class == spawn.worker_class &&
           one.worker.home == spawn.home && !one.worker.replaced;
  });
  const bool fresh_successor = slot.pending || (spawn.recovery.attempt == 0 && beside);
  const int its = rank(spawn.worker_class, was_held ? own->successor : fresh_successor);
  const bool needs = oracle.classes_[spawn.worker_class.value].options.memory_declared != 0;
  for (auto other = oracle.held_.begin(); needs && other != oracle.held_.end(); ++other) {
    const SeenClass& known = oracle.classes_[other->worker_class.value];
    if (other == own || known.recovery.state != RecoveryState::Closed) continue;
    const int theirs = rank(other->worker_class, other->successor);
    if (theirs > its || (theirs == its && was_held && own < other)) continue;
    require_rule(!fits(other->worker_class, before) && !is_waited_for(*other), "memory-order", [&] {
      return worker_name(spawn.worker) + " is started before slot " +
             std::to_string(other->slot.value) + ", which is held since " +
             std::to_string((oracle.now_ - other->since).ns / 1000) + " us";
    });
  }
  if (was_held) oracle.held_.erase(own);
  return was_held;
}

void AdmissionWatch::judge_after_tick() const {
  if (oracle.stopping_) return;
  const std::uint64_t living = declared();
  bool kept = false;
  for (int turn = 0; turn < 4; ++turn) {
    for (const SeenHeld& held : oracle.held_) {
      if (rank(held.worker_class, held.successor) != turn) continue;
      const bool needs = oracle.classes_[held.worker_class.value].options.memory_declared != 0;
      const bool may = fits(held.worker_class, living) && !(kept && needs) && breaker_lets(held);
      require_rule(!may, "memory-starts", [&] {
        return "slot " + std::to_string(held.slot.value) + " is held beside " +
               std::to_string(living) + " bytes of " + std::to_string(oracle.options_.memory_total);
      });
      kept = kept || is_waited_for(held);
    }
  }
}

bool AdmissionWatch::may_be_scaled(ClassId worker_class, std::uint64_t size) const {
  const std::uint64_t its = oracle.classes_[worker_class.value].options.memory_declared;
  const std::uint64_t total = oracle.options_.memory_total;
  return total == 0 || size * its <= total;
}

bool AdmissionWatch::is_held(SlotId slot) const {
  return std::ranges::find(oracle.held_, slot, &SeenHeld::slot) != oracle.held_.end();
}

std::uint64_t AdmissionWatch::held(ClassId worker_class) const {
  return static_cast<std::uint64_t>(std::ranges::count_if(oracle.held_, [&](const SeenHeld& held) {
    return held.worker_class == worker_class && !held.successor;
  }));
}

SeenHeld* AdmissionWatch::successor_of(const SeenWorker& worker) const {
  for (SeenHeld& held : oracle.held_) {
    const bool its = held.worker_class == worker.worker_class && held.home == worker.home;
    if (its && held.successor) return &held;
  }
  return nullptr;
}

void AdmissionWatch::forget_successor(const SeenWorker& worker) const {
  const SeenHeld* held = successor_of(worker);
  if (held != nullptr) oracle.held_.erase(oracle.held_.begin() + (held - oracle.held_.data()));
}

bool AdmissionWatch::holds_probe(ClassId worker_class) const {
  return std::ranges::any_of(oracle.held_, [&](const SeenHeld& held) {
    return held.worker_class == worker_class && held.recovering;
  });
}

bool AdmissionWatch::holds_successors(ClassId worker_class) const {
  return std::ranges::any_of(oracle.held_, [&](const SeenHeld& held) {
    return held.worker_class == worker_class && held.successor;
  });
}

}  // namespace warmpool::sim
