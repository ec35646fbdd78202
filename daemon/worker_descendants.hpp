// What is known of the processes that descend from a worker; see left_behind.hpp.
#pragma once

#include <cstdint>
#include <sys/types.h>
#include <vector>

namespace warmpool::daemon {

struct WorkerDescendants {
  std::vector<pid_t> own;      // by its hello, and what was told of since
  std::uint64_t seen = 0;      // processes of its tree, when it was idle last
  std::vector<pid_t> adopted;  // of them, this daemon's own children by then
  std::uint64_t left = 0;      // that its tasks left behind
};

}  // namespace warmpool::daemon
