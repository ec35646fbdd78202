// scripts/worker-pool-daemon.sh as an operator or an init system calls it.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

// A runtime directory of its own; whatever runs there at the end is killed.
class DaemonScript : public testing::Test {
 protected:
  DaemonScript() {
    char name[] = "/tmp/warmpool-script.XXXXXX";
    if (::mkdtemp(name) != nullptr) directory_ = name;
  }
  ~DaemonScript() override {
    if (running()) ::kill(pid(), SIGKILL);
    eventually([this] { return !running(); });
    std::filesystem::remove_all(directory_);
  }

  // What it said is in `output`, errors too.
  Ran call(const std::string& action, const std::string& environment = "") const {
    return run_shell("WARMPOOL_BIN_DIR=" + program_directory() + " WARMPOOL_CONFIG=/dev/null " +
                     environment + " WARMPOOL_RUNTIME_DIR=" + directory_ + "/run " +
                     source_file("scripts/worker-pool-daemon.sh") + " " + action + " 2>&1");
  }
  int status() const { return call("status").status; }
  Ran ask(const std::string& arguments) const {
    return run_shell(program_directory() + "/warmpool --socket " + directory_ +
                     "/run/warmpool.sock " + arguments + " 2>/dev/null");
  }
  pid_t pid() const {
    pid_t pid = 0;
    std::ifstream(directory_ + "/run/warmpool.lock") >> pid;
    return pid;
  }
  bool running() const {
    const auto started = pid();
    std::error_code gone;
    const auto program =
        std::filesystem::read_symlink("/proc/" + std::to_string(started) + "/exe", gone);
    return started > 0 && !gone && program.filename().string().starts_with("warmpoold");
  }

  std::string directory_;
  static constexpr int kRunning = 0, kDead = 1, kNotRunning = 3, kUnknown = 4;
};

TEST_F(DaemonScript, GoesThroughStartKillAndStop) {
  EXPECT_EQ(status(), kNotRunning);
  const auto started = call("start --config /dev/null", "POOL_SIZE=2");
  ASSERT_EQ(started.status, 0) << started.output;
  EXPECT_EQ(status(), kRunning);
  ::kill(pid(), SIGKILL);
  EXPECT_TRUE(eventually([this] { return status() == kDead; }));
  const auto again = call("start --config /dev/null", "POOL_SIZE=2");
  ASSERT_EQ(again.status, 0) << again.output;
  EXPECT_EQ(status(), kRunning);
  const auto stopped = call("stop");
  EXPECT_EQ(stopped.status, 0) << stopped.output;
  EXPECT_NE(stopped.output.find("stopped gracefully"), std::string::npos) << stopped.output;
  EXPECT_NE(stopped.output.find("nothing was left"), std::string::npos) << stopped.output;
  EXPECT_EQ(status(), kNotRunning);
}

TEST_F(DaemonScript, TakesSizeAndDirectoryFromTheEnvironment) {
  const auto fifos = directory_ + "/fifos";
  const auto started = call("start --config /dev/null", "POOL_SIZE=30 FIFO_DIR=" + fifos);
  ASSERT_EQ(started.status, 0) << started.output;
  EXPECT_TRUE(std::filesystem::is_directory(fifos));
  EXPECT_NE(ask("status --json").output.find("\"size\":30"), std::string::npos);
  EXPECT_NE(ask("config show --json").output.find("\"value\":\"" + fifos), std::string::npos);
  EXPECT_EQ(call("stop").status, 0);
}

TEST_F(DaemonScript, StartsOnceAndRestarts) {
  ASSERT_EQ(call("start --config /dev/null", "POOL_SIZE=1").status, 0);
  const auto first = pid();
  const auto twice = call("start", "POOL_SIZE=1");
  EXPECT_EQ(twice.status, 0);
  EXPECT_NE(twice.output.find("runs already"), std::string::npos) << twice.output;
  EXPECT_EQ(pid(), first);
  const auto restarted = call("restart --config /dev/null", "POOL_SIZE=1");
  EXPECT_EQ(restarted.status, 0) << restarted.output;
  EXPECT_NE(pid(), first);
  EXPECT_EQ(status(), kRunning);
}

