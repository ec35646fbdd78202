// Any program as a worker: it reads a line of JSON for each task and writes one back.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "worker/stock/kept_program.hpp"
#include "worker/worker.hpp"

namespace warmpool::worker::stock {

// To the program: {"task": N, "round": N, "attempt": N, "type": text, "timeout": seconds or null,
//   "payload": text, or a value where the content is JSON, or {"base64": text}}; of one that came
//   by descriptor "payload_bytes": N, "payload_file": path, which is there until it has answered
// From it: {"result": text, or any other value, or {"base64": text}} is done;
//   {"error": text} has failed, with "final": true for good, with "retry_after": seconds later;
//   {"held": text} waits for a person; {"progress": 0..1, "text": text} may come before, and
//   {"checkpoint": text, or any other value, or {"base64": text}}: what an attempt left is given to
//   the next one as "checkpoint".
// A line that is none of these is output like any other: it goes to standard error, where the
// daemon keeps it, and disturbs nothing. So does one that names another "task": N than the one it
// was given last, or beside it another "round": N or "attempt": N. A program that names none and
// has answered once too often, or has left a part of its line unread, would give each task the
// answer of the one before: it is started anew.
//
// The program is kept from task to task. When it ends within a task this process ends as it did, so
// that the daemon sees a crash for what it is. A cancelled task's program gets SIGTERM; it may
// answer within kCancelMax, else it is killed and started anew for the next task. When the daemon
// wants a checkpoint it gets `checkpoint_signal`, if there is one, once it has read its line.
//
// Over FIFOs the program is somebody else's: it is told nothing by a signal and never killed, so
// that it may come late with an answer: each has to name its task, round and attempt. Progress and
// checkpoints that do not are output.
class Lines {
 public:
  explicit Lines(std::vector<std::string> argv, SpawnTie tie = SpawnTie::None,
                 int checkpoint_signal = 0)
      : program_(std::move(argv), tie), checkpoint_signal_(checkpoint_signal) {}
  explicit Lines(FifoPaths fifos) : program_(std::move(fifos)) {}

  // Errors: names the program, says why it cannot run. FIFOs are taken for the first task only:
  // the worker before this one may still have them.
  Result<void> start() { return program_.is_own() ? program_.start() : program_.hold(); }
  Answer run(Context& context);
  static constexpr std::chrono::milliseconds kCancelMax{1000};
  // Between two looks whether a checkpoint is wanted.
  static constexpr std::chrono::milliseconds kLookInterval{100};

 private:
  Result<void> be_there(const Context& context);
  bool is_out_of_step();
  std::string line_of(const Context& context) const;
  Answer await(Context& context);
  std::optional<Answer> take_lines(Context& context);
  void ask_for_checkpoint(const Context& context);
  [[noreturn]] void end_as_it_did();

  KeptProgram program_;
  int checkpoint_signal_ = 0;
  bool asked_ = false;  // for a checkpoint that has not come
};

}  // namespace warmpool::worker::stock
