// What tasks leave running when they end: processes that descend from a worker, were not there when
// it said hello, and live on while it has nothing to do, or while it has, hang on this daemon and
// began before all that it has in hand was given to it (by ticks of the kernel's, 10 ms). Counted,
// or ended, as its class says. Also tells where nothing bounds how many there may be.
#pragma once

#include <set>

#include "daemon/process/process_port.hpp"
#include "daemon/services.hpp"
#include "daemon/worker_places.hpp"
#include "daemon/worker_process.hpp"

namespace warmpool::daemon {

class LeftBehind {
 public:
  LeftBehind(Services& services, ProcessPort& processes, const WorkerPlaces& places);

  // At its hello: what it has by then is its own.
  void begin(WorkerProcess& worker);
  // It is given a task: whatever that starts is looked for where it is to be ended.
  void given(WorkerProcess& worker) const;
  // It answered a task of this type, which is not in its hand any more. What commands leave behind
  // (type exec) is ended at once where its class says so: before the next is given to it. What may
  // be of one that was given ahead is left for look().
  void answered(WorkerProcess& worker, TypeId type);
  // Order: each second or so. `adopted`: of its, those that have this daemon for a parent.
  void look(WorkerProcess& worker, std::vector<pid_t> adopted);
  // Its pids_max could not be set for one of its workers.
  void note_unlimited(ClassId id);
  // Of all workers, since the start.
  std::uint64_t counted() const { return counted_; }

 private:
  bool kills(const WorkerProcess& worker) const;
  Which of_the_past(const WorkerProcess& worker) const;
  void end(WorkerProcess& worker, Which which);
  void count(WorkerProcess& worker, Which which);
  void tell(WorkerProcess& worker, std::uint64_t left, bool ended);

  Services& services_;
  ProcessPort& processes_;
  const WorkerPlaces& places_;
  const std::int64_t ticks_per_second_;
  const std::int64_t slept_ns_;  // by the machine, before this daemon
  std::uint64_t counted_ = 0;
  std::set<std::uint16_t> unlimited_;  // classes that were told of
};

}  // namespace warmpool::daemon
