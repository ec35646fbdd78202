// warmpool-launch: stands between every spawn and its program, because a forked copy of the daemon
// would stall it (38 ms at 2 GiB) and posix_spawn alone can set none of this. Static and without
// heap: 0.5 ms. Signals, session and descriptors 1 to 4 are set by posix_spawn already.
//
// The order matters: what needs privileges comes before they go; the directory is entered as the
// user who must be able to; the parent-death signal comes after the change of user, which clears
// it; and the parent is checked after that, because it may have died before.
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/launch/descriptors.hpp"
#include "daemon/launch/execute.hpp"
#include "daemon/launch/plan.hpp"
#include "daemon/launch/report.hpp"

namespace warmpool::launch {
namespace {

Plan plan;  // 10 KiB, and used once

[[noreturn]] void fail(const Report& report) {
  // Nobody can be told if this fails; the exit status speaks too.
  [[maybe_unused]] const ssize_t written = write(kStatusNumber, &report, sizeof report);
  _exit(kFailedStatus);
}

[[noreturn]] void fail(Step step, int error, const char* detail) {
  Report report;
  report.step = step;
  report.error = error;
  std::strncpy(report.detail, detail, sizeof report.detail - 1);
  fail(report);
}

constexpr int kOomScore = 500;
constexpr const char* kOomScoreText = "500";

void write_to(const char* path, const char* text) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = write(file, text, std::strlen(text));
  close(file);
}

// A worker without a cgroup of its own is killed by its group and its mark, so failure is no reason
// not to start it.
void enter_cgroups() {
  for (std::size_t i = 0; i < plan.cgroup_count; ++i) write_to(plan.cgroups[i], "0");
}

// Where memory ends the kernel shall take a worker and not the daemon. Raising it is always
// allowed; one who has more already keeps that.
void be_chosen_first() {
  const char* const path = "/proc/self/oom_score_adj";
  char text[16] = {};
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  const ssize_t bytes = read(file, text, sizeof text - 1);
  close(file);
  if (bytes > 0 && std::atoi(text) < kOomScore) write_to(path, kOomScoreText);
}

void set_limits() {
  for (std::size_t i = 0; i < plan.limit_count; ++i) {
    const Limit& limit = plan.limits[i];
    rlimit value{limit.soft, limit.hard};
    if (limit.keep_hard) {
      rlimit old{};
      getrlimit(static_cast<__rlimit_resource>(limit.resource), &old);
      value.rlim_max = old.rlim_max;
    }
    if (value.rlim_cur > value.rlim_max) value.rlim_cur = value.rlim_max;
    if (setrlimit(static_cast<__rlimit_resource>(limit.resource), &value) != 0) {
      const char digits[] = {static_cast<char>('0' + limit.resource / 10),
                             static_cast<char>('0' + limit.resource % 10), '\0'};
      fail(Step::Limits, errno, digits);
    }
  }
}

void set_share() {
  if (plan.has_nice && setpriority(PRIO_PROCESS, 0, plan.nice) != 0) fail(Step::Nice, errno, "");
  if (plan.has_cpus && sched_setaffinity(0, sizeof plan.cpus, &plan.cpus) != 0) {
    fail(Step::Cpus, errno, "");
  }
  umask(plan.mask);
}

// What the program would have of the daemon's own rights. Root keeps them: it was asked for.
void drop_capabilities() {
  if (plan.uid == 0) return;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  syscall(SYS_capset, &header, none);
}

// What would go through execve to whoever it is: an ambient one is meant for the daemon, not for
// what its workers run. With the inheritable ones the ambient ones go.
void pass_on_none() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct has[_LINUX_CAPABILITY_U32S_3] = {};
  bool done = syscall(SYS_capget, &header, has) == 0;
  for (auto& part : has) part.inheritable = 0;
  done = done && syscall(SYS_capset, &header, has) == 0;
  if (!done) prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);  // not there before 4.3
}

// "CapPrm:\t0000000000000000" and the like: whether all its digits are 0.
bool is_none(const char* status, const char* name) {
  const char* at = std::strstr(status, name);
  if (at == nullptr) return false;
  return std::strtoull(at + std::strlen(name), nullptr, 16) == 0;
}

// Where the call is filtered /proc says it too.
bool has_none_by_proc() {
  static char text[4096];
  const int file = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t bytes = read(file, text, sizeof text - 1);
  close(file);
  return bytes > 0 && is_none(text, "\nCapPrm:\t") && is_none(text, "\nCapEff:\t");
}

// Read back: a filter may say that a call has worked and do nothing, and nobody would see that the
// worker is root still.
bool is_user() {
  uid_t users[3] = {};
  gid_t groups[3] = {};
  if (getresuid(&users[0], &users[1], &users[2]) != 0) return false;
  if (getresgid(&groups[0], &groups[1], &groups[2]) != 0) return false;
  for (int i = 0; i < 3; ++i) {
    if (users[i] != plan.uid || groups[i] != plan.gid) return false;
  }
  if (plan.uid == 0) return true;
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct has[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, has) != 0) return has_none_by_proc();
  for (const auto& part : has) {
    if ((part.effective | part.permitted) != 0) return false;
  }
  return true;
}

void become_user() {
  if (!plan.has_user) return;
  if (setgroups(plan.group_count, plan.groups) != 0) fail(Step::Groups, errno, "");
  if (setresgid(plan.gid, plan.gid, plan.gid) != 0) fail(Step::Groups, errno, "");
  if (setresuid(plan.uid, plan.uid, plan.uid) != 0) fail(Step::User, errno, "");
  drop_capabilities();
  if (!is_user()) fail(Step::ReadBack, EPERM, "");
}

void set_input() {
  const int null = open("/dev/null", O_RDONLY);
  if (null < 0) fail(Step::Input, errno, "/dev/null");
  if (null == 0) return;
  if (dup2(null, 0) < 0) fail(Step::Input, errno, "/dev/null");
  close(null);  // a worker over FIFOs has no channel at 3, where this may have come to lie
}

void tie_to_parent() {
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail(Step::Privileges, errno, "");
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) fail(Step::DeathSignal, errno, "");
  if (getppid() != plan.parent) fail(Step::Parent, ESRCH, "");
}

}  // namespace
}  // namespace warmpool::launch

int main(int, char** arguments) {
  using namespace warmpool::launch;
  fcntl(kStatusNumber, F_SETFD, FD_CLOEXEC);
  if (const char* wrong = read_plan(arguments + 1, plan)) fail(Step::Arguments, EINVAL, wrong);
  enter_cgroups();
  be_chosen_first();
  set_limits();
  set_share();
  become_user();
  pass_on_none();
  if (chdir(plan.directory) != 0) fail(Step::Directory, errno, plan.directory);
  set_input();
  tie_to_parent();
  if (const int error = close_from(kStatusNumber + 1))
    fail(Step::Descriptors, error, "/proc/self/fd");
  fail(execute(plan.command));
}
