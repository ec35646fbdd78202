// The examples of docs/client.md and docs/worker.md: each is run, and says what its page promises.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::StartsWith;

RealDaemon::Setup stock_workers(int size) {
  const std::string config =
      "backoff_first = \"1ms\"\n[[class]]\nname = \"worker\"\nsize = " + std::to_string(size) +
      "\nsize_min = 1\nsize_max = 4\ncommand = [\"" + program("warmpool-worker") +
      "\"]\ntypes = [\"echo\", \"sleep\", \"fail\", \"crash\", \"file.digest\"]\n";
  return {.config = config, .arguments = {}, .prefix = ""};
}

RealDaemon::Setup words_workers() {
  return {.config =
              "[[class]]\nname = \"words\"\nsize = 1\nsize_min = 1\ncommand = "
              "[\"" +
              program("example-worker") +
              "\", \"the\"]\n"
              "types = [\"words.*\"]\n",
          .arguments = {},
          .prefix = ""};
}

Ran run_example(const RealDaemon& daemon, const std::string& line) {
  return run_shell("WARMPOOL_SOCKET=" + daemon.directory() + "/warmpool.sock " + program(line) +
                   " 2>&1");
}

bool all_ready(const RealDaemon& daemon, std::size_t size) {
  return eventually([&] {
    const auto status = nlohmann::json::parse(daemon.call("status --json").output);
    return status.at("workers").at("ready") == size;
  });
}

TEST(Examples, BasicPrintsAResult) {
  const RealDaemon daemon(stock_workers(1));
  const auto ran = run_example(daemon, "example-basic echo hello");
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.output, HasSubstr("is done: hello\n"));
  EXPECT_EQ(run_example(daemon, "example-basic fail nonsense").status, 1);
}

TEST(Examples, ParallelDigestsFiles) {
  const RealDaemon daemon(stock_workers(2));
  const auto ran = run_example(daemon, "example-parallel /etc/passwd /etc/group");
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.output,
              AllOf(ContainsRegex("/etc/passwd: .*sha256"), ContainsRegex("/etc/group: .*sha256")));
  const auto missing = run_example(daemon, "example-parallel /no/such/file");
  EXPECT_EQ(missing.status, 1);
  EXPECT_THAT(missing.output, HasSubstr("1 files were not digested"));
}

TEST(Examples, ScalingGrowsWithTheQueueAndShrinksAfterIt) {
  const RealDaemon daemon(stock_workers(1));
  const auto ran = run_example(daemon, "example-scaling 60 4");
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.output, "1 -> 4 workers\n60 tasks done\n4 -> 1 workers\n");
  const auto beyond = run_example(daemon, "example-scaling 60 5");
  EXPECT_EQ(beyond.status, 1);
  EXPECT_THAT(beyond.output, HasSubstr("outside"));
}

TEST(Examples, HealthTellsAWellPoolFromASickOne) {
  const RealDaemon well(stock_workers(2));
  ASSERT_TRUE(all_ready(well, 2));
  const auto ran = run_example(well, "example-health");
  EXPECT_EQ(ran.status, 0);
  EXPECT_THAT(ran.output, AllOf(StartsWith("healthy: 2 of 2 workers can work\n"),
                                ContainsRegex("worker-1: ready, healthy, pid [0-9]+, 0 tasks")));
  EXPECT_EQ(run_shell("WARMPOOL_SOCKET=/nowhere " + program("example-health") + " 2>&1").status, 2);
}

