// A walk through a tree costs 50 us and more; that there is one process more than before is known
// from the look at its memory, and that some hang on the daemon from the reaping of orphans.
#include "daemon/left_behind.hpp"

#include <algorithm>
#include <string>

namespace warmpool::daemon {

void LeftBehind::begin(WorkerProcess& worker) {
  worker.descendants.own = processes_.descendants(worker.id);
}

void LeftBehind::look(WorkerProcess& worker, bool adopted) {
  if (!worker.ready || worker.buried || worker.registered || !worker.in_hand.empty()) return;
  auto& its = worker.descendants;
  const auto processes = worker.memory.figure.processes;
  if (!adopted && its.seen == processes) return;
  its.seen = processes;
  const auto there = processes_.descendants(worker.id);
  const auto is_own = [&](pid_t pid) { return std::ranges::find(its.own, pid) != its.own.end(); };
  std::uint64_t left = static_cast<std::uint64_t>(
      std::ranges::count_if(there, [&](pid_t pid) { return !is_own(pid); }));
  if (left == 0) return;
  const bool kills = services_.options_of(worker.worker_class).descendants == "kill";
  if (kills) {
    left = processes_.end_descendants(worker.id, its.own);
  } else {
    its.own = there;  // each is told of once
  }
  its.left += left;
  counted_ += left;
  services_.log.warn(places_.slot_name(worker.slot) + " has nothing to do, and " +
                     std::to_string(left) + (left == 1 ? " process" : " processes") +
                     " that its tasks started ran on" +
                     (kills ? ": killed" : " (descendants = \"kill\" ends such)"));
}

// Once for each class: it is the machine that lacks it.
void LeftBehind::note_unlimited(ClassId id) {
  if (!unlimited_.insert(id.value).second) return;
  services_.log.warn("class '" + services_.options_of(id).name +
                     "': pids_max cannot be had: neither the pids controller of this daemon's "
                     "cgroup (v2) nor a directory of that of v1 is there for this user, so nothing "
                     "bounds what its workers start (systemd: Delegate=pids)");
}

}  // namespace warmpool::daemon
