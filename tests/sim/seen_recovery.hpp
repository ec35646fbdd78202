// What the oracle knows of the recovery of a class.
#pragma once

#include <optional>
#include <vector>

#include "pool/ids.hpp"
#include "pool/recovery_rules.hpp"
#include "pool/time.hpp"

namespace warmpool::sim {

// The breaker over the recovery of a class.
struct SeenRecovery {
  RecoveryState state{};
  Instant until{}, closed_at{-1};  // until: as was told when it opened
  std::uint64_t openings = 0;
  std::uint64_t asked_starts = 0;  // of single places, by the operator
  std::vector<Instant> deaths_least{},
      deaths_most{};  // of replacements without use, since it closed
  WorkerId probe{}, last_probe{};
  bool probe_works = false;          // has settled a task
  Instant unfit_at{};                // was seen to be no proof
  std::optional<bool> probe_died{};  // of the step in progress, and was of no use
};

}  // namespace warmpool::sim
