// What a kernel, or a filter of system calls, refuses to the daemon: a row each, call by error. It
// works without, or does not start and says what it needs; never does it half of what it promises.
// Made by strace, which follows the first thread alone and lets the call fail. What is refused to
// warmpool-launch: tests/daemon/process_lacks_test.cpp.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"
#include "tests/support/transport.hpp"

namespace warmpool::test {
namespace {

struct Lack {
  const char* name;
  const char* call;
  const char* error;  // as strace reads it
  const char* said;   // by one that does not start; null: it works without
  int status = 69;
};

constexpr Lack kLacks[] = {
    {"pidfd_open_is_missing", "pidfd_open", "ENOSYS",
     "cannot open a pidfd: Function not implemented; a kernel from 5.14 on is needed"},
    {"pidfd_open_is_filtered", "pidfd_open", "EPERM", "no filter that denies pidfd_open"},
    {"pidfd_send_signal_is_missing", "pidfd_send_signal", "ENOSYS",
     "cannot signal by a pidfd: Function not implemented; a kernel from 5.14 on is needed"},
    {"pidfd_send_signal_is_filtered", "pidfd_send_signal", "EPERM",
     "no filter that denies pidfd_send_signal"},
    {"waitid_is_missing", "waitid", "ENOSYS",
     "cannot wait by a pidfd: Function not implemented; a kernel from 5.14 on is needed"},
    {"waitid_knows_no_pidfd", "waitid", "EINVAL", "no filter that denies waitid"},
    {"adopting_orphans", "prctl", "EPERM", "cannot adopt orphans of workers", 71},
    {"clone3_is_missing", "clone3", "ENOSYS", nullptr},
    {"memfd_create_is_missing", "memfd_create", "ENOSYS", nullptr},
    {"memfd_create_is_filtered", "memfd_create", "EPERM", nullptr}};

class Lacks : public testing::TestWithParam<Lack> {
 protected:
  void SetUp() override {
    if (over_fifos()) GTEST_SKIP() << "the same over any channel";
    if (::access("/usr/bin/strace", X_OK) != 0) GTEST_SKIP() << "strace is not installed";
    if (run_shell("strace -D -qq -o /dev/null true 2>&1").status != 0) {
      GTEST_SKIP() << "no tracing here";
    }
    char name[] = "/tmp/warmpool-lacks.XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }
  std::string tracer() const {
    const std::string call = GetParam().call;
    // Under strace the search for leaks cannot run.
    return "strace -D -qq -E ASAN_OPTIONS=detect_leaks=0 -o " + trace() + " -e trace=" + call +
           " -e inject=" + call + ":error=" + GetParam().error;
  }
  std::string trace() const { return directory_ + "/trace"; }

  std::string directory_;
};

void works_and_replaces(RealDaemon& daemon) {
  EXPECT_EQ(daemon.call("submit echo hello --wait").status, 0) << daemon.log();
  const auto before = daemon.workers();
  ASSERT_FALSE(before.empty()) << daemon.log();
  ::kill(before.front(), SIGKILL);
  EXPECT_TRUE(eventually([&] {
    const auto now = daemon.workers();
    return now.size() == before.size() && std::ranges::count(now, before.front()) == 0;
  })) << daemon.log();
  EXPECT_EQ(daemon.call("submit echo again --wait").status, 0) << daemon.log();
}

TEST_P(Lacks, AreMadeUpForOrSaid) {
  const Lack& lack = GetParam();
  if (lack.said != nullptr) {
    const auto ran = run_shell(tracer() + " " + program("warmpoold") + " --config /dev/null " +
                               "--runtime-dir " + directory_ + "/run 2>&1");
    EXPECT_EQ(ran.status, lack.status) << ran.output;
    EXPECT_TRUE(ran.output.starts_with("warmpoold: ")) << ran.output;
    EXPECT_NE(ran.output.find(lack.said), ran.output.npos) << ran.output;
  } else {
    RealDaemon daemon({.config = {}, .arguments = {}, .prefix = {}, .wrapper = tracer()});
    ASSERT_TRUE(daemon.running()) << daemon.log();
    works_and_replaces(daemon);
  }
  std::ifstream log(trace());
  std::stringstream text;
  text << log.rdbuf();
  EXPECT_NE(text.str().find("(INJECTED)"), std::string::npos) << "it was never called";
}

INSTANTIATE_TEST_SUITE_P(Daemon, Lacks, testing::ValuesIn(kLacks),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace warmpool::test
