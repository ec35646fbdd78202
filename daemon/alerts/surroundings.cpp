#include "daemon/alerts/surroundings.hpp"

namespace warmpool::daemon {
namespace {

bool is_at_work(const SlotView& slot) {
  return slot.state == SlotState::Running || slot.state == SlotState::Draining;
}

bool is_ready(const SlotView& slot) { return slot.state == SlotState::Ready || is_at_work(slot); }

bool is_unhealthy(const SlotView& slot) {
  return coarse_of(slot.health) == CoarseHealth::Unhealthy || slot.state == SlotState::Recovery ||
         slot.state == SlotState::Backoff || slot.state == SlotState::Failed;
}

}  // namespace

Capacity capacity_of(const Snapshot& snapshot) {
  Capacity sum;
  for (const auto& worker_class : snapshot.classes) {
    sum.target += static_cast<std::uint64_t>(worker_class.target) - worker_class.parked;
    sum.parked += worker_class.parked;
    sum.places += worker_class.capacity;
    sum.taken += worker_class.in_flight;
  }
  for (const auto& slot : snapshot.slots) {
    if (slot.state == SlotState::Gone) continue;
    ++sum.slots;
    sum.ready += is_ready(slot);
    sum.busy += is_at_work(slot);
    sum.unhealthy += is_unhealthy(slot);
    sum.failed += slot.state == SlotState::Failed;
    sum.starting += slot.state == SlotState::Starting;
    sum.slow += slot.slow;
  }
  return sum;
}

}  // namespace warmpool::daemon
