// Workers that somebody else starts: they come, are given a place or not, work like the others, and
// go when they like. The daemon may not be allowed to kill one.
#include "tests/sim/fake_workers.hpp"

namespace warmpool::sim {

Event FakeWorkers::come(Instant now, ClassId worker_class) {
  luck_.count(Fault::Strangers);
  agenda_.plan(now + random_.between(milliseconds(5), milliseconds(800)), What::StrangerComes,
               static_cast<std::uint32_t>(random_.below(scenario_.classes.size())));
  return event::WorkerRegistered{RegistrationId{++registrations_}, worker_class};
}

void FakeWorkers::carry_out(Instant now, const command::Admit& admit) {
  Worker& worker = take_place(now, admit.worker, admit.slot, admit.worker_class);
  worker.registered = true;
  worker.killable = random_.chance(600);
  const Instant soon = now + wire();
  if (luck_.strikes(Fault::DieStarting, 300)) {
    plan_death(soon, worker, ExitCause::Exited, 1);
  } else {
    agenda_.plan(soon, What::WorkerStarts, admit.slot.value, worker.incarnation);
  }
}

void FakeWorkers::carry_out(Instant, const command::TurnAway&) {}

// Its connection has ended: whatever it does, nobody hears of it.
void FakeWorkers::carry_out(Instant, const command::Disown& disown) {
  if (Worker* worker = find(disown.worker)) worker->life = Life::None;
}

// Only its connection can be ended. Perhaps it ends then, or comes again and by that says that it
// has let go of all that it had; perhaps nothing is ever heard of it.
void FakeWorkers::end_stranger(Instant now, Worker& worker, const command::EndWorker& end) {
  if (end.force == command::Force::Term) return;
  worker.broken = true;
  worker.outbox.clear();
  if (!worker.hand.empty() && random_.chance(400)) return;
  plan_death(now + random_.between(Duration{}, scenario_.options.unkillable_after * 2), worker,
             ExitCause::ChannelClosed, 0);
}

// Says so and finishes what it has; or closes its connection without a word.
std::optional<Event> FakeWorkers::leave(Instant now, Worker& worker) {
  if (random_.chance(600)) return event::WorkerLeaving{worker.id};
  if (worker.hand.empty() && worker.inbox.empty()) {
    plan_death(now, worker, ExitCause::ChannelClosed, 0);
    return std::nullopt;
  }
  worker.broken = true;
  worker.outbox.clear();
  return event::WorkerBroken{worker.id, ExitCause::ChannelClosed};
}

}  // namespace warmpool::sim
