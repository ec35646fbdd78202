// FIFOs as their users meet them: shells that write lines, workers that are killed, files that a
// killed daemon leaves.
#include <filesystem>
#include <fstream>
#include <signal.h>
#include <sstream>
#include <sys/stat.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

RealDaemon::Setup fifo_pool(std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"--workers", "2"});
  return {.config = "", .arguments = std::move(more), .prefix = ""};
}

std::vector<json> rejects_of(const RealDaemon& daemon) {
  std::vector<json> lines;
  std::ifstream file(daemon.directory() + "/submit.rejected");
  for (std::string line; std::getline(file, line);) lines.push_back(json::parse(line));
  return lines;
}

std::size_t count_fifos(const std::string& directory) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator(directory)) count += entry.is_fifo();
  return count;
}

TEST(SubmitFifo, FiftyLinesAreFiftySettledTasksAndAMalformedOneIsKept) {
  const RealDaemon daemon(fifo_pool());
  const std::string fifo = daemon.directory() + "/submit.fifo";
  run_shell(
      "for i in $(seq 50); do echo \"{\\\"type\\\":\\\"echo\\\",\\\"payload\\\":\\\"task $i\\\"}\" "
      "> " +
      fifo + "; done; echo '{\"type\":\"echo\",' > " + fifo);
  EXPECT_TRUE(eventually([&] { return status_of(daemon).at("tasks").at("done") == 50; }));
  EXPECT_TRUE(eventually([&] { return status_of(daemon).at("submit_fifo").at("rejected") == 1; }));
  EXPECT_EQ(status_of(daemon).at("submit_fifo").at("accepted"), 50);
  const auto kept = rejects_of(daemon);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].at("line"), "{\"type\":\"echo\",");
  EXPECT_NE(daemon.log().find("submit.fifo: the line is no JSON"), std::string::npos)
      << daemon.log();
}

TEST(SubmitFifo, AThousandWritersAtOnceLoseNothing) {
  const RealDaemon daemon(fifo_pool());
  const std::string fifo = daemon.directory() + "/submit.fifo";
  run_shell("for i in $(seq 1000); do echo '{\"type\":\"echo\",\"payload\":\"" +
            std::string(500, 'x') + "\"}' > " + fifo + " & done; wait");
  EXPECT_TRUE(eventually([&] { return status_of(daemon).at("tasks").at("done") == 1000; },
                         std::chrono::seconds(60)));
  EXPECT_EQ(status_of(daemon).at("submit_fifo").at("rejected"), 0);
}

TEST(SubmitFifo, AFloodOfRubbishLeavesTheDaemonAnswering) {
  const RealDaemon daemon(fifo_pool());
  const std::string fifo = daemon.directory() + "/submit.fifo";
  const auto flood =
      run_shell("timeout 5 sh -c 'yes rubbish | head -n 200000 > " + fifo + "' & sleep 0.3; " +
                daemon.command("submit echo alive --wait") + "; wait");
  EXPECT_EQ(flood.output, "alive");
  EXPECT_GT(status_of(daemon).at("submit_fifo").at("rejected"), 1000);
  // Just after it became submit.rejected.1 the file is made anew with the next line.
  const std::string rejected = daemon.directory() + "/submit.rejected";
  EXPECT_TRUE(fs::exists(rejected) || fs::exists(rejected + ".1"));
  std::error_code missing;
  const auto bytes = fs::file_size(rejected, missing);
  EXPECT_LE(missing ? 0 : bytes, 5U << 20);
  EXPECT_LT(daemon.log().size(), 100'000U);
}

TEST(SubmitFifo, WhatAShellWroteWhileNoDaemonRanIsMovedAside) {
  RealDaemon daemon(fifo_pool());
  const std::string fifo = daemon.directory() + "/submit.fifo";
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.wait(), 0);
  EXPECT_FALSE(fs::exists(fifo)) << "gone with a stop";
  run_shell("echo '{\"type\":\"echo\"}' > " + fifo);
  ASSERT_TRUE(daemon.start());
  run_shell("cat " + daemon.directory() + "/submit.missed > " + fifo);
  EXPECT_TRUE(eventually([&] { return status_of(daemon).at("tasks").at("done") == 1; }));
}

TEST(SubmitFifo, AWriterThatWaitedForADaemonIsServed) {
  RealDaemon daemon(fifo_pool());
  const std::string fifo = daemon.directory() + "/submit.fifo";
  daemon.signal(SIGKILL);
  daemon.wait();
  ASSERT_TRUE(fs::is_fifo(fifo)) << "left by a killed daemon";
  run_shell("(echo '{\"type\":\"echo\"}' > " + fifo + ") >/dev/null 2>&1 &");
  ASSERT_TRUE(daemon.start());
  EXPECT_TRUE(eventually([&] { return status_of(daemon).at("tasks").at("done") == 1; }));
}

