// A daemon that was killed leaves workers that die with it (parent-death signal) and descendants of
// theirs that do not. Nothing may be assigned while one of those runs, so this waits for proof:
// pidfds that have turned readable, cgroups that are empty, and then two looks that find nothing.
// Two, because a process may fork, past the place where a look has come to, and end before it is
// met.
//
// A process in the middle of execve shows no environment. It was met in tests (1 of 50 runs on a
// busy machine slept through two looks), so such a process is looked at again until it shows one.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <poll.h>
#include <set>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

#include "daemon/process/cgroup_leaf.hpp"
#include "daemon/process/controller_leaf.hpp"
#include "daemon/process/linux_processes.hpp"
#include "daemon/process/process_tree.hpp"

namespace warmpool::daemon {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kUnclearWaitMs = 1;

Duration until(Clock::time_point deadline) {
  const auto left = deadline - Clock::now();
  return Duration{std::max<std::int64_t>(0, std::chrono::nanoseconds(left).count())};
}

enum class Of { Others, Unclear, Unreadable, EarlierLife };

Of life_of(pid_t pid, const LifeMark& mark) {
  const MarkSeen seen = look_at_mark(pid);
  if (seen.state == MarkSeen::State::Unclear) return Of::Unclear;
  if (seen.state == MarkSeen::State::Unreadable) return Of::Unreadable;
  const auto found = parse_mark(seen.mark);
  const bool earlier = found && found->place == mark.place && found->life != mark.life;
  return earlier ? Of::EarlierLife : Of::Others;
}

struct Survivor {
  pid_t pid;
  ipc::UniqueFd pidfd;
};

struct Look {
  std::vector<Survivor> survivors;
  std::vector<pid_t> unclear;  // in the middle of execve
  std::uint32_t unreadable = 0;
  bool empty() const { return survivors.empty() && unclear.empty(); }
};

bool is_one_of(pid_t pid, const std::vector<uid_t>& users) {
  struct stat status {};
  if (stat(("/proc/" + std::to_string(pid)).c_str(), &status) != 0) return false;
  return std::ranges::find(users, status.st_uid) != users.end();
}

// What is alive now. The pidfd comes before the second look at the mark, so that they mean one
// process.
Look look(const LifeMark& mark, const std::vector<uid_t>& hidden) {
  Look seen;
  const pid_t self = getpid();
  for (const pid_t pid : all_processes()) {
    if (pid == self) continue;
    Of life = life_of(pid, mark);
    ipc::UniqueFd pidfd;
    if (life == Of::EarlierLife) {
      pidfd = open_pidfd(pid);
      life = life_of(pid, mark);
    }
    if (life == Of::Unclear) seen.unclear.push_back(pid);
    if (life == Of::Unreadable && is_one_of(pid, hidden)) ++seen.unreadable;
    if (life != Of::EarlierLife || !pidfd || is_dead(pidfd.get())) continue;
    seen.survivors.push_back({pid, std::move(pidfd)});
  }
  return seen;
}

bool wait_dead(const std::vector<Survivor>& survivors, Clock::time_point deadline) {
  return std::ranges::all_of(survivors, [deadline](const Survivor& survivor) {
    pollfd waiting{survivor.pidfd.get(), POLLIN, 0};
    const auto milliseconds = (until(deadline).ns + 999'999) / 1'000'000;
    return poll(&waiting, 1, static_cast<int>(milliseconds)) == 1;
  });
}

Error remaining(const Look& seen) {
  std::string pids;
  for (const auto& survivor : seen.survivors) pids += " " + std::to_string(survivor.pid);
  for (const pid_t pid : seen.unclear) pids += " " + std::to_string(pid);
  return Error{ETIMEDOUT, "processes of an earlier life of this daemon do not end (pids" + pids +
                              "); see what holds them, end them, then start again"};
}

Result<void> end_cgroups(const LifeMark& mark, Clock::time_point deadline, LifeSweep& sweep) {
  for (const auto& path : earlier_cgroups(mark)) {
    const auto ended = end_cgroup(path, until(deadline));
    if (ended == CgroupEnd::Lives) {
      return Error{ETIMEDOUT, "processes of an earlier life of this daemon do not end (listed in " +
                                  path + "/*/cgroup.procs); end them, then start again"};
    }
    if (ended == CgroupEnd::Stays) sweep.cgroups_left.push_back(path);
    sweep.cgroups_removed += ended == CgroupEnd::Removed ? 1U : 0U;
  }
  return {};
}

}  // namespace

Result<LifeSweep> sweep_earlier_lives(const LifeMark& mark, Duration within,
                                      const std::vector<uid_t>& hidden) {
  const auto deadline = Clock::now() + std::chrono::nanoseconds(within.ns);
  LifeSweep sweep;
  std::set<pid_t> killed;
  for (int quiet = 0; quiet < 2;) {
    const Look seen = look(mark, hidden);
    sweep.unreadable = seen.unreadable;
    quiet = seen.empty() ? quiet + 1 : 0;
    for (const auto& survivor : seen.survivors) {
      if (send_signal(survivor.pidfd.get(), SIGKILL) == 0) killed.insert(survivor.pid);
    }
    const bool dead = wait_dead(seen.survivors, deadline);
    const bool late = !seen.empty() && until(deadline).ns == 0;
    if (!dead || late) return remaining(seen);
    if (!seen.unclear.empty()) poll(nullptr, 0, kUnclearWaitMs);
  }
  sweep.killed = static_cast<std::uint32_t>(killed.size());
  if (auto ended = end_cgroups(mark, deadline, sweep); !ended) return ended.error();
  remove_earlier_controller_cgroups(mark);
  return sweep;
}

}  // namespace warmpool::daemon
