// Programs that the daemon runs for a while and waits for, a few at a time: each has its time, and
// then it is killed with all that it started.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "daemon/helper_process.hpp"
#include "daemon/services.hpp"

namespace warmpool::daemon {

// `spec`: worker and role are set here. `title`: for the log and the fault.
struct HelperRun {
  SpawnSpec spec;
  std::string title;
  Duration timeout;
  std::string timeout_option;
  LogLevel level = LogLevel::Info;  // of what it writes
  // Empty: it ended with status 0. Called once, not within start() or cancel().
  std::function<void(const std::string& fault)> ended;
};

// Bounds: kAtOnceMax run, the others wait. What is killed and still there after kKilledMax counts
//   as ended. Blocks: never, but for the spawns.
// Order: sweep() is called when due() says so. Threads: the main one.
class HelperRuns {
 public:
  static constexpr std::size_t kAtOnceMax = 8;
  static constexpr Duration kKilledMax = seconds(10);

  HelperRuns(Services& services, ProcessPort& processes)
      : services_(services), processes_(processes) {}

  std::uint64_t start(HelperRun run);
  // It ends soon, if it has not: `ended` tells.
  void cancel(std::uint64_t number);
  void sweep();
  Instant due() const { return due_; }

 private:
  struct Running {
    HelperRun run;
    std::unique_ptr<HelperProcess> process;
    Instant deadline;
    std::string killed;  // why; empty: it was not
    bool told = false;   // it is only waited for
  };
  struct Waiting {
    std::uint64_t number;
    HelperRun run;
    std::string fault;  // it does not run, and that is to be told
  };

  void begin(Waiting waiting);
  void on_exit(std::uint64_t number);
  void kill(Running& running, std::string why);
  void tell(Running& running, std::string fault);
  std::size_t working() const;
  void look_at(Instant at) { due_ = std::min(due_, at); }

  Services& services_;
  ProcessPort& processes_;
  std::uint64_t last_ = 0;
  std::deque<Waiting> waiting_;
  std::map<std::uint64_t, Running> running_;
  Instant due_ = kNever;
};

}  // namespace warmpool::daemon
