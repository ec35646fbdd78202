// How a C++ program becomes a worker: say which task types it handles, then run. docs/worker.md
// has an example.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pool/result.hpp"
#include "pool/time.hpp"
#include "worker/answer.hpp"
#include "worker/context.hpp"

namespace warmpool::worker {

// Threads: called on the thread that called run(), one at a time. An exception that leaves it is
//   failed(what()).
using Handler = std::function<Answer(Context&)>;
using Handlers = std::map<std::string, Handler, std::less<>>;

// What run() returns: 0 when it was asked to end and did.
enum class RunStatus : int {
  Retired = 0,    // by the daemon, or by SIGTERM
  NoChannel = 2,  // not started by a daemon
  DaemonGone = 69,
  Protocol = 76,  // one side broke the protocol, or the daemon sent an error
  System = 71     // a descriptor or thread that it needs could not be made
};

inline constexpr unsigned kCreditsMax = 64;

// Handles every type that has no handler of its own.
inline constexpr std::string_view kAnyType = "*";

struct Settings {
  int channel = -1;      // a socket, or the FIFO that is read. Owns: run() takes and closes it
  int channel_out = -1;  // the FIFO that is written; -1 with a socket. Owns: likewise
  std::uint64_t worker = 0, token = 0;
  unsigned credits = 0;  // short tasks it may hold; its class may allow fewer. 0: what is offered
  std::string name = "worker";  // for people
  // Of a worker that the daemon did not start: what it says of itself. Empty: the daemon did.
  std::string worker_class;
  std::vector<std::string> types;
  // A handler that runs longer has its channel watched.
  std::chrono::nanoseconds watch_after = std::chrono::milliseconds(5);
  // After a task it looks for the next one so long before it sleeps. Bounds: 0 .. 10 ms.
  Duration spin{};

  // From WARMPOOL_CHANNEL, or else WARMPOOL_FIFO_IN and WARMPOOL_FIFO_OUT, which it opens;
  // WARMPOOL_WORKER, WARMPOOL_TOKEN, WARMPOOL_CREDITS and WARMPOOL_SPIN (may be missing).
  // Blocks: never. Errors: which one is missing or wrong, and what to do.
  static Result<Settings> from_environment();
  // WARMPOOL_SPIN, "50us"; 0 where it is missing. Errors: as above.
  static Result<Duration> spin_from_environment();
};

// How a worker that people start themselves finds its daemon, and what it is there.
struct Joining {
  std::string socket;                   // empty: where clients look for it (docs/protocol.md)
  std::string worker_class = "joined";  // 1 to 64 of a-z A-Z 0-9 _ - .
  bool reconnect = true;                // when the daemon ends, wait for it and join again
};

// Concurrency is 1: handlers run one after the other; a class gets more by its size.
//
// A handler sees to it that what it starts does not outlive it. The channel is close-on-exec, its
// number or names and the token are taken out of the environment; standard output and error are
// free to use. Over FIFOs SIGPIPE does nothing while it runs, unless the program handles it.
class Worker {
 public:
  explicit Worker(std::string name = "worker") : name_(std::move(name)) {}

  // Order: before run. A type that is handled already gets the new handler.
  Worker& handle(std::string_view type, Handler handler);
  // Keeps only these. Errors: names the type that is not handled, and those that are.
  Result<void> keep_only(const std::vector<std::string>& types);
  std::vector<std::string> types() const;
  // Bounds: 1 .. kCreditsMax. Beats WARMPOOL_CREDITS. Without either a worker offers to hold one
  // task, so that each line that it prints is known to be of the task that it has.
  void set_credits(unsigned credits);
  // Nothing that a handler does is printed: offers kCreditsMax.
  Worker& prints_nothing();

  // Called in a worker that was forked by a template, once the daemon has welcomed it and before
  // its first task: for threads, descriptors, processes and seeds, which each worker has for
  // itself. Order: as added. Bounds: less than `dead_after` together, as nothing beats meanwhile.
  Worker& on_fork(std::function<void()> hook);

  // Serves the daemon that started this process. In a template (option `preload` of the class) it
  // forks workers, and returns in each of them too: what main did before is done once for all.
  // Returns a RunStatus as exit status; says on standard error why, unless it is 0. Blocks: until
  // retired, SIGTERM or the channel's end. Threads: starts one, joined before it
  //   returns; handles SIGTERM meanwhile: at most one run at a time in a process.
  int run();
  int run(Settings settings);

  // Connects to a daemon that did not start this process, says its class and types, and serves it.
  // SIGTERM: finishes what it has in hand, says goodbye and ends. When the daemon ends, a handler
  // that runs is told to (cancelled()) and waited for; only then it joins the next life of it.
  // Returns and blocks as run(). DaemonGone also when there is no daemon at the first attempt.
  int join(const Joining& joining);

 private:
  int serve_alone(Settings settings, const std::vector<std::function<void()>>& hooks);

  std::string name_;
  Handlers handlers_;
  std::vector<std::function<void()>> on_fork_;
  unsigned credits_ = 0;  // 0: not set
  unsigned offered_ = 1;
};

}  // namespace warmpool::worker
