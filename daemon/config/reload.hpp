// What changes when the configuration is read again while the daemon runs.
#pragma once

#include <string>
#include <vector>

#include "daemon/config/configuration.hpp"

namespace warmpool::daemon {

struct Reload {
  std::vector<std::string> changed;        // "heartbeat_interval: 5s -> 2s", taken over
  std::vector<std::string> needs_restart;  // the same, left as it was
  bool pool_changed = false, types_changed = false;
  std::vector<std::string> classes_changed;  // names
};

// Takes over into `running` what may change while it runs, with origins. Classes that are new or
// gone need a restart; tables of types do not.
Reload reload_configuration(Configuration& running, const Configuration& fresh);

}  // namespace warmpool::daemon
