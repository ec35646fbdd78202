// Workers that a real template forks, behind the real port: they are held as those that were
// spawned are.
#include <csignal>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/process/process_tree.hpp"
#include "ipc/descriptor_passing.hpp"
#include "ipc/template_frames.hpp"
#include "tests/daemon/process_fixture.hpp"
#include "tests/support/places.hpp"

namespace warmpool::daemon {
namespace {

using AnswerKind = ipc::TemplateAnswer::Kind;

class ForkTest : public ProcessTest {
 protected:
  void SetUp() override {
    ProcessTest::SetUp();
    start_port(CgroupUse::IfPossible);
    auto what = spec({test::program("warmpool-worker")});
    what.role = SpawnRole::Template;
    template_ = spawn(what);
    EXPECT_EQ(AnswerKind::Ready, next());
  }
  void TearDown() override {
    port_->kill_tree(template_.worker);
    wait_burial(template_);
    ProcessTest::TearDown();
  }

  AnswerKind next() {
    packet_.resize(ipc::kTemplateBytesMax);
    EXPECT_TRUE(wait_readable(template_.channel.get()));
    const auto bytes = ipc::receive_with_descriptor(
        template_.channel.get(), std::as_writable_bytes(std::span(packet_)), 0, pidfd_);
    EXPECT_GT(bytes, 0);
    const auto answer = ipc::parse_template_answer(
        {packet_.data(), static_cast<std::size_t>(std::max<ssize_t>(bytes, 0))});
    EXPECT_TRUE(answer);
    return answer ? answer->kind : AnswerKind::Unfit;
  }
  ForkOrder order() { return std::move(*port_->order_fork(spec({"forked"}))); }
  void send(const ForkOrder& order) {
    std::vector<int> fds;
    for (const auto& fd : order.descriptors) fds.push_back(fd.get());
    iovec piece{const_cast<char*>(order.packet.data()), order.packet.size()};
    ASSERT_GT(ipc::send_with_descriptors(template_.channel.get(), {&piece, 1}, 0, fds), 0);
  }
  Child fork() {
    auto ordered = order();
    send(ordered);
    ordered.descriptors.clear();
    EXPECT_EQ(AnswerKind::Forked, next());
    EXPECT_EQ(AnswerKind::Done, next());
    auto child = port_->take_forked(std::move(ordered.child), std::move(pidfd_));
    EXPECT_TRUE(child) << child.error().text;
    return std::move(*child);
  }

