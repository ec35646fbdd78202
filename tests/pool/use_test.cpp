// What shows that a worker is of use: a task that it has settled, in that life of it.
#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

// One worker, that answers what it is given and dies.
std::uint64_t useless_deaths(Outcome outcome, std::uint16_t retries = 5) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.submit({.retries = retries});
  driver.tick();
  driver.answer(*driver.last<command::Assign>(), outcome, {}, hours(1));
  driver.tick();
  driver.kill_worker(driver.worker(0));
  driver.tick();
  return driver.pool().counters().unproductive_deaths;
}

TEST(OfUse, IsWhoHasSettledATask) {
  EXPECT_EQ(useless_deaths(Outcome::Done), 0U);
  EXPECT_EQ(useless_deaths(Outcome::FailedForGood), 0U);
}

TEST(OfUse, IsNobodyWhoseTasksFailAndAreTriedAgain) {
  EXPECT_EQ(useless_deaths(Outcome::Failed), 1U);
  EXPECT_EQ(useless_deaths(Outcome::RetryAfter), 1U);
}

TEST(OfUse, IsWhoseFailureWasTheLastThatTheTaskMayHave) {
  EXPECT_EQ(useless_deaths(Outcome::Failed, 0), 0U);
  EXPECT_EQ(useless_deaths(Outcome::RetryAfter, 0), 0U);
}

// What somebody cancels is settled by that.
TEST(OfUse, IsNobodyWhoseTaskWasCancelled) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  driver.turn(event::Cancel{ClientId{1}, RequestId{99}, task});
  driver.answer(*driver.last<command::Assign>(), Outcome::FailedForGood);
  driver.tick();
  ASSERT_EQ(driver.records<record::Settled>().back().verdict, Verdict::Cancelled);
  driver.kill_worker(driver.worker(0));
  driver.tick();
  EXPECT_EQ(driver.pool().counters().unproductive_deaths, 1U);
}

// Those that fail what they are given and die are replaced later and later, as any that are of no
// use.
TEST(OfUse, WhoFailsATaskInEachLifeIsNotReplacedAtOnceForEver) {
  PoolDriver driver;
  driver.ready_pool(1);
  for (int life = 0; life < 2; ++life) {
    driver.submit({.retries = 5});
    driver.tick();
    driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
    driver.kill_worker(driver.worker(0));
    driver.tick();
    driver.hello_all();
    driver.tick();
  }
  EXPECT_EQ(driver.slot_state(0), SlotState::Backoff);
}

// A class whose breaker tries with one worker, that has said hello.
class ProbeTest : public testing::Test {
 protected:
  void SetUp() override {
    ready_class(driver, 20, [](ClassOptions& options) { options.recovery = "*: restart"; });
    try_again();
  }
  void die_starting() {
    for (const auto& slot : driver.pool().snapshot().slots) {
      if (slot.state == SlotState::Starting) driver.kill_worker(slot.worker, ExitCause::Exited, 1);
    }
    driver.tick();
  }
  // All die until it opens, and its time to stay open passes.
  void try_again() {
    for (const auto& slot : driver.pool().snapshot().slots) {
      const bool lives = slot.state == SlotState::Ready;
      if (lives) driver.kill_worker(slot.worker, ExitCause::Exited, 1);
    }
    driver.tick();
    for (int times = 0; times < 99 && gate().state != RecoveryState::Open; ++times) {
      die_starting();
      if (gate().state != RecoveryState::Open) driver.pass(seconds(1));
    }
    ASSERT_EQ(gate().state, RecoveryState::Open);
    was_open = gate().until - gate().since;
    driver.pass(gate().until - driver.now);
    probe = driver.last<command::Spawn>()->worker;
    driver.hello_all();
    driver.tick();
    ASSERT_EQ(gate().state, RecoveryState::HalfOpen);
  }
  RecoveryView gate() { return driver.pool().overview().classes[0].recovery; }

  static Options soon_silent() {
    Options options = default_options();
    options.unresponsive_after = seconds(3);
    return options;
  }

  PoolDriver driver{soon_silent()};
  WorkerId probe;
  Duration was_open{};
};

TEST_F(ProbeTest, WhoStandsStillProvesNothing) {
  driver.submit({.timeout = hours(1)});
  driver.tick();
  driver.pass(seconds(2));
  driver.turn(event::WorkerStopped{probe, true});
  driver.pass(seconds(4));
  EXPECT_EQ(gate().state, RecoveryState::HalfOpen);
  driver.turn(event::WorkerStopped{probe, false});
  driver.pass(seconds(6));
  EXPECT_EQ(gate().state, RecoveryState::Closed) << "it was fit when it was looked at again";
}

TEST_F(ProbeTest, WhoseRunIsOverItsTimeProvesNothing) {
  driver.submit({.timeout = seconds(4)});
  driver.tick();
  driver.pass(seconds(6));
  ASSERT_FALSE(driver.all<command::CancelAttempt>().empty());
  EXPECT_EQ(gate().state, RecoveryState::HalfOpen);
}

TEST_F(ProbeTest, WhoIsNotHeardProvesNothing) {
  driver.beating = false;
  driver.pass(seconds(6));
  EXPECT_EQ(gate().state, RecoveryState::HalfOpen);
}

// That it lived for a while is no use: where all die later, none is tried sooner for that.
TEST_F(ProbeTest, WhoLivesForAWhileAndDiesDoesNotShortenTheWait) {
  const Duration first = was_open;
  driver.pass(seconds(6));
  ASSERT_EQ(gate().state, RecoveryState::Closed);
  try_again();
  EXPECT_GT(was_open, first);
}

TEST_F(ProbeTest, WhoIsOfUseShortensTheWait) {
  driver.submit();
  driver.tick();
  driver.answer(*driver.last<command::Assign>());
  driver.tick();
  ASSERT_EQ(gate().state, RecoveryState::Closed);
  try_again();
  EXPECT_LE(was_open, default_class_options().recovery_cooldown);
}

}  // namespace
}  // namespace warmpool::test
