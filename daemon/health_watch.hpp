// What workers use and what they have open, measured and told to the core, which makes their score
// of it. Each is looked at every fifth sample_interval, spread over these.
#pragma once

#include "daemon/checks.hpp"
#include "daemon/services.hpp"
#include "daemon/worker_places.hpp"
#include "daemon/worker_process.hpp"
#include "ipc/metas.hpp"

namespace warmpool::daemon {

class HealthWatch {
 public:
  // As those of Checks.
  HealthWatch(Services& services, ProcessPort& processes, const WorkerPlaces& places,
              const std::vector<std::optional<Identity>>& identities, Checks::Ping ping)
      : services_(services),
        places_(places),
        checks_(services, processes, places, identities, std::move(ping)) {}

  // Its figures, and its check.
  void look_if_due(WorkerProcess& worker);
  // A frame in which it says something of itself.
  void said(WorkerProcess& worker, const ipc::Frame& frame, const ipc::ReportMeta& report);
  Checks& checks() { return checks_; }
  const Checks& checks() const { return checks_; }

 private:
  void look(WorkerProcess& worker);

  Services& services_;
  const WorkerPlaces& places_;
  Checks checks_;
};

}  // namespace warmpool::daemon
