// The table of verdicts, and what it does to workers. Its promise: silence ends only the idle.
#include "pool/verdict.hpp"

#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

Motion seen(char state, Duration cpu, bool yielded, Duration elapsed = seconds(1)) {
  return motion_of({state, elapsed, cpu, yielded});
}

TEST(Verdict, AProcessIsSeenToComputeWaitOrMove) {
  EXPECT_EQ(seen('R', milliseconds(990), false), Motion::Computing);
  EXPECT_EQ(seen('R', milliseconds(50), false), Motion::Computing) << "it may not have more";
  EXPECT_EQ(seen('S', milliseconds(200), true), Motion::Computing) << "another of its threads";
  EXPECT_EQ(seen('S', milliseconds(60), true), Motion::Moving);
  EXPECT_EQ(seen('S', {}, false), Motion::Waiting);
  EXPECT_EQ(seen('S', milliseconds(20), true), Motion::Waiting) << "for a lock, asking often";
  EXPECT_EQ(seen('D', {}, false), Motion::Blocked);
  EXPECT_EQ(seen('S', {}, false, {}), Motion::Unknown) << "one look tells nothing";
}

struct Silence {
  Motion motion;
  WorkerHealth idle, busy;
  ExitCause cause;
};

constexpr Silence kSilences[] = {
    {Motion::Unknown, WorkerHealth::Unresponsive, WorkerHealth::Working, ExitCause::Unresponsive},
    {Motion::Moving, WorkerHealth::Unresponsive, WorkerHealth::Working, ExitCause::Unresponsive},
    {Motion::Computing, WorkerHealth::Spinning, WorkerHealth::Computing, ExitCause::Spinning},
    {Motion::Waiting, WorkerHealth::Wedged, WorkerHealth::Waiting, ExitCause::Wedged},
    {Motion::Blocked, WorkerHealth::Wedged, WorkerHealth::Waiting, ExitCause::Wedged},
};

TEST(Verdict, AnIdleSilentWorkerIsEndedWithTheWordForWhatItDid) {
  for (const auto& [motion, idle, busy, cause] : kSilences) {
    PoolDriver driver;
    driver.beating = false;
    driver.ready_pool(1);
    driver.pass(seconds(16));
    driver.turn(event::WorkerObserved{driver.worker(0), motion, false});
    EXPECT_EQ(driver.pool().slot(SlotId{0})->health, idle) << name_of(motion);
    EXPECT_TRUE(driver.all<command::EndWorker>().empty());
    driver.pass(seconds(15));
    ASSERT_EQ(driver.all<command::EndWorker>().size(), 1U) << name_of(motion);
    EXPECT_EQ(driver.last<command::EndWorker>()->cause, cause) << name_of(motion);
  }
}

TEST(Verdict, ABusySilentWorkerIsShownAndNeverEnded) {
  for (const auto& [motion, idle, busy, cause] : kSilences) {
    PoolDriver driver;
    driver.beating = false;
    driver.ready_pool(1);
    driver.submit({.timeout = hours(3)});
    driver.tick();
    driver.pass(seconds(16));
    driver.turn(event::WorkerObserved{driver.worker(0), motion, false});
    EXPECT_EQ(driver.pool().slot(SlotId{0})->health, busy) << name_of(motion);
    driver.pass(minutes(10));
    EXPECT_TRUE(driver.all<command::EndWorker>().empty()) << name_of(motion);
    EXPECT_TRUE(driver.all<command::CancelAttempt>().empty()) << name_of(motion);
    driver.answer(driver.all<command::Assign>().front());
    EXPECT_EQ(driver.pool().slot(SlotId{0})->health, WorkerHealth::Healthy) << name_of(motion);
  }
}

TEST(Verdict, WhatWasSeenOfOneThatIsHeardCountsForNothing) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.turn(event::WorkerObserved{driver.worker(0), Motion::Computing, false});
  EXPECT_EQ(driver.pool().slot(SlotId{0})->health, WorkerHealth::Healthy);
  EXPECT_EQ(driver.notices(Notice::WorkerHealthChanged), 0U);
}

TEST(Verdict, EachChangeIsToldOnceAndFollowsTheOneBefore) {
  PoolDriver driver;
  driver.beating = false;
  driver.ready_pool(1);
  driver.pass(seconds(16));
  const auto worker = driver.worker(0);
  for (auto motion : {Motion::Computing, Motion::Computing, Motion::Waiting}) {
    driver.turn(event::WorkerObserved{worker, motion, false});
  }
  driver.turn(event::WorkerStopped{worker, true});
  driver.turn(event::WorkerStopped{worker, false});
  driver.turn(event::WorkerBeat{worker});
  EXPECT_EQ(driver.notices(Notice::WorkerHealthChanged), 6U)
      << "unresponsive, spinning, wedged, stopped, wedged, healthy";
}

TEST(Verdict, AStoppedIdleWorkerIsEndedAsStoppedAndNotAsSilent) {
  PoolDriver driver;
  driver.beating = false;
  driver.ready_pool(1);
  driver.pass(seconds(10));
  driver.turn(event::WorkerStopped{driver.worker(0), true});
  driver.pass(seconds(21));
  ASSERT_FALSE(driver.all<command::EndWorker>().empty());
  EXPECT_EQ(driver.last<command::EndWorker>()->cause, ExitCause::Stopped);
}

