// What a kernel, or a filter of system calls, refuses to warmpool-launch: a row each, call by
// error, with what becomes of the worker. Made by strace, which lets the call fail. What is refused
// to the daemon itself: tests/e2e/lacks_test.cpp.
#include <fcntl.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "tests/daemon/process_fixture.hpp"

namespace warmpool::daemon {
namespace {

using ::testing::HasSubstr;

enum class Wants : unsigned char { Nothing, AUser, Nice, Cpus, ALimit };

struct Lack {
  const char* name;
  const char* call;
  const char* error;  // as strace reads it, with the count of the call that fails; or what it
                      // returns, having done nothing
  Wants wants;        // what the class has to ask for so that the call is made
  const char* said;   // null: the worker starts, and lacks nothing
};

constexpr Lack kLacks[] = {
    {"close_range_is_missing", "close_range", "ENOSYS", Wants::Nothing, nullptr},
    {"close_range_is_filtered", "close_range", "EPERM", Wants::Nothing, nullptr},
    {"groups", "setgroups", "EPERM", Wants::AUser,
     "cannot set the groups of the worker's user: Operation not permitted; start warmpoold as "
     "root"},
    {"group", "setresgid", "EPERM", Wants::AUser,
     "cannot set the groups of the worker's user: Operation not permitted; start warmpoold as "
     "root"},
    {"user", "setresuid", "EPERM", Wants::AUser,
     "cannot become the worker's user: Operation not permitted; start warmpoold as root"},
    {"user_without_effect", "setresuid", "retval=0", Wants::AUser,
     "cannot see that the worker is its user: Operation not permitted; something lets setresgid, "
     "setresuid or capset seem to work"},
    {"group_without_effect", "setresgid", "retval=0", Wants::AUser,
     "cannot see that the worker is its user: Operation not permitted"},
    {"capabilities_unread", "capget", "ENOSYS", Wants::AUser, nullptr},
    {"capabilities_unset", "capset", "EPERM", Wants::AUser, nullptr},
    {"user_with_too_many_processes", "setresuid", "EAGAIN", Wants::AUser, "raise its limit"},
    {"no_new_privileges", "prctl", "EPERM:when=1", Wants::Nothing,
     "cannot give up new privileges: Operation not permitted; allow prctl in the filter"},
    {"death_signal", "prctl", "EPERM:when=2", Wants::Nothing,
     "cannot tie the worker to the daemon: Operation not permitted; allow prctl in the filter"},
    {"death_signal_is_missing", "prctl", "EINVAL:when=2", Wants::Nothing,
     "cannot tie the worker to the daemon: Invalid argument; allow prctl in the filter"},
    {"nice", "setpriority", "EACCES", Wants::Nice, "only root may lower it"},
    {"cpus", "sched_setaffinity", "EPERM", Wants::Cpus, "cannot bind the worker to its CPUs"},
    // The first is that of the C library, which asks for the size of its stack.
    {"limit", "prlimit64", "EPERM:when=2+", Wants::ALimit, "cannot set resource limit number 07"},
    {"directory", "chdir", "EACCES", Wants::Nothing, "let the worker's user enter it"}};

SpawnSpec asking_for(Wants wants, SpawnSpec spec) {
  if (wants == Wants::Nice) spec.nice = 5;
  if (wants == Wants::Cpus) spec.cpus = {0};
  if (wants == Wants::ALimit) spec.limits = {{RLIMIT_NOFILE, 99, 99}};
  if (wants != Wants::AUser) return spec;
  auto nobody = find_identity("nobody");
  EXPECT_TRUE(nobody);
  if (nobody) spec.identity = *nobody;
  return spec;
}

// Those that exist once the listing itself is closed.
const char* const kListNumbers =
    "import os\n"
    "names = os.listdir('/proc/self/fd')\n"
    "print(sorted(int(n) for n in names if os.path.lexists('/proc/self/fd/' + n)))";

class LacksTest : public ProcessTest, public ::testing::WithParamInterface<Lack> {
 protected:
  // -D: the traced process stays our child, as the launcher expects; the tracer is a child of its
  // own.
  std::string traced_launcher(const Lack& lack) const {
    const std::string call = lack.call, error = lack.error;
    const std::string fault = error.starts_with("retval") ? error : "error=" + error;
    return directory_.file("traced-launch",
                           "#!/bin/sh\nexec /usr/bin/strace -D -qq -o " + trace() +
                               " -e trace=" + call + " -e inject=" + call + ":" + fault + " " +
                               launcher() + " \"$@\"\n",
                           0755);
  }
  std::string trace() const { return directory_.path() + "/trace"; }
};

TEST_P(LacksTest, AreMadeUpForOrSaid) {
  const Lack& lack = GetParam();
  if (access("/usr/bin/strace", X_OK) != 0) GTEST_SKIP() << "strace is not installed";
  if (lack.wants == Wants::AUser && geteuid() != 0) GTEST_SKIP() << "only root becomes another";
  start_port(CgroupUse::Never, traced_launcher(lack));
  const ipc::UniqueFd leaky(open("/etc/passwd", O_RDONLY));
  const ipc::UniqueFd high(fcntl(leaky.get(), F_DUPFD, 600));
  const Child child = spawn(asking_for(lack.wants, python(kListNumbers)));
  const std::string descriptors = read_line(child.output.get());
  const std::string refused = read_all(child.errors.get(), 0);
  ASSERT_TRUE(wait_readable(child.exit_notice.get()));
  // The tracer is told of the death first.
  EXPECT_TRUE(eventually([&] { return port_->bury(child.worker, [](const Exit&) {}); }));
  if (refused.find("ptrace") != refused.npos) GTEST_SKIP() << "no tracing here: " << refused;
  const LaunchOutcome seen = outcome(child);
  if (lack.said == nullptr) {
    EXPECT_EQ(descriptors, "[0, 1, 2, 3]") << refused;
    EXPECT_EQ(seen.state, LaunchState::Running) << seen.error.text;
  } else {
    EXPECT_EQ(seen.state, LaunchState::Failed);
    EXPECT_THAT(seen.error.text, HasSubstr(lack.said));
    EXPECT_EQ(descriptors, "") << "its program ran";
  }
  const ipc::UniqueFd log(open(trace().c_str(), O_RDONLY));
  EXPECT_THAT(read_all(log.get()), HasSubstr("(INJECTED)"));
}

INSTANTIATE_TEST_SUITE_P(Launcher, LacksTest, ::testing::ValuesIn(kLacks),
                         [](const auto& row) { return std::string(row.param.name); });

}  // namespace
}  // namespace warmpool::daemon
