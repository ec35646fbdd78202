// What is known of a worker, put into the one sign that counts.
#include "pool/verdict.hpp"

#include "pool/slot_table.hpp"

namespace warmpool {
namespace {

Sign sign_of(Motion motion) {
  switch (motion) {
    case Motion::Moving:
      return Sign::Moving;
    case Motion::Computing:
      return Sign::Computing;
    case Motion::Waiting:
      return Sign::Waiting;
    case Motion::Blocked:
      return Sign::Blocked;
    case Motion::Unknown:
      break;
  }
  return Sign::Silent;
}

}  // namespace

Sign sign_of(const Slot& slot) {
  const bool gone_on = slot.killed && slot.force_at == kNever;
  if (gone_on && slot.state == SlotState::Recovery) return Sign::Unkillable;
  if (slot.stopped) return Sign::Stopped;
  if (slot.slow) return Sign::Slow;
  const bool silent = slot.unresponsive || (!slot.held.empty() && slot.motion != Motion::Unknown);
  return silent ? sign_of(slot.motion) : Sign::Heard;
}

// Of one that is on its way out or not there yet its state says more, unless something is wrong.
WorkerHealth health_of(const Slot& slot) {
  const Hand hand = slot.held.empty() ? Hand::Idle : Hand::Busy;
  const WorkerHealth health = verdict_row(hand, sign_of(slot)).health;
  if (is_told(health)) return health;
  const bool serves = slot.state == SlotState::Ready || slot.state == SlotState::Running ||
                      slot.state == SlotState::Draining || slot.state == SlotState::Completing;
  const Band band = slot.health.band();
  if (serves && band == Band::Unhealthy) return WorkerHealth::Unhealthy;
  if (serves && band == Band::Degraded) return WorkerHealth::Degraded;
  switch (slot.state) {
    case SlotState::Ready:
      return WorkerHealth::Healthy;
    case SlotState::Running:
    case SlotState::Draining:
      return WorkerHealth::Working;
    case SlotState::Recovery:
    case SlotState::Backoff:
    case SlotState::Held:
      return WorkerHealth::Recovering;
    case SlotState::Failed:
      return WorkerHealth::Dead;
    default:
      return WorkerHealth::Unknown;
  }
}

}  // namespace warmpool