TEST_F(DaemonScript, OfManyStartsAtOnceOneStartsAndAllSucceed) {
  std::vector<std::future<Ran>> calls;
  for (int i = 0; i < 5; ++i) {
    calls.push_back(std::async(std::launch::async,
                               [this] { return call("start --config /dev/null", "POOL_SIZE=1"); }));
  }
  int started = 0;
  for (auto& each : calls) {
    const auto ended = each.get();
    EXPECT_EQ(ended.status, 0) << ended.output;
    if (ended.output.find("started: process") != std::string::npos) ++started;
  }
  EXPECT_EQ(started, 1);
}

TEST_F(DaemonScript, APoolOfNoWorkersHasNothingToWaitFor) {
  const auto started = call("start --config /dev/null", "POOL_SIZE=0 START_TIMEOUT=20");
  EXPECT_EQ(started.status, 0) << started.output;
  EXPECT_EQ(status(), kRunning);
}

TEST_F(DaemonScript, StaleFilesProveNothing) {
  ASSERT_EQ(call("start --config /dev/null", "POOL_SIZE=1").status, 0);
  ::kill(pid(), SIGKILL);
  EXPECT_TRUE(eventually([this] { return status() == kDead; }));
  // A number that is taken, by a process that is no daemon.
  std::ofstream(directory_ + "/run/warmpool.lock") << ::getpid() << "\n";
  EXPECT_EQ(status(), kDead);
  EXPECT_EQ(call("stop").status, 0);
  EXPECT_EQ(status(), kNotRunning);
  ASSERT_EQ(call("start --config /dev/null", "POOL_SIZE=1").status, 0);
  EXPECT_EQ(status(), kRunning);
}

TEST_F(DaemonScript, ADaemonThatDoesNotAnswerIsUnknownAndIsEnded) {
  ASSERT_EQ(call("start --config /dev/null", "POOL_SIZE=1").status, 0);
  const auto stopped = pid();
  ::kill(stopped, SIGSTOP);
  EXPECT_EQ(status(), kUnknown);
  EXPECT_EQ(call("start").status, 1);
  const auto ended = call("stop", "STOP_TIMEOUT=1");
  EXPECT_EQ(ended.status, 0) << ended.output;
  EXPECT_NE(ended.output.find("SIGKILL"), std::string::npos) << ended.output;
  EXPECT_EQ(status(), kNotRunning);
}

TEST_F(DaemonScript, SaysWhatKeepsItFromStarting) {
  const auto wrong = call("start --config /dev/null", "POOL_SIZE=many");
  EXPECT_EQ(wrong.status, 6);
  EXPECT_NE(wrong.output.find("POOL_SIZE"), std::string::npos) << wrong.output;
  std::ofstream(directory_ + "/broken.toml") << "[[class]]\nname = \"broken\"\ntypes = [\"x\"]\n"
                                                "size = 1\ncommand = [\"/bin/false\"]\n";
  // On a busy machine its worker may not have ended within the first of these times.
  Ran broken;
  for (int seconds = 1; seconds < 100 && broken.output.find("broken-0") == std::string::npos;
       seconds *= 4) {
    broken = call("start --config " + directory_ + "/broken.toml",
                  "START_TIMEOUT=" + std::to_string(seconds));
    EXPECT_EQ(broken.status, 1);
    EXPECT_NE(broken.output.find("not ready within " + std::to_string(seconds) + " s"),
              std::string::npos)
        << broken.output;
  }
  EXPECT_NE(broken.output.find("broken-0"), std::string::npos) << broken.output;
  EXPECT_EQ(status(), kNotRunning);
  EXPECT_EQ(call("begin").status, 2);
  EXPECT_EQ(call("stop now").status, 2);
  EXPECT_EQ(call("start --runtime-dir /tmp").status, 2);
}

// It has not set its signals up yet.
TEST_F(DaemonScript, EndsWhatIsNotReadyAtOnce) {
  const auto late = call("start --config /dev/null", "START_TIMEOUT=0");
  EXPECT_EQ(late.status, 1) << late.output;
  EXPECT_EQ(status(), kNotRunning);
}

TEST_F(DaemonScript, ATaskThatOutlivesTheDeadlineIsEndedAndNamed) {
  ASSERT_EQ(call("start --config /dev/null", "POOL_SIZE=1 WARMPOOL_DRAIN_TIMEOUT=100ms").status, 0);
  ASSERT_EQ(ask("submit sleep 60000").status, 0);
  const auto stopped = call("stop");
  EXPECT_EQ(stopped.status, 0);
  EXPECT_NE(stopped.output.find("1 task waits for the next start"), std::string::npos)
      << stopped.output;
}

}  // namespace
}  // namespace warmpool::test
