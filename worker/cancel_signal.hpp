// The wish that the run in hand should end.
#pragma once

#include <atomic>

#include "worker/event_fd.hpp"

namespace warmpool::worker {

// Order: lower() between runs only, by who holds the baton.
// Threads: raised() and fd() on any; raise() and lower() by who holds the baton.
class CancelSignal {
 public:
  explicit CancelSignal(EventFd event) : event_(std::move(event)) {}

  bool raised() const { return raised_.load(std::memory_order_acquire); }
  int fd() const { return event_.fd(); }
  void raise() {
    if (!raised_.exchange(true, std::memory_order_acq_rel)) event_.raise();
  }
  // One load when it was not raised.
  void lower() {
    if (!raised_.load(std::memory_order_relaxed)) return;
    raised_.store(false, std::memory_order_release);
    event_.clear();
  }

 private:
  std::atomic<bool> raised_{false};
  EventFd event_;
};

}  // namespace warmpool::worker
