// A class whose workers are all unhealthy works: what makes them so may be what they are given, and
// a pool that stops for that helps nobody.
#include "pool/worker_class.hpp"

namespace warmpool {

const SlotSet& WorkerClass::places() const {
  const bool others = !free.empty() || !health.sound.empty();
  return others ? free : health.ailing;
}

const SlotSet& WorkerClass::candidates() const {
  return health.well.empty() ? places() : health.well;
}

Band WorkerClass::best() const {
  if (!health.well.empty()) return Band::Healthy;
  return free.empty() && health.sound.empty() ? Band::Unhealthy : Band::Degraded;
}

}  // namespace warmpool
