// A worker is a state in a slot and what is planned for it. Everything planned carries the worker's
// incarnation, so that plans of the dead are void.
#include "tests/sim/fake_workers.hpp"

#include <algorithm>

namespace warmpool::sim {

FakeWorkers::Worker* FakeWorkers::find(WorkerId worker) {
  const auto slot = static_cast<std::size_t>(worker.value & 0xffff);
  if (slot >= workers_.size() || workers_[slot].id != worker) return nullptr;
  return workers_[slot].life == Life::None ? nullptr : &workers_[slot];
}

FakeWorkers::Worker& FakeWorkers::take_place(Instant now, WorkerId id, SlotId slot,
                                             ClassId worker_class) {
  if (workers_.size() <= slot.value) workers_.resize(slot.value + std::size_t{1});
  Worker& worker = workers_[slot.value] = Worker{};
  worker.id = id;
  worker.worker_class = worker_class;
  worker.incarnation = ++incarnations_;
  worker.life = Life::Starting;
  worker.last_in = worker.last_out = now;
  worker.recall = random_.chance(scenario_.recall_per_mille);
  worker.page = random_.chance(scenario_.page_per_mille);
  worker.ignores_term = luck_.strikes(Fault::IgnoreTerm, 500);
  worker.ignores_cancel = luck_.strikes(Fault::IgnoreCancel, 500);
  worker.ignores_retire = luck_.strikes(Fault::IgnoreRetire, 300);
  worker.ignores_recall = luck_.strikes(Fault::IgnoreRecall, 200);
  worker.rotten = luck_.strikes(Fault::Rotten, 400);
  worker.checkpoints = scenario_.has(Fault::Checkpoints) && random_.chance(700);
  return worker;
}

void FakeWorkers::carry_out(Instant now, const command::Spawn& spawn) {
  Worker& worker = take_place(now, spawn.worker, spawn.slot, spawn.worker_class);
  const auto plan = [&](Instant at, What what) {
    agenda_.plan(at, what, spawn.slot.value, worker.incarnation);
  };
  Instant soon = now + random_.between(microseconds(100), milliseconds(15));
  if (spawn.recovery.attempt != 0 && spawn.recovery.strategy == RecoveryStrategy::Custom) {
    const Duration most = scenario_.classes[spawn.worker_class.value].options.recovery_timeout;
    plan(now, What::WorkerPrepares);
    if (luck_.strikes(Fault::RecoveryFails, 400)) {
      const bool hangs = random_.chance(400);
      return plan_death(hangs ? now + most : soon, worker, ExitCause::RecoveryFailed,
                        hangs ? -9 : 1);
    }
    const Instant prepared = now + random_.between(Duration{}, most * 3);  // with its turn to that
    plan(prepared, What::WorkerPrepared);
    soon = soon + (prepared - now);
  }
  if (is_down(now, spawn.worker_class)) {
    luck_.count(Fault::ClassDown);
    const bool silent = scenario_.outages[spawn.worker_class.value].silent;
    if (!silent) plan_death(soon, worker, ExitCause::Exited, 127);
  } else if (luck_.strikes(Fault::SpawnFails, 200)) {
    worker.cause = ExitCause::SpawnFailed;
    worker.code = 2;
    worker.life = Life::Dead;
    plan(soon, What::WorkerGone);
  } else if (luck_.strikes(Fault::DieStarting, 200)) {
    plan_death(soon, worker, ExitCause::Exited, 127);
  } else if (!luck_.strikes(Fault::NeverHello)) {
    plan(soon, What::WorkerStarts);
  }
}

bool FakeWorkers::is_down(Instant now, ClassId worker_class) const {
  const Outage& outage = scenario_.outages[worker_class.value];
  return scenario_.has(Fault::ClassDown) && !luck_.calm() && now >= outage.from &&
         now < outage.until;
}

// What keeps its class from starting may be a disk that does not answer: some cannot be killed.
bool FakeWorkers::hangs(Instant now, const Worker& worker) {
  const ClassId its = worker.worker_class;
  const bool starting = worker.life == Life::Starting && scenario_.outages[its.value].silent;
  return starting && is_down(now, its) && random_.chance(200);
}

void FakeWorkers::tell(Instant now, WorkerId id, Heard heard) {
  Worker* worker = find(id);
  if (worker == nullptr || worker->life != Life::Up || worker->broken) return;
  worker->last_in = std::max(worker->last_in, now + wire());
  worker->inbox.push_back(heard);
  agenda_.plan(worker->last_in, What::WorkerHears, slot(*worker), worker->incarnation);
}

void FakeWorkers::carry_out(Instant now, const command::Assign& assign) {
  tell(now, assign.worker, {Hears::Assign, assign.key, assign.type, assign.timeout});
}

void FakeWorkers::carry_out(Instant now, const command::CancelAttempt& cancel) {
  tell(now, cancel.worker, {Hears::Cancel, cancel.key, {}, {}});
}

void FakeWorkers::carry_out(Instant now, const command::Recall& recall) {
  tell(now, recall.worker, {Hears::Recall, recall.key, {}, {}});
}

void FakeWorkers::carry_out(Instant now, const command::Retire& retire) {
  Worker* worker = find(retire.worker);
  if (worker != nullptr && worker->life == Life::Starting) worker->retiring = true;
  tell(now, retire.worker, {Hears::Retire, {}, {}, {}});
}

void FakeWorkers::carry_out(Instant now, const command::EndWorker& end) {
  Worker* worker = find(end.worker);
  if (worker == nullptr || worker->life == Life::Dead) return;
  if (worker->registered && !worker->killable) return end_stranger(now, *worker, end);
  const Instant soon = now + random_.between(microseconds(50), milliseconds(4));
  if (luck_.strikes(Fault::DieWhileKilled, 300)) {
    plan_death(now, *worker, ExitCause::Exited, 1);
  } else if (end.force == command::Force::Kill &&
             (luck_.strikes(Fault::Unkillable, 300) || hangs(now, *worker))) {
    worker->cause = ExitCause::Signalled;  // and works on until it goes
    worker->code = -9;
    const Duration stays = scenario_.options.unkillable_after * 3;
    agenda_.plan(now + random_.between(Duration{}, stays), What::WorkerDies, slot(*worker),
                 worker->incarnation);
  } else if (end.force == command::Force::Kill) {
    plan_death(soon, *worker, ExitCause::Signalled, -9);
  } else if (!worker->ignores_term && !worker->stopped) {
    plan_death(soon, *worker, ExitCause::Signalled, -15);
  }
}

void FakeWorkers::say(Instant now, Worker& worker, Event event) {
  if (worker.broken) return;
  worker.last_out = std::max(worker.last_out, now + wire());
  worker.outbox.push_back(std::move(event));
  agenda_.plan(worker.last_out, What::WorkerSpeaks, slot(worker), worker.incarnation);
}

void FakeWorkers::hello(Instant now, Worker& worker) {
  const ClassOptions& options = scenario_.classes[worker.worker_class.value].options;
  worker.life = Life::Up;
  std::uint64_t credits = std::max(credits_of(options), options.concurrency);
  if (random_.chance(150)) credits = random_.between(1, credits);
  say(now, worker,
      event::WorkerReady{worker.id, static_cast<std::uint8_t>(credits), worker.recall,
                         worker.checkpoints});
  beat(now, worker);
  if (is_measured()) measure_later(now, worker);
  leave_if_done(now, worker);
}

void FakeWorkers::beat(Instant now, Worker& worker) {
  if (worker.life != Life::Up) return;
  if (worker.hand.empty() && !worker.silent) say(now, worker, event::WorkerBeat{worker.id});
  agenda_.plan(now + scenario_.options.heartbeat_interval, What::WorkerBeats, slot(worker),
               worker.incarnation);
}

void FakeWorkers::hear(Instant now, Worker& worker) {
  if (worker.inbox.empty()) return;
  const Heard heard = worker.inbox.front();
  worker.inbox.pop_front();
  switch (heard.what) {
    case Hears::Assign:
      if (luck_.strikes(Fault::PrepareFails, 500)) return say_ungiven(now, worker, heard);
      worker.hand.push_back({.key = heard.key, .type = heard.type, .timeout = heard.timeout});
      return begin_next(now, worker);
    case Hears::Cancel:
      return hear_cancel(now, worker, heard);
    case Hears::Recall:
      return hear_recall(now, worker, heard);
    case Hears::Retire:
      worker.retiring = !worker.ignores_retire;
      return leave_if_done(now, worker);
    case Hears::Ask:
      return hear_ask(now, worker, heard);
  }
}

// Of an attempt whose directory cannot be prepared.
void FakeWorkers::say_ungiven(Instant now, Worker& worker, const Heard& heard) {
  event::AttemptAnswered said{worker.id, heard.key, Outcome::Failed};
  said.ungiven = true;
  say(now, worker, said);
}

void FakeWorkers::hear_cancel(Instant now, Worker& worker, const Heard& heard) {
  const auto run = std::ranges::find(worker.hand, heard.key, &Run::key);
  if (run == worker.hand.end()) return;
  run->cancelled = true;
  if (!run->running || worker.ignores_cancel) return;
  const bool finishes = random_.chance(100);
  run->outcome = finishes ? Outcome::Done : Outcome::Failed;
  plan_end(now + random_.between(microseconds(5), milliseconds(2)), worker, *run);
}

void FakeWorkers::hear_recall(Instant now, Worker& worker, const Heard& heard) {
  if (worker.ignores_recall) return;
  const auto run = std::ranges::find(worker.hand, heard.key, &Run::key);
  const bool returned = run != worker.hand.end() && !run->running;
  if (returned) worker.hand.erase(run);
  say(now, worker, event::RecallAnswered{worker.id, heard.key, returned});
  leave_if_done(now, worker);
}

void FakeWorkers::leave_if_done(Instant now, Worker& worker) {
  if (!worker.retiring || !worker.hand.empty() || worker.exiting || worker.life != Life::Up) return;
  plan_death(now + random_.between(microseconds(20), milliseconds(2)), worker, ExitCause::Exited,
             0);
}

void FakeWorkers::plan_death(Instant at, Worker& worker, ExitCause cause, std::int32_t code) {
  worker.exiting = true;
  // How a process ended that is no child of the daemon's is not known.
  worker.cause = worker.registered && cause == ExitCause::Signalled ? ExitCause::Exited : cause;
  worker.code = worker.registered ? 255 : code;
  agenda_.plan(at, What::WorkerDies, slot(worker), worker.incarnation);
}

void FakeWorkers::die(Instant now, Worker& worker) {
  if (worker.life == Life::Dead) return;
  worker.life = Life::Dead;
  worker.marker = marker_of(worker);
  worker.hand.clear();
  if (random_.chance(300)) worker.outbox.clear();  // it died in the middle of a frame
  agenda_.plan(std::max(worker.last_out, now) + random_.between(Duration{}, milliseconds(2)),
               What::WorkerGone, slot(worker), worker.incarnation);
}

// The token of what it ran last; or none, or any other, or bits that never were a token.
std::uint64_t FakeWorkers::marker_of(const Worker& worker) {
  if (!worker.page) return 0;
  if (luck_.strikes(Fault::LyingPage, 500)) {
    if (worker.hand.empty() || random_.chance(200)) return random_.below(1ULL << 62);
    return random_.chance(200) ? 0 : worker.hand[random_.below(worker.hand.size())].key.token;
  }
  std::uint64_t last = 0;
  for (const Run& run : worker.hand) last = run.running ? run.key.token : last;
  return last;
}

std::optional<Event> FakeWorkers::mishap(Instant now, Worker& worker) {
  if (worker.life != Life::Up || worker.exiting) return std::nullopt;
  if (luck_.strikes(Fault::StopWorker) && !worker.unseen) {
    if (worker.stopped) return event::WorkerStopped{worker.id, true};  // it has moved meanwhile
    worker.stopped = true;
    const Duration dead_after = scenario_.options.dead_after;
    agenda_.plan(now + random_.between(milliseconds(1), dead_after * 2), What::WorkerGoesOn,
                 slot(worker), worker.incarnation);
    return event::WorkerStopped{worker.id, true};
  }
  if (luck_.strikes(Fault::SilentIdle)) worker.silent = true;
  if (luck_.strikes(Fault::BrokenChannel, 30)) {
    worker.broken = true;
    worker.outbox.clear();
    const bool closed = random_.chance(500);
    return event::WorkerBroken{worker.id, closed ? ExitCause::ChannelClosed : ExitCause::Protocol};
  }
  if (worker.registered && luck_.strikes(Fault::Strangers, 500)) return leave(now, worker);
  if (luck_.strikes(Fault::Looks, 500)) return look(worker);
  if (luck_.strikes(Fault::Figures, 500)) return figures(worker);
  if (luck_.strikes(Fault::Checks, 500)) return check(worker);
  if (luck_.strikes(Fault::DieIdle, 50)) plan_death(now, worker, ExitCause::Signalled, -11);
  return std::nullopt;
}

// What the daemon's look at a process shows: of one that is silent, or of any.
Event FakeWorkers::look(const Worker& worker) {
  const auto motion = Words<Motion>::rows[random_.below(Words<Motion>::rows.size())].value;
  return event::WorkerObserved{worker.id, motion, random_.chance(300)};
}

// Goes on twice where that is not seen at first.
std::optional<Event> FakeWorkers::go_on(Instant now, Worker& worker) {
  worker.stopped = false;
  for (Happening& happening : worker.frozen) {
    agenda_.plan(now, happening.what, happening.index, happening.number);
  }
  worker.frozen.clear();
  worker.unseen = !worker.unseen && luck_.strikes(Fault::GoesOnUnseen, 2000);
  if (!worker.unseen) return event::WorkerStopped{worker.id, false};
  agenda_.plan(now + random_.between(Duration{}, scenario_.options.dead_after * 2),
               What::WorkerGoesOn, slot(worker), worker.incarnation);
  return std::nullopt;
}

std::optional<Event> FakeWorkers::happen(Instant now, const Happening& happening) {
  if (happening.index >= workers_.size()) return std::nullopt;
  Worker& worker = workers_[happening.index];
  if (happening.what == What::WorkerMishap) return mishap(now, worker);
  if (worker.life == Life::None) return std::nullopt;
  const bool of_run = happening.what == What::HandlerEnds;
  if (!of_run && worker.incarnation != happening.number) return std::nullopt;
  const bool freezes = of_run || happening.what == What::WorkerStarts ||
                       happening.what == What::WorkerHears || happening.what == What::WorkerBeats;
  if (worker.stopped && freezes) {
    worker.frozen.push_back(happening);
    return std::nullopt;
  }
  if (worker.life == Life::Dead && freezes) return std::nullopt;
  switch (happening.what) {
    case What::WorkerStarts:
      hello(now, worker);
      break;
    case What::WorkerPrepares:
    case What::WorkerPrepared:
      if (worker.life != Life::Starting) break;
      return event::WorkerPrepares{worker.id, happening.what == What::WorkerPrepared};
    case What::WorkerHears:
      hear(now, worker);
      break;
    case What::WorkerBeats:
      beat(now, worker);
      break;
    case What::HandlerEnds:
      end_run(now, worker, happening.number);
      break;
    case What::WorkerDies:
      die(now, worker);
      break;
    case What::WorkerGoesOn:
      if ((worker.stopped || worker.unseen) && worker.life == Life::Up) return go_on(now, worker);
      break;
    case What::WorkerMeasures:
      measure_later(now, worker);
      [[fallthrough]];
    case What::WorkerSampled:
      return measured(worker);
    case What::WorkerGone:
      worker.life = Life::None;
      return event::WorkerExited{worker.id, worker.cause, worker.code, worker.marker};
    case What::WorkerSpeaks: {
      if (worker.outbox.empty()) break;
      Event said = std::move(worker.outbox.front());
      worker.outbox.pop_front();
      if (is_measured()) note_answer(now, worker, said);
      return said;
    }
    default:
      break;
  }
  return std::nullopt;
}

std::vector<TaskId> FakeWorkers::all_end() {
  std::vector<TaskId> outlive;
  for (Worker& worker : workers_) {
    const bool lives = worker.registered && worker.life == Life::Up;
    for (const Run& run : worker.hand) {
      if (lives && run.running) outlive.push_back(run.key.task);
    }
    worker.life = Life::None;
  }
  return outlive;
}

void FakeWorkers::calm_down(Instant now) {
  for (Worker& worker : workers_) {
    if (worker.life == Life::None || worker.life == Life::Dead) continue;
    worker.silent = false;
    worker.ignores_cancel = false;
    if (worker.ignores_retire) plan_death(now, worker, ExitCause::Exited, 0);
  }
}

}  // namespace warmpool::sim
