// A program that runs beside a command and ends with it.
#pragma once

#include <csignal>
#include <string>
#include <sys/types.h>
#include <vector>

#include "pool/result.hpp"

namespace warmpool::cli {

// Owns: the process. In a group of its own: Ctrl-C is for the command, which ends its children.
class Child {
 public:
  Child() = default;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { end(SIGKILL); }

  // Its output goes to the end of `log`. Errors: there is no such program, or no more processes.
  Result<void> spawn(const std::vector<std::string>& words, const std::string& log);
  bool ended();
  // Blocks: until it has ended; it is killed if `signal` has not ended it within 20 s.
  void end(int signal);
  pid_t pid() const { return pid_; }
  // The end of its output.
  std::string last_words() const;

 private:
  std::string log_;
  pid_t pid_ = -1;
};

}  // namespace warmpool::cli
