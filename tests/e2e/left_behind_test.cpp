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

// With one task in hand: what began after the oldest of several was given may be of that.
RealDaemon::Setup one_that(const std::string& descendants) {
  return {.config = "[[class]]\nname = \"worker\"\ncommand = [\"" + program("warmpool-worker") +
                    "\"]\ntypes = [\"echo\", \"exec\"]\nsize = 1\nsize_min = 1\ncredits = "
                    "1\ndescendants = \"" +
                    descendants + "\"\n",
          .arguments = {},
          .prefix = {}};
}

// The process that it leaves behind is in a session of its own, as its group ends with the task.
constexpr const char* kLeaveOne =
    "setsid sleep 600 >/dev/null 2>&1 </dev/null & left=$!; "
    "until [ $(ps -o sid= -p $left) -eq $left ]; do sleep 0.01; done; echo $left";

Ran submit_script(const RealDaemon& daemon, const std::string& script, const std::string& options) {
  const nlohmann::json payload{{"argv", {"/bin/sh", "-c", script}}};
  return daemon.call("submit exec '" + payload.dump() + "' " + options);
}

pid_t leave_one(const RealDaemon& daemon) {
  const auto ran = submit_script(daemon, kLeaveOne, "--wait");
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

// Tasks one after the other, each of which leaves one behind, between one that starts them when
// `go` is there and one that runs on until the end: their worker is never idle. What they left.
// First each looks at what the one before it left: that may be dying, and not more. They end some
// ticks of the kernel's after what they leave began, as what began in the tick in which the next
// one is given may be of that.
class Row {
 public:
  Row(const RealDaemon& daemon, int length) : daemon_(daemon) {
    const auto until = [&](const std::string& file) {
      return "until [ -e " + daemon.directory() + "/" + file + " ]; do sleep 0.01; done";
    };
    submit_script(daemon, until("go"), "");
    std::vector<std::string> ids;
    for (int i = 0; i < length; ++i) {
      ids.push_back(submit_script(daemon, look_before(), "--print-id").output);
    }
    submit_script(daemon, until("end"), "");
    run_shell("touch " + daemon.directory() + "/go");
    for (const auto& id : ids) {
      const auto number = id.substr(0, id.find('\n'));
      daemon.call("wait " + number);
      const auto result = daemon.call("result " + number);
      const auto said = nlohmann::json::parse(result.output, nullptr, false);
      left_.push_back(said.is_object() ? std::atoi(said.value("stdout", "0").c_str()) : 0);
    }
  }
  ~Row() { run_shell("touch " + daemon_.directory() + "/end"); }
  Row(const Row&) = delete;
  Row& operator=(const Row&) = delete;
  const std::vector<pid_t>& left() const { return left_; }
  // Those that lived on when the next task began.
  std::string outlived() const {
    return run_shell("cat " + daemon_.directory() + "/outlived 2>/dev/null").output;
  }

 private:
  std::string look_before() const {
    const auto file = daemon_.directory() + "/left", outlived = daemon_.directory() + "/outlived";
    return "lives() { grep -qs \"^State:[[:space:]]*[^ZX[:space:]]\" /proc/$1/status && "
           "! grep -qs \"^S[a-z]*Pnd:.*1..$\" /proc/$1/status; }; "
           "p=$(cat " +
           file +
           " 2>/dev/null || echo none); i=0; "
           "while lives $p && [ $i -lt 20 ]; do i=$((i+1)); sleep 0.01; done; "
           "if lives $p; then echo $p >>" +
           outlived + "; fi; " + kLeaveOne + "; echo $left >" + file + "; sleep 0.05";
  }

  const RealDaemon& daemon_;
  std::vector<pid_t> left_;
};

TEST(LeftBehind, IsGoneAfterEachCommandOfAWorkerThatIsNeverIdle) {
  const RealDaemon daemon(one_that("kill"));
  const auto worker = worker_of(daemon).at("pid");
  constexpr int kTasks = 20;
  const Row row(daemon, kTasks);
  EXPECT_EQ(row.outlived(), "");
  for (const pid_t left : row.left()) {
    ASSERT_GT(left, 0) << daemon.log();
    EXPECT_TRUE(eventually([&] { return ::kill(left, 0) != 0; })) << daemon.log();
  }
  EXPECT_EQ(worker_of(daemon).at("state"), "running") << worker_of(daemon);
  EXPECT_EQ(worker_of(daemon).at("left_behind"), kTasks);
  EXPECT_EQ(worker_of(daemon).at("pid"), worker);
}

// It is seen while the task runs, and may be of it; by the end nothing else has changed since the
// worker was idle.
TEST(LeftBehind, IsCountedAfterATaskThatRanOnForLong) {
  const RealDaemon daemon(one_that("count"));
  leave_one(daemon);
  ASSERT_TRUE(eventually([&] { return worker_of(daemon).at("left_behind") == 1; })) << daemon.log();
  const auto ran =
      submit_script(daemon, "( setsid sleep 600 >/dev/null 2>&1 </dev/null & ); sleep 3", "--wait");
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_TRUE(eventually([&] { return worker_of(daemon).at("left_behind") == 2; }))
      << worker_of(daemon) << daemon.log();
}

TEST(LeftBehind, IsCountedAlsoOfAWorkerThatIsNeverIdle) {
  const RealDaemon daemon(one_that("count"));
  const Row row(daemon, 2);
  EXPECT_TRUE(eventually([&] { return worker_of(daemon).at("left_behind") == 2; }))
      << worker_of(daemon) << daemon.log();
  EXPECT_EQ(worker_of(daemon).at("state"), "running") << worker_of(daemon);
  for (const pid_t left : row.left()) {
    ASSERT_GT(left, 0);
    EXPECT_EQ(::kill(left, 0), 0);
  }
}

}  // namespace
}  // namespace warmpool::test
