// Tells alerts to a program: one run at a time, with all that came meanwhile.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "daemon/helper_process.hpp"
#include "daemon/process/process_port.hpp"
#include "daemon/services.hpp"

namespace warmpool::daemon {

struct ProgramFigures {
  std::uint64_t told = 0, dropped = 0;  // alerts
  std::string trouble;                  // of the last run; empty: it went well
};

// A run has kRunMax; one that fails is made again, kTriesMax times in all, and what it was for is
// dropped then, counted.
// Bounds: kWaitingMax alerts wait; the oldest are dropped beyond. A run is given at most
//   kBytesMax of them.
// Order: sweep() is called when due() says so. Blocks: never, but for the spawn.
class AlertProgram {
 public:
  static constexpr std::size_t kWaitingMax = 1'000, kBytesMax = 64 * 1024;
  static constexpr unsigned kTriesMax = 3;
  static constexpr Duration kRunMax = seconds(30), kTryAgain = seconds(5);

  // `name`: of the option, for people. `number`: of a part of the daemon; see helper_process.hpp.
  AlertProgram(Services& services, ProcessPort& processes, std::string name, std::uint64_t number)
      : services_(services), processes_(processes), name_(std::move(name)), number_(number) {}

  // The command of a run that tells these, a JSON document. None: nobody is told.
  using Command = std::function<SpawnSpec(const std::string& document)>;
  void set_command(Command command);
  // `alert`: a JSON object.
  void tell(std::string alert);
  void sweep();
  Instant due() const { return due_; }
  const std::string& name() const { return name_; }
  const ProgramFigures& figures() const { return figures_; }

 private:
  void start();
  void on_exit();
  void end_run(const std::string& how);
  std::string document();

  Services& services_;
  ProcessPort& processes_;
  std::string name_;
  std::uint64_t number_;
  Command command_;
  std::deque<std::string> waiting_;
  std::size_t in_run_ = 0;  // the first of them are told by the present run
  unsigned tries_ = 0;
  std::unique_ptr<HelperProcess> process_, finished_;
  bool killed_ = false;
  Instant due_ = kNever;
  ProgramFigures figures_;
};

}  // namespace warmpool::daemon
