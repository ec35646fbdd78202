// A long run goes on from its last checkpoint, whoever was killed: its worker, or the daemon.
#include <csignal>
#include <fstream>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

using nlohmann::json;

// Counts from where the attempt before was, leaving a checkpoint at each step; in `began` each
// attempt notes where it began, in `at` where it is.
constexpr char kCounting[] = R"(import os
from warmpool import task

@task("count")
def count(payload, ctx):
    at = ctx.restored or 0
    with open(payload["began"], "a") as began:
        began.write(f"{at}\n")
    while not os.path.exists(payload["end"]):
        at += 1
        ctx.checkpoint(at)
        with open(payload["at"] + ".new", "w") as now:
            now.write(str(at))
        os.replace(payload["at"] + ".new", payload["at"])
        ctx.wait(0.002)
    return at
)";

class CheckpointedRun : public testing::Test {
 protected:
  CheckpointedRun()
      : daemon_({.config = config(), .arguments = {}, .prefix = {}}),
        payload_{{"began", daemon_.directory() + "/began"},
                 {"at", daemon_.directory() + "/at"},
                 {"end", daemon_.directory() + "/end"}} {
    id_ = daemon_.call("submit count '" + payload_.dump() + "' --content json --print-id").output;
    while (!id_.empty() && id_.back() == '\n') id_.pop_back();
  }
  ~CheckpointedRun() override { std::remove(program_.c_str()); }

  std::string config() {
    program_ = run_shell("mktemp --suffix=.py | tr -d '\\n'").output;
    std::ofstream(program_) << kCounting;
    return "backoff_first = \"1ms\"\nbackoff_max = \"1ms\"\nrestart_cooldown = \"1ms\"\n"
           "crashes_max = 100\n[[class]]\nname = \"counter\"\n"
           "command = [\"/usr/bin/python3\", \"-m\", \"warmpool\", \"" +
           program_ + "\"]\nenvironment = [\"PYTHONPATH=" + source_file("sdk/python") +
           "\"]\ntypes = [\"count\"]\nsize = 1\nsize_min = 1\n";
  }
  std::vector<long> began() const {
    std::vector<long> all;
    std::ifstream file(payload_.at("began").get<std::string>());
    for (long at = 0; file >> at;) all.push_back(at);
    return all;
  }
  long now() const {
    long at = 0;
    std::ifstream(payload_.at("at").get<std::string>()) >> at;
    return at;
  }
  bool attempt_begins(std::size_t number) {
    return eventually([&] { return began().size() == number; });
  }
  bool counts_on(long steps) {
    const long from = now();
    return eventually([&] { return now() >= from + steps; });
  }
  json show() const {
    const auto ran = daemon_.call("show " + id_ + " --json");
    return ran.status == 0 ? json::parse(ran.output) : json::object();
  }
  void kill_worker() const {
    const json answer = json::parse(daemon_.call("workers --json").output, nullptr, false);
    ASSERT_TRUE(answer.is_object()) << daemon_.log();
    const auto pid = answer.at("workers").front().at("pid");
    ASSERT_TRUE(pid.is_number()) << answer;
    ASSERT_EQ(::kill(pid.get<pid_t>(), SIGKILL), 0);
  }
  void end() const { std::ofstream(payload_.at("end").get<std::string>()) << "now"; }

  std::string program_;
  RealDaemon daemon_;
  json payload_;
  std::string id_;
};

TEST_F(CheckpointedRun, GoesOnWhereItsWorkerWasKilled) {
  ASSERT_TRUE(attempt_begins(1)) << daemon_.log();
  ASSERT_TRUE(counts_on(50)) << daemon_.log();
  const auto seen = now();
  kill_worker();
  ASSERT_TRUE(attempt_begins(2)) << daemon_.log();
  EXPECT_EQ(began().front(), 0);
  EXPECT_GE(began().back(), seen) << "what it sent last is kept, however soon it died";
  ASSERT_TRUE(counts_on(10));
  EXPECT_TRUE(eventually([&] { return show().contains("checkpoint"); })) << show();
  end();
  const auto result = daemon_.call("wait " + id_);
  EXPECT_EQ(result.status, 0) << result.output << daemon_.log();
  const json shown = show();
  EXPECT_GE(std::stol(shown.at("result").at("text").get<std::string>()), seen + 10) << shown;
  EXPECT_FALSE(shown.contains("checkpoint")) << "it is done";
}

TEST_F(CheckpointedRun, GoesOnAfterTheDaemonWasKilled) {
  ASSERT_TRUE(attempt_begins(1)) << daemon_.log();
  ASSERT_TRUE(counts_on(50)) << daemon_.log();
  const auto seen = now();
  kill_worker();
  ASSERT_TRUE(attempt_begins(2)) << daemon_.log();
  ASSERT_TRUE(counts_on(20));
  daemon_.signal(SIGKILL);
  daemon_.wait();
  ASSERT_TRUE(daemon_.start()) << daemon_.log();
  ASSERT_TRUE(attempt_begins(3)) << daemon_.log();
  EXPECT_GE(began().back(), seen) << "what was kept before the second attempt is on disk";
  end();
  const auto result = daemon_.call("wait " + id_);
  EXPECT_EQ(result.status, 0) << result.output << daemon_.log();
}

TEST_F(CheckpointedRun, ThatIsCancelledLeavesNone) {
  ASSERT_TRUE(attempt_begins(1)) << daemon_.log();
  ASSERT_TRUE(counts_on(5));
  daemon_.call("cancel " + id_);
  EXPECT_TRUE(eventually([&] { return show().value("state", "") == "cancelled"; })) << show();
  EXPECT_FALSE(show().contains("checkpoint"));
}

}  // namespace
}  // namespace warmpool::test
