// SIGTERM as a flag and a descriptor.
#pragma once

#include <csignal>

#include "worker/event_fd.hpp"

namespace warmpool::worker {

// From construction to destruction SIGTERM sets the flag instead of ending the process; then the
// old action is back. At most one at a time in a process (REQUIREd).
class Termination {
 public:
  explicit Termination(EventFd event);
  ~Termination();
  Termination(const Termination&) = delete;
  Termination& operator=(const Termination&) = delete;

  bool requested() const;
  // Readable from then on.
  int fd() const { return event_.fd(); }

 private:
  EventFd event_;
  struct sigaction before_ {};
};

}  // namespace warmpool::worker
