// What is counted of all workers.
#pragma once

#include <cstdint>

namespace warmpool::daemon {

struct WorkerFigures {
  std::uint64_t alive = 0, spawn_failures = 0, protocol_errors = 0, output_bytes = 0;
  std::uint64_t checkpoints = 0, checkpoints_refused = 0;
  std::uint64_t left_behind = 0;  // processes that tasks left
};

}  // namespace warmpool::daemon
