// What workers have of memory, measured and told to the core, which decides. The busy are looked at
// once a sample_interval, those near their limit or on the way to it ten times as often, the idle
// every fifth time.
#pragma once

#include "daemon/process/process_port.hpp"
#include "daemon/services.hpp"
#include "daemon/worker_places.hpp"
#include "daemon/worker_process.hpp"

namespace warmpool::daemon {

class MemoryWatch {
 public:
  MemoryWatch(Services& services, ProcessPort& processes, const WorkerPlaces& places)
      : services_(services), processes_(processes), places_(places) {}

  // Order: begin_pass(), look_if_due() for each worker, and then interval() says when the next is.
  void begin_pass() { any_near_ = false; }
  void look_if_due(WorkerProcess& worker);
  Duration interval() const;

  // What it has from here on while it runs what it runs.
  void given(WorkerProcess& worker);
  // Before its answer is told to the core: where it may have had more for that task, what it has
  // kept of it is known, and what a run had that took as long as a close look at least.
  void answering(WorkerProcess& worker, const AttemptKey& key);
  // Whether the kernel killed for memory what the run had started: where its cgroup tells, and this
  // one alone can have run.
  bool ran_out(WorkerProcess& worker, const AttemptKey& key);
  // And after that: what it has after its first task is its baseline.
  void answered(WorkerProcess& worker);

 private:
  void forget_ooms(WorkerProcess& worker);
  void look(WorkerProcess& worker);
  void set_limit(WorkerProcess& worker);
  std::optional<MemoryFigure> measure(WorkerProcess& worker, std::uint64_t allowed);
  std::uint64_t allowed(const WorkerProcess& worker) const;
  bool is_near(const WorkerProcess& worker, std::uint64_t before, Duration since) const;

  Services& services_;
  ProcessPort& processes_;
  const WorkerPlaces& places_;
  bool any_near_ = false;
};

}  // namespace warmpool::daemon
