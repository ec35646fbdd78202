// Commands of users that run before a worker starts again: the strategy custom.
#pragma once

#include <functional>
#include <map>

#include "daemon/helper_runs.hpp"
#include "daemon/templates.hpp"

namespace warmpool::daemon {

// Runs with the daemon's user and finds the facts in WARMPOOL_RECOVERY_CLASS, _WORKER, _CAUSE,
// _CODE and _SIGNAL (one of them empty), _DEATHS and _ATTEMPT; what it prints goes into the log.
// Bounds: each has recovery_timeout; then it is killed with all its descendants. All that are asked
//   for run at once, because the core counts that time from the asking.
// Order: sweep() is called when due() says so. Blocks: never, but for the spawns.
class RecoveryCommands {
 public:
  // Its command ended with status 0: it can start. Any other end is told to the core.
  using Prepared = std::function<void(Wanted)>;
  RecoveryCommands(Services& services, ProcessPort& processes, Prepared prepared);

  void run(Wanted wanted);
  // The worker is to end before it was started. False: no command runs for it.
  bool end(WorkerId worker);
  void sweep() { runs_.sweep(); }
  Instant due() const { return runs_.due(); }

 private:
  struct Waiting {
    Wanted wanted;
    std::uint64_t run;
  };

  void ended(WorkerId worker, const Result<void>& how);

  Services& services_;
  Prepared prepared_;
  std::map<std::uint64_t, Waiting> waiting_;  // by worker
  HelperRuns runs_;
};

}  // namespace warmpool::daemon
