// Directories of real workers: where programs find themselves, as whom, and what is left of it.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"
#include "tests/support/transport.hpp"

namespace warmpool::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

// A class of stock workers with these options.
RealDaemon::Setup setup_of(const std::string& options, const std::string& pool = "") {
  return {.config = pool + "\nbackoff_first = \"1ms\"\nbackoff_max = \"1ms\"\n" +
                    "restart_cooldown = \"1ms\"\n[[class]]\nname = \"worker\"\ncommand = [\"" +
                    program("warmpool-worker") +
                    "\"]\ntypes = [\"exec\", \"echo\"]\nsize = 1\nsize_min = 1\n" + options,
          .arguments = {},
          .prefix = {}};
}

// What a shell script writes as a task.
std::string run(const RealDaemon& daemon, const std::string& script) {
  const json payload{{"argv", {"sh", "-c", script}}};
  const auto ran = daemon.call("submit exec '" + payload.dump() + "' --wait");
  const auto result = json::parse(ran.output, nullptr, false);
  EXPECT_TRUE(result.is_object()) << ran.output << daemon.log();
  return result.is_object() ? result.value("stdout", "") : "";
}

std::string root_of(const RealDaemon& daemon) { return daemon.directory() + "/state/directories"; }

bool is_empty(const std::string& directory) {
  std::error_code failed;
  return !fs::exists(directory, failed) || fs::is_empty(directory, failed);
}

bool is_clean(const RealDaemon& daemon) {
  return eventually([&] {
    return is_empty(root_of(daemon) + "/worker/fresh") && is_empty(root_of(daemon) + "/.removed");
  });
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Directory, AProgramStartsInTheOneOfItsAttempt) {
  RealDaemon daemon(setup_of("directory = \"fresh\"\n"));
  const auto wrote =
      run(daemon, "ls -A; pwd; echo $WARMPOOL_DIRECTORY; mkdir -p a/b; echo x >a/b/c");
  const auto path = wrote.substr(0, wrote.find('\n'));
  EXPECT_TRUE(path.starts_with(root_of(daemon) + "/worker/fresh/")) << wrote;
  EXPECT_EQ(wrote, path + "\n" + path + "\n");
  EXPECT_TRUE(is_clean(daemon)) << daemon.log();
  EXPECT_NE(run(daemon, "pwd"), path + "\n");
}

TEST(Directory, IsFilledAndCleanedByCommands) {
  RealDaemon daemon(setup_of(
      "directory = \"fresh\"\n"
      "directory_prepare = [\"sh\", \"-c\", \"echo $WARMPOOL_TYPE of $WARMPOOL_SLOT > made\"]\n"
      "directory_clean = [\"sh\", \"-c\", \"cp made ../../../cleaned.$WARMPOOL_ATTEMPT\"]\n"));
  EXPECT_EQ(run(daemon, "cat made"), "exec of worker-0\n");
  EXPECT_TRUE(is_clean(daemon)) << daemon.log();
  EXPECT_EQ(text_of(root_of(daemon) + "/cleaned.1"), "exec of worker-0\n");
}

TEST(Directory, APreparationThatHangsFailsTheTaskWithItsText) {
  RealDaemon daemon(setup_of(
      "directory = \"fresh\"\ndirectory_timeout = \"100ms\"\n"
      "directory_prepare = [\"sh\", \"-c\", \"echo still fetching >&2; sleep 600 & wait\"]\n"));
  const auto ran = run_shell(daemon.command("submit echo x --retries 1 --wait 2>&1"));
  EXPECT_NE(ran.status, 0);
  EXPECT_THAT(ran.output, HasSubstr("took longer than 100ms (directory_timeout)"));
  EXPECT_THAT(ran.output, HasSubstr("still fetching"));
  EXPECT_TRUE(is_clean(daemon)) << daemon.log();
}

// As docs/daemon.md has it.
TEST(Directory, IsAWorktreeOfARepository) {
  char name[] = "/tmp/warmpool-test.XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  const std::string repository = name;
  const auto git = "git -C " + repository + " ";
  const auto made =
      run_shell(git + "init -q && echo text > " + repository + "/file && " + git + "add file && " +
                git + "-c user.name=a -c user.email=a@b commit -q -m first 2>&1");
  ASSERT_EQ(made.status, 0) << made.output;
  {
    RealDaemon daemon(
        setup_of("directory = \"fresh\"\n"
                 "directory_prepare = [\"sh\", \"-c\", \"git -C " +
                 repository +
                 " worktree add --detach \\\"$WARMPOOL_DIRECTORY\\\"\"]\n"
                 "directory_clean = [\"sh\", \"-c\", \"git -C " +
                 repository + " worktree remove --force \\\"$WARMPOOL_DIRECTORY\\\"\"]\n"));
    EXPECT_EQ(run(daemon, "cat file; git status --short; touch left"), "text\n") << daemon.log();
    EXPECT_EQ(run(daemon, "ls"), "file\n") << daemon.log();
    EXPECT_TRUE(is_clean(daemon)) << daemon.log();
  }
  EXPECT_EQ(run_shell(git + "worktree list | wc -l").output, "1\n");
  fs::remove_all(repository);
}

