// How many processes a worker's tree may have, by the kernel of this machine.
#include <csignal>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

RealDaemon::Setup pids_setup(const std::string& options) {
  return {.config = "[[class]]\nname = \"worker\"\ncommand = [\"" + program("warmpool-worker") +
                    "\"]\ntypes = [\"echo\", \"exec\"]\nsize = 1\nsize_min = 1\n" + options,
          .arguments = {},
          .prefix = {}};
}

std::string run_script(const RealDaemon& daemon, const std::string& script) {
  const nlohmann::json payload{{"argv", {"/bin/sh", "-c", script}}};
  return daemon.call("submit exec '" + payload.dump() + "' --wait").output;
}

// Where this machine has the controller (v1) and lets us make a directory of it.
bool pids_cgroups() {
  std::ifstream lines("/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const auto at = line.find(":pids:");
    if (at == std::string::npos) continue;
    const auto own = "/sys/fs/cgroup/pids" + line.substr(at + 6) + "/warmpool-test-" +
                     std::to_string(::getpid());
    return ::mkdir(own.c_str(), 0755) == 0 && ::rmdir(own.c_str()) == 0;
  }
  return false;
}

TEST(PidsMax, AForkStormFailsWithinItsWorker) {
  if (!pids_cgroups()) GTEST_SKIP() << "no pids cgroup (v1) can be made here";
  RealDaemon daemon(pids_setup("pids_max = 12\n"));
  const std::string storm =
      "i=0; while [ $i -lt 64 ]; do sleep 60 & i=$((i + 1)); done; echo all of them";
  const auto stormed = run_script(daemon, storm);
  EXPECT_EQ(stormed.find("all of them"), std::string::npos) << stormed;
  EXPECT_EQ(daemon.call("submit echo well --wait").status, 0) << daemon.log();
  EXPECT_EQ(daemon.log().find("pids_max cannot be had"), std::string::npos) << daemon.log();
  daemon.signal(SIGTERM);  // and takes its directory along
  EXPECT_EQ(daemon.wait(), 0);
}

TEST(PidsMax, WithoutItNothingIsBounded) {
  const RealDaemon daemon(pids_setup(""));
  const auto ran = run_script(
      daemon, "i=0; while [ $i -lt 24 ]; do sleep 0.1 & i=$((i + 1)); done; wait; echo all");
  EXPECT_NE(ran.find("all"), std::string::npos) << ran;
}

}  // namespace
}  // namespace warmpool::test