TEST(Verdict, AStoppedWorkerThatIsHeardIsNotEndedThoughNobodySaidThatItGoesOn) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.submit({.timeout = hours(1)});
  driver.tick();
  const auto key = driver.all<command::Assign>().front().key;
  driver.turn(event::WorkerStopped{driver.worker(0), true});
  for (int report = 0; report < 5; ++report) {
    driver.pass(default_options().dead_after / 2);
    driver.turn(event::AttemptProgressed{driver.worker(0), key});
  }
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
  driver.pass(default_options().dead_after + seconds(1));
  EXPECT_FALSE(driver.all<command::EndWorker>().empty()) << "it is not heard any more";
}

TEST(Verdict, OneThatDoesNotGoIsShownAsUnkillable) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.submit();
  driver.tick();
  driver.turn(event::WorkerBroken{driver.worker(0), ExitCause::Protocol});
  driver.pass(default_options().unkillable_after + seconds(1));
  EXPECT_EQ(driver.pool().slot(SlotId{0})->health, WorkerHealth::Unkillable);
  driver.kill_worker(driver.worker(0));
  EXPECT_NE(driver.pool().slot(SlotId{0})->health, WorkerHealth::Unkillable);
}

// A class whose runs have to show progress.
PoolDriver impatient() {
  PoolDriver driver;
  event::ClassDeclared declared{ClassId{0}, default_class_options()};
  declared.options.size = 1;
  declared.options.progress_timeout = seconds(10);
  driver.ready_pool(1);
  driver.step(declared);
  return driver;
}

TEST(Progress, ARunThatShowsNoneHasHungAndIsCharged) {
  auto driver = impatient();
  const TaskId task = driver.submit({.timeout = hours(1)});
  driver.tick();
  driver.pass(seconds(9));
  EXPECT_TRUE(driver.all<command::CancelAttempt>().empty());
  driver.pass(seconds(2));
  ASSERT_EQ(driver.all<command::CancelAttempt>().size(), 1U);
  EXPECT_EQ(driver.last<command::CancelAttempt>()->cause, EndCause::Hung);
  driver.pass(seconds(60));
  ASSERT_FALSE(driver.all<command::EndWorker>().empty()) << "it heeded nothing";
  EXPECT_EQ(driver.last<command::EndWorker>()->cause, ExitCause::Hung);
  driver.kill_worker(driver.worker(0));
  EXPECT_EQ(driver.pool().task(task)->last_cause, EndCause::Hung);
  EXPECT_EQ(driver.pool().task(task)->used.crashes, 1);
}

TEST(Progress, ReportsAndLinesOfOutputCount) {
  auto driver = impatient();
  driver.submit({.timeout = hours(1)});
  driver.tick();
  const auto key = driver.all<command::Assign>().front().key;
  for (int i = 0; i < 5; ++i) {
    driver.pass(seconds(7));
    driver.turn(event::AttemptProgressed{driver.worker(0), key});
    driver.pass(seconds(7));
    driver.turn(event::WorkerObserved{driver.worker(0), Motion::Unknown, true});
  }
  EXPECT_TRUE(driver.all<command::CancelAttempt>().empty());
  driver.pass(seconds(11));
  EXPECT_EQ(driver.all<command::CancelAttempt>().size(), 1U);
}

// A lateness of the loop that nobody's silence is forgiven for may be more than all the patience.
TEST(Progress, IsNotAwaitedWhileTheLoopIsLate) {
  PoolDriver driver;
  ready_class(driver, 1, [](ClassOptions& options) { options.progress_timeout = seconds(1); });
  driver.hello_all();
  driver.submit({.timeout = hours(1)});
  driver.tick();
  driver.now = driver.now + seconds(3);
  driver.tick();
  EXPECT_TRUE(driver.all<command::CancelAttempt>().empty());
  driver.pass(seconds(2));
  EXPECT_EQ(driver.all<command::CancelAttempt>().size(), 1U);
}

// Each turn of a busy loop is late by some milliseconds, and that adds up.
TEST(Progress, IsAwaitedNoLongerThanTwiceHoweverOftenTheLoopIsLate) {
  auto driver = impatient();
  driver.submit({.timeout = hours(1)});
  driver.tick();
  const Instant began = driver.now;
  while (driver.now < began + seconds(19)) {
    driver.now = std::max(driver.now, driver.pool().next_deadline()) + milliseconds(100);
    driver.submit({.expiry = milliseconds(1)});
    driver.tick();
  }
  EXPECT_TRUE(driver.all<command::CancelAttempt>().empty());
  driver.pass(began + seconds(20) - driver.now);
  EXPECT_EQ(driver.all<command::CancelAttempt>().size(), 1U);
}

TEST(Progress, IsNotAskedForUnlessTheClassSaysSo) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.submit({.timeout = hours(3)});
  driver.tick();
  driver.pass(hours(2));
  EXPECT_TRUE(driver.all<command::CancelAttempt>().empty());
}

}  // namespace
}  // namespace warmpool::test
