// Tests of the store over a disk that loses, refuses or spoils what it was given (tests/store), for
// longer than with the other tests: many seeds, every call.
#include <algorithm>
#include <map>
#include <sstream>
#include <unistd.h>

#include "tests/campaign/campaigns.hpp"
#include "tests/campaign/report.hpp"
#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::campaign {
namespace {

using Figures = std::map<std::string, std::uint64_t>;

// What the disk keeps or refuses is decided by the test, so its files may lie in memory: on a disk
// most of the time goes into making and removing them.
std::string in_memory() { return ::access("/dev/shm", W_OK | X_OK) == 0 ? "TMPDIR=/dev/shm " : ""; }

class DiskCampaign {
 public:
  DiskCampaign(const Plan& plan, std::string title, std::string name)
      : plan_(plan), name_(std::move(name)), report_(std::move(title)) {}

  // One start of the test for each `at_once` runs: `environment` has what it is to do.
  template <class Environment>
  void run(const std::string& filter, std::uint64_t at_once, const Environment& environment) {
    for (std::uint64_t done = 0; done < plan_.runs && report_.violations() == 0;) {
      const auto count = std::min(at_once, plan_.runs - done);
      const auto ran =
          test::run_shell(in_memory() + environment(plan_.seed + done, count) + " " +
                          test::program("tests_store") + " --gtest_filter=" + filter + " 2>&1");
      add_figures(ran.output);
      if (ran.status != 0) report_.violation(ran.output);
      done += count;
      progress(std::to_string(done) + " of " + std::to_string(plan_.runs) + " runs");
    }
  }

  std::uint64_t sum(const std::string& name) { return figures_[name]; }
  Report& report() { return report_; }
  bool clean() const { return report_.violations() == 0; }
  int publish() const { return report_.publish(plan_.out, name_); }

 private:
  // "power: seeds 10 cuts 1500 records 1200": the numbers by their names, of all such lines.
  void add_figures(const std::string& output) {
    const auto mark = name_ + ": ";
    std::istringstream lines(output);
    for (std::string line; std::getline(lines, line);) {
      if (!line.starts_with(mark)) continue;
      std::istringstream words(line.substr(mark.size()));
      std::uint64_t value = 0;
      for (std::string word; words >> word >> value;) figures_[word] += value;
    }
  }

  const Plan& plan_;
  std::string name_;
  Report report_;
  Figures figures_;
};

}  // namespace

int power_campaign(const Plan& plan) {
  DiskCampaign campaign(plan, "Power campaign", "power");
  campaign.run("PowerLoss.LosesNothingThatWasAcknowledged", 10, [](auto seed, auto count) {
    return "WARMPOOL_POWER_SEED=" + std::to_string(seed) +
           " WARMPOOL_POWER_SEEDS=" + std::to_string(count);
  });
  auto& report = campaign.report();
  if (campaign.sum("seeds") < plan.runs) report.violation("not all seeds ran");
  report.row("seeds", campaign.sum("seeds"));
  report.row("first seed", plan.seed);
  report.row("power cuts", campaign.sum("cuts"));
  report.row("fault mix", "at each sync: nothing, all, the beginning, some or pieces are kept");
  report.row("records acknowledged", campaign.sum("records"));
  report.row("of these with a body in a file of its own", campaign.sum("large"));
  report.row("stores that did not open or lost something", report.violations());
  report.bound("chance of a loss per cut below", campaign.sum("cuts"), campaign.clean());
  return campaign.publish();
}

int faults_campaign(const Plan& plan) {
  DiskCampaign campaign(plan, "Campaign of failing calls", "faults");
  campaign.run("FaultSweep.*", 1, [](auto seed, auto) {
    return "WARMPOOL_FAULTS_ALL=1 WARMPOOL_FAULTS_SEED=" + std::to_string(seed);
  });
  auto& report = campaign.report();
  if (campaign.sum("met") == 0) report.violation("no call failed");
  report.row("seeds", plan.runs);
  report.row("first seed", plan.seed);
  report.row("fault mix",
             "each call of open, read, write, truncate, sync, size, delete, lock, look; once and "
             "until there is room; at the start, at work; with a journal and without");
  report.row("lives in which a call failed", campaign.sum("met"));
  report.row("of these that refused to start", campaign.sum("refused"));
  report.row("stores that did not open or lost something", report.violations());
  report.bound("chance of a loss per failed call below", campaign.sum("met"), campaign.clean());
  return campaign.publish();
}

int flips_campaign(const Plan& plan) {
  DiskCampaign campaign(plan, "Campaign of spoiled files", "flips");
  campaign.run("BitFlips.*", 500, [](auto seed, auto count) {
    return "WARMPOOL_FLIPS_SEED=" + std::to_string(seed) +
           " WARMPOOL_FLIPS=" + std::to_string(count);
  });
  auto& report = campaign.report();
  const auto files = campaign.sum("refused") + campaign.sum("opened");
  if (files < plan.runs) report.violation("not all files were spoiled");
  report.row("files spoiled", files);
  report.row("first seed", plan.seed);
  report.row("fault mix", "1 or 8 bits, a page of zeros, an end cut off; database, WAL, journal");
  report.row("starts refused", campaign.sum("refused"));
  report.row("starts that gave back what was there", campaign.sum("opened"));
  report.row("of these with all that was kept", campaign.sum("whole"));
  report.row("bodies handed out that were not stored, or tasks gone in silence",
             report.violations());
  report.bound("chance of one per file below", files, campaign.clean());
  return campaign.publish();
}

}  // namespace warmpool::campaign
