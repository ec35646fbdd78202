// A daemon that was killed leaves workers that die with it (parent-death signal) and descendants of
// theirs that do not. Nothing may be assigned while one of those runs, so this waits for proof:
// pidfds that have turned readable, cgroups that are empty, and then two looks that find nothing.
// Two, because a process in the middle of execve shows an empty environment for an instant.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <poll.h>
#include <set>
#include <string>
#include <unistd.h>
#include <vector>

#include "daemon/process/cgroup_leaf.hpp"
#include "daemon/process/linux_processes.hpp"
#include "daemon/process/process_tree.hpp"

namespace warmpool::daemon {
namespace {

using Clock = std::chrono::steady_clock;

Duration until(Clock::time_point deadline) {
  const auto left = deadline - Clock::now();
  return Duration{std::max<std::int64_t>(0, std::chrono::nanoseconds(left).count())};
}

bool of_earlier_life(pid_t pid, const LifeMark& mark) {
  const std::string text = mark_of(pid);
  const auto found = parse_mark(text);
  return found && found->place == mark.place && found->life != mark.life;
}

struct Survivor {
  pid_t pid;
  ipc::UniqueFd pidfd;
};

// Those alive now. The pidfd comes before the look at the mark, so that they mean one process.
std::vector<Survivor> look(const LifeMark& mark) {
  std::vector<Survivor> survivors;
  const pid_t self = getpid();
  for (const pid_t pid : all_processes()) {
    if (pid == self || !of_earlier_life(pid, mark)) continue;
    ipc::UniqueFd pidfd = open_pidfd(pid);
    if (!pidfd || !of_earlier_life(pid, mark) || is_dead(pidfd.get())) continue;
    survivors.push_back({pid, std::move(pidfd)});
  }
  return survivors;
}

bool wait_dead(const std::vector<Survivor>& survivors, Clock::time_point deadline) {
  return std::ranges::all_of(survivors, [deadline](const Survivor& survivor) {
    pollfd waiting{survivor.pidfd.get(), POLLIN, 0};
    const auto milliseconds = (until(deadline).ns + 999'999) / 1'000'000;
    return poll(&waiting, 1, static_cast<int>(milliseconds)) == 1;
  });
}

Error remaining(const std::vector<Survivor>& survivors) {
  std::string pids;
  for (const auto& survivor : survivors) pids += " " + std::to_string(survivor.pid);
  return Error{ETIMEDOUT, "processes of an earlier life of this daemon do not end (pids" + pids +
                              "); see what holds them, end them, then start again"};
}

Result<void> end_cgroups(const LifeMark& mark, Clock::time_point deadline, LifeSweep& sweep) {
  for (const auto& path : earlier_cgroups(mark)) {
    if (!end_cgroup(path, until(deadline))) {
      return Error{ETIMEDOUT, "processes of an earlier life of this daemon do not end (listed in " +
                                  path + "/*/cgroup.procs); end them, then start again"};
    }
    ++sweep.cgroups_removed;
  }
  return {};
}

}  // namespace

Result<LifeSweep> sweep_earlier_lives(const LifeMark& mark, Duration within) {
  const auto deadline = Clock::now() + std::chrono::nanoseconds(within.ns);
  LifeSweep sweep;
  std::set<pid_t> killed;
  for (int quiet = 0; quiet < 2;) {
    const auto survivors = look(mark);
    quiet = survivors.empty() ? quiet + 1 : 0;
    for (const auto& survivor : survivors) {
      if (send_signal(survivor.pidfd.get(), SIGKILL) == 0) killed.insert(survivor.pid);
    }
    const bool dead = wait_dead(survivors, deadline);
    const bool late = !survivors.empty() && until(deadline).ns == 0;
    if (!dead || late) return remaining(survivors);
  }
  sweep.killed = static_cast<std::uint32_t>(killed.size());
  if (auto ended = end_cgroups(mark, deadline, sweep); !ended) return ended.error();
  return sweep;
}

}  // namespace warmpool::daemon
