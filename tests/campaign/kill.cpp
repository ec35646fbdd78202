// Lives that end by chance: at a random moment, or at a random allocation.
#include <poll.h>

#include "tests/campaign/lives.hpp"

namespace warmpool::campaign {
namespace {

// Each life does something before it ends, however slow the machine is; at which moment of it the
// next kill falls is left to chance.
void kill_once(Lives& lives, std::uint64_t run) {
  const auto before = lives.direction().settled.load();
  test::eventually([&] { return lives.direction().settled > before || !lives.daemon().running(); });
  ::poll(nullptr, 0, static_cast<int>(lives.random()() % 250));
  if (lives.random()() % 4 == 0) lives.kill_a_worker(lives.random()() % 2 == 0);
  lives.kill();
  lives.start("kill " + std::to_string(run));
}

}  // namespace

int kill_campaign(const Plan& plan) {
  Lives lives(plan, {.title = "Kill campaign", .name = "kill"});
  if (!lives.up()) return lives.finish();
  lives.begin();
  for (std::uint64_t run = 1; run <= plan.runs && lives.daemon().running(); ++run) {
    kill_once(lives, run);
    lives.show(run, plan.runs);
  }
  lives.conclude();
  return lives.finish();
}

// Every life has an allocation that fails, if it comes so far: at the start, at work, in a stop.
int memory_campaign(const Plan& plan) {
  Lives lives(plan, {.title = "Memory campaign", .name = "memory", .program = kFailpointDaemon});
  if (!lives.up()) return lives.finish();
  lives.begin();
  lives.kill();
  for (std::uint64_t life = 1; life <= plan.runs; ++life) {
    // As many in each order of size, up to some thousands of tasks.
    const std::uint64_t order = std::uint64_t{1} << lives.random()() % 18;
    const auto count = order + lives.random()() % order;
    lives.live_until(life % 2 == 0 ? "new" : "sqlite", count,
                     100 + 4 * std::min<std::uint64_t>(count, 1'000));
    lives.show(life, plan.runs);
  }
  lives.daemon().set_prefix({});
  lives.start("the last end of memory");
  auto& report = lives.report();
  report.row("lives", plan.runs);
  report.row("of these ended without memory, with message and status 71", lives.memory_ends());
  report.row("ended by an orderly stop", lives.stops());
  if (lives.memory_ends() == 0) report.violation("memory never ended");
  lives.conclude();
  return lives.finish();
}

}  // namespace warmpool::campaign
