// What is counted of all workers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>

#include "pool/ids.hpp"

namespace warmpool::daemon {

// Of a class: what the pool exists for is that an attempt finds a process that is there.
struct ReuseFigures {
  std::uint64_t answered = 0;  // attempts
  std::uint64_t begun = 0;     // workers that said hello
  std::uint64_t started = 0;   // processes that a worker says it started for one task each
  std::uint64_t reused() const { return answered - std::min(answered, begun + started); }
};

// The gauge by which a worker says so.
inline constexpr std::string_view kProcessesStarted = "processes_started";

struct WorkerFigures {
  std::uint64_t alive = 0, spawn_failures = 0, protocol_errors = 0, output_bytes = 0;
  std::uint64_t checkpoints = 0, checkpoints_refused = 0;
  std::uint64_t left_behind = 0;  // processes that tasks left
  std::map<ClassId, ReuseFigures> reuse;
  std::uint64_t processes_started() const {
    std::uint64_t started = 0;
    for (const auto& [of, its] : reuse) started += its.started;
    return started;
  }
};

}  // namespace warmpool::daemon
