// What the oracle knows of the lanes in which tasks wait.
#pragma once

#include "tests/sim/ledger.hpp"

namespace warmpool::sim {

// Waiting tasks of one type and tenant, ordinary ones or suspects, bound to a class or not.
struct LaneName {
  TypeId type{};
  TenantId tenant{};
  bool suspect = false;
  ClassId bound{};
  friend constexpr auto operator<=>(const LaneName&, const LaneName&) = default;
};

// What of it was given last in its own order, and the place that this counted as.
struct SeenLane {
  Place given{}, counted{};
};

inline LaneName lane_of(const SeenTask& task) {
  return {task.spec.type, task.spec.tenant, task.suspect, task.bound};
}

}  // namespace warmpool::sim
