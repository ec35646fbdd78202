// Workers that somebody else started: their end is noticed, and nothing else of theirs is touched.
#include <array>
#include <csignal>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/process/peer_process.hpp"
#include "daemon/process/process_tree.hpp"
#include "tests/daemon/process_fixture.hpp"

namespace warmpool::daemon {
namespace {

// A child of `parent`, which is a child of ours: as a worker that a person started from a shell.
class Strangers : public ProcessTest {
 protected:
  void SetUp() override {
    ProcessTest::SetUp();
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    const ipc::UniqueFd out(ends[0]);
    const ipc::UniqueFd in(ends[1]);
    parent_ = fork();
    if (parent_ == 0) {
      dup2(in.get(), STDOUT_FILENO);
      execl("/bin/sh", "sh", "-c", "sleep 1000 & echo $!; sleep 1000 & echo $!; wait", nullptr);
      _exit(127);
    }
    pid_ = static_cast<pid_t>(std::stol(read_line(out.get())));
    neighbour_ = static_cast<pid_t>(std::stol(read_line(out.get())));
  }

  ipc::UniqueFd adopt() {
    auto notice = port_->adopt({kWorker, pid_, open_pidfd(pid_)});
    EXPECT_TRUE(notice) << notice.error().text;
    return std::move(*notice);
  }

  static constexpr WorkerId kWorker{77 << 16};
  pid_t parent_ = 0, pid_ = 0, neighbour_ = 0;
};

TEST_F(Strangers, TheEndOfWhoIsNoChildIsNoticedAndItsStatusIsNot) {
  const auto notice = adopt();
  EXPECT_FALSE(port_->inspect(kWorker));
  EXPECT_FALSE(port_->bury(kWorker, [](const Exit&) { FAIL() << "it lives"; }));
  ASSERT_EQ(kill(pid_, SIGKILL), 0);
  ASSERT_TRUE(wait_readable(notice.get()));
  Exit seen;
  ASSERT_TRUE(port_->bury(kWorker, [&](const Exit& exit) { seen = exit; }));
  EXPECT_FALSE(seen.known);
  EXPECT_EQ(seen.cause, ExitCause::Exited);
}

TEST_F(Strangers, KillsTheProcessAloneAndNotItsGroup) {
  const auto notice = adopt();
  port_->kill_tree(kWorker);
  ASSERT_TRUE(wait_readable(notice.get()));
  EXPECT_TRUE(is_alive(neighbour_));
  EXPECT_TRUE(is_alive(parent_));
  EXPECT_TRUE(port_->bury(kWorker, [](const Exit&) {}));
}

TEST_F(Strangers, TakesSignals) {
  const auto notice = adopt();
  ASSERT_TRUE(port_->signal(kWorker, SIGTERM));
  EXPECT_TRUE(wait_readable(notice.get()));
  EXPECT_TRUE(port_->bury(kWorker, [](const Exit&) {}));
}

TEST_F(Strangers, WhoIsDisownedLivesOnAndMayComeAgain) {
  auto notice = adopt();
  port_->disown(kWorker);
  EXPECT_TRUE(is_alive(pid_));
  notice = adopt();
  port_->reap_orphans();
  EXPECT_TRUE(is_alive(pid_));
}

TEST_F(Strangers, LiveOnWhenTheDaemonEnds) {
  const auto notice = adopt();
  port_.reset();
  EXPECT_TRUE(is_alive(pid_));
}

// --- who is at the other end ---------------------------------------------------------------------

class Peers : public ::testing::TestWithParam<PeerPidfd> {
 protected:
  void SetUp() override {
    listener_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    address_.sun_family = AF_UNIX;  // bound to no name: the kernel gives it one
    ASSERT_EQ(bind(listener_.get(), as_address(), sizeof(sa_family_t)), 0);
    bytes_ = sizeof address_;
    ASSERT_EQ(getsockname(listener_.get(), as_address(), &bytes_), 0);
    ASSERT_EQ(listen(listener_.get(), 1), 0);
  }
  void TearDown() override {
    for (const pid_t pid : started_) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
  }
  sockaddr* as_address() { return reinterpret_cast<sockaddr*>(&address_); }

