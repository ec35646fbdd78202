// One seed from beginning to end: safety phase with faults, then either a stop in the middle of
// them, or calm, in which everything must settle and every slot come back, and then a stop.
#pragma once

#include <optional>
#include <string>

#include "tests/sim/scenario.hpp"
#include "tests/sim/violation.hpp"
#include "tests/sim/world.hpp"

namespace warmpool::sim {

struct RunResult {
  Figures figures;
  std::optional<Violation> violation;
  Instant at;  // of the violation
};

// `trace` and `tape` may be null.
RunResult run_scenario(const Scenario& scenario, Trace* trace, Tape* tape = nullptr);
RunResult run_seed(std::uint64_t seed, Trace* trace);

}  // namespace warmpool::sim
