// A template: this process has loaded what its workers need, and forks them when the daemon asks
// (docs/protocol.md, section 12).
#pragma once

#include <optional>

namespace warmpool::worker {

// Was this process started to be one? By WARMPOOL_TEMPLATE.
bool is_template();

// Loads the shared objects that WARMPOOL_PRELOAD names, then forks a worker for each request.
// Returns none in every worker, whose environment says what it is, and else the exit status of the
// template.
// Order: is_template(). Blocks: as long as the daemon wants it. Threads: none but this one may run,
// and no descriptor beyond 0 to 2 be open, or the daemon is told that no worker comes of this.
std::optional<int> run_template();

}  // namespace warmpool::worker
