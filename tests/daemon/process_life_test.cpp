// The daemon's own death: its workers die with it, and what they leave is swept by the next life.
#include <array>
#include <csignal>
#include <fcntl.h>
#include <linux/capability.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>

#include "daemon/process/process_tree.hpp"
#include "tests/daemon/process_fixture.hpp"
#include "tests/support/places.hpp"

namespace warmpool::daemon {
namespace {

using ::testing::HasSubstr;

// A daemon of an earlier life, with one worker.
class EarlierDaemon {
 public:
  EarlierDaemon(const std::string& runtime_dir, const std::string& script) {
    const std::string program = test::program("test-process-parent");
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    output_.reset(ends[0]);
    const ipc::UniqueFd theirs(ends[1]);
    const std::string launch = launcher();
    const char* arguments[] = {"test-process-parent", launch.c_str(), runtime_dir.c_str(),
                               script.c_str(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
    EXPECT_EQ(posix_spawn(&pid_, program.c_str(), &actions, nullptr,
                          const_cast<char* const*>(arguments), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    worker_ = read_pid();
  }
  EarlierDaemon(const EarlierDaemon&) = delete;
  EarlierDaemon& operator=(const EarlierDaemon&) = delete;
  ~EarlierDaemon() { die(); }

  pid_t read_pid() {
    const std::string line = read_line(output_.get());
    EXPECT_FALSE(line.empty());
    return line.empty() ? 0 : static_cast<pid_t>(std::stol(line));
  }
  pid_t worker() const { return worker_; }
  void die() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0, worker_ = 0;
  ipc::UniqueFd output_;
};

const char* const kLeavesADescendant = "setsid sh -c 'echo $$; exec sleep 1000' & exec sleep 1000";

class Life : public ProcessTest {
 protected:
  LifeMark next_life() {
    auto mark = make_life_mark(directory_.path());
    EXPECT_TRUE(mark);
    return *mark;
  }
};

TEST_F(Life, WorkersDieWithTheDaemon) {
  EarlierDaemon daemon(directory_.path(),
                       "trap '' TERM HUP INT; echo 1; read x <&3; exec sleep 1000");
  daemon.read_pid();
  EXPECT_TRUE(is_alive(daemon.worker()));
  daemon.die();
  EXPECT_TRUE(eventually([&] { return !is_alive(daemon.worker()); }));
}

TEST_F(Life, DescendantsOfAnEarlierLifeAreGoneAfterTheSweep) {
  EarlierDaemon daemon(directory_.path(), kLeavesADescendant);
  const pid_t descendant = daemon.read_pid();
  daemon.die();
  EXPECT_TRUE(is_alive(descendant));
  const auto swept = sweep_earlier_lives(next_life(), seconds(20));
  ASSERT_TRUE(swept) << swept.error().text;
  EXPECT_GE(swept->killed, 1U);
  EXPECT_FALSE(is_alive(descendant));
}

// It shows no environment most of the time.
TEST_F(Life, ProcessThatExecutesItselfForEverIsFoundToo) {
  const std::string script = directory_.file("again", "#!/bin/sh\nexec \"$0\"\n", 0755);
  EarlierDaemon daemon(directory_.path(),
                       "setsid sh -c 'echo $$; exec " + script + "' & exec sleep 1000");
  const pid_t descendant = daemon.read_pid();
  daemon.die();
  const auto swept = sweep_earlier_lives(next_life(), seconds(20));
  ASSERT_TRUE(swept) << swept.error().text;
  EXPECT_FALSE(is_alive(descendant));
}

TEST_F(Life, SweepFindsNothingWhereNothingIs) {
  const auto swept = sweep_earlier_lives(next_life(), seconds(20));
  ASSERT_TRUE(swept) << swept.error().text;
  EXPECT_EQ(swept->killed, 0U);
}

TEST_F(Life, SweepSparesAnotherRuntimeDirectoryAndTheOwnLife) {
  const TemporaryDirectory elsewhere;
  EarlierDaemon other(elsewhere.path(), kLeavesADescendant);
  const pid_t descendant = other.read_pid();
  const Child own = spawn(spec({"/bin/sleep", "1000"}));
  const auto swept = sweep_earlier_lives(mark_, seconds(20));
  ASSERT_TRUE(swept) << swept.error().text;
  EXPECT_EQ(swept->killed, 0U);
  EXPECT_TRUE(is_alive(descendant));
  EXPECT_TRUE(is_alive(other.worker()));
  EXPECT_TRUE(is_alive(own.pid));
  kill(descendant, SIGKILL);
}

TEST_F(Life, SweepIsBoundedAndNamesWhatRemains) {
  EarlierDaemon daemon(directory_.path(), kLeavesADescendant);
  const pid_t descendant = daemon.read_pid();
  daemon.die();
  const auto swept = sweep_earlier_lives(next_life(), nanoseconds(0));
  ASSERT_FALSE(swept);
  EXPECT_EQ(swept.error().code, ETIMEDOUT);
  EXPECT_THAT(swept.error().text, HasSubstr(std::to_string(descendant)));
  EXPECT_TRUE(sweep_earlier_lives(next_life(), seconds(20)));
  EXPECT_FALSE(is_alive(descendant));
}

// Root without capabilities, for as long as it lives: newer kernels take CAP_PERFMON, and with that
// CAP_SYS_ADMIN, for CAP_SYS_PTRACE.
class Blindness {
 public:
  Blindness() {
    syscall(SYS_capget, &header_, had_);
    __user_cap_data_struct has[2] = {had_[0], had_[1]};
    for (auto& part : has) part.effective = 0;
    syscall(SYS_capset, &header_, has);
  }
  Blindness(const Blindness&) = delete;
  Blindness& operator=(const Blindness&) = delete;
  ~Blindness() { syscall(SYS_capset, &header_, had_); }

 private:
  __user_cap_header_struct header_{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct had_[2] = {};
};

// It may carry a mark of an earlier life or not.
TEST_F(Life, WhatMayNotBeLookedIntoIsNotProvedGone) {
  if (geteuid() != 0) GTEST_SKIP() << "only root becomes another";
  auto nobody = find_identity("nobody");
  ASSERT_TRUE(nobody);
  auto what = spec({"/bin/sleep", "1000"});
  what.identity = *nobody;
  const Child child = spawn(what);
  ASSERT_TRUE(eventually([&] { return look_at_mark(child.pid).mark == mark_.of(child.worker); }));
  EXPECT_FALSE(hides_marks(nobody->uid));
  {
    const Blindness blind;
    EXPECT_TRUE(hides_marks(nobody->uid));
    EXPECT_FALSE(hides_marks(geteuid()));
    EXPECT_EQ(look_at_mark(child.pid).state, MarkSeen::State::Unreadable);
    const auto swept = sweep_earlier_lives(mark_, seconds(20), {nobody->uid});
    ASSERT_TRUE(swept) << swept.error().text;
    EXPECT_GE(swept->unreadable, 1U);
    const auto of_others = sweep_earlier_lives(mark_, seconds(20), {54321});
    ASSERT_TRUE(of_others) << of_others.error().text;
    EXPECT_EQ(of_others->unreadable, 0U) << "what nobody of the pool's users runs is no matter";
  }
  port_->kill_tree(child.worker);
  wait_burial(child);
}

// /proc/PID/stat with the given state, flags, env_start and env_end.
std::string stat_text(char state, const std::string& flags, const std::string& environment) {
  std::string text = std::string("42 (a b) c) ") + state + " 1 42 42 0 -1 " + flags;
  for (int field = 10; field < 50; ++field) text += " 7";
  return text + " " + environment + " 0\n";
}

TEST(EmptyEnvironment, SaysNothingInTheMiddleOfExecve) {
  EXPECT_TRUE(is_unclear(stat_text('R', "4194304", "0 0")));
  EXPECT_TRUE(is_unclear(stat_text('D', "4194304", "140001 0")));
  EXPECT_TRUE(is_unclear(stat_text('R', "4194304", "140001 140099")));  // set since it was read
}

TEST(EmptyEnvironment, IsTrueOfProcessesThatHaveNone) {
  EXPECT_FALSE(is_unclear(stat_text('S', "4194304", "140001 140001")));  // env -i
  EXPECT_FALSE(is_unclear(stat_text('I', "69238880", "0 0")));           // a kernel thread
  EXPECT_FALSE(is_unclear(stat_text('Z', "4194304", "0 0")));
  EXPECT_FALSE(is_unclear(""));
  EXPECT_FALSE(is_unclear("42 (cut) R 1 2"));
}

TEST(LifeMark, PlaceStaysAndLifeChanges) {
  const TemporaryDirectory one, two;
  const auto first = make_life_mark(one.path()), again = make_life_mark(one.path() + "/."),
             other = make_life_mark(two.path());
  ASSERT_TRUE(first && again && other);
  EXPECT_EQ(first->place, again->place);
  EXPECT_NE(first->life, again->life);
  EXPECT_NE(first->place, other->place);
}

TEST(LifeMark, MissingDirectoryIsAnError) {
  const auto mark = make_life_mark("/nowhere/at/all");
  ASSERT_FALSE(mark);
  EXPECT_THAT(mark.error().text, HasSubstr("/nowhere/at/all"));
}

TEST(LifeMark, IsReadBackAsItWasWritten) {
  const LifeMark mark{"0123456789abcdef", "0123456789abcdef0123456789abcdef"};
  const std::string text = mark.of(WorkerId{0xdeadbeef});
  const auto parsed = parse_mark(text);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->place, mark.place);
  EXPECT_EQ(parsed->life, mark.life);
  EXPECT_EQ(parsed->worker, WorkerId{0xdeadbeef});
  EXPECT_TRUE(text.starts_with(mark.life_prefix()));
}

TEST(LifeMark, ForeignTextIsNoMark) {
  const std::string good = LifeMark{std::string(16, 'a'), std::string(32, 'b')}.of(WorkerId{1});
  EXPECT_TRUE(parse_mark(good));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string wrong = good;
    wrong[i] = 'x';
    EXPECT_FALSE(parse_mark(wrong)) << wrong;
    EXPECT_FALSE(parse_mark(good.substr(0, i)));
  }
  EXPECT_FALSE(parse_mark(good + "0"));
}

TEST(LifeMark, IsFoundInAnEnvironmentBlock) {
  using namespace std::string_view_literals;
  EXPECT_EQ(mark_in_environment("A=1\0WARMPOOL_MARK=m\0B=2\0"sv), "m");
  EXPECT_EQ(mark_in_environment("WARMPOOL_MARK=first\0WARMPOOL_MARK=second"sv), "first");
  EXPECT_EQ(mark_in_environment("WARMPOOL_MARKER=x\0XWARMPOOL_MARK=y\0WARMPOOL_MARK"sv), "");
  EXPECT_EQ(mark_in_environment("\0\0"sv), "");
  EXPECT_EQ(mark_in_environment(""sv), "");
}

}  // namespace
}  // namespace warmpool::daemon
