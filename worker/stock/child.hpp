// One program run to its end, in a process group of its own.
#pragma once

#include <chrono>
#include <string>
#include <sys/types.h>

#include "ipc/fd.hpp"
#include "worker/context.hpp"
#include "worker/stock/exec_request.hpp"
#include "worker/stock/spawn_parts.hpp"

namespace warmpool::worker::stock {

// The first bytes of a stream, up to a bound.
struct Capture {
  std::string kept;
  bool truncated = false;
  void add(std::string_view bytes, std::size_t bytes_max);
};

struct Ending {
  int status = -1;  // of exit, or
  int signal = 0;   // that ended it
  bool cancelled = false;
  Capture standard_output, standard_error;
  std::chrono::nanoseconds took{};
};

// Owns: the process group, from spawn to destruction: whoever is left in it is killed, the program
// is reaped.
class Child {
 public:
  // Errors: Error::code is the errno; the text names the program or directory.
  static Result<Child> spawn(const ExecRequest& request, SpawnTie tie);
  Child(Child&&) = default;
  Child& operator=(Child&&) = delete;
  ~Child();

  // Feeds its input and keeps its output until it ends, not until its output does: a daemon that
  // it leaves behind may hold that open for ever. A cancel sends SIGTERM to the group, and SIGKILL
  // kKillAfter later. Blocks: until it has ended. Order: once.
  Ending run(Context& context);
  // Within the daemon's cancel_grace [2 s], so that the worker outlives a stubborn program.
  static constexpr std::chrono::milliseconds kKillAfter{1000};

 private:
  using Clock = Context::Clock;

  Child(const ExecRequest& request, ipc::UniqueFd pidfd, pid_t pid)
      : request_(&request), pidfd_(std::move(pidfd)), pid_(pid) {}
  void step(Context& context, Ending& ending);
  void end_when_told(const Context& context, Ending& ending);
  int milliseconds_left() const;
  void feed();
  static void read_once(ipc::UniqueFd& from, Capture& into, std::size_t bytes_max);
  static void read_rest(ipc::UniqueFd& from, Capture& into, std::size_t bytes_max);
  void learn_end(Ending& ending);

  struct Gone {  // a moved-from child has nothing to kill
    pid_t pid = 0;
    Gone() = default;
    Gone(pid_t value) : pid(value) {}
    Gone(Gone&& other) noexcept : pid(std::exchange(other.pid, 0)) {}
  };

  const ExecRequest* request_;
  ipc::UniqueFd pidfd_, input_, output_, error_;
  Gone pid_;
  std::size_t fed_ = 0;
  bool ended_ = false, killed_ = false;
  Clock::time_point kill_at_ = Clock::time_point::max();
};

}  // namespace warmpool::worker::stock
