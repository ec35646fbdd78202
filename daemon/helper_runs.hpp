// Programs that the daemon runs for a while and waits for, a few at a time: each has its time, and
// then it is killed with all that it started.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
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
  // An error unless it ended with status 0: with its status, or minus the signal. Called once, not
  // within start() or cancel().
  std::function<void(const Result<void>&)> ended;
};

// Bounds: `at_once_max` run, the others wait. What is killed and still there after kKilledMax
// counts
//   as ended. Blocks: never, but for the spawns.
// Order: sweep() is called when due() says so. Threads: the main one.
class HelperRuns {
 public:
  static constexpr Duration kKilledMax = seconds(10);

  // `part`: of kHelperParts, another one for each of these.
  HelperRuns(Services& services, ProcessPort& processes, std::uint64_t part,
             std::size_t at_once_max)
      : services_(services), processes_(processes), part_(part), at_once_max_(at_once_max) {}

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
    std::optional<Result<void>> told;  // how it ended: it does not run, and that is to be told
  };

  void begin(Waiting waiting);
  void on_exit(std::uint64_t number);
  void kill(Running& running, std::string why);
  void tell(Running& running, Result<void> how);
  std::size_t working() const;
  void look_at(Instant at) { due_ = std::min(due_, at); }

  Services& services_;
  ProcessPort& processes_;
  std::uint64_t part_;
  std::size_t at_once_max_;
  std::uint64_t last_ = 0;
  std::deque<Waiting> waiting_;
  std::map<std::uint64_t, Running> running_;
  Instant due_ = kNever;
};

}  // namespace warmpool::daemon
