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

TEST(Reactor, CountsWhatCameWhileItWaitedAwake) {
  Reactor reactor;
  const auto fd = raised();
  const auto watch = reactor.watch(fd.get(), [] {});
  watch->start_reading();
  EXPECT_EQ(reactor.run(soon(), 256, never), 1U);
  EXPECT_EQ(reactor.awake().waits, 0U);
  EXPECT_EQ(reactor.run(soon(), 256, never, microseconds(50)), 1U);
  watch->stop_reading();
  EXPECT_EQ(reactor.run(steady_clock::now(), 256, never, microseconds(50)), 0U);
  EXPECT_EQ(reactor.awake().waits, 2U);
  EXPECT_EQ(reactor.awake().found, 1U);
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

// Each fills a batch by itself whenever it is asked.
TEST(Reactor, FloodersKeepNobodyFromHisTurn) {
  Reactor reactor;
  constexpr std::size_t flooders = 5, all = 8;
  const std::array<ipc::UniqueFd, all> fds{raised(), raised(), raised(), raised(),
                                           raised(), raised(), raised(), raised()};
  std::array<int, all> turns{};
  bool enough = false;
  std::vector<std::unique_ptr<Watch>> watches;
  for (std::size_t i = 0; i < all; ++i) {
    watches.push_back(reactor.watch(fds[i].get(), [&, i] {
      ++turns[i];
      enough = enough || i < flooders;
    }));
    watches.back()->start_reading();
  }
  for (std::size_t batch = 0; batch < all; ++batch) {
    enough = false;
    reactor.run(soon(), 256, [&] { return enough; });
  }
  for (std::size_t i = 0; i < all; ++i) EXPECT_GE(turns[i], 1) << "watch " << i;
}

TEST(Reactor, WhatGoesFirstWaitsBehindNoFloodAndHoldsUpNobody) {
  Reactor reactor;
  const std::array fds{raised(), raised(), raised(), raised()};
  std::array<int, 4> turns{};
  std::vector<std::unique_ptr<Watch>> watches;
  for (std::size_t i = 0; i < fds.size(); ++i) {
    watches.push_back(reactor.watch(fds[i].get(), [&, i] { ++turns[i]; }));
    watches.back()->start_reading();
  }
  watches[2]->go_first();
  watches[3]->go_first();
  // All are enough for a batch: one of either kind, in turn.
  for (int batch = 0; batch < 4; ++batch) {
    EXPECT_EQ(reactor.run(soon(), 256, [] { return true; }), 2U);
  }
  EXPECT_EQ(turns, (std::array{2, 2, 2, 2}));
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
