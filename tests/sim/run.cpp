// Bounds of the liveness phase come from the scenario's own times: the longest chain is a slot in
// its last backoff, a hung handler to its timeout and kill, and retries to the end of the budget.
#include "tests/sim/run.hpp"

namespace warmpool::sim {
namespace {

constexpr std::uint64_t kStepsMax = 60'000;
constexpr Duration kSettleMax = seconds(120);
constexpr Duration kStopMax = seconds(30);

void live(World& world, const Scenario& scenario) {
  world.begin();
  world.run_until(Instant{} + scenario.safety, kStepsMax);
  if (!scenario.stop_early) {
    world.calm_down();
    world.run_until_settled(world.now() + kSettleMax);
    world.oracle().check_settled(world.pool());
  }
  const Instant asked = world.now();
  world.stop(scenario.seed % 5 == 0);
  world.run_until_finished(asked + kStopMax);
  require_rule(world.oracle().finished(), "stop-in-time",
               [] { return std::string("a stopped pool never said Finished"); });
  world.oracle().check_stopped(asked, world.now(), world.oracle().lost());
}

}  // namespace

RunResult run_scenario(const Scenario& scenario, Trace* trace, Tape* tape) {
  RunResult result;
  World world(scenario, trace, tape);
  try {
    live(world, scenario);
  } catch (const Violation& violation) {
    result.violation = violation;
    result.at = world.now();
  }
  result.figures = world.figures();
  return result;
}

RunResult run_seed(std::uint64_t seed, Trace* trace) {
  return run_scenario(draw_scenario(seed), trace);
}

}  // namespace warmpool::sim
