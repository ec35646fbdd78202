// Commands of users that run before a worker starts again: the strategy custom.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/helper_process.hpp"
#include "daemon/process/process_port.hpp"
#include "daemon/services.hpp"
#include "daemon/templates.hpp"

namespace warmpool::daemon {

// Runs with the daemon's user and finds the facts in WARMPOOL_RECOVERY_CLASS, _WORKER, _CAUSE,
// _CODE and _SIGNAL (one of them empty), _DEATHS and _ATTEMPT; what it prints goes into the log.
// Bounds: each has recovery_timeout; then it is killed with all its descendants.
// Order: sweep() is called when due() says so, bury() ends each turn. Blocks: never, but for the
// spawn.
class RecoveryCommands {
 public:
  // Its command ended with status 0: it can start. Any other end is told to the core.
  using Prepared = std::function<void(Wanted)>;
  RecoveryCommands(Services& services, ProcessPort& processes, Prepared prepared)
      : services_(services), processes_(processes), prepared_(std::move(prepared)) {}

  void run(Wanted wanted);
  // The worker is to end before it was started. False: no command runs for it.
  bool end(WorkerId worker);
  void sweep();
  void bury() { finished_.clear(); }
  Instant due() const;

 private:
  struct Run {
    Wanted wanted;
    std::unique_ptr<HelperProcess> process;
    Instant due;    // its time is up; or, when it was killed, it is looked for again
    Duration time;  // that it was given
    bool late = false, killed = false, over = false;
  };

  SpawnSpec spec_of(const Wanted& wanted);
  void kill(Run& run);
  void on_exit(Run& run);
  void fail(const Wanted& wanted, const Error& error);
  std::string how_it_ended(const Run& run, const Exit& exit) const;

  Services& services_;
  ProcessPort& processes_;
  Prepared prepared_;
  std::vector<std::unique_ptr<Run>> runs_;
  std::vector<std::unique_ptr<HelperProcess>> finished_;  // a watch of theirs may be at work
  std::uint64_t serial_ = 0;
};

}  // namespace warmpool::daemon
