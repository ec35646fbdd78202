// Any program as a worker: it reads a line of JSON for each task and writes one back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "worker/stock/kept_program.hpp"
#include "worker/worker.hpp"

namespace warmpool::worker::stock {

// To the program: {"task": N, "round": N, "attempt": N, "type": text, "timeout": seconds or null,
//   "payload": text, or a value where the content is JSON, or {"base64": text}}
// From it: {"result": text, or any other value, or {"base64": text}} is done;
//   {"error": text} has failed, with "final": true for good, with "retry_after": seconds later;
//   {"held": text} waits for a person; {"progress": 0..1, "text": text} may come before, and
//   {"checkpoint": text, or any other value, or {"base64": text}}: what an attempt left is given to
//   the next one as "checkpoint".
// A line that is none of these is output like any other: it goes to standard error, where the
// daemon keeps it, and disturbs nothing.
//
// The program is kept from task to task. When it ends within a task this process ends as it did, so
// that the daemon sees a crash for what it is. A cancelled task's program gets SIGTERM; it may
// answer within kCancelMax, else it is killed and started anew for the next task.
class Lines {
 public:
  explicit Lines(std::vector<std::string> argv, SpawnTie tie = SpawnTie::None)
      : program_(std::move(argv), tie) {}

  // Errors: names the program, says why it cannot run.
  Result<void> start() { return program_.start(); }
  Answer run(Context& context);
  static constexpr std::chrono::milliseconds kCancelMax{1000};

 private:
  std::string line_of(const Context& context) const;
  Answer await(Context& context);
  [[noreturn]] void end_as_it_did();

  KeptProgram program_;
};

}  // namespace warmpool::worker::stock
