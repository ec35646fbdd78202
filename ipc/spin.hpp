// Waiting awake before sleeping. Where waking a processor that has halted takes 25 us and more,
// what comes within that time is had sooner, and with less work on either side, by looking for it.
#pragma once

#include <algorithm>
#include <chrono>
#include <sched.h>

#include "pool/time.hpp"

namespace warmpool::ipc {

// No wait may be awake for longer.
inline constexpr Duration kSpinMax = milliseconds(10);

// Calls `look`, which must not block, until it returns other than 0, or `at_most` has passed, or it
// is `deadline`. Between two looks the processor is given away, so that whoever is to bring what is
// waited for can run on it. Returns what the last look returned; 0: nothing came, and the caller
// sleeps. Cost where `at_most` is 0: that comparison.
template <class Look>
int look_awake(Duration at_most, std::chrono::steady_clock::time_point deadline, Look look) {
  if (at_most.ns <= 0) return 0;
  using std::chrono::steady_clock;
  const auto end = std::min(deadline, steady_clock::now() + std::chrono::nanoseconds(at_most.ns));
  for (;;) {
    if (const int found = look(); found != 0) return found;
    if (steady_clock::now() >= end) return 0;
    ::sched_yield();
  }
}

}  // namespace warmpool::ipc
