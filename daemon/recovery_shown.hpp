// What people are shown of workers that died: how they are replaced, how well that goes, and the
// breaker over it.
#pragma once

#include <string>

#include "daemon/json.hpp"
#include "daemon/services.hpp"

namespace warmpool::daemon {

// The breaker of a class.
Json recovery_json(const Services& services, const ClassView& view);
// Of the whole pool, in this life of the daemon.
Json recoveries_json(const RecoveriesView& view);
// What an alert says. Order: it is not closed.
std::string recovery_text(const Services& services, const ClassView& view);
// Members of a worker's row. `former`: the name of the place that was given up for its own; may be
// empty.
void add_recovery(const SlotView& slot, const std::string& former, Json& row);

}  // namespace warmpool::daemon