  Child template_;
  std::string packet_;
  ipc::UniqueFd pidfd_;
};

TEST_F(ForkTest, IsAChildOfOursWithItsOwnSessionAndMark) {
  const auto child = fork();
  EXPECT_EQ(getpid(), kinship_of(child.pid).parent);
  EXPECT_EQ(mark_.of(child.worker), look_at_mark(child.pid).mark);
  EXPECT_EQ(mark_.of(template_.worker), look_at_mark(template_.pid).mark);
  // It greets only once it is all that it shall be.
  EXPECT_TRUE(wait_readable(child.channel.get()));
  EXPECT_EQ(child.pid, kinship_of(child.pid).session);
  EXPECT_TRUE(port_->signal(child.worker, SIGQUIT));
  EXPECT_EQ(-SIGQUIT, wait_burial(child).code);
}

TEST_F(ForkTest, OneAfterTheOtherLeavesNothingOpen) {
  for (int i = 0; i < 3; ++i) {
    const auto before = open_descriptors();
    {
      const auto child = fork();
      port_->kill_tree(child.worker);
      EXPECT_EQ(-SIGKILL, wait_burial(child).code);
    }
    EXPECT_EQ(before, open_descriptors());
  }
}

TEST_F(ForkTest, ItsDeathBeforeItsAdoptionIsTold) {
  auto ordered = order();
  send(ordered);
  EXPECT_EQ(AnswerKind::Forked, next());
  EXPECT_EQ(AnswerKind::Done, next());
  ASSERT_EQ(0, send_signal(pidfd_.get(), SIGABRT));
  EXPECT_TRUE(eventually([&] { return is_dead(pidfd_.get()); }));
  EXPECT_EQ(0U, port_->reap_orphans().reaped) << "it may be the one that is waited for";
  const auto child = port_->take_forked(std::move(ordered.child), std::move(pidfd_));
  ASSERT_TRUE(child) << child.error().text;
  EXPECT_EQ(-SIGABRT, wait_burial(*child).code);
}

TEST_F(ForkTest, OneThatIsAbandonedIsEnded) {
  auto ordered = order();
  const auto worker = ordered.child.worker;
  send(ordered);
  EXPECT_EQ(AnswerKind::Forked, next());
  EXPECT_EQ(AnswerKind::Done, next());
  port_->abandon(worker);
  EXPECT_TRUE(eventually([&] { return is_dead(pidfd_.get()); }));
  EXPECT_TRUE(eventually([&] { return port_->reap_orphans().reaped == 1; }));
}

TEST_F(ForkTest, ItsEndIsThatOfItsTree) {
  const auto child = fork();
  EXPECT_TRUE(wait_readable(child.channel.get()));
  port_->kill_tree(template_.worker);
  EXPECT_FALSE(is_dead(child.exit_notice.get())) << "the template's tree is not the worker's";
  port_->kill_tree(child.worker);
  EXPECT_EQ(-SIGKILL, wait_burial(child).code);
}

TEST_F(ForkTest, WhatIsNoneOfOursIsNotAdopted) {
  const auto refused = [&](ipc::UniqueFd pidfd, const char* why) {
    auto ordered = order();
    const auto child = port_->take_forked(std::move(ordered.child), std::move(pidfd));
    ASSERT_FALSE(child);
    EXPECT_NE(std::string::npos, child.error().text.find(why)) << child.error().text;
  };
  refused({}, "no child of this daemon");
  refused(ipc::UniqueFd(::dup(STDERR_FILENO)), "no child of this daemon");
  refused(open_pidfd(getpid()), "no child of this daemon");
  refused(open_pidfd(template_.pid), "another worker");
  pid_t stranger = 0;
  std::string program = "/bin/sleep", argument = "1000";
  char* arguments[] = {program.data(), argument.data(), nullptr};
  char* environment[] = {nullptr};
  ASSERT_EQ(0, ::posix_spawn(&stranger, program.c_str(), nullptr, nullptr, arguments, environment));
  EXPECT_TRUE(eventually([&] { return look_at_mark(stranger).state == MarkSeen::State::None; }));
  refused(open_pidfd(stranger), "does not carry the mark");
  EXPECT_TRUE(is_alive(stranger));
  ::kill(stranger, SIGKILL);
  ::waitpid(stranger, nullptr, 0);
}

TEST_F(ForkTest, AMarkOfAnotherLengthIsRefusedByTheTemplate) {
  auto ordered = order();
  const auto worker = ordered.child.worker;
  ordered.packet = ipc::encode(ipc::ForkRequest{worker.value, "short", {}});
  send(ordered);
  EXPECT_EQ(AnswerKind::Failed, next());
  port_->abandon(worker);
}

TEST_F(ForkTest, OverFifosItHasThem) {
  auto what = spec({"forked"});
  what.channel = ChannelKind::Fifos;
  auto ordered = std::move(*port_->order_fork(what));
  EXPECT_EQ(2U, ordered.descriptors.size());
  send(ordered);
  EXPECT_EQ(AnswerKind::Forked, next());
  EXPECT_EQ(AnswerKind::Done, next());
  const auto child = port_->take_forked(std::move(ordered.child), std::move(pidfd_));
  ASSERT_TRUE(child) << child.error().text;
  EXPECT_TRUE(wait_readable(child->channel.get())) << "its hello";
  port_->kill_tree(child->worker);
  wait_burial(*child);
}

}  // namespace
}  // namespace warmpool::daemon
