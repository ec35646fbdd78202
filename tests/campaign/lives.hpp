// One daemon, one store, many lives, and callers that go on over all of them; in the end what they
// and the handlers saw is compared with what was promised. Campaigns say how each life ends.
#pragma once

#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/campaign/caller.hpp"
#include "tests/campaign/campaigns.hpp"
#include "tests/campaign/judge.hpp"
#include "tests/campaign/operator.hpp"
#include "tests/campaign/report.hpp"
#include "tests/campaign/scratch.hpp"
#include "tests/campaign/workers/watch.hpp"
#include "tests/e2e/real_daemon.hpp"

namespace warmpool::campaign {

inline constexpr const char* kFailpointDaemon = "warmpoold-failpoints";
// Whatever becomes of this program, its daemon ends with it, and with that its workers.
inline constexpr const char* kEndsWithUs = "setpriv --pdeathsig KILL";

// Threads: one for all calls; callers have their own.
class Lives {
 public:
  struct Setup {
    std::string title{}, name{};        // of the report, and of its file
    std::string program = "warmpoold";  // in the bin directory
    Play play = Play::Random;
    int callers = 4;
  };
  enum class End : std::uint8_t { Killed, Stopped, OutOfMemory, Other };

  Lives(const Plan& plan, Setup setup);
  Lives(const Lives&) = delete;
  Lives& operator=(const Lives&) = delete;

  // The first life has begun. False: it is a violation.
  bool up();
  void begin();  // the callers
  void kill();   // it ends by our SIGKILL; all else is a finding
  void start(const std::string& after);
  // A life with this failpoint that goes on until `enough` more ends are told, or it ends: maybe
  // before it answers. Where the point is not reached at work, it may be in an orderly stop.
  End live_until(const std::string& point, std::uint64_t count, std::uint64_t enough);
  // `awaits`: its death must be told before anything else is done.
  void kill_now(pid_t worker);
  void kill_a_worker(bool awaits);
  // Callers take what is open and end; then all is judged. Order: a daemon runs.
  void conclude();
  // The exit status of the program.
  int finish();

  void show(std::uint64_t at, std::uint64_t all) const;
  std::string last_words() const;

  test::RealDaemon& daemon() { return daemon_; }
  Direction& direction() { return direction_; }
  Report& report() { return report_; }
  std::mt19937_64& random() { return random_; }
  std::string config() const;
  const std::string& scratch() const { return scratch_.path(); }
  std::uint64_t kills() const { return kills_; }
  std::uint64_t stops() const { return stops_; }
  std::uint64_t memory_ends() const { return memory_ends_; }
  // Failpoints at which a daemon was killed.
  std::set<std::string>& reached() { return reached_; }

 private:
  int wait_for_end();
  void drain();
  void check_counts();
  void check_deaths(const Runs& runs);
  void check_health();
  void check_idle();
  void check_files();
  void check_backup();
  void within(const std::string& name, std::uint64_t counted, std::uint64_t seen);
  void check_nothing_stays();

  Plan plan_;
  Setup setup_;
  std::mt19937_64 random_;
  Report report_;
  Scratch scratch_;
  Ledger ledger_;
  test::RealDaemon daemon_;
  Direction direction_;
  std::vector<std::unique_ptr<Caller>> callers_;
  std::unique_ptr<Operator> operator_;  // beside random ones
  std::vector<std::thread> threads_;
  std::atomic<bool> drained_{false};
  std::unique_ptr<Watch> watch_;
  Deaths deaths_;
  std::vector<double> restarts_, healths_;
  std::uint64_t descriptors_ = 0;  // of a daemon that has done nothing yet
  std::uint64_t kills_ = 0, deaths_told_ = 0, stops_ = 0, memory_ends_ = 0;
  std::set<std::string> reached_;
  Judged judged_;
};

}  // namespace warmpool::campaign
