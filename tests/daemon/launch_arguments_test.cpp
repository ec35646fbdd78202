// The launcher alone: what it is given wrong it refuses, and says which.
#include <array>
#include <fcntl.h>
#include <spawn.h>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/launch/report.hpp"
#include "ipc/fd.hpp"
#include "tests/daemon/process_fixture.hpp"

namespace warmpool::daemon {
namespace {

// The report of a launcher started with these arguments; it must end with status 127.
launch::Report report_of(std::vector<std::string> arguments) {
  launch::Report report;
  std::array<int, 2> ends{};
  EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const ipc::UniqueFd ours(ends[0]);
  ipc::UniqueFd theirs(ends[1]);
  arguments.insert(arguments.begin(), "warmpool-launch");
  std::vector<char*> pointers;
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, theirs.get(), launch::kStatusNumber);
  pid_t pid = 0;
  EXPECT_EQ(posix_spawn(&pid, launcher().c_str(), &actions, nullptr, pointers.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  theirs.reset();
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), launch::kFailedStatus);
  EXPECT_EQ(read(ours.get(), &report, sizeof report), static_cast<ssize_t>(sizeof report));
  return report;
}

std::string own_pid() { return "parent=" + std::to_string(getpid()); }

TEST(LaunchArguments, WrongOnesAreNamed) {
  const std::vector<std::string> wrong{
      "parent=",      "parent=0",        "parent=1x",  "parent=99999999999",
      "mask=512",     "mask=-1",         "uid=-1",     "uid=4294967295",
      "nice=20",      "nice=-21",        "limit=7",    "limit=7:1",
      "limit=99:1:1", "limit=7:1:keepx", "limit=7:1:", "groups=1,",
      "groups=1,,2",  "cpus=1024",       "cpus=x",     "unknown=1",
      "directory=",   "cgroup=",         "",           "nice=9223372036854775808",
      "groups=1 2",   "limit=7:-2:keep"};
  for (const auto& argument : wrong) {
    const auto report = report_of({own_pid(), argument, "--", "/bin/true"});
    EXPECT_EQ(report.step, launch::Step::Arguments) << argument;
    EXPECT_EQ(report.detail, argument);
  }
}

// A worker may be in one of v2, and in one of v1 for its memory and one for its number of
// processes.
TEST(LaunchArguments, ThreeCgroupsAreTaken) {
  std::vector<std::string> arguments{own_pid()};
  for (int i = 0; i < 3; ++i) arguments.emplace_back("cgroup=/dev/null");
  auto more = arguments;
  more.emplace_back("cgroup=/dev/null");
  for (auto* each : {&arguments, &more}) each->insert(each->end(), {"--", "/no/such"});
  EXPECT_EQ(report_of(arguments).step, launch::Step::Exec);
  EXPECT_EQ(report_of(more).step, launch::Step::Arguments);
}

TEST(LaunchArguments, ParentAndCommandMustBeThere) {
  EXPECT_STREQ(report_of({"--", "/bin/true"}).detail, "parent=");
  EXPECT_STREQ(report_of({own_pid()}).detail, "--");
  EXPECT_STREQ(report_of({own_pid(), "--"}).detail, "--");
}

TEST(LaunchArguments, EmptyCommandIsNotFound) {
  const auto report = report_of({own_pid(), "--", ""});
  EXPECT_EQ(report.step, launch::Step::Exec);
  EXPECT_EQ(report.error, ENOENT);
}

TEST(LaunchArguments, LongPathsAreCutInTheReport) {
  const std::string path = "/" + std::string(1000, 'x');
  const auto report = report_of({own_pid(), "--", path});
  EXPECT_EQ(report.error, ENAMETOOLONG);
  EXPECT_EQ(report.detail, path.substr(0, sizeof report.detail - 1));
}

TEST(LaunchArguments, TooManyGroupsAndLimitsAreRefused) {
  std::string groups = "groups=1";
  for (int i = 0; i < 1024; ++i) groups += ",1";
  EXPECT_EQ(report_of({own_pid(), groups, "--", "/bin/true"}).step, launch::Step::Arguments);
  std::vector<std::string> arguments{own_pid()};
  for (int i = 0; i < 17; ++i) arguments.emplace_back("limit=4:0:0");
  EXPECT_EQ(report_of(arguments).step, launch::Step::Arguments);
}

}  // namespace
}  // namespace warmpool::daemon
