// What a worker finds when its program begins: descriptors, environment, session, rights.
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "daemon/process/environment.hpp"
#include "tests/daemon/process_fixture.hpp"

namespace warmpool::daemon {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class ChildTest : public ProcessTest {};

// Those that exist once the listing itself is closed.
const char* const kListDescriptors =
    "import os\n"
    "names = os.listdir('/proc/self/fd')\n"
    "print(sorted(int(n) for n in names if os.path.lexists('/proc/self/fd/' + n)))";

TEST_F(ChildTest, HasItsThreeStreamsAndTheChannelAndNothingElse) {
  const ipc::UniqueFd leaky(open("/etc/passwd", O_RDONLY));  // as a library of the daemon may
  const ipc::UniqueFd high(fcntl(leaky.get(), F_DUPFD, 600));
  ASSERT_TRUE(high);
  EXPECT_EQ(output_of(python(kListDescriptors)), "[0, 1, 2, 3]\n");
}

TEST_F(ChildTest, ChannelIsAStreamSocketBothWays) {
  const Child child = spawn(python(
      "import os, socket\n"
      "s = socket.socket(fileno=int(os.environ['WARMPOOL_CHANNEL']))\n"
      "assert s.getblocking() and s.type == socket.SOCK_STREAM and s.family == socket.AF_UNIX\n"
      "s.sendall(s.recv(100).upper())"));
  ASSERT_EQ(write(child.channel.get(), "hello\n", 6), 6);
  EXPECT_EQ(read_line(child.channel.get()), "HELLO");
  EXPECT_EQ(wait_burial(child).code, 0);
}

// As a program does that knows nothing but its two paths, in either order.
TEST_F(ChildTest, FifosAreOpenedByNameWithoutWaiting) {
  for (const std::string open :
       {"3<$WARMPOOL_FIFO_IN 4>$WARMPOOL_FIFO_OUT", "4>$WARMPOOL_FIFO_OUT 3<$WARMPOOL_FIFO_IN"}) {
    SpawnSpec what = shell("exec " + open + "; echo opened >&4; tr a-z A-Z <&3 >&4");
    what.channel = ChannelKind::Fifos;
    Child child = spawn(what);
    ASSERT_TRUE(child.fifos);
    EXPECT_EQ(read_line(child.channel.get()), "opened");
    const std::string in = child.fifos->in_path();
    EXPECT_TRUE(std::filesystem::exists(in));
    child.fifos.reset();
    EXPECT_FALSE(std::filesystem::exists(in));
    ASSERT_EQ(write(child.channel_out.get(), "hello\n", 6), 6);
    child.channel_out.reset();  // the end of its input
    EXPECT_EQ(read_line(child.channel.get()), "HELLO");
    EXPECT_EQ(wait_burial(child).code, 0);
  }
}

// The number that a socket would have is open in this process, and not closed by an exec.
class LeakedThree {
 public:
  LeakedThree() : flags_(fcntl(3, F_GETFD)) {
    if (flags_ >= 0) {
      fcntl(3, F_SETFD, 0);
      return;
    }
    const int file = open("/etc/passwd", O_RDONLY);
    if (file == 3) return;
    dup2(file, 3);
    close(file);
  }
  LeakedThree(const LeakedThree&) = delete;
  LeakedThree& operator=(const LeakedThree&) = delete;
  ~LeakedThree() { flags_ >= 0 ? fcntl(3, F_SETFD, flags_) : close(3); }

 private:
  int flags_;  // before; below 0: it was not open
};

TEST_F(ChildTest, OverFifosHasItsThreeStreamsAndNothingElse) {
  const LeakedThree leaked;
  SpawnSpec what = python(kListDescriptors);
  what.channel = ChannelKind::Fifos;
  what.environment = {"WARMPOOL_CHANNEL=7"};
  EXPECT_EQ(output_of(what), "[0, 1, 2]\n");
  what = shell("echo ${WARMPOOL_CHANNEL-none}");
  what.channel = ChannelKind::Fifos;
  what.environment = {"WARMPOOL_CHANNEL=7"};
  EXPECT_EQ(output_of(what), "none\n") << "a class cannot say where the channel is";
  what = shell("echo ${WARMPOOL_FIFO_IN-none}");
  what.environment = {"WARMPOOL_FIFO_IN=/dev/null"};
  EXPECT_EQ(output_of(what), "none\n");
}

TEST_F(ChildTest, FifosBelongToTheUserThatItRunsAs) {
  if (geteuid() != 0) GTEST_SKIP() << "only root becomes another user";
  auto nobody = find_identity("nobody");
  ASSERT_TRUE(nobody) << nobody.error().text;
  SpawnSpec what = shell(
      "exec 3<$WARMPOOL_FIFO_IN 4>$WARMPOOL_FIFO_OUT; stat -c '%U %a' $WARMPOOL_FIFO_IN "
      "$WARMPOOL_FIFO_OUT");
  what.channel = ChannelKind::Fifos;
  what.identity = *nobody;
  EXPECT_EQ(output_of(what), "nobody 600\nnobody 600\n");
}

TEST_F(ChildTest, FifosGoWithALifeThatNeverOpenedThem) {
  SpawnSpec what = shell("true");
  what.channel = ChannelKind::Fifos;
  {
    const Child child = spawn(what);
    wait_burial(child);
  }
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    EXPECT_FALSE(entry.is_fifo()) << entry.path();
  }
}

