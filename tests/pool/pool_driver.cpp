#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {

Genesis PoolDriver::genesis(Options options) const {
  Genesis made;
  made.secret = {1, 2};
  made.jitter_seed = 7;
  made.now = now;
  made.wall = WallTime{now.ns + seconds(1'700'000'000).ns};
  made.options = std::move(options);
  return made;
}

ClassId PoolDriver::declare_class(std::uint64_t size, std::uint64_t credits,
                                  std::uint64_t concurrency, std::uint16_t id) {
  ClassOptions options = default_class_options();
  options.name = "worker";
  options.command = {"worker"};
  options.size = size;
  options.size_min = 0;
  options.size_max = 1000;
  options.credits = credits;
  options.concurrency = concurrency;
  step(event::ClassDeclared{ClassId{id}, options});
  return ClassId{id};
}

TypeId PoolDriver::declare_type(std::uint32_t id, std::vector<std::uint16_t> classes) {
  event::TypeDeclared declared{.type = TypeId{id}};
  for (std::uint16_t each : classes) declared.classes[declared.count++] = ClassId{each};
  step(declared);
  return TypeId{id};
}

void PoolDriver::ready_pool(std::uint64_t size, std::uint64_t credits, std::uint64_t concurrency) {
  declare_class(size, credits, concurrency);
  declare_type(0);
  hello_all();
  tick();
}

void PoolDriver::step(const Event& event) {
  const std::size_t from = log.size();
  pool_.step(now, event, log);
  if (auto_keep) keep_all();
  for (std::size_t at = from; auto_archive && at < log.size(); ++at) {
    const auto* letter = std::get_if<command::Archive>(&log[at]);
    if (letter != nullptr) archive(command::Archive(*letter));
  }
}

void PoolDriver::archive(const command::Archive& letter, bool kept) {
  step(event::Archived{letter.task, letter.round, kept});
}

void PoolDriver::keep_all() {
  const auto persisted = last<command::Persist>();
  if (persisted) pool_.step(now, event::Persisted{persisted->number}, log);
}

void PoolDriver::pass(Duration duration) {
  const Instant end = now + duration;
  while (pool_.next_deadline() < end) {
    now = std::max(now, pool_.next_deadline());
    beat_all();
    tick();
  }
  now = end;
  beat_all();
  tick();
}

void PoolDriver::beat_all() {
  if (!beating) return;
  for (const auto& slot : pool_.snapshot().slots) {
    if (slot.state == SlotState::Ready) step(event::WorkerBeat{slot.worker});
  }
}

void PoolDriver::hello_all() {
  for (const auto& slot : pool_.snapshot().slots) {
    if (slot.state == SlotState::Starting) step(event::WorkerReady{slot.worker, 64, true});
  }
}

TaskId PoolDriver::submit(TaskSpec spec) {
  step(event::Submit{ClientId{1}, RequestId{++requests_}, spec});
  if (!auto_keep) keep_all();
  const auto accepted = all<command::Accepted>();
  for (const auto& each : accepted) {
    if (each.request == RequestId{requests_}) return each.task;
  }
  return {};
}

void PoolDriver::answer(const command::Assign& assign, Outcome outcome, Duration service,
                        Duration retry_after) {
  step(event::AttemptAnswered{assign.worker, assign.key, outcome, retry_after, service, 0});
}

void PoolDriver::teach(Duration service, TypeId type) {
  for (int i = 0; i < 8; ++i) {
    submit({.type = type});
    tick();
    answer(*last<command::Assign>(), Outcome::Done, service);
    tick();
  }
  log.clear();
}

void PoolDriver::kill_worker(WorkerId worker, ExitCause cause, int code, std::uint64_t running) {
  step(event::WorkerExited{worker, cause, code, running});
}

TaskState PoolDriver::state(TaskId task) const {
  const auto view = pool_.task(task);
  return view ? view->state : TaskState::Skipped;
}

void ready_class(PoolDriver& driver, std::uint64_t size,
                 const std::function<void(ClassOptions&)>& set) {
  ClassOptions options = default_class_options();
  options.name = "class-0";
  options.size = size;
  options.size_min = 0;
  options.size_max = 1000;
  set(options);
  driver.turn(event::ClassDeclared{ClassId{0}, options});
  driver.declare_type(0);
  driver.hello_all();
  driver.tick();
}

}  // namespace warmpool::test
