// A real warmpoold with its workers in a directory of its own, for end-to-end tests. Whatever the
// test does, nothing is left behind: the destructor ends the daemon, and the workers die with it.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "tests/support/patience.hpp"

namespace warmpool::test {

struct Ran {
  int status = 0;  // exit status; 128 + signal
  std::string output;
};

// Runs a shell command; its standard output is returned.
Ran run_shell(const std::string& command);

class RealDaemon {
 public:
  struct Setup {
    std::string config;                  // TOML; empty: the built-in class
    std::vector<std::string> arguments;  // besides --runtime-dir
    std::string prefix;                  // before the command, such as "ulimit -n 64;"
    std::string wrapper{};               // a program that runs the command, such as "nice"
    std::string program = "warmpoold";   // in the bin directory
    std::string descriptors{};           // for its 0, 1 and 2; empty: /dev/null and the log
  };

  explicit RealDaemon(Setup setup);
  RealDaemon() : RealDaemon(Setup{}) {}
  ~RealDaemon();
  RealDaemon(const RealDaemon&) = delete;
  RealDaemon& operator=(const RealDaemon&) = delete;

  // `warmpool --socket ... ARGUMENTS`, arguments as a shell reads them.
  Ran call(const std::string& arguments) const;
  std::string command(const std::string& arguments) const;

  // Type and payload of a task that runs until its gate is opened, or for a minute.
  std::string gated_task() const;
  void open_gate() const;

  bool start();  // again, in the same directory
  // Of the starts that follow, in place of Setup::prefix.
  void set_prefix(std::string prefix) { setup_.prefix = std::move(prefix); }
  void signal(int number) const;
  int wait();  // for its end; exit status, 128 + signal, -1 when it does not end
  bool running() const;
  std::vector<pid_t> workers() const;  // of those that live
  std::string log() const;
  const std::string& directory() const { return directory_; }
  pid_t pid() const { return pid_; }

 private:
  Setup setup_;
  std::string directory_;
  pid_t pid_ = -1;
};

// What `status --json` prints; an empty object while no daemon answers.
nlohmann::json status_of(const RealDaemon& daemon);

}  // namespace warmpool::test