TEST(Directory, WhatATaskLinksToStays) {
  RealDaemon daemon(setup_of("directory = \"fresh\"\n"));
  const auto outside = daemon.directory() + "/outside";
  fs::create_directory(outside);
  std::ofstream(outside + "/kept") << "text";
  run(daemon, "ln -s " + outside + " link; ln -s / top; ln -s " + outside + "/kept file");
  EXPECT_TRUE(is_clean(daemon)) << daemon.log();
  EXPECT_EQ(text_of(outside + "/kept"), "text");
}

TEST(Directory, OfAPlaceOutlivesItsWorkersAndTheDaemon) {
  RealDaemon daemon(
      setup_of("directory = \"kept\"\n"
               "directory_prepare = [\"sh\", \"-c\", \"echo once >> prepared\"]\n"));
  const auto path = root_of(daemon) + "/worker/kept/worker-0";
  EXPECT_EQ(run(daemon, "pwd; echo $WARMPOOL_DIRECTORY; touch cache"), path + "\n" + path + "\n");
  const auto workers = daemon.workers();
  for (const auto pid : workers) ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] { return daemon.workers() != workers; }));
  EXPECT_EQ(run(daemon, "ls"), "cache\nprepared\n");
  daemon.signal(SIGKILL);
  daemon.wait();
  ASSERT_TRUE(daemon.start());
  EXPECT_EQ(run(daemon, "ls; cat prepared"), "cache\nprepared\nonce\n");
}

TEST(Directory, OfAKilledDaemonIsCleanedByTheNext) {
  RealDaemon daemon(setup_of(
      "directory = \"fresh\"\n"
      "directory_clean = [\"sh\", \"-c\", \"echo $WARMPOOL_TASK >> ../../../cleaned\"]\n"));
  const json payload{{"argv", {"sh", "-c", "touch begun; exec sleep 600"}}};
  const auto id = daemon.call("submit exec '" + payload.dump() + "' --print-id");
  const auto fresh = root_of(daemon) + "/worker/fresh/" + std::to_string(std::stoull(id.output));
  ASSERT_TRUE(eventually([&] { return fs::exists(fresh + ".1.1/begun"); })) << daemon.log();
  std::ofstream(fresh + ".1.1/old") << "text";
  daemon.signal(SIGKILL);
  daemon.wait();
  ASSERT_TRUE(fs::remove(fresh + ".1.1/begun"));
  ASSERT_TRUE(daemon.start());
  // The task runs again; as which attempt, depends on what was written down in time.
  const auto cleaned = std::to_string(std::stoull(id.output)) + "\n";
  ASSERT_TRUE(eventually([&] {
    const bool begun = fs::exists(fresh + ".1.1/begun") || fs::exists(fresh + ".1.2/begun");
    return begun && text_of(root_of(daemon) + "/cleaned") == cleaned;
  })) << daemon.log();
  EXPECT_FALSE(fs::exists(fresh + ".1.1/old"));
}

TEST(Directory, IsOfTheUserOfItsClass) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root starts workers as somebody else";
  if (over_fifos()) GTEST_SKIP() << "that user cannot reach the FIFOs either";
  if (::getpwnam("nobody") == nullptr) GTEST_SKIP() << "there is no user nobody";
  char name[] = "/tmp/warmpool-test.XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  const std::string place = name;
  ASSERT_EQ(::chmod(name, 0711), 0);
  {
    RealDaemon daemon(
        setup_of("user = \"nobody\"\ndirectory = \"fresh\"\n"
                 "directory_prepare = [\"sh\", \"-c\", \"id -un > who\"]\n",
                 "directory_root = \"" + place + "/root\""));
    EXPECT_EQ(run(daemon, "cat who; id -un; stat -c \"%U %a\" .; cd $PWD && echo reached"),
              "nobody\nnobody\nnobody 700\nreached\n")
        << daemon.log();
  }
  fs::remove_all(place);
}

TEST(Directory, ThatItsUserCannotReachIsRefusedAtTheStart) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root starts workers as somebody else";
  if (over_fifos()) GTEST_SKIP() << "that user cannot reach the FIFOs either";
  RealDaemon daemon(setup_of("user = \"nobody\"\ndirectory = \"fresh\"\n"));
  EXPECT_FALSE(daemon.running());
  EXPECT_THAT(daemon.log(), HasSubstr("cannot reach their directories"));
  EXPECT_THAT(daemon.log(), HasSubstr("--directory-root"));
}

TEST(Directory, IsShownWithItsSizeWhenAsked) {
  RealDaemon daemon(setup_of("directory = \"kept\"\n"));
  run(daemon, "head -c 1000000 /dev/zero > large");
  const auto shown = json::parse(daemon.call("worker worker-0 --sizes --json").output);
  ASSERT_EQ(shown["directories"].size(), 1U) << shown;
  EXPECT_EQ(shown["directories"][0]["path"], root_of(daemon) + "/worker/kept/worker-0");
  EXPECT_GE(shown["directories"][0]["bytes"], 1'000'000);
}

// What a template forks starts in the directory of its own place too.
TEST(Directory, OfAPlaceIsWhereAForkedWorkerIs) {
  RealDaemon daemon(setup_of("directory = \"kept\"\npreload = [\"libm.so.6\"]\n"));
  ASSERT_TRUE(eventually([&] {
    return json::parse(daemon.call("worker worker-0 --json").output, nullptr, false)
        .value("/template"_json_pointer, json())
        .is_number();
  })) << daemon.log();
  EXPECT_EQ(run(daemon, "pwd"), root_of(daemon) + "/worker/kept/worker-0\n");
}

}  // namespace
}  // namespace warmpool::test
