// A flag that poll can wait for.
#pragma once

#include "ipc/fd.hpp"
#include "pool/result.hpp"

namespace warmpool::worker {

// Owns: an eventfd, non-blocking and close-on-exec. Threads: any. raise() may be called by a signal
// handler.
class EventFd {
 public:
  static Result<EventFd> make();
  void raise() const;
  void clear() const;
  int fd() const { return fd_.get(); }

 private:
  explicit EventFd(ipc::UniqueFd fd) : fd_(std::move(fd)) {}
  ipc::UniqueFd fd_;
};

}  // namespace warmpool::worker
