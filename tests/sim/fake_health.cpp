// What is measured of fake workers, what they say of themselves, and how their checks end: anything
// that can be.
#include "tests/sim/fake_workers.hpp"

namespace warmpool::sim {

Event FakeWorkers::figures(const Worker& worker) {
  if (random_.chance(150)) return event::WorkerFlagged{worker.id, random_.chance(500)};
  event::Measures seen;
  seen.cpu = static_cast<std::uint32_t>(random_.below(2000));
  const auto share = [&] { return static_cast<std::uint16_t>(random_.below(1001)); };
  if (random_.chance(500)) seen.throttled = share();
  if (random_.chance(500)) seen.disk_wait = share();
  if (random_.chance(700)) {
    seen.descriptors_max = 1024;
    seen.descriptors = static_cast<std::uint32_t>(random_.between(3, 1024));
  }
  seen.moved = random_.chance(300);
  return event::WorkerMeasured{worker.id, seen};
}

Event FakeWorkers::check(const Worker& worker) {
  return event::WorkerChecked{worker.id, random_.chance(350),
                              random_.between(Duration{}, milliseconds(100))};
}

}  // namespace warmpool::sim
