// What the loop waits for.
#include "daemon/reactor.hpp"

#include <array>
#include <csignal>
#include <sys/eventfd.h>

#include <gtest/gtest.h>

#include "ipc/fd.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

using std::chrono::steady_clock;

steady_clock::time_point soon() { return test::patience_ends(); }
bool never() { return false; }

// Readable from the start.
ipc::UniqueFd raised() { return ipc::UniqueFd(::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)); }

TEST(Reactor, WaitsUntilItsDeadline) {
  Reactor reactor;
  const auto begun = steady_clock::now();
  const auto deadline = begun + std::chrono::milliseconds(5);
  EXPECT_EQ(reactor.run(deadline, 256, never), 0U);
  EXPECT_GE(steady_clock::now(), deadline);
}

TEST(Reactor, LooksAtWhatIsReadyThoughItsDeadlineHasPassed) {
  Reactor reactor;
  const auto fd = raised();
  int ran = 0;
  const auto watch = reactor.watch(fd.get(), [&] { ++ran; });
  watch->start_reading();
  EXPECT_EQ(reactor.run(steady_clock::time_point{}, 256, never), 1U);
  EXPECT_EQ(ran, 1);
}

TEST(Reactor, TellsThatAWaitHasEndedBeforeTheFirstHandler) {
  Reactor reactor;
  const std::array fds{raised(), raised()};
  std::string told;
  reactor.on_wake([&] { told += "wake "; });
  std::vector<std::unique_ptr<Watch>> watches;
  for (const auto& fd : fds) {
    watches.push_back(reactor.watch(fd.get(), [&] { told += "run "; }));
    watches.back()->start_reading();
  }
  EXPECT_EQ(reactor.run(soon(), 256, never), 2U);
  EXPECT_EQ(told, "wake run run ");
}

TEST(Reactor, CallsNoHandlerWhoseWatchEndedInTheSameBatch) {
  Reactor reactor;
  const std::array fds{raised(), raised()};
  std::array<std::unique_ptr<Watch>, 2> watches;
  int ran = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    watches[i] = reactor.watch(fds[i].get(), [&, i] {
      ++ran;
      watches[1 - i].reset();
    });
    watches[i]->start_reading();
  }
  EXPECT_EQ(reactor.run(soon(), 256, never), 1U);
  EXPECT_EQ(ran, 1);
}

TEST(Reactor, StopsWhereItIsToldThatItIsEnough) {
  Reactor reactor;
  const std::array fds{raised(), raised(), raised()};
  std::vector<std::unique_ptr<Watch>> watches;
  for (const auto& fd : fds) {
    watches.push_back(reactor.watch(fd.get(), [] {}));
    watches.back()->start_reading();
  }
  EXPECT_EQ(reactor.run(soon(), 256, [] { return true; }), 1U);
  EXPECT_EQ(reactor.run(soon(), 2, never), 2U);
}

TEST(Reactor, HandsSignalsToTheLoop) {
  Reactor reactor;
  std::vector<int> got;
  ASSERT_TRUE(reactor.on_signals({SIGUSR1, SIGUSR2}, [&](int number) { got.push_back(number); }));
  ::raise(SIGUSR2);
  EXPECT_TRUE(got.empty()) << "not in the signal's context";
  EXPECT_EQ(reactor.run(soon(), 256, never), 1U);
  ::raise(SIGUSR1);
  EXPECT_EQ(reactor.run(soon(), 256, never), 1U);
  EXPECT_EQ(got, (std::vector<int>{SIGUSR2, SIGUSR1}));
  sigset_t mine;
  ::sigemptyset(&mine);
  ::sigaddset(&mine, SIGUSR1);
  ::sigaddset(&mine, SIGUSR2);
  ::pthread_sigmask(SIG_UNBLOCK, &mine, nullptr);
}

}  // namespace
}  // namespace warmpool::daemon
