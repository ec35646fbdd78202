// A cgroup (v1) of one controller for each worker, where somebody asked for it. Memory: the kernel
// ends what takes more than it may, at once and whatever /proc shows, and counts what it ended.
// Pids: it makes no more processes and threads than it may.
// With v2 the worker's leaf does that by itself where the controller is on; see cgroup_leaf.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "daemon/process/life_mark.hpp"
#include "pool/ids.hpp"

namespace warmpool::daemon {

// The directory of one worker. Owns: nothing; the directory stays until remove_cgroup().
class ControllerLeaf {
 public:
  explicit ControllerLeaf(std::string path) : path_(std::move(path)) {}

  std::string procs_path() const { return path_ + "/cgroup.procs"; }
  // Best effort, as all here.
  void enter(pid_t pid) const;
  // kUnlimited: any.
  void limit_memory(std::uint64_t bytes) const;
  // False: it could not be set.
  bool limit_pids(std::uint64_t count) const;
  // Kills for memory that the kernel counted here.
  std::uint64_t oom_kills() const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The directory of one life of the daemon, below the daemon's own; its leaves are the workers.
class ControllerLife {
 public:
  // None where there is no such controller or this user may not make one.
  static std::optional<ControllerLife> make(const LifeMark& mark, std::string_view controller);

  std::optional<ControllerLeaf> make_leaf(WorkerId worker) const;
  // With the leaves in which nothing lives.
  void remove() const;

 private:
  explicit ControllerLife(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Directories of earlier lives at this place. Order: nothing of them runs any more.
void remove_earlier_controller_cgroups(const LifeMark& mark);

// What the kernel ends a worker at that may have so much: the daemon's own look comes first.
std::uint64_t kernel_limit(std::uint64_t bytes);

}  // namespace warmpool::daemon
