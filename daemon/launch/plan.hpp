// What the daemon asks of warmpool-launch: its argument vector, read into numbers.
#pragma once

#include <cstddef>
#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

namespace warmpool::launch {

struct Limit {
  int resource;
  rlim_t soft, hard;
  bool keep_hard;
};

inline constexpr std::size_t kGroupsMax = 1024;
inline constexpr std::size_t kLimitsMax = 16;
inline constexpr std::size_t kCgroupsMax = 3;  // of v2, and of v1 for memory and for pids

struct Plan {
  pid_t parent = 0;
  mode_t mask = 077;
  const char* directory = "/";
  const char* cgroups[kCgroupsMax] = {};  // cgroup.procs files to enter, where that is possible
  std::size_t cgroup_count = 0;
  bool has_user = false, has_nice = false, has_cpus = false;
  uid_t uid = 0;
  gid_t gid = 0;
  gid_t groups[kGroupsMax] = {};
  std::size_t group_count = 0;
  int nice = 0;
  Limit limits[kLimitsMax] = {};
  std::size_t limit_count = 0;
  cpu_set_t cpus = {};
  char** command = nullptr;
};

// Arguments, in any order, each once but limit and cgroup: parent=N mask=N directory=P cgroup=P
// uid=N gid=N groups=N,N nice=N limit=RESOURCE:SOFT:HARD (HARD may be "keep") cpus=N,N, then "--"
// and the command. Returns the argument that is wrong or unknown, or null. `plan` points into
// `arguments`.
const char* read_plan(char** arguments, Plan& plan);

}  // namespace warmpool::launch
