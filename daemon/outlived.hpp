// Workers of an earlier life that others had started, and that were at something when the daemon
// ended: until each has let go, what it was at is not started again.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "daemon/attempt_file.hpp"
#include "daemon/services.hpp"

namespace warmpool::daemon {

// Order: tell() before the replay; came_again() and watch() as they come.
class Outlived {
 public:
  Outlived(Services& services, AttemptFile& file) : services_(services), file_(file) {}

  // What is in the file and may still run is told to the core; the rest is erased from the file.
  void tell();
  // A process that says hello again runs nothing of before.
  void came_again(const ProcessName& name);
  // Who has had reconnect_grace is killed, if that may be; who has had unkillable_after more is
  // waited for no longer. Order: every kInterval from when workers can connect. Time in which it
  // was not called does not count: nobody could come then.
  void watch();
  static constexpr Duration kInterval = seconds(1);

  struct Process {
    ProcessName name;
    ipc::UniqueFd pidfd;
    std::unique_ptr<Watch> watch;  // Order: ends before the pidfd
    std::vector<AttemptFile::Entry> entries;
    bool killed = false, over = false;
  };
  // Those that are `over` have let go.
  const std::vector<std::unique_ptr<Process>>& processes() const { return processes_; }
  // How long the others are waited for at most.
  Duration left() const;

 private:
  void end(Process& process, std::string_view why);

  Services& services_;
  AttemptFile& file_;
  std::vector<std::unique_ptr<Process>> processes_;
  std::optional<Instant> watched_at_;
  Duration waited_;
};

}  // namespace warmpool::daemon
