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

// One for each place that waits. Threads: one.
class Spin {
 public:
  // Calls `look`, which must not block, until it returns other than 0, or `at_most` has passed, or
  // it is `deadline`. Between two looks the processor is given away, so that whoever is to bring
  // what is waited for can run on it. Returns what the last look returned; 0: nothing came, and the
  // caller sleeps. Cost where `at_most` is 0: that comparison.
  template <class Look>
  int look(Duration at_most, std::chrono::steady_clock::time_point deadline, Look look) {
    if (at_most.ns <= 0) return 0;
    if (rests_ > 0) {
      --rests_;
      return 0;
    }
    using std::chrono::steady_clock;
    const auto longest = std::chrono::nanoseconds(at_most.ns);
    auto last = steady_clock::now();
    const auto end = std::min(deadline, last + longest);
    for (;;) {
      const int found = look();
      const auto now = steady_clock::now();
      if (now - last > longest) rests_ = kRests;
      if (found != 0 || now >= end) return found;
      last = now;
      ::sched_yield();
    }
  }

  // So many waits sleep at once after one in which the processor was away for longer than the wait
  // was to be: others want it, and who gives it away to them comes back after whoever sleeps.
  static constexpr int kRests = 256;

 private:
  int rests_ = 0;
};

}  // namespace warmpool::ipc
