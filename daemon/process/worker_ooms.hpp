// Whether the kernel killed a worker for memory: by what its own cgroups count, and where it has
// none that does, by what is counted over the whole machine.
#pragma once

#include <cstdint>
#include <optional>
#include <sys/types.h>

#include "daemon/process/cgroup_leaf.hpp"
#include "daemon/process/controller_leaf.hpp"
#include "daemon/process/oom_count.hpp"

namespace warmpool::daemon {

class WorkerOoms {
 public:
  WorkerOoms() = default;  // it has no cgroup
  WorkerOoms(std::optional<CgroupLeaf> leaf, std::optional<ControllerLeaf> memory);

  // Was it seen in its leaf? A launcher that may not enter it goes on without, and then that none
  // was counted there tells nothing. Order: while it lives. Cost: until it was, a line for each
  // process in the leaf.
  void look_for(pid_t pid);
  // More were counted than when they were last forgotten. Cost: one file, or two, is read.
  bool rose() const { return counted() > forgotten_; }
  // What was counted until now was of something that it had started.
  void forget() { forgotten_ = counted(); }

  enum class Verdict : std::uint8_t { No, Probably, Surely };
  // Of one that SIGKILL has ended. `ours`: it may have been the daemon that sent it.
  Verdict of_kill(bool ours, OomCount& machine) const;

 private:
  std::uint64_t counted() const;

  std::optional<CgroupLeaf> leaf_;  // that counts: not asked each time, it is after each task
  std::optional<ControllerLeaf> memory_;
  bool in_leaf_ = false;
  std::uint64_t forgotten_ = 0;
};

}  // namespace warmpool::daemon
