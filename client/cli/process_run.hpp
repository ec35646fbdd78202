// The same work with a process for each task, which is what a pool is measured against.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "client/cli/interrupts.hpp"
#include "pool/result.hpp"

namespace warmpool::cli {

struct ProcessRun {
  std::chrono::nanoseconds elapsed{};
  std::uint64_t processes = 0, failed = 0;
  std::uint64_t rss_bytes_max = 0;  // peak of the largest
};

// Runs `words` so often, `at_once` of them at a time, their output thrown away.
// Order: no other child of this process may end meanwhile. Blocks: until all have ended.
// Errors: the program cannot be started, or an interrupt came.
Result<ProcessRun> run_processes(std::span<const std::string> words, std::uint64_t count,
                                 std::uint64_t at_once, Interrupts& interrupts);

// Peak resident bytes of a living process; 0 if it cannot be read.
std::uint64_t peak_rss_bytes(std::int64_t pid);
// Children of this process that have ended and were not reaped.
std::uint64_t zombies_of(std::int64_t parent);

}  // namespace warmpool::cli
