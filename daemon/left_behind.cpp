// A walk through a tree costs 50 us and more; that there is one process more than before is known
// from the look at its memory, and that some hang on the daemon from the reaping of orphans.
#include "daemon/left_behind.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <iterator>
#include <string>
#include <unistd.h>

namespace warmpool::daemon {

namespace {

std::int64_t nanoseconds_by(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

// Its number may be another's next.
bool is_gone(pid_t pid) { return ::kill(pid, 0) != 0 && errno == ESRCH; }

}  // namespace

// What the machine sleeps through later makes instants look earlier than they were: then less is of
// the past than is, never more.
LeftBehind::LeftBehind(Services& services, ProcessPort& processes, const WorkerPlaces& places)
    : services_(services),
      processes_(processes),
      places_(places),
      ticks_per_second_(::sysconf(_SC_CLK_TCK)),
      slept_ns_(nanoseconds_by(CLOCK_BOOTTIME) - nanoseconds_by(CLOCK_MONOTONIC)) {}

// While it works: what began before all that it has to do cannot be of that. As /proc counts.
Which LeftBehind::of_the_past(const WorkerProcess& worker) const {
  if (worker.in_hand.empty()) return {};
  const auto first =
      std::ranges::min_element(worker.in_hand, {}, &InHand::assigned_at)->assigned_at;
  const auto steady = services_.engine.clock().steady_of(first).time_since_epoch();
  const auto booted = std::chrono::nanoseconds(steady).count() + slept_ns_;
  return {static_cast<std::uint64_t>(booted / (1'000'000'000 / ticks_per_second_))};
}

void LeftBehind::begin(WorkerProcess& worker) {
  worker.descendants.own = processes_.descendants(worker.id, {});
}

void LeftBehind::given(WorkerProcess& worker) const {
  if (kills(worker)) worker.descendants.seen = 0;  // dead ones may hide that there is another
}

bool LeftBehind::kills(const WorkerProcess& worker) const {
  return services_.options_of(worker.worker_class).descendants == "kill";
}

void LeftBehind::answered(WorkerProcess& worker, TypeId type) {
  if (!worker.ready || worker.buried || worker.registered || !kills(worker)) return;
  if (services_.types.at(type).name == "exec") end(worker, of_the_past(worker));
}

// Numbers are compared, not how many there are: as one ends another may have come.
void LeftBehind::look(WorkerProcess& worker, std::vector<pid_t> adopted) {
  if (!worker.ready || worker.buried || worker.registered) return;
  auto& its = worker.descendants;
  const bool busy = !worker.in_hand.empty();
  const auto seen = worker.memory.figure.processes;
  if (busy) {
    const auto is_new = [&](pid_t pid) { return std::ranges::find(its.own, pid) == its.own.end(); };
    if (std::ranges::none_of(adopted, is_new)) return;
  } else {
    std::ranges::sort(adopted);
    if (its.seen == seen && its.adopted == adopted) return;
    its.seen = seen;
    its.adopted = std::move(adopted);
  }
  if (kills(worker)) {
    end(worker, of_the_past(worker));
  } else {
    count(worker, of_the_past(worker));
  }
}

void LeftBehind::end(WorkerProcess& worker, Which which) {
  std::erase_if(worker.descendants.own, is_gone);
  const auto left = processes_.end_others(worker.id, worker.descendants.own, which);
  if (left != 0) tell(worker, left, true);
}

// Each is told of once.
void LeftBehind::count(WorkerProcess& worker, Which which) {
  auto& own = worker.descendants.own;
  std::erase_if(own, is_gone);
  auto there = processes_.descendants(worker.id, which);
  std::vector<pid_t> left;
  std::ranges::copy_if(there, std::back_inserter(left),
                       [&](pid_t pid) { return std::ranges::find(own, pid) == own.end(); });
  if (left.empty()) return;
  if (which.adopted_before) {
    own.insert(own.end(), left.begin(), left.end());
  } else {
    own = std::move(there);
  }
  tell(worker, left.size(), false);
}

void LeftBehind::tell(WorkerProcess& worker, std::uint64_t left, bool ended) {
  worker.descendants.left += left;
  counted_ += left;
  services_.log.warn(places_.slot_name(worker.slot) + ": " + std::to_string(left) +
                     (left == 1 ? " process" : " processes") + " that its tasks started ran on" +
                     (ended ? ": killed" : " (descendants = \"kill\" ends such)"));
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
