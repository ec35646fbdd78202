// A walk through a tree costs 50 us and more; that there is one process more than before is known
// from the look at its memory, and that some hang on the daemon from the reaping of orphans.
#include "daemon/left_behind.hpp"

#include <algorithm>
#include <string>

namespace warmpool::daemon {

void LeftBehind::begin(WorkerProcess& worker) {
  worker.descendants.own = processes_.descendants(worker.id);
}

void LeftBehind::given(WorkerProcess& worker) const {
  if (kills(worker)) worker.descendants.seen = 0;  // dead ones may hide that there is another
}

bool LeftBehind::kills(const WorkerProcess& worker) const {
  return services_.options_of(worker.worker_class).descendants == "kill";
}

void LeftBehind::look(WorkerProcess& worker, std::uint64_t adopted) {
  if (!worker.ready || worker.buried || worker.registered || !worker.in_hand.empty()) return;
  auto& its = worker.descendants;
  const auto seen = worker.memory.figure.processes + adopted;
  if (its.seen == seen) return;
  its.seen = seen;
  const auto there = processes_.descendants(worker.id);
  const auto is_own = [&](pid_t pid) { return std::ranges::find(its.own, pid) != its.own.end(); };
  std::uint64_t left = static_cast<std::uint64_t>(
      std::ranges::count_if(there, [&](pid_t pid) { return !is_own(pid); }));
  if (left == 0) return;
  const bool ends = kills(worker);
  if (ends) {
    left = processes_.end_others(worker.id, its.own);
  } else {
    its.own = there;  // each is told of once
  }
  its.left += left;
  counted_ += left;
  services_.log.warn(places_.slot_name(worker.slot) + " has nothing to do, and " +
                     std::to_string(left) + (left == 1 ? " process" : " processes") +
                     " that its tasks started ran on" +
                     (ends ? ": killed" : " (descendants = \"kill\" ends such)"));
}

// Once for each class: it is the machine that lacks it.
void LeftBehind::note_unlimited(ClassId id) {
  if (!unlimited_.insert(id.value).second) return;
  services_.log.warn("class '" + services_.options_of(id).name +
                     "': pids_max cannot be had: the pids controller is not on for children of "
                     "this daemon's cgroup (v2: cgroup.subtree_control), nor is there one of v1 "
                     "for this user; nothing bounds how many processes its workers start");
}

}  // namespace warmpool::daemon
