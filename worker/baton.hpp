// Who may touch the session: the main thread, or the watcher while a handler runs.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "worker/event_fd.hpp"

namespace warmpool::worker {

// Cost for a short task: two uncontended atomic exchanges, 6 ns. How: baton.cpp.
// Order: lend, reclaim, lend ... by the main thread, quit last; take, give_back by the watcher.
class Baton {
 public:
  using Clock = std::chrono::steady_clock;

  // `after`: a handler that has run that long is watched.
  Baton(EventFd wake, ipc::UniqueFd timer, std::chrono::nanoseconds after);

  // --- main thread ---
  // A handler that began at `started` runs; until reclaim the session may be the watcher's.
  void lend(Clock::time_point started);
  // The session is the main thread's. Blocks: until the watcher has left it, if it has it.
  void reclaim();
  // Where the watcher has it: there is something new for it to look at. One system call.
  void nudge() { wake_.raise(); }
  // The watcher is to end. Order: after reclaim.
  void quit();

  // --- watcher ---
  // Waits until a handler has run for `after`, and takes the session. False: quit.
  // Blocks: without waking up while the main thread is idle.
  bool take();
  // Whether the main thread wants it back. wake_fd() turns readable then.
  bool wanted() const;
  int wake_fd() const { return wake_.fd(); }
  // It was readable, and that was seen. Order: wanted() is asked after it.
  void heard() { wake_.clear(); }
  void give_back();

 private:
  // An int, because that is what a futex waits on.
  enum State : int { kMain, kParked, kRunning, kWatching, kWanted, kQuit };

  bool park();
  void wait(std::chrono::nanoseconds at_most) const;

  std::atomic<int> state_{kMain};
  std::atomic<std::int64_t> started_ns_{0};
  const EventFd wake_;
  const ipc::UniqueFd timer_;
  const std::chrono::nanoseconds after_;
};

}  // namespace warmpool::worker
