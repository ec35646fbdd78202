// Worker processes on Linux: warmpool-launch, pidfds, a subreaper, cgroup v2 leaves where they can
// be had.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "daemon/process/life_mark.hpp"
#include "daemon/process/process_port.hpp"
#include "pool/result.hpp"
#include "pool/time.hpp"

namespace warmpool::daemon {

// Orphans of workers become children of this process. Also gives SIGCHLD its default disposition:
// if it is ignored, the kernel reaps workers behind our back. Errors: errno.
Result<void> become_subreaper();

// Whether a worker gets a cgroup of its own. IfPossible: silently without where none can be made.
enum class CgroupUse : unsigned char { Never, IfPossible };

struct ProcessOptions {
  std::string launch_path;  // warmpool-launch
  LifeMark mark;
  CgroupUse cgroups = CgroupUse::IfPossible;
  // Where FIFOs of workers are made; null: nowhere. Order: outlives the port and all that it
  // started.
  const ipc::RuntimeDirectory* fifos = nullptr;
  // A cgroup of the memory controller (v1), of its own for each worker.
  CgroupUse memory_cgroups = CgroupUse::Never;
};

// Order: after become_subreaper() and sweep_earlier_lives(). Its end kills and reaps what is left.
// Errors: the launcher is not there or cannot be executed; pidfds are missing (kernel before 5.4).
Result<std::unique_ptr<ProcessPort>> make_linux_processes(const ProcessOptions& options);

struct LifeSweep {
  std::uint32_t killed = 0;
  std::uint32_t unreadable =
      0;  // processes of hidden users whose mark was not read, at the last look
  std::uint32_t cgroups_removed = 0;
  std::vector<std::string> cgroups_left{};  // nothing lives in these, and they cannot be removed
};

// Kills what carries the mark of another life at this place and proves it gone: nothing of an
// earlier life runs when it returns without error, and with `unreadable` 0.
// Order: with the lock of the runtime directory held, so that no other daemon is alive at this
// place. Bounds: sees the processes whose environment this user may read;
// one that has wiped its environment is seen only in a cgroup of its own.
// Blocks: until all are gone, at most `within`. Errors: ETIMEDOUT with the pids that remain.
// `hidden`: users of workers, into whose processes this one may not look; of others none is
// counted.
Result<LifeSweep> sweep_earlier_lives(const LifeMark& mark, Duration within,
                                      const std::vector<uid_t>& hidden = {});

}  // namespace warmpool::daemon
