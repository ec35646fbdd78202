// Handlers that say what the next attempt could go on from: asked, unasked, too late, or never.
#include <algorithm>

#include "tests/sim/fake_workers.hpp"

namespace warmpool::sim {

void FakeWorkers::carry_out(Instant now, const command::AskCheckpoint& ask) {
  tell(now, ask.worker, {Hears::Ask, ask.key, {}, {}});
}

void FakeWorkers::hear_ask(Instant now, Worker& worker, const Heard& heard) {
  luck_.count(Fault::Checkpoints);
  const auto run = std::ranges::find(worker.hand, heard.key, &Run::key);
  const bool runs = run != worker.hand.end() && run->running;
  if (runs ? random_.chance(700) : random_.chance(300)) say_checkpoint(now, worker, heard.key);
}

void FakeWorkers::say_checkpoint(Instant now, Worker& worker, AttemptKey key) {
  if (luck_.strikes(Fault::WrongResult)) key.token ^= 1ULL << random_.below(64);
  const auto bytes = static_cast<std::uint32_t>(random_.below(1000));
  say(now, worker, event::AttemptCheckpointed{worker.id, key, bytes});
}

}  // namespace warmpool::sim
