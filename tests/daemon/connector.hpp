// A process of its own for a test within one process: to the kernel it is the one that connected.
#pragma once

#include <array>
#include <sys/types.h>

namespace warmpool::daemon {

using Ends = std::array<int, 2>;

// Made by this process.
Ends connection();

// A process that has made a connection, both ends of which are here, and does nothing else. Owns:
// the process; whoever takes the ends closes them.
class Connector {
 public:
  Connector();
  ~Connector();
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;

  Ends ends() const { return ends_; }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  Ends ends_{};
};

}  // namespace warmpool::daemon