TEST_F(ChildTest, InputIsEmpty) {
  EXPECT_EQ(output_of(shell("cat; readlink /proc/self/fd/0")), "/dev/null\n");
}

TEST_F(ChildTest, SeesNoSecretOfTheDaemon) {
  setenv("PLANTED_SECRET", "planted-secret-value", 1);
  setenv("LC_TIME", "C.UTF-8", 1);
  const std::string seen = output_of(spec({"/usr/bin/env"}));
  unsetenv("PLANTED_SECRET");
  unsetenv("LC_TIME");
  EXPECT_THAT(seen, Not(HasSubstr("planted-secret")));
  EXPECT_THAT(seen, HasSubstr("LC_TIME=C.UTF-8\n"));
  EXPECT_THAT(seen, HasSubstr("PATH="));
}

TEST_F(ChildTest, FindsWhatItsSlotAndClassSay) {
  SpawnSpec what = spec({"/usr/bin/env"});
  what.environment = {"COLOUR=blue", "WARMPOOL_TOKEN=forged"};
  const std::string seen = output_of(what);
  EXPECT_THAT(seen, HasSubstr("COLOUR=blue\n"));
  EXPECT_THAT(seen, HasSubstr("WARMPOOL_CHANNEL=3\n"));
  EXPECT_THAT(seen, HasSubstr("WARMPOOL_WORKER=" + std::to_string(what.worker.value) + "\n"));
  EXPECT_THAT(seen, HasSubstr("WARMPOOL_TOKEN=77\n"));
  EXPECT_THAT(seen, Not(HasSubstr("forged")));
  EXPECT_THAT(seen, HasSubstr("WARMPOOL_SLOT=worker-0\n"));
  EXPECT_THAT(seen, HasSubstr("WARMPOOL_MARK=" + mark_.of(what.worker) + "\n"));
  EXPECT_THAT(seen, HasSubstr("SUPPORTED_TASK_TYPES=echo,file.*\n"));
  EXPECT_THAT(seen, HasSubstr("WORKER_ID=worker-0\n"));
  EXPECT_THAT(seen, HasSubstr("WORKER_HOSTNAME="));
}

TEST_F(ChildTest, LeadsASessionOfItsOwn) {
  const Child child = spawn(shell("cut -d' ' -f1,5,6 /proc/$$/stat"));
  const std::string pid = std::to_string(child.pid);
  EXPECT_EQ(read_line(child.output.get()), pid + " " + pid + " " + pid);
  wait_burial(child);
}

