// What the oracle remembers of the order in which tasks wait.
#pragma once

#include <compare>

#include "pool/ids.hpp"
#include "pool/time.hpp"

namespace warmpool::sim {

// Where a task stands in the order: by key, then by age. A lane that was closed and opened again
// claims no more age than it may.
struct Place {
  Instant key{};
  TaskId id{};
  friend constexpr auto operator<=>(const Place&, const Place&) = default;
};

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

}  // namespace warmpool::sim
