// Circuit breakers: what opens one, what waits meanwhile, who tries, what closes it.
#include "pool/breaker.hpp"

#include <gtest/gtest.h>

#include "pool/lane_table.hpp"
#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

BreakerOptions quick() {
  return {.on = true,
          .failures = 3,
          .percent = 0,
          .runs = 4,
          .window = seconds(8),
          .cooldown = seconds(10),
          .cooldown_max = seconds(60),
          .probes = 1,
          .successes = 2};
}

class BreakerTest : public testing::Test {
 protected:
  void begin(const BreakerOptions& options, std::uint64_t size = 1, std::uint64_t credits = 1,
             std::uint64_t concurrency = 1) {
    driver.ready_pool(size, credits, concurrency);
    driver.declare_type(1);
    configure(options);
    driver.pass(milliseconds(1));  // runs of the very moment do not count
  }
  void configure(const BreakerOptions& options) {
    driver.step(event::TypeConfigured{TypeId{0}, options});
  }
  // One task that ends so; it must be given to a worker at once.
  void run(Outcome outcome, TypeId type = {}) {
    const TaskId task = driver.submit({.type = type, .retries = 0});
    driver.tick();
    ASSERT_EQ(driver.last<command::Assign>()->key.task, task);
    driver.answer(*driver.last<command::Assign>(), outcome);
    driver.tick();
    driver.pass(milliseconds(1));
  }
  void trip() {
    for (int i = 0; i < 3; ++i) run(Outcome::Failed);
    ASSERT_EQ(breaker().state, BreakerState::Open);
  }
  void cool() {
    driver.pass(breaker().until - driver.now);
    ASSERT_EQ(breaker().state, BreakerState::HalfOpen);
  }
  BreakerView breaker() { return *driver.pool().snapshot().types[0].breaker; }
  std::size_t assigned() { return driver.all<command::Assign>().size(); }
  void answer_all(Outcome outcome) {
    const auto given = driver.all<command::Assign>();
    driver.log.clear();
    for (const auto& assign : given) driver.answer(assign, outcome);
    driver.tick();
  }
  Notification told(Notice notice) {
    for (const auto& each : driver.all<command::Notify>()) {
      if (each.notification.notice == notice) return each.notification;
    }
    ADD_FAILURE() << "no such notice";
    return {};
  }

  PoolDriver driver;
};

