// What people are shown of circuit breakers.
#pragma once

#include <string>

#include "daemon/json.hpp"
#include "daemon/services.hpp"

namespace warmpool::daemon {

struct BreakersShown {
  std::uint64_t on = 0, open = 0, half_open = 0;
  std::uint64_t waiting = 0;  // tasks of types whose breaker is not closed
};

BreakersShown breakers_shown(const Snapshot& snapshot);
// Order: the type has one.
Json breaker_json(const Services& services, const TypeView& type);
// What an alert says. Order: it is not closed.
std::string breaker_text(const Services& services, const TypeView& type, bool draining);

}  // namespace warmpool::daemon
