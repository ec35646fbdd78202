// The memory of fake workers: what they take for themselves, what tasks leave behind and what a
// task takes while it runs. Measured now and then, and when the first answer has been heard.
#include <algorithm>

#include "tests/sim/fake_workers.hpp"

namespace warmpool::sim {

bool FakeWorkers::is_measured() const {
  return scenario_.has(Fault::Memory) || scenario_.has(Fault::TaskMemory);
}

void FakeWorkers::measure_later(Instant now, const Worker& worker) {
  agenda_.plan(now + random_.between(milliseconds(1), milliseconds(150)), What::WorkerMeasures,
               slot(worker), worker.incarnation);
}

std::optional<Event> FakeWorkers::measured(Worker& worker) {
  if (worker.life != Life::Up) return std::nullopt;
  if (worker.memory == 0) worker.memory = random_.between(100, 300);
  return event::WorkerSampled{worker.id, worker.memory};
}

// What a task takes. Some take several times what a worker may have.
void FakeWorkers::take_memory(Instant now, Worker& worker, Duration service) {
  if (luck_.calm()) return;
  if (worker.memory == 0) worker.memory = random_.between(100, 300);
  if (!luck_.strikes(Fault::Memory, 60) && !luck_.strikes(Fault::TaskMemory, 200)) return;
  worker.memory += random_.between(200, scenario_.has(Fault::Memory) ? 9000 : 3000);
  agenda_.plan(now + random_.between(Duration{}, service), What::WorkerSampled, slot(worker),
               worker.incarnation);
}

// What it leaves behind, or gives back.
void FakeWorkers::leave_memory(Worker& worker) {
  if (luck_.calm()) {
    worker.memory = std::min<std::uint64_t>(worker.memory, 600);
    return;
  }
  if (!worker.answered && luck_.strikes(Fault::Memory, 100)) worker.memory += 800;  // kept for all
  if (worker.memory > 2000 && random_.chance(500)) worker.memory = random_.between(100, 900);
  worker.memory += random_.between(0, 40);
}

void FakeWorkers::note_answer(Instant now, Worker& worker, const Event& said) {
  if (!std::holds_alternative<event::AttemptAnswered>(said)) return;
  if (!std::exchange(worker.answered, true)) {
    agenda_.plan(now, What::WorkerSampled, slot(worker), worker.incarnation);
  }
}

}  // namespace warmpool::sim
