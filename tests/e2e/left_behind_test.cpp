// Processes that tasks leave running: counted, or ended, while their worker lives on.
#include <csignal>
#include <cstdlib>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

RealDaemon::Setup one_that(const std::string& descendants) {
  return {.config = "[[class]]\nname = \"worker\"\ncommand = [\"" + program("warmpool-worker") +
                    "\"]\ntypes = [\"echo\", \"exec\"]\nsize = 1\nsize_min = 1\ndescendants = \"" +
                    descendants + "\"\n",
          .arguments = {},
          .prefix = {}};
}

// The process that a task of it left behind: in a session of its own, as its group ends with the
// task.
pid_t leave_one(const RealDaemon& daemon) {
  const std::string script =
      "setsid sleep 600 >/dev/null 2>&1 </dev/null & left=$!; "
      "until [ $(ps -o sid= -p $left) -eq $left ]; do sleep 0.01; done; echo $left";
  const nlohmann::json payload{{"argv", {"/bin/sh", "-c", script}}};
  const auto ran = daemon.call("submit exec '" + payload.dump() + "' --wait");
  const auto result = nlohmann::json::parse(ran.output, nullptr, false);
  EXPECT_TRUE(result.is_object()) << ran.output << daemon.log();
  return std::atoi(result.value("stdout", "0").c_str());
}

nlohmann::json worker_of(const RealDaemon& daemon) {
  const auto ran = daemon.call("workers --json");
  return nlohmann::json::parse(ran.output).at("workers").at(0);
}

TEST(LeftBehind, IsCountedAndTheWorkerWorksOn) {
  const RealDaemon daemon(one_that("count"));
  const auto worker = worker_of(daemon).at("pid");
  const pid_t left = leave_one(daemon);
  ASSERT_GT(left, 0);
  ASSERT_TRUE(eventually([&] { return worker_of(daemon).at("left_behind") == 1; })) << daemon.log();
  EXPECT_EQ(::kill(left, 0), 0);
  EXPECT_EQ(daemon.call("submit echo well --wait").status, 0);
  EXPECT_EQ(worker_of(daemon).at("pid"), worker);
  leave_one(daemon);
  EXPECT_TRUE(eventually([&] { return worker_of(daemon).at("left_behind") == 2; }))
      << "each is counted once: " << worker_of(daemon);
}

TEST(LeftBehind, IsKilledWhereTheClassSaysSo) {
  const RealDaemon daemon(one_that("kill"));
  const auto worker = worker_of(daemon).at("pid");
  for (int i = 0; i < 2; ++i) {
    const pid_t left = leave_one(daemon);
    ASSERT_GT(left, 0);
    EXPECT_TRUE(eventually([&] { return ::kill(left, 0) != 0; })) << daemon.log();
  }
  EXPECT_EQ(worker_of(daemon).at("left_behind"), 2);
  EXPECT_EQ(worker_of(daemon).at("pid"), worker);
  EXPECT_EQ(daemon.call("submit echo well --wait").status, 0);
}

}  // namespace
}  // namespace warmpool::test
