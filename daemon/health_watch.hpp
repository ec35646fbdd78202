// What workers use and what they have open, measured and told to the core, which makes their score
// of it. Each is looked at every fifth sample_interval, spread over these.
#pragma once

#include "daemon/services.hpp"
#include "daemon/worker_places.hpp"
#include "daemon/worker_process.hpp"
#include "ipc/metas.hpp"

namespace warmpool::daemon {

class HealthWatch {
 public:
  HealthWatch(Services& services, const WorkerPlaces& places)
      : services_(services), places_(places) {}

  void look_if_due(WorkerProcess& worker);
  // A frame in which it says something of itself.
  void said(WorkerProcess& worker, const ipc::Frame& frame, const ipc::ReportMeta& report);

 private:
  void look(WorkerProcess& worker);

  Services& services_;
  const WorkerPlaces& places_;
};

}  // namespace warmpool::daemon
