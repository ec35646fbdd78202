// What a worker's memory is held against, and what a task gets that ended for want of memory or
// time before. Figures are in bytes; kUnlimited: there is no limit.
#pragma once

#include <cstdint>

#include "pool/options.hpp"
#include "pool/time.hpp"

namespace warmpool {

// A worker with more is replaced while it works. `base`: what it has after its first task; where
// that is more than memory_soft already a successor would be no better, and it is replaced half way
// between that and the hard limit.
std::uint64_t memory_due_of(const ClassOptions& options, std::uint64_t base);

// A worker with more is killed. `ends`: how often the task that it runs ended for memory.
std::uint64_t memory_max_of(const ClassOptions& options, unsigned ends);

// Of a run of a task whose runs were over time so often.
Duration timeout_of(const ClassOptions& options, Duration timeout, unsigned ends);

}  // namespace warmpool
