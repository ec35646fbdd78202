// Memory of real workers: a leak is recycled away, what takes too much is killed with its cause.
#include <chrono>
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

using nlohmann::json;

// Workers of the stock program with these options of the pool and of their class.
RealDaemon::Setup setup_of(const std::string& pool, const std::string& options) {
  return {.config =
              pool + "\n[[class]]\nname = \"worker\"\ncommand = [\"" + program("warmpool-worker") +
              "\"]\ntypes = [\"alloc\", \"echo\", \"exec\"]\nsize = 2\nsize_min = 1\n" + options,
          .arguments = {},
          .prefix = {}};
}

json document(const RealDaemon& daemon, const std::string& command) {
  const auto ran = daemon.call(command);
  EXPECT_EQ(ran.status, 0) << command << ": " << ran.output;
  return json::parse(ran.output, nullptr, false);
}

// Submits a task that is a dead letter after its first crash, and waits for that.
json letter_of(const RealDaemon& daemon, const std::string& arguments) {
  const auto submitted = daemon.call("submit " + arguments + " --print-id");
  const auto id = submitted.output.substr(0, submitted.output.find('\n'));
  EXPECT_EQ(submitted.status, 0) << submitted.output;
  json shown;
  const bool dead = eventually([&] {
    shown = document(daemon, "show " + id + " --json");
    return shown.value("verdict", "") == "dead" || shown.value("state", "") == "dead";
  });
  EXPECT_TRUE(dead) << shown << daemon.log();
  return shown;
}

TEST(Memory, ALeakIsRecycledAwayAndNoTaskIsLost) {
  RealDaemon daemon(setup_of("sample_interval = \"50ms\"",
                             "memory_soft = \"48MiB\"\n"
                             "memory_hard = \"2GiB\"\n"));
  for (int i = 0; i < 24; ++i) {
    const auto ran = daemon.call("submit alloc keep:8 --wait");
    ASSERT_EQ(ran.status, 0) << ran.output << daemon.log();
  }
  const bool recycled = eventually([&] {
    daemon.call("submit echo x --wait");
    return daemon.log().find("reason=memory") != std::string::npos;
  });
  EXPECT_TRUE(recycled) << daemon.log();
  const auto status = document(daemon, "status --json");
  EXPECT_EQ(status.at("tasks").at("dead"), 0) << status;
  EXPECT_EQ(status.at("performance").at("crashes"), 0) << status;
  EXPECT_EQ(daemon.log().find("SIGKILL"), std::string::npos) << daemon.log();
}

TEST(Memory, FourTimesTheHardLimitInsideOneTaskIsKilledWithTheCause) {
  RealDaemon daemon(setup_of("crashes_max = 2\nbackoff_first = \"1ms\"",
                             "memory_soft = \"32MiB\"\nmemory_hard = \"64MiB\"\n"));
  const auto letter = letter_of(daemon, "alloc '256 60000'");
  ASSERT_EQ(letter.at("attempts").size(), 2U) << letter;
  for (const auto& attempt : letter.at("attempts")) {
    EXPECT_EQ(attempt.at("cause"), "memory") << letter;
    EXPECT_EQ(attempt.at("charged"), "crash") << letter;
  }
  EXPECT_NE(daemon.log().find("64 MiB are allowed (memory_hard)"), std::string::npos)
      << daemon.log();
}

TEST(Memory, WhatAProgramOfTheTaskTakesCountsToo) {
  RealDaemon daemon(setup_of("crashes_max = 1", "memory_soft = \"64MiB\"\n"));
  const auto letter = letter_of(daemon,
                                "exec '{\"argv\":[\"/usr/bin/python3\",\"-c\",\"import time; "
                                "kept = b'\\''x'\\'' * (400 << 20); time.sleep(60)\"]}'");
  EXPECT_EQ(letter.at("attempts").at(0).at("cause"), "memory") << letter;
}

TEST(Memory, ATaskThatDiedForWantOfItMayHaveMore) {
  RealDaemon daemon(
      setup_of("backoff_first = \"1ms\"\nsample_interval = \"100ms\"",
               "memory_soft = \"32MiB\"\nmemory_hard = \"64MiB\"\nretry_memory_factor = 4\n"));
  const auto ran = daemon.call("submit alloc '128 1000' --wait");
  EXPECT_EQ(ran.status, 0) << ran.output << daemon.log();
  const auto status = document(daemon, "status --json");
  EXPECT_EQ(status.at("performance").at("crashes"), 1) << status;
}

