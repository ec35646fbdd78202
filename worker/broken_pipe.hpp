// SIGPIPE as an error of the write that met it.
#pragma once

#include <csignal>

namespace warmpool::worker {

// From construction to destruction a write to a pipe that nobody reads fails with EPIPE and ends
// nobody; then the old action is back. A program that handles or ignores SIGPIPE is left alone.
class BrokenPipe {
 public:
  BrokenPipe();
  ~BrokenPipe();
  BrokenPipe(const BrokenPipe&) = delete;
  BrokenPipe& operator=(const BrokenPipe&) = delete;

 private:
  bool changed_ = false;
};

}  // namespace warmpool::worker
