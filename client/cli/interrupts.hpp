// Ctrl-C and SIGTERM as something to poll.
#pragma once

#include <csignal>

#include "ipc/fd.hpp"

namespace warmpool::cli {

// Blocks SIGINT and SIGTERM of this thread while it lives, and hands them out by a descriptor.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  int fd() const { return fd_.get(); }
  // True when one came since the last call.
  bool take();
  int count() const { return count_; }

 private:
  ipc::UniqueFd fd_;
  sigset_t before_{};
  int count_ = 0;
};

}  // namespace warmpool::cli
