// A daemon of a command's own, in a directory of its own, gone when the command is.
#pragma once

#include <string>

#include "client/cli/child.hpp"
#include "client/cli/interrupts.hpp"
#include "client/client.hpp"

namespace warmpool::cli {

// Where this program lies; empty when it cannot be told.
std::string directory_of_this_program();

class PrivateDaemon {
 public:
  // Starts warmpoold (beside this program, else from PATH) with the configuration `toml`, in which
  // "@DIR@" stands for its directory and "@BIN@" for that of this program.
  // Blocks: until its workers are ready, at most 60 s. Errors: it ended, with its last words; an
  //   interrupt.
  Result<void> start(std::string toml, Interrupts& interrupts);
  // Where its directory is made; else in TMPDIR or /tmp. Order: first.
  void put_into(std::string base) { base_ = std::move(base); }
  // Puts a file into its directory. Order: before start.
  Result<void> add_file(const std::string& name, const std::string& text);
  ~PrivateDaemon();

  const std::string& directory() const { return directory_; }
  std::string socket() const { return directory_ + "/warmpool.sock"; }
  pid_t pid() const { return process_.pid(); }

 private:
  Result<void> make_directory();
  Result<void> spawn();
  Result<void> await_ready(Interrupts& interrupts);

  std::string base_, directory_;
  Child process_;
};

}  // namespace warmpool::cli
