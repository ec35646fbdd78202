// A worker counts with what its class declares from its start until it is gone, whatever it really
// has: only so is a start that fits at one moment not regretted at the next. What does not fit is
// held in a line: critical classes first, successors last, the oldest first among equals.
//
// If the head of the line does not fit, a smaller start behind it may go, but not for ever: once
// the head has waited for memory_pass_max, all that becomes free is kept for it. Successors are
// last because their places have a worker: they pass nobody, and nobody waits for one. Places whose
// breaker lets them not start are in nobody's way. Cost: the line, at each start and each Tick; a
// sum over the classes.
#include <algorithm>

#include "pool/core_admission.hpp"

namespace warmpool {

std::uint64_t CoreState::memory_declared() const {
  std::uint64_t sum = 0;
  for (const auto& worker_class : classes) {
    sum += slots.living(worker_class.id) * worker_class.options.memory_declared;
  }
  return sum;
}

// Where it declares nothing it needs nothing, also while the others have too much.
bool CoreAdmission::fits(const Slot& slot, std::uint64_t declared) const {
  const std::uint64_t its = classes[slot.worker_class.value].options.memory_declared;
  return its == 0 || options.memory_total == 0 || declared + its <= options.memory_total;
}

bool CoreAdmission::could_fit(const WorkerClass& worker_class, std::uint64_t size) const {
  return options.memory_total == 0 ||
         size * worker_class.options.memory_declared <= options.memory_total;
}

bool CoreAdmission::is_waited_for(const Slot& slot) const {
  return now >= slot.state_since + options.memory_pass_max;
}

int CoreAdmission::rank(const Slot& slot) const {
  return (slot.successor ? 2 : 0) + (classes[slot.worker_class.value].options.critical ? 0 : 1);
}

bool CoreAdmission::admits(const Slot& slot) const {
  const WorkerClass& its = classes[slot.worker_class.value];
  if (!slot.recovering) return !its.gate.shut();
  if (slot.by_hand) return true;
  const bool may_try = its.gate.state() == RecoveryState::HalfOpen && !its.gate.has_probe();
  const bool by_itself = its.options.automatic_restart || slot.successor;
  return by_itself && (!its.gate.shut() || may_try);
}

bool CoreAdmission::holds_probe(const WorkerClass& worker_class) const {
  return std::ranges::any_of(slots.held(), [&](SlotId id) {
    const Slot& slot = slots[id];
    return slot.worker_class == worker_class.id && slot.recovering && admits(slot);
  });
}

bool CoreAdmission::may_start(const Slot& slot) const {
  const ClassOptions& its = classes[slot.worker_class.value].options;
  const std::uint64_t leaves = has_process(slot.state) ? its.memory_declared : 0;
  const std::uint64_t declared = memory_declared() - leaves;
  if (!fits(slot, declared)) return false;
  if (its.memory_declared == 0) return true;
  return std::ranges::none_of(slots.held(), [&](SlotId id) {
    const Slot& other = slots[id];
    const bool before = admits(other) && rank(other) <= rank(slot);
    return before && (fits(other, declared) || is_waited_for(other));
  });
}

Slot* CoreAdmission::next_held() {
  if (slots.held().empty()) return nullptr;
  const std::uint64_t declared = memory_declared();
  bool keeps = false;
  for (int turn = 0; turn < 4; ++turn) {
    for (const SlotId id : slots.held()) {
      Slot& slot = slots[id];
      if (rank(slot) != turn || !admits(slot)) continue;
      const bool needs = class_of(slot).options.memory_declared != 0;
      if (fits(slot, declared) && !(keeps && needs)) return &slot;
      keeps = keeps || is_waited_for(slot);
    }
  }
  return nullptr;
}

bool CoreAdmission::is_held_place(SlotId id, const WorkerClass& worker_class) const {
  return slots[id].worker_class == worker_class.id && !slots[id].successor;
}

std::uint64_t CoreAdmission::held_places(const WorkerClass& worker_class) const {
  return static_cast<std::uint64_t>(std::ranges::count_if(
      slots.held(), [&](SlotId id) { return is_held_place(id, worker_class); }));
}

Slot* CoreAdmission::held_place(const WorkerClass& worker_class) {
  const auto found = std::ranges::find_if(
      slots.held(), [&](SlotId id) { return is_held_place(id, worker_class); });
  return found == slots.held().end() ? nullptr : &slots[*found];
}

void CoreAdmission::hold(Slot& slot, SlotTrigger trigger) { slots.fire(slot, trigger, now); }

}  // namespace warmpool
