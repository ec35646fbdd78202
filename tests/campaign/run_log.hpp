// What a worker of a campaign writes down by itself, before it works: see ledger.hpp.
#pragma once

#include <string>

#include "worker/context.hpp"

namespace warmpool::campaign {

// Owns: its descriptors. One write of a short line: a kill leaves the whole of it or nothing.
class RunLog {
 public:
  RunLog() = default;
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;
  ~RunLog();

  // The files must be there. Without the second no end is written. Errors: false.
  bool open(const std::string& path, const std::string& ends_path = {});
  // Order: first thing in a handler. What cannot be written ends the process: a run without a line
  // would be taken for one that never was.
  void begin(const worker::Context& context) const;
  // Order: last thing in a handler.
  void end(const worker::Context& context) const;

 private:
  int fd_ = -1, ends_fd_ = -1;
  std::string worker_ = "0";
};

}  // namespace warmpool::campaign
