// What becomes of the daemon when there is no memory.
#pragma once

namespace warmpool::daemon {

// From now on an allocation that fails says so on standard error and ends the process at once with
// ExitStatus::System: what is half done in memory is not to be gone on with, and what was
// acknowledged is on the disk. Order: first of all, once.
void end_without_memory();

}  // namespace warmpool::daemon