TEST(Memory, IsShownOfEachWorkerWithItsPeak) {
  RealDaemon daemon(setup_of("sample_interval = \"50ms\"", "size_max = 2\n"));
  const auto ran = daemon.call("submit alloc '64 400' --wait");
  ASSERT_EQ(ran.status, 0) << ran.output;
  std::uint64_t peak = 0;
  const auto workers = document(daemon, "workers --json");
  for (const auto& worker : workers.at("workers")) {
    peak = std::max(peak, worker.value("memory_peak_bytes", std::uint64_t{0}));
  }
  EXPECT_GE(peak, 64U << 20) << workers;
}

// Where this machine has the controller and lets us make one.
bool memory_cgroups() {
  std::ifstream lines("/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const auto at = line.find(":memory:");
    if (at == std::string::npos) continue;
    const auto path = "/sys/fs/cgroup/memory" + line.substr(at + 8);
    const auto own = path + "/warmpool-test-" + std::to_string(::getpid());
    return ::mkdir(own.c_str(), 0755) == 0 && ::rmdir(own.c_str()) == 0;
  }
  return false;
}

TEST(Memory, AKillByTheKernelForMemoryIsKnownAsOne) {
  if (!memory_cgroups()) GTEST_SKIP() << "no memory cgroup (v1) can be made here";
  RealDaemon daemon(setup_of("memory_cgroup_v1 = true\nsample_interval = \"1h\"\ncrashes_max = 1",
                             "memory_soft = \"32MiB\"\nmemory_hard = \"64MiB\"\n"));
  const auto letter = letter_of(daemon, "alloc '256 60000'");
  EXPECT_EQ(letter.at("attempts").at(0).at("cause"), "memory") << letter;
  EXPECT_NE(daemon.log().find("SIGKILL): out of memory"), std::string::npos) << daemon.log();
  EXPECT_TRUE(daemon.running());
  daemon.signal(SIGTERM);  // and takes its directory along
  EXPECT_EQ(daemon.wait(), 0);
}

// The command of one task is killed; its worker lives on, and how that ends is another story.
TEST(Memory, AKillOfACommandIsThatTasksAndNotOfWhatComesAfter) {
  if (!memory_cgroups()) GTEST_SKIP() << "no memory cgroup (v1) can be made here";
  RealDaemon daemon(setup_of("memory_cgroup_v1 = true\nsample_interval = \"1h\"\ncrashes_max = 1",
                             "size_max = 2\nmemory_soft = \"32MiB\"\nmemory_hard = \"64MiB\"\n"));
  ASSERT_EQ(daemon.call("scale 1 --class worker").status, 0);
  ASSERT_TRUE(eventually([&] { return daemon.workers().size() == 1; }));
  const auto pid = daemon.workers().front();
  const auto letter = letter_of(daemon,
                                "exec '{\"argv\":[\"/usr/bin/python3\",\"-c\",\"kept = "
                                "b'\\''x'\\'' * (400 << 20)\"]}'");
  EXPECT_EQ(letter.at("attempts").at(0).at("cause"), "memory") << letter << daemon.log();
  EXPECT_EQ(letter.at("attempts").at(0).at("charged"), "crash") << letter;
  ASSERT_EQ(daemon.workers(), std::vector<pid_t>{pid}) << daemon.log();
  const auto sent = daemon.call("submit " + daemon.gated_task() + " --print-id");
  const auto id = sent.output.substr(0, sent.output.find('\n'));
  ASSERT_TRUE(eventually(
      [&] { return document(daemon, "show " + id + " --json").value("state", "") == "running"; }));
  ASSERT_EQ(::kill(pid, SIGKILL), 0);
  ASSERT_TRUE(eventually(
      [&] { return document(daemon, "show " + id + " --json").value("crashes", 0) == 1; }));
  const auto shown = document(daemon, "show " + id + " --json");
  EXPECT_EQ(shown.at("attempts").at(0).at("cause"), "crashed") << shown;
  EXPECT_EQ(daemon.log().find("out of memory"), std::string::npos) << daemon.log();
}

TEST(Memory, TheKernelTakesAWorkerBeforeTheDaemon) {
  RealDaemon daemon(setup_of("", ""));
  ASSERT_TRUE(eventually([&] { return daemon.workers().size() == 2; }));
  const auto score = [](pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/oom_score_adj");
    int value = -1;
    file >> value;
    return value;
  };
  for (const auto worker : daemon.workers()) EXPECT_GE(score(worker), 500);
  EXPECT_LT(score(daemon.pid()), 500);
}

}  // namespace
}  // namespace warmpool::test