TEST_F(BreakerTest, OpensAfterFailuresInARow) {
  begin(quick());
  run(Outcome::Failed);
  run(Outcome::Failed);
  run(Outcome::Done);  // begins the row anew
  run(Outcome::Failed);
  run(Outcome::Failed);
  EXPECT_EQ(breaker().state, BreakerState::Closed);
  run(Outcome::Failed);
  EXPECT_EQ(breaker().state, BreakerState::Open);
  const auto opened = told(Notice::BreakerOpened);
  EXPECT_EQ(opened.breaker, BreakerWhy::InARow);
  EXPECT_EQ(opened.count, 3U);
  EXPECT_LE(opened.duration_ns, seconds(10).ns);
  EXPECT_GT(opened.duration_ns, milliseconds(7'499).ns);
}

TEST_F(BreakerTest, OpensByTheShareOfFailuresWithinTheWindow) {
  auto options = quick();
  options.failures = 0;
  options.percent = 50;
  begin(options);
  for (int i = 0; i < 2; ++i) run(Outcome::Failed);
  driver.pass(seconds(9));  // they leave the window
  run(Outcome::Done);
  run(Outcome::Done);
  run(Outcome::Failed);
  EXPECT_EQ(breaker().state, BreakerState::Closed) << "one of three, and three are too few";
  run(Outcome::Failed);
  EXPECT_EQ(breaker().state, BreakerState::Open);
  EXPECT_EQ(breaker().why, BreakerWhy::Share);
  EXPECT_EQ(told(Notice::BreakerOpened).count, 2U);
}

TEST_F(BreakerTest, CountsWhatItsTaskIsChargedForButNotItsInput) {
  begin(quick());
  for (int i = 0; i < 9; ++i) run(Outcome::FailedForGood);
  for (int i = 0; i < 9; ++i) run(Outcome::Held);
  EXPECT_EQ(breaker().in_a_row, 0U);
  run(Outcome::RetryAfter);
  EXPECT_EQ(breaker().in_a_row, 1U);
  driver.submit({.retries = 0, .timeout = seconds(1)});
  driver.tick();
  driver.pass(seconds(1));
  driver.answer(*driver.last<command::Assign>(), Outcome::Failed);  // a timeout
  driver.tick();
  EXPECT_EQ(breaker().in_a_row, 2U);
  driver.submit({.retries = 0, .crashes_max = 1});
  driver.tick();
  driver.kill_worker(driver.worker(0));
  EXPECT_EQ(breaker().in_a_row, 3U);
  EXPECT_EQ(breaker().state, BreakerState::Open);
}

TEST_F(BreakerTest, CancelledRunsCountForNothing) {
  begin(quick());
  for (int i = 0; i < 5; ++i) {
    const TaskId task = driver.submit({.retries = 0});
    driver.tick();
    driver.step(event::Cancel{ClientId{1}, RequestId{900}, task});
    driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
    driver.tick();
  }
  EXPECT_EQ(breaker().in_a_row, 0U);
  EXPECT_EQ(breaker().running, 0U);
}

TEST_F(BreakerTest, WhileOpenTasksWaitUnchargedAndOthersRun) {
  begin(quick());
  trip();
  driver.log.clear();
  const TaskId waits = driver.submit({.retries = 0});
  driver.pass(seconds(5));
  EXPECT_EQ(assigned(), 0U);
  const auto view = *driver.pool().task(waits);
  EXPECT_EQ(view.state, TaskState::Ready);
  EXPECT_EQ(view.holds, hold_bit(Hold::Breaker));
  EXPECT_EQ(view.attempt, 0U);
  run(Outcome::Done, TypeId{1});
}

TEST_F(BreakerTest, WhatRunsGoesOnAndSaysNothingOfLater) {
  begin(quick(), 2);
  const TaskId slow = driver.submit({.retries = 0});
  driver.tick();
  const auto first = *driver.last<command::Assign>();
  trip();
  EXPECT_EQ(driver.state(slow), TaskState::Running);
  driver.log.clear();
  driver.submit({.retries = 0});
  cool();
  EXPECT_EQ(assigned(), 1U) << "the one from before is no probe";
  driver.answer(first, Outcome::Failed);
  driver.tick();
  EXPECT_EQ(breaker().state, BreakerState::HalfOpen);
  EXPECT_EQ(driver.state(slow), TaskState::Dead);
}

TEST_F(BreakerTest, ProbesWithExactlySoManyAtOnceOverTenantsAndClasses) {
  auto options = quick();
  options.probes = 2;
  driver.declare_class(3, 8, 1, 0);
  driver.declare_class(3, 8, 1, 1);
  driver.declare_type(0, {0, 1});
  driver.declare_type(1, {1});
  driver.hello_all();
  configure(options);
  driver.pass(milliseconds(1));
  driver.teach();  // now it is known to be short, and would be given ahead
  trip();
  driver.log.clear();
  for (std::uint32_t i = 0; i < 40; ++i) {
    driver.submit({.tenant = TenantId{i % 4}, .retries = 0});
  }
  cool();
  EXPECT_EQ(assigned(), 2U);
  driver.answer(driver.all<command::Assign>()[0], Outcome::Done);
  driver.tick();
  EXPECT_EQ(assigned(), 3U);
  EXPECT_EQ(breaker().running, 2U);
}

TEST_F(BreakerTest, ClosesAfterEnoughSuccessesAndLetsTheNumberGrow) {
  begin(quick(), 8);
  trip();
  for (int i = 0; i < 60; ++i) driver.submit({.retries = 0});
  driver.log.clear();
  cool();
  EXPECT_EQ(assigned(), 1U);
  answer_all(Outcome::Done);
  EXPECT_EQ(breaker().state, BreakerState::HalfOpen);
  answer_all(Outcome::Done);  // the second in a row
  EXPECT_EQ(breaker().state, BreakerState::Closed);
  EXPECT_EQ(breaker().why, BreakerWhy::Recovered);
  std::vector<std::size_t> at_once;
  for (int i = 0; i < 6; ++i) {
    at_once.push_back(breaker().running);
    answer_all(Outcome::Done);
  }
  EXPECT_EQ(at_once, (std::vector<std::size_t>{1, 1, 2, 4, 8, 8}));
}

TEST_F(BreakerTest, NothingIsHeldBackWhenTheGrowthIsOver) {
  begin(quick());
  trip();
  cool();
  for (int i = 0; i < 2 + 16 * 2; ++i) run(Outcome::Done);
  EXPECT_EQ(breaker().limit, 0U);
  trip();
  EXPECT_LE(breaker().until - breaker().since, seconds(10)) << "it begins with the first cooldown";
}

TEST_F(BreakerTest, StaysOpenTwiceAsLongEachTimeUpToTheMost) {
  begin(quick());
  trip();
  std::vector<std::int64_t> open;
  for (int i = 0; i < 5; ++i) {
    open.push_back((breaker().until - breaker().since).ns);
    cool();
    run(Outcome::Failed);
    EXPECT_EQ(breaker().why, BreakerWhy::Probe);
  }
  const std::vector<std::int64_t> most{10, 20, 40, 60, 60};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_LE(open[i], seconds(most[i]).ns);
    EXPECT_GT(open[i], seconds(most[i]).ns / 4 * 3 - 1);
  }
}

TEST_F(BreakerTest, OneThatFailsWhileItGrowsOpensForLonger) {
  begin(quick());
  trip();
  cool();
  run(Outcome::Done);
  run(Outcome::Done);
  trip();
  EXPECT_GT(breaker().until - breaker().since, seconds(10));
}

TEST_F(BreakerTest, WhatWasGivenAheadComesBackWhenItOpens) {
  begin(quick(), 1, 8);
  driver.teach();
  for (int i = 0; i < 5; ++i) driver.submit({.retries = 0});
  driver.tick();
  ASSERT_EQ(assigned(), 5U);
  const auto given = driver.all<command::Assign>();
  for (std::size_t i = 0; i < 3; ++i) driver.answer(given[i], Outcome::Failed);
  driver.tick();
  EXPECT_EQ(driver.all<command::Recall>().size(), 1U) << "the fourth runs";
  driver.step(event::RecallAnswered{given[4].worker, given[4].key, true});
  driver.tick();
  EXPECT_EQ(driver.state(given[4].key.task), TaskState::Ready);
  driver.pass(seconds(1));
  EXPECT_EQ(assigned(), 5U);
}

TEST_F(BreakerTest, APauseBesideItHoldsByItself) {
  begin(quick());
  trip();
  driver.step(event::Pause{ClientId{1}, RequestId{900}, pause_of(TypeId{0}), true});
  const TaskId task = driver.submit({.retries = 0});
  cool();
  EXPECT_EQ(driver.state(task), TaskState::Ready);
  driver.turn(event::Pause{ClientId{1}, RequestId{901}, pause_of(TypeId{0}), false});
  EXPECT_EQ(driver.state(task), TaskState::Running);
}

TEST_F(BreakerTest, TasksExpireAndAreCancelledWhileItIsOpen) {
  begin(quick());
  trip();
  const TaskId expires = driver.submit({.retries = 0, .expiry = seconds(1)});
  const TaskId cancelled = driver.submit({.retries = 0});
  driver.step(event::Cancel{ClientId{1}, RequestId{900}, cancelled});
  driver.pass(seconds(2));
  EXPECT_EQ(driver.state(expires), TaskState::Skipped) << "it is gone";
  EXPECT_EQ(driver.state(cancelled), TaskState::Skipped);
  EXPECT_EQ(driver.pool().counters().settled[static_cast<std::size_t>(Verdict::Expired)], 1U);
}

TEST_F(BreakerTest, IsOpenedAndClosedByHand) {
  begin(quick());
  driver.turn(event::SetBreaker{ClientId{1}, RequestId{900}, TypeId{0}, true, hours(2)});
  EXPECT_EQ(breaker().until - driver.now, hours(2));
  EXPECT_EQ(told(Notice::BreakerOpened).breaker, BreakerWhy::ByHand);
  driver.turn(event::SetBreaker{ClientId{1}, RequestId{901}, TypeId{0}, true, {}});
  EXPECT_LE(breaker().until - driver.now, seconds(20));
  driver.pass(milliseconds(1));
  driver.turn(event::SetBreaker{ClientId{1}, RequestId{902}, TypeId{0}, false, {}});
  EXPECT_EQ(breaker().limit, 0U);
  run(Outcome::Done);
  EXPECT_EQ(driver.all<command::Completed>().size(), 3U);
}

TEST_F(BreakerTest, ATypeWithoutOneIsRefused) {
  begin(quick());
  driver.turn(event::SetBreaker{ClientId{1}, RequestId{900}, TypeId{1}, true, {}});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::NoBreaker);
  driver.turn(event::SetBreaker{ClientId{1}, RequestId{901}, TypeId{7}, true, {}});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::UnknownType);
}