TEST(SubmitFifo, LivesInTheDirectoryOfFifos) {
  char base[] = "/tmp/warmpool-fifos.XXXXXX";
  ASSERT_NE(::mkdtemp(base), nullptr);
  const std::string directory = std::string(base) + "/fifos";
  {
    RealDaemon daemon(
        {.config = "", .arguments = {"--workers", "1"}, .prefix = "FIFO_DIR=" + directory});
    ASSERT_TRUE(daemon.running()) << daemon.log();
    struct stat found {};
    EXPECT_EQ(::stat(directory.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, 0700U);
    run_shell("echo '{\"type\":\"echo\"}' > " + directory + "/submit.fifo");
    EXPECT_TRUE(eventually([&] { return status_of(daemon).at("tasks").at("done") == 1; }));
    const auto second =
        run_shell("FIFO_DIR=" + directory + " " + program_directory() +
                  "/warmpoold --config /dev/null --runtime-dir " + base + "/other 2>&1");
    EXPECT_EQ(second.status, 75) << second.output;
    EXPECT_NE(second.output.find("--fifo-dir"), std::string::npos) << second.output;
  }
  EXPECT_EQ(count_fifos(directory), 0U);
  fs::permissions(directory, fs::perms::all);
  const auto open =
      run_shell("FIFO_DIR=" + directory + " " + program_directory() +
                "/warmpoold --config /dev/null --runtime-dir " + base + "/other 2>&1");
  EXPECT_EQ(open.status, 73) << open.output;
  fs::remove_all(base);
}

std::string fifo_class() {
  return R"(
[[class]]
name = "worker"
command = [")" +
         program_directory() +
         R"(/warmpool-worker"]
channel = "fifo"
types = ["echo", "sleep", "exec"]
size = 3
size_min = 1
)";
}

TEST(FifoWorkers, LeaveNoNamesWhileTheyRunNorAfterAKilledDaemon) {
  RealDaemon daemon(
      {.config = fifo_class(), .arguments = {"--submit-fifo", "false"}, .prefix = ""});
  EXPECT_TRUE(eventually([&] { return status_of(daemon).at("workers").at("ready") == 3; }));
  EXPECT_EQ(count_fifos(daemon.directory()), 0U);
  EXPECT_EQ(daemon.call("submit echo hello --wait").output, "hello");
  daemon.signal(SIGKILL);
  daemon.wait();
  run_shell("mkfifo " + daemon.directory() + "/fifo.worker-0.0123456789abcdef.in");
  ASSERT_TRUE(daemon.start());
  EXPECT_TRUE(eventually([&] { return status_of(daemon).at("workers").at("ready") == 3; }));
  EXPECT_EQ(count_fifos(daemon.directory()), 0U) << "stale ones are swept";
}

// Only what a shell can do: frames from printf. docs/protocol.md is all that it knows.
const char* const kShellWorker = R"sh(#!/bin/bash
exec 3<"$WARMPOOL_FIFO_IN" 4>"$WARMPOOL_FIFO_OUT"
u64() {
  local n=$1 out= i
  for i in 1 2 3 4 5 6 7 8; do
    printf -v out '%s\\x%02x' "$out" $((n & 255))
    n=$(((n >> 8) & 0xffffffffffffff))
  done
  printf '%s' "$out"
}
{ printf '\x0c\x00\x00\x00\x0c\x00\x01\x00'
  printf "$(u64 $((WARMPOOL_WORKER)))$(u64 $((WARMPOOL_TOKEN)))"
  printf '\x00\x00\x00\x00\x00\x00\x01\x00\x96\x01\x01\x01\x00\xa5shell\x00'; } >&4
exec cat <&3 >/dev/null
)sh";

TEST(FifoWorkers, MayBeWrittenInAShell) {
  char base[] = "/tmp/warmpool-shell.XXXXXX";
  ASSERT_NE(::mkdtemp(base), nullptr);
  const std::string script = std::string(base) + "/worker";
  std::ofstream(script) << kShellWorker;
  fs::permissions(script, fs::perms::owner_all);
  {
    RealDaemon daemon(
        {.config = "[[class]]\nname = \"shell\"\ncommand = [\"" + script +
                   "\"]\nchannel = \"fifo\"\ntypes = [\"x\"]\nsize = 1\nbeatless = true\n",
         .arguments = {},
         .prefix = ""});
    EXPECT_TRUE(eventually([&] { return status_of(daemon).at("workers").at("ready") == 1; }))
        << daemon.log() << daemon.call("worker shell-0").output;
  }
  fs::remove_all(base);
}

TEST(FifoWorkers, OfAnotherUserNeedADirectoryThatItMayEnter) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root becomes another user";
  char base[] = "/tmp/warmpool-user.XXXXXX";
  ASSERT_NE(::mkdtemp(base), nullptr);
  fs::permissions(base, fs::perms(0711));
  const std::string directory = std::string(base) + "/fifos";
  const std::string copy = std::string(base) + "/warmpool-worker";
  fs::copy_file(program_directory() + "/warmpool-worker", copy);
  const std::string config = "[[class]]\nname = \"worker\"\ncommand = [\"" + copy +
                             "\"]\nchannel = \"fifo\"\nuser = \"nobody\"\ntypes = [\"echo\"]\n"
                             "size = 1\n";
  std::ofstream(std::string(base) + "/closed.toml") << config;
  const auto closed =
      run_shell(program_directory() + "/warmpoold --config " + std::string(base) +
                "/closed.toml --runtime-dir " + base + "/run --fifo-dir " + directory + " 2>&1");
  EXPECT_EQ(closed.status, 78) << closed.output;
  EXPECT_NE(closed.output.find("0711"), std::string::npos) << closed.output;
  fs::permissions(directory, fs::perms(0711));
  {
    RealDaemon daemon({.config = config, .arguments = {"--fifo-dir", directory}, .prefix = ""});
    EXPECT_EQ(daemon.call("submit echo hello --wait").output, "hello") << daemon.log();
    const auto owner = run_shell("ps -o user= -p " + std::to_string(daemon.workers().at(0)));
    EXPECT_EQ(owner.output, "nobody\n");
  }
  fs::remove_all(base);
}

}  // namespace
}  // namespace warmpool::test