TEST(Examples, ErrorsNamesEachWayToFail) {
  const RealDaemon daemon(stock_workers(2));
  const auto ran = run_example(daemon, "example-errors");
  EXPECT_EQ(ran.status, 0) << ran.output;
  EXPECT_THAT(ran.output, HasSubstr("no such type: refused (201): "));
  EXPECT_THAT(ran.output, HasSubstr("a bad wish: refused (202): "));
  EXPECT_THAT(ran.output, HasSubstr("fails once, is tried again: done (done, attempt 2): "));
  EXPECT_THAT(ran.output, HasSubstr("fails too often: dead (failed, attempt 1): "));
  EXPECT_THAT(ran.output, HasSubstr("kills its worker: dead (crashed, attempt 1): "));
  EXPECT_THAT(ran.output, HasSubstr("runs too long: dead (timeout, attempt 1): "));
  EXPECT_THAT(ran.output, HasSubstr("waits too long: expired (expired, attempt 0): "));
  EXPECT_THAT(ran.output, HasSubstr("is cancelled: cancelled (cancelled, attempt "));
}

TEST(Examples, EventsFollowsATaskToItsEnd) {
  const RealDaemon daemon(stock_workers(1));
  ASSERT_TRUE(all_ready(daemon, 1));
  const auto ran = run_example(daemon, "example-events fail 1");
  EXPECT_EQ(ran.status, 0);
  EXPECT_EQ(ran.output,
            "task-submitted\n"
            "task-started: attempt 1 on worker-0\n"
            "task-failed: attempt 1 on worker-0, failed\n"
            "task-started: attempt 2 on worker-0\n"
            "task-completed: attempt 2 on worker-0\n"
            "done after 2 attempts\n");
  EXPECT_EQ(run_example(daemon, "example-events no.such x").status, 1);
}

TEST(Examples, AWorkerOfOnesOwnServesItsTypes) {
  const RealDaemon daemon(words_workers());
  const auto counted = daemon.call("submit words.count 'the end of the end' --wait");
  EXPECT_EQ(counted.status, 0);
  EXPECT_EQ(counted.output, "{\"end\":2,\"of\":1}");
  EXPECT_EQ(daemon.call("submit words.count 'the' --wait").status, 1);
  EXPECT_EQ(daemon.call("submit words.slowly 'one two three' --wait").output, "3");
  EXPECT_EQ(daemon.call("submit elsewhere x --wait").status, 1);
}

TEST(Examples, APluginServesItsTypes) {
  const RealDaemon daemon(
      {.config = "[[class]]\nname = \"text\"\nsize = 1\nsize_min = 1\ncommand = [\"" +
                 program("warmpool-worker") + "\", \"--plugin\", \"" +
                 program("example-plugin-distance.so") + "\"]\ntypes = [\"text.*\"]\n",
       .arguments = {},
       .prefix = ""});
  EXPECT_EQ(daemon.call("submit text.distance \"$(printf 'kitten\\nsitting')\" --wait").output,
            "3");
  EXPECT_EQ(daemon.call("submit text.distance 'one line' --wait").status, 1);
}

TEST(Examples, AShellScriptIsAWorker) {
  const RealDaemon daemon(
      {.config = "[[class]]\nname = \"shell\"\nsize = 1\nsize_min = 1\ncommand = [\"" +
                 program("warmpool-worker") + "\", \"--wrap\", \"lines\", \"--\", \"/bin/sh\", \"" +
                 source_file("worker/examples/folder_size.sh") + "\"]\ntypes = [\"folder.size\"]\n",
       .arguments = {},
       .prefix = ""});
  const auto folder = source_file("worker");
  const auto measured = run_shell("du -sk " + folder + " | cut -f1 | tr -d '\\n'").output;
  const auto sized = daemon.call("submit folder.size " + folder + " --wait");
  EXPECT_EQ(sized.status, 0);
  EXPECT_EQ(sized.output, measured);
  EXPECT_EQ(daemon.call("submit folder.size /no/such/folder --wait").status, 1);
  // Still the same shell.
  EXPECT_EQ(daemon.call("submit folder.size " + folder + " --wait").output, measured);
  const auto workers = nlohmann::json::parse(daemon.call("workers --json").output);
  EXPECT_EQ(workers.at("workers").at(0).at("processes_spawned"), 1);
}

}  // namespace
}  // namespace warmpool::test
