// One posix_spawn of warmpool-launch: descriptors, arguments, environment. Or what a template needs
// to do the same by a fork.
#pragma once

#include <string>

#include "daemon/process/process_port.hpp"

namespace warmpool::daemon {

struct SpawnOrder {
  std::string launch_path;
  std::string mark;
  std::string hostname;
  std::vector<std::string> cgroup_procs;         // files to enter
  const ipc::RuntimeDirectory* fifos = nullptr;  // where FIFOs are made; none: nowhere
};

// Child::exit_notice is the pidfd. Errors: errno and a text for people; nothing is left running or
// open. Blocks: until the launcher has been executed [0.1 ms].
Result<Child> spawn_worker(const SpawnSpec& spec, const SpawnOrder& order);

// The same without a process: for one that a template forks. Of `order` only the mark and the FIFOs
// count.
Result<ForkOrder> order_worker(const SpawnSpec& spec, const SpawnOrder& order);

}  // namespace warmpool::daemon
