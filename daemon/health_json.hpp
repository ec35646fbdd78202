// The health of workers as documents have it.
#pragma once

#include "daemon/json.hpp"
#include "daemon/services.hpp"
#include "daemon/worker_process.hpp"
#include "pool/view.hpp"

namespace warmpool::daemon {

// Whether its score says anything yet.
bool is_scored(const SlotView& slot);
// In each row of workers.
void add_health(const SlotView& slot, Json& row);
// Of one worker: what its score is made of, with its inputs, all with the time at which they were
// taken. `process` may be null.
Json health_parts_json(const Services& services, const SlotView& slot,
                       const WorkerProcess* process);
// How many workers are how.
Json coarse_json(const Snapshot& snapshot);

}  // namespace warmpool::daemon
