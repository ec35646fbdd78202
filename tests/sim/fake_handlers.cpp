// What handlers do inside the fake workers: they finish, fail, hang, kill their worker, and
// sometimes a worker says what is not so.
#include <algorithm>

#include "tests/sim/fake_workers.hpp"

namespace warmpool::sim {

void FakeWorkers::begin_next(Instant now, Worker& worker) {
  const auto most = scenario_.classes[worker.worker_class.value].options.concurrency;
  auto running = static_cast<std::uint64_t>(std::ranges::count(worker.hand, true, &Run::running));
  for (std::size_t i = 0; i < worker.hand.size() && running < most; ++i) {
    if (worker.hand[i].running) continue;
    ++running;
    begin(now, worker, worker.hand[i]);
  }
}

bool FakeWorkers::is_down(Instant now, const TypePlan& type) const {
  const bool time = now >= type.down_from && now < type.down_until;
  return time && !luck_.calm() && scenario_.has(Fault::TypesDown);
}

void FakeWorkers::plan_end(Instant at, Worker& worker, Run& run) {
  run.serial = ++serials_;
  agenda_.plan(at, What::HandlerEnds, slot(worker), run.serial);
}

void FakeWorkers::begin(Instant now, Worker& worker, Run& run) {
  const TypePlan& type = scenario_.types[run.type.value];
  run.running = true;
  run.outcome = Outcome::Done;
  run.service = random_.between(type.service_min, type.service_max);
  if (luck_.strikes(Fault::SlowTask)) {
    run.service = std::min(run.service * static_cast<std::int64_t>(random_.between(5, 100)),
                           milliseconds(800));
  }
  if (random_.chance(20)) say(now, worker, event::AttemptProgressed{worker.id, run.key});
  if (worker.checkpoints && random_.chance(100)) say_checkpoint(now, worker, run.key);
  if (is_measured()) take_memory(now, worker, run.service);
  Work& work = works_.of(run.key.task);
  ++work.runs;
  if (run.cancelled) {
    run.outcome = Outcome::Failed;
    run.service = Duration{};
  } else if (worker.rotten && !luck_.calm()) {
    run.outcome = Outcome::Failed;
  } else if (is_down(now, type)) {
    luck_.count(Fault::TypesDown);
    run.outcome = work.runs % 4 == 3 ? Outcome::RetryAfter : Outcome::Failed;
  } else if (!luck_.calm() && work.nature != Nature::Normal && work.runs <= work.times) {
    return behave(now, worker, run, work);
  } else if (luck_.strikes(Fault::DieInTask, 50)) {
    const bool memory = luck_.strikes(Fault::OutOfMemory, 500);
    return plan_death(now + run.service / 2, worker,
                      memory ? ExitCause::OutOfMemory : ExitCause::Signalled, -9);
  }
  plan_end(now + run.service, worker, run);
}

void FakeWorkers::behave(Instant now, Worker& worker, Run& run, Work& work) {
  switch (work.nature) {
    case Nature::Normal:
      break;
    case Nature::Fails:
      run.outcome = Outcome::Failed;
      break;
    case Nature::FailsForGood:
      run.outcome = Outcome::FailedForGood;
      break;
    case Nature::AsksLater:
      run.outcome = Outcome::RetryAfter;
      run.retry_after = random_.between(Duration{}, milliseconds(200));
      break;
    case Nature::Holds:
      run.outcome = Outcome::Held;
      break;
    case Nature::Poison:
      return plan_death(now + run.service, worker, ExitCause::Signalled, -11);
    case Nature::Hangs:
      return;
    case Nature::HangsAndReturns:
      run.service = run.timeout + random_.between(Duration{}, scenario_.options.cancel_grace +
                                                                  scenario_.options.term_grace);
      break;
  }
  plan_end(now + run.service, worker, run);
}

void FakeWorkers::end_run(Instant now, Worker& worker, std::uint64_t serial) {
  const auto found = std::ranges::find(worker.hand, serial, &Run::serial);
  if (found == worker.hand.end() || worker.exiting) return;
  const Run run = *found;
  worker.hand.erase(found);
  if (is_measured()) leave_memory(worker);
  if (luck_.strikes(Fault::WrongResult)) say_wrong(now, worker, run);
  say_result(now, worker, run);
  if (luck_.strikes(Fault::DuplicateResult)) say_result(now, worker, run);
  begin_next(now, worker);
  leave_if_done(now, worker);
}

void FakeWorkers::say_result(Instant now, Worker& worker, const Run& run) {
  const bool no_room = run.outcome == Outcome::Done && luck_.strikes(Fault::NoRoom, 200);
  say(now, worker,
      event::AttemptAnswered{
          .worker = worker.id,
          .key = run.key,
          .outcome = no_room ? Outcome::Failed : run.outcome,
          .retry_after = run.retry_after,
          .service = std::min(run.service, microseconds(65'535)),
          .result_bytes = 10,
          .out_of_memory = run.outcome == Outcome::Failed && luck_.strikes(Fault::Memory, 500),
          .no_room = no_room});
}

void FakeWorkers::say_wrong(Instant now, Worker& worker, const Run& run) {
  Run wrong = run;
  wrong.outcome = Outcome::Done;
  if (random_.chance(200)) {  // or hands back what nobody asked for
    return say(now, worker, event::RecallAnswered{worker.id, run.key, true});
  }
  switch (random_.below(4)) {
    case 0:
      wrong.key.token ^= 1ULL << random_.below(64);
      break;
    case 1:
      ++wrong.key.attempt;
      break;
    case 2:
      ++wrong.key.round;
      break;
    default:
      wrong.key.task.value += random_.between(1, 3);
      break;
  }
  say_result(now, worker, wrong);
}

}  // namespace warmpool::sim
