// The power-loss test of the store (tests/store/power_loss_test.cpp) over many seeds.
#include <map>
#include <sstream>
#include <unistd.h>

#include "tests/campaign/campaigns.hpp"
#include "tests/campaign/report.hpp"
#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::campaign {
namespace {

constexpr std::uint64_t kSeedsAtOnce = 10;

// "power: seeds 10 cuts 1500 records 1200": the numbers by their names.
std::map<std::string, std::uint64_t> figures_in(const std::string& output) {
  std::map<std::string, std::uint64_t> figures;
  const auto at = output.find("power: ");
  if (at == output.npos) return figures;
  std::istringstream words(output.substr(at + 7, output.find('\n', at) - at - 7));
  std::uint64_t value = 0;
  for (std::string name; words >> name >> value;) figures[name] = value;
  return figures;
}

// What the disk keeps of each cut is decided by the test, so its files may lie in memory: on a disk
// most of the time goes into making and removing them.
std::string in_memory() { return ::access("/dev/shm", W_OK | X_OK) == 0 ? "TMPDIR=/dev/shm " : ""; }

}  // namespace

int power_campaign(const Plan& plan) {
  Report report("Power campaign");
  std::map<std::string, std::uint64_t> sum;
  for (std::uint64_t done = 0; done < plan.runs && report.violations() == 0;) {
    const auto seeds = std::min(kSeedsAtOnce, plan.runs - done);
    const auto ran = test::run_shell(
        in_memory() + "WARMPOOL_POWER_SEED=" + std::to_string(plan.seed + done) +
        " WARMPOOL_POWER_SEEDS=" + std::to_string(seeds) + " " + test::program("tests_store") +
        " --gtest_filter=PowerLoss.LosesNothingThatWasAcknowledged 2>&1");
    for (const auto& [name, value] : figures_in(ran.output)) sum[name] += value;
    if (ran.status != 0) report.violation(ran.output);
    done += seeds;
    progress(std::to_string(done) + " of " + std::to_string(plan.runs) + " seeds, " +
             std::to_string(sum["cuts"]) + " cuts");
  }
  if (sum["seeds"] < plan.runs) report.violation("not all seeds ran");
  report.row("seeds", sum["seeds"]);
  report.row("first seed", plan.seed);
  report.row("power cuts", sum["cuts"]);
  report.row("fault mix", "at each sync: nothing, all, the beginning, some or pieces are kept");
  report.row("records acknowledged", sum["records"]);
  report.row("of these with a body in a file of its own", sum["large"]);
  report.row("stores that did not open or lost something", report.violations());
  report.bound("chance of a loss per cut below", sum["cuts"], report.violations() == 0);
  return report.publish(plan.out, "power");
}

}  // namespace warmpool::campaign
