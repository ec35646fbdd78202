// What people are shown of circuit breakers.
#pragma once

#include <string>
#include <vector>

#include "daemon/json.hpp"
#include "daemon/services.hpp"

namespace warmpool::daemon {

// Owns: nothing; it is about a snapshot.
struct BreakersShown {
  std::uint64_t on = 0, open = 0, half_open = 0;
  std::uint64_t waiting = 0;  // tasks of types whose breaker is not closed
  std::vector<const TypeView*> not_closed;
};

BreakersShown breakers_shown(const Snapshot& snapshot);
// Order: the type has one.
Json breaker_json(const Services& services, const TypeView& type);
// Order: some are not closed.
std::string breakers_alert(const Services& services, const BreakersShown& shown, bool draining);

}  // namespace warmpool::daemon