TEST_F(BreakerTest, SwitchedOffWhileOpenItLetsAllRun) {
  begin(quick());
  trip();
  const TaskId task = driver.submit({.retries = 0});
  configure({.on = false});
  driver.tick();
  EXPECT_EQ(driver.state(task), TaskState::Running);
  EXPECT_FALSE(driver.pool().snapshot().types[0].breaker);
  EXPECT_EQ(told(Notice::BreakerClosed).breaker, BreakerWhy::Off);
}

TEST_F(BreakerTest, OtherOptionsLeaveItOpen) {
  begin(quick());
  trip();
  const Instant until = breaker().until;
  auto options = quick();
  options.probes = 3;
  options.window = seconds(1);
  configure(options);
  EXPECT_EQ(breaker().until, until);
  cool();
  EXPECT_EQ(breaker().limit, 3U);
}

TEST_F(BreakerTest, AgeIsCappedWhenItLetsTasksTry) {
  driver.ready_pool(1);
  driver.declare_type(1);
  auto options = quick();
  options.cooldown = options.cooldown_max = seconds(100);
  configure(options);
  driver.pass(milliseconds(1));
  trip();
  const TaskId old = driver.submit({.retries = 0});
  driver.pass(seconds(50));
  driver.submit({.type = TypeId{1}});  // keeps the worker
  driver.tick();
  const auto busy = *driver.last<command::Assign>();
  const TaskId other = driver.submit({.type = TypeId{1}});
  cool();
  driver.answer(busy);
  driver.tick();
  EXPECT_EQ(driver.state(other), TaskState::Running) << "it has waited for longer than 10 s";
  EXPECT_EQ(driver.state(old), TaskState::Ready);
}

// The figure of requirements R7: calls to a dependency that is down fall by 99 % or more.
TEST_F(BreakerTest, CallsToADependencyThatIsDownFallToLessThanOneInAHundred) {
  begin(breaker_options([] {
          Options options = default_options();
          options.breaker = true;
          return options;
        }()),
        4);
  std::uint64_t submitted = 0, calls = 0;
  for (const Instant end = driver.now + minutes(10); driver.now < end;) {
    driver.submit({.retries = 0});
    ++submitted;
    driver.tick();
    const auto given = driver.all<command::Assign>();
    driver.log.clear();
    for (const auto& assign : given) {
      driver.answer(assign, Outcome::Failed);
      ++calls;
    }
    driver.pass(milliseconds(50));
  }
  EXPECT_EQ(submitted, 12'000U);
  EXPECT_LE(calls * 100, submitted) << calls;
  EXPECT_GE(calls, 5U);
  RecordProperty("calls", static_cast<int>(calls));
  EXPECT_EQ(driver.pool().queue().waiting() + driver.pool().queue().dead_letters, submitted);
}

}  // namespace
}  // namespace warmpool::test
