// A program that is started once and spoken to in lines: its input and output are pipes, its
// standard error is the worker's. Or one that somebody else has started, over two FIFOs.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "ipc/fd.hpp"
#include "pool/result.hpp"
#include "worker/stock/fifo_peer.hpp"
#include "worker/stock/spawn_parts.hpp"

namespace warmpool::worker::stock {

// Owns: the process, from start() to end(). It stays in the worker's process group, so that what
// ends the worker ends it too; where nothing else does, tied to it.
// Threads: one.
class KeptProgram {
 public:
  using Clock = std::chrono::steady_clock;

  KeptProgram(std::vector<std::string> argv, SpawnTie tie) : argv_(std::move(argv)), tie_(tie) {}
  explicit KeptProgram(FifoPaths fifos) : fifos_(std::move(fifos)) {}
  ~KeptProgram() { end(); }
  KeptProgram(const KeptProgram&) = delete;
  KeptProgram& operator=(const KeptProgram&) = delete;

  // Over FIFOs: they are open.
  bool running() const { return pid_ > 0 || (fifos_ && output_); }
  // It was started here: it can be told, ended and started anew.
  bool is_own() const { return !fifos_; }
  // Over FIFOs: from here on the program sees no end of what it reads. Errors: as hold_fifos.
  Result<void> hold();
  // Errors: Error::code is the errno; the text names the program. Over FIFOs: EWOULDBLOCK while
  // another worker has them.
  Result<void> start();
  // Only its own.
  void signal(int number) const;
  // Closes its input, waits for kEndMax, then kills it. Returns its wait status; 0: none ran.
  int end();
  int kill_now();
  static constexpr std::chrono::milliseconds kEndMax{1000};

  // A line to write; what is left of it leaves with step(). Order: nothing is left of the one
  // before, unless it is not its own: that goes first.
  void write_line(std::string line);
  bool has_unwritten() const { return written_ < to_write_.size(); }
  // Nothing of what was written is left in the pipe: it runs and has taken its line.
  bool has_read_all() const;
  // Takes what is there; blocks for nothing.
  void read_all();
  // Blocks: until a byte came or left, `also` is readable (-1: none), or the time has come.
  // False when its output has ended.
  bool step(int also, Clock::time_point until);
  // The next whole line, without its end.
  std::optional<std::string> take_line();
  // What came of a line that is not whole yet.
  std::size_t pending() const { return received_.size() - taken_; }
  void forget_pending() { taken_ = received_.size(); }

 private:
  Result<void> open();
  void feed();
  bool read_some();
  int reap();

  std::vector<std::string> argv_;
  SpawnTie tie_ = SpawnTie::None;
  std::optional<FifoPaths> fifos_;
  ipc::UniqueFd input_, output_;
  pid_t pid_ = 0;
  std::string to_write_, received_;
  std::size_t written_ = 0, taken_ = 0;
};

}  // namespace warmpool::worker::stock