TEST_F(ChildTest, StartsInItsDirectoryWithItsMask) {
  SpawnSpec what = shell("pwd; umask; touch made");
  what.working_directory = directory_.path();
  EXPECT_EQ(output_of(what), directory_.path() + "\n0077\n");
  struct stat status {};
  ASSERT_EQ(stat((directory_.path() + "/made").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(ChildTest, MayNotGainPrivilegesNorLeaveACore) {
  EXPECT_EQ(output_of(shell("grep NoNewPrivs /proc/self/status; ulimit -Hc; ulimit -Sn")),
            "NoNewPrivs:\t1\n0\n1024\n");
}

TEST_F(ChildTest, RunsWithTheLimitsNiceAndCpusGiven) {
  SpawnSpec what = shell("ulimit -n; nice; grep Cpus_allowed_list /proc/self/status");
  what.limits = {{RLIMIT_NOFILE, 99, 99}};
  what.nice = 7;
  what.cpus = {0};
  EXPECT_EQ(output_of(what), "99\n7\nCpus_allowed_list:\t0\n");
}

TEST_F(ChildTest, IgnoresAndBlocksNoSignalOfTheDaemons) {
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t blocked, old;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigprocmask(SIG_BLOCK, &blocked, &old);
  const std::string seen =
      output_of(spec({"/bin/grep", "-E", "SigBlk|SigIgn", "/proc/self/status"}));
  sigprocmask(SIG_SETMASK, &old, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  // 32 and 33 are glibc's own: its posix_spawn ignores them, and its programs set them again.
  EXPECT_EQ(seen, "SigBlk:\t0000000000000000\nSigIgn:\t0000000180000000\n");
}

TEST_F(ChildTest, BecomesItsUserForGood) {
  if (geteuid() != 0) GTEST_SKIP() << "only root becomes another user";
  auto nobody = find_identity("nobody");
  ASSERT_TRUE(nobody) << nobody.error().text;
  SpawnSpec what = python(
      "import os\n"
      "print(os.getresuid() == (65534,) * 3, os.getresgid() == (65534,) * 3, os.getgroups())\n"
      "print(os.environ['USER'], os.environ['LOGNAME'])\n"
      "try:\n  os.setuid(0)\nexcept PermissionError:\n  print('stays')\n"
      "print([l.split()[1] for l in open('/proc/self/status') if l.startswith('CapEff')])");
  what.identity = *nobody;
  EXPECT_EQ(output_of(what), "True True [65534]\nnobody nobody\nstays\n['0000000000000000']\n");
}

TEST_F(ChildTest, DaemonsEndsAreCloseOnExecAndDoNotBlock) {
  const Child child = spawn(spec({"/bin/sleep", "1000"}));
  for (const int fd : {child.exit_notice.get(), child.launch_status.get(), child.channel.get(),
                       child.output.get(), child.errors.get()}) {
    EXPECT_TRUE(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  }
  for (const int fd :
       {child.launch_status.get(), child.channel.get(), child.output.get(), child.errors.get()}) {
    EXPECT_TRUE(fcntl(fd, F_GETFL) & O_NONBLOCK);
  }
  port_->kill_tree(child.worker);
  EXPECT_EQ(wait_burial(child).code, -SIGKILL);
}

TEST(Environment, AllowsFewNames) {
  for (const auto* name :
       {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL"}) {
    EXPECT_TRUE(is_inherited(name)) << name;
  }
  for (const auto* name : {"PATHX", "LD_PRELOAD", "LD_LIBRARY_PATH", "AWS_SECRET_ACCESS_KEY",
                           "WARMPOOL_MARK", "NOTIFY_SOCKET", "PYTHONPATH", "LCX", ""}) {
    EXPECT_FALSE(is_inherited(name)) << name;
  }
}

TEST(Environment, LaterSettingWinsAndEachNameIsThereOnce) {
  SpawnSpec spec;
  spec.slot = "worker-1";
  spec.environment = {"PATH=/class", "A=1", "A=2"};
  spec.identity = Identity{"joe", "/home/joe", "/bin/sh", 7, 7, {7}};
  const std::vector<std::string> of_daemon{"PATH=/daemon", "HOME=/root", "SECRET=1", "broken"};
  const auto built = build_environment(of_daemon, spec, ChannelAddress::of(3), "mark", "host");
  ASSERT_TRUE(built);
  EXPECT_THAT(*built, Contains("PATH=/class").Times(1));
  EXPECT_THAT(*built, Not(Contains("PATH=/daemon")));
  EXPECT_THAT(*built, Contains("A=2"));
  EXPECT_THAT(*built, Not(Contains("A=1")));
  EXPECT_THAT(*built, Contains("HOME=/home/joe"));
  EXPECT_THAT(*built, Not(Contains(HasSubstr("SECRET"))));
  EXPECT_EQ(built->size(), 14U);
}

TEST(Environment, HasAPathThoughTheDaemonHasNone) {
  const auto built = build_environment({}, SpawnSpec{}, ChannelAddress::of(3), "mark", "host");
  ASSERT_TRUE(built);
  EXPECT_THAT(*built, Contains("PATH=/usr/local/bin:/usr/bin:/bin"));
}

// While it lives this thread passes a capability on to what it starts.
class Ambience {
 public:
  Ambience() {
    syscall(SYS_capget, &header_, had_);
    __user_cap_data_struct more[2] = {had_[0], had_[1]};
    more[0].inheritable |= 1U << CAP_KILL;
    syscall(SYS_capset, &header_, more);
    raised_ = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0) == 0;
  }
  Ambience(const Ambience&) = delete;
  Ambience& operator=(const Ambience&) = delete;
  ~Ambience() {
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_KILL, 0, 0);
    syscall(SYS_capset, &header_, had_);
  }
  bool raised() const { return raised_; }

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct had_[2] = {};
  bool raised_ = false;
};

TEST_F(ChildTest, HasNoCapabilityThatIsPassedOn) {
  const Ambience ambience;
  if (!ambience.raised()) GTEST_SKIP() << "only root may";
  EXPECT_EQ(output_of(shell("grep -E 'CapAmb|CapInh' /proc/self/status")),
            "CapInh:\t0000000000000000\nCapAmb:\t0000000000000000\n");
}

}  // namespace
}  // namespace warmpool::daemon
