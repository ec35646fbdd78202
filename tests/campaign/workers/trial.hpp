// One kind of fault: a daemon with workers that can be made to fail, a load that must not notice,
// and all that is looked at from outside.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/campaign/report.hpp"
#include "tests/campaign/scratch.hpp"
#include "tests/campaign/workers/control_group.hpp"
#include "tests/campaign/workers/figures.hpp"
#include "tests/campaign/workers/run_reader.hpp"
#include "tests/campaign/workers/traffic.hpp"
#include "tests/campaign/workers/watch.hpp"
#include "tests/e2e/real_daemon.hpp"

namespace warmpool::campaign {

// What a kind wants of its daemon. Classes: "victim" of types work and bad, "other" of types other
// and mass.
struct Terms {
  std::string options{};  // TOML lines of the pool
  std::string victims = "size = 1\nsize_min = 1\n";
  std::string command{};  // of the victims, a TOML list; "@" in it is the trial's directory
  // What stands in the file "program" there before the daemon starts; empty: no such file.
  std::function<std::string(const std::string& directory)> program{};
  bool without_cgroups = false;  // hides them: where that can be, see can_hide_cgroups()
  std::string around{};          // controller of a cgroup around all of it, where one can be made
  bool kills_fail = false;       // no SIGKILL of the daemon reaches anybody
  bool mass = false;             // some hundreds of tasks a second besides, and fewer judged ones
  bool held_disk = false;        // no sync returns while there is a file "hold" in the directory
};

// Only who may make a mount namespace can.
bool can_hide_cgroups();

// One fault of one worker, and what is expected of it.
struct Fault {
  std::string payload{};                         // what its task does; empty: the worker is idle
  std::function<void(pid_t)> act{};              // empty: the task does it by itself as it begins
  std::vector<std::string> causes{"signalled"};  // any of them
  std::optional<int> code{};                     // exit status, or minus the signal
  unsigned crashes = 1, failures = 0;            // charged to the task
  double due_ms = 0;                             // after this time it counts as late
  std::optional<Duration> timeout{};
};

// The file "program" of a directory, to be executed.
void write_program(const std::string& directory, const std::string& text);

class Trial {
 public:
  // `name`: before each violation.
  Trial(std::string name, const Terms& terms, Figures& figures, Report& report);
  ~Trial();
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;

  bool up();
  // Injects it, waits for all that must follow, and counts it. With a payload it is the worker that
  // is given the task, without one that of aim_at().
  void suffer(const Fault& fault);
  void aim_at(std::string slot) { slot_ = std::move(slot); }
  // Takes what is there now as what must be there at the end.
  void take_baseline();
  // Lets the tasks of others run alone, so that there is something to compare with. Blocks: for so
  // long. Order: before the first fault.
  void listen_to_others(std::chrono::milliseconds time);
  // Blocks: until all has settled and come back. Order: last.
  void conclude(const std::string& evidence);

  // Blocks: until this many workers of the class are idle or at work.
  bool await_ready(const std::string& worker_class, std::uint64_t count,
                   std::chrono::milliseconds usual = std::chrono::seconds(20));
  // As the daemon says.
  nlohmann::json status() { return document(ipc::Verb::Status); }
  nlohmann::json workers() { return document(ipc::Verb::Workers); }
  std::uint64_t serving(const std::string& worker_class);
  pid_t pid_in(const std::string& slot);
  bool scale(std::uint64_t size);
  // Whether the kernel has this worker in a cgroup of its own.
  bool has_cgroup(const std::string& slot = "victim-0");
  // As wished by Terms::around; null: there is none.
  const ControlGroup* around() const { return around_.get(); }
  // A task that makes the worker one that was of use, so that its replacement comes at once.
  void be_useful();
  // Where this worker, which is ready, has its place; empty: no event said so.
  std::string slot_of(std::uint64_t worker) const;
  // Blocks: until a handler has begun to run this task, after this moment. Null: it never did.
  const Ran* begun(std::uint64_t task, std::uint64_t after_nanoseconds = 0);
  void expect_exit_of(std::uint64_t worker) { faulted_.insert(worker); }
  // Every task may have one run more for it.
  void expect_end_of_daemon() { ++interruptions_; }
  // All of class victim may die.
  void expect_exits() { all_faulted_ = true; }
  void wrong(const std::string& text);

  Figures& figures() { return figures_; }
  Watch& watch() { return *watch_; }
  Sender& sender() { return *sender_; }
  test::RealDaemon& daemon() { return *daemon_; }
  const std::string& directory() const { return scratch_.path(); }

 private:
  nlohmann::json document(ipc::Verb verb);
  bool await_death(const Fault& fault, std::uint64_t worker, std::uint64_t at,
                   const std::string& slot, std::size_t from);
  bool settles_as_meant(const Fault& fault, std::size_t task);
  void check_footprint();
  void check_healthy();
  void check_counts();
  void check_promises();
  void check_nothing_stays();
  void remember_cgroups();

  std::string name_, slot_ = "victim-0";
  Figures& figures_;
  Report& report_;
  Scratch scratch_;
  Ledger ledger_;
  RunReader runs_;
  std::unique_ptr<ControlGroup> around_;
  std::unique_ptr<test::RealDaemon> daemon_;
  std::unique_ptr<Watch> watch_;
  std::unique_ptr<Sender> sender_;
  std::unique_ptr<Traffic> traffic_;
  std::unique_ptr<Mass> mass_;
  std::set<std::string> cgroups_;  // of lives of the daemon
  std::set<std::uint64_t> faulted_;
  bool all_faulted_ = false;
  unsigned interruptions_ = 0;
  std::uint64_t listened_from_ = 0, listened_to_ = 0;  // nanoseconds
  std::uint64_t violations_ = 0, children_ = 0, descriptors_ = 0, rss_kib_ = 0, shared_ = 0;
};

}  // namespace warmpool::campaign
