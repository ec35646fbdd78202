// What a person does: one `warmpool map` over many files, and a daemon that is killed and started
// again by scripts/worker-pool-daemon.sh meanwhile. Each file must be in the output once.
#include <chrono>
#include <csignal>
#include <fstream>
#include <map>
#include <thread>

#include <nlohmann/json.hpp>

#include "tests/campaign/campaigns.hpp"
#include "tests/campaign/report.hpp"
#include "tests/campaign/scratch.hpp"
#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::campaign {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using std::chrono::steady_clock;

class MapCampaign {
 public:
  explicit MapCampaign(const Plan& plan) : plan_(plan) {}
  ~MapCampaign() {
    if (mapping_.joinable()) mapping_.join();
  }

  int run() {
    list_files();
    if (script("start").status == 0) {
      begin();
      for (std::uint64_t kill = 1; kill <= plan_.runs; ++kill) kill_once(kill);
      mapping_.join();
      check();
    }
    const auto stopped = script("stop");
    if (stopped.output.find("nothing was left") == stopped.output.npos) {
      report_.violation("after the stop: " + stopped.output);
    }
    return finish();
  }

 private:
  test::Ran script(const std::string& action) {
    const auto ran = test::run_shell(
        "WARMPOOL_BIN_DIR=" + test::program_directory() +
        " WARMPOOL_CONFIG=/dev/null POOL_SIZE=4 WARMPOOL_RUNTIME_DIR=" + run_directory() + " " +
        test::source_file("scripts/worker-pool-daemon.sh") + " " + action + " 2>&1");
    if (ran.status != 0) report_.violation(action + ": " + ran.output);
    return ran;
  }
  std::string run_directory() const { return scratch_.path() + "/run"; }
  std::string results() const { return scratch_.path() + "/results"; }
  std::string list() const { return scratch_.path() + "/list"; }
  std::uint64_t lines_of(const std::string& file) const {
    return std::stoull("0" + test::run_shell("cat " + file + " 2>/dev/null | wc -l").output);
  }

  void list_files() {
    test::run_shell(
        "find /usr/share -type f -readable ! -name '*[[:cntrl:]]*' 2>/dev/null | "
        "head -n " +
        std::to_string(plan_.files) + " > " + list());
    files_ = lines_of(list());
    if (files_ < plan_.files) progress("only " + std::to_string(files_) + " files are there");
  }

  void begin() {
    mapping_ = std::thread([this] {
      status_ = test::run_shell(test::program("warmpool") + " --socket " + run_directory() +
                                "/warmpool.sock map file.digest < " + list() + " > " + results() +
                                " 2>" + results() + ".log")
                    .status;
      ended_ = true;
    });
  }

  void kill_once(std::uint64_t kill) {
    const auto least = files_ * kill / (plan_.runs + 2);
    const auto there = [&] { return ended_ || lines_of(results()) >= least; };
    pid_t pid = 0;
    std::ifstream(run_directory() + "/warmpool.lock") >> pid;
    if (!test::eventually(there, 300s) || pid <= 0)
      return report_.violation("the map stands still");
    if (!ended_) ++kills_;
    ::kill(pid, SIGKILL);
    const auto begun = steady_clock::now();
    script("start");
    restarts_.push_back(
        std::chrono::duration<double, std::milli>(steady_clock::now() - begun).count());
    progress("kill " + std::to_string(kill) + " at " + std::to_string(lines_of(results())) +
             " of " + std::to_string(files_) + " files");
  }

  void check() {
    if (status_ != 0) report_.violation("map ended with " + std::to_string(status_));
    std::map<std::string, int> seen;
    std::ifstream in(results());
    for (std::string line; std::getline(in, line);) {
      const auto row = json::parse(line, nullptr, false);
      if (!row.is_object() || row.value("verdict", "") != "done") {
        report_.violation("a line that is no result: " + line.substr(0, 300));
        continue;
      }
      ++seen[row.at("input").dump()];
    }
    for (const auto& [input, times] : seen) {
      if (times > 1) report_.violation(input + " comes " + std::to_string(times) + " times");
      doubles_ += times > 1 ? 1U : 0U;
    }
    once_ = seen.size();
    if (once_ != files_) report_.violation(std::to_string(files_ - once_) + " files are missing");
  }

  int finish() {
    report_.row("files", files_);
    report_.row("kills -9 of the daemon while it maps", kills_);
    report_.row("files in the output", once_);
    report_.row("missing", files_ - once_);
    report_.row("more than once", doubles_);
    report_.times("from the script's start to ready workers", restarts_);
    report_.bound("chance of a loss or double per file below", files_, report_.violations() == 0);
    if (report_.violations() > 0) scratch_.keep_in(plan_.out, "");
    return report_.publish(plan_.out, "map");
  }

  Plan plan_;
  Report report_{"Map campaign"};
  Scratch scratch_;
  std::thread mapping_;
  std::atomic<bool> ended_{false};
  int status_ = -1;
  std::uint64_t files_ = 0, kills_ = 0, once_ = 0, doubles_ = 0;
  std::vector<double> restarts_;
};

}  // namespace

int map_campaign(const Plan& plan) { return MapCampaign(plan).run(); }

}  // namespace warmpool::campaign