  // Connects; then waits until `until` is at its end, and ends.
  pid_t connect_in_child(int until) {
    const pid_t pid = fork();
    if (pid == 0) {
      const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (connect(fd, as_address(), bytes_) != 0) _exit(1);
      char byte = 0;
      (void)!read(until, &byte, 1);
      _exit(0);
    }
    EXPECT_GT(pid, 0);
    if (pid > 0) started_.push_back(pid);  // -1 would be everybody
    return pid;
  }
  ipc::UniqueFd accept_one() {
    return ipc::UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

  ipc::UniqueFd listener_;
  sockaddr_un address_{};
  socklen_t bytes_ = 0;
  std::vector<pid_t> started_;
};

TEST_P(Peers, IsTheProcessThatConnected) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const ipc::UniqueFd out(ends[0]);
  ipc::UniqueFd in(ends[1]);
  const pid_t pid = connect_in_child(out.get());
  ASSERT_GT(pid, 0);
  const auto connection = accept_one();
  const auto peer = process_of_peer(connection.get(), GetParam());
  ASSERT_TRUE(peer) << peer.error().text;
  EXPECT_EQ(peer->name, name_of_process(pid));
  EXPECT_GT(peer->name.start_ticks, 0U);
  EXPECT_FALSE(is_dead(peer->pidfd.get()));
  kill(pid, SIGKILL);
  EXPECT_TRUE(wait_readable(peer->pidfd.get()));
}

TEST_P(Peers, AProcessThatHasEndedIsRefused) {
  const ipc::UniqueFd none(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const pid_t pid = connect_in_child(none.get());
  const auto connection = accept_one();
  ASSERT_EQ(waitpid(pid, nullptr, 0), pid);
  started_.clear();
  const auto peer = process_of_peer(connection.get(), GetParam());
  ASSERT_FALSE(peer);
  EXPECT_EQ(peer.error().code, ESRCH);
}

// By its number alone a process of another user may be one that got the number later.
TEST_P(Peers, AProcessOfAnotherUserIsTakenOnlyWhereTheKernelGivesIt) {
  if (geteuid() != 0) GTEST_SKIP() << "only root becomes another user";
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const ipc::UniqueFd out(ends[0]);
  const ipc::UniqueFd in(ends[1]);
  const pid_t pid = fork();
  if (pid == 0) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool changed = connect(fd, as_address(), bytes_) == 0 && setresuid(7, 7, 7) == 0;
    (void)!write(in.get(), changed ? "y" : "n", 1);
    for (;;) pause();
  }
  ASSERT_GT(pid, 0);
  started_.push_back(pid);
  const auto connection = accept_one();
  char changed = 0;
  ASSERT_EQ(read(out.get(), &changed, 1), 1);
  if (changed != 'y') GTEST_SKIP() << "no other user here";
  const auto peer = process_of_peer(connection.get(), GetParam());
  int asked = -1;  // SO_PEERPIDFD, which not every kernel knows
  socklen_t bytes = sizeof asked;
  const bool known = getsockopt(connection.get(), SOL_SOCKET, 77, &asked, &bytes) == 0;
  const ipc::UniqueFd given(asked);
  EXPECT_EQ(static_cast<bool>(peer), known && GetParam() == PeerPidfd::Ask);
}

INSTANTIATE_TEST_SUITE_P(Kernels, Peers, ::testing::Values(PeerPidfd::Ask, PeerPidfd::Never),
                         [](const auto& each) {
                           return each.param == PeerPidfd::Ask ? "asked" : "by_number";
                         });

TEST(Boot, HasAName) { EXPECT_EQ(boot_id().size(), 36U); }

}  // namespace
}  // namespace warmpool::daemon
