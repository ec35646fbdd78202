// An alert as JSON. Only sources of documents include it: the library costs build time.
#pragma once

#include "daemon/alerts/alert_book.hpp"
#include "daemon/json.hpp"

namespace warmpool::daemon {

// All that is known of it.
Json alert_json(const RaisedAlert& alert, const Clock& clock);

}  // namespace warmpool::daemon
