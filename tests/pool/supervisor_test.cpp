// Slots and workers: replacement, backoff, silence, scale, stop.
#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

TEST(Supervisor, StartsAsManyAsDeclared) {
  PoolDriver driver;
  driver.declare_class(7);
  EXPECT_EQ(driver.all<command::Spawn>().size(), 7U);
  driver.hello_all();
  EXPECT_EQ(driver.notices(Notice::PoolInitialized), 1U);
}

TEST(Supervisor, APoolOfNoWorkersIsInitializedAtTheEndOfItsFirstTurn) {
  PoolDriver driver;
  driver.declare_class(0);
  driver.declare_class(1, 1, 1, 1);
  driver.tick();
  EXPECT_EQ(driver.notices(Notice::PoolInitialized), 0U) << "one class wants a worker";
  driver.turn(event::Scale{ClientId{1}, RequestId{1}, ClassId{1}, event::ScaleMode::To, 0});
  EXPECT_EQ(driver.notices(Notice::PoolInitialized), 1U);
  driver.turn(event::Scale{ClientId{1}, RequestId{2}, ClassId{0}, event::ScaleMode::To, 2});
  EXPECT_EQ(driver.notices(Notice::PoolInitialized), 1U) << "once";
}

TEST(Supervisor, TheFirstReplacementIsAtOnceThenLater) {
  PoolDriver driver;
  driver.declare_class(1);
  driver.kill_worker(driver.worker(0), ExitCause::Exited, 1);
  EXPECT_EQ(driver.slot_state(0), SlotState::Starting);
  driver.kill_worker(driver.worker(0), ExitCause::Exited, 1);
  EXPECT_EQ(driver.slot_state(0), SlotState::Backoff);
  driver.pass(seconds(5));
  EXPECT_EQ(driver.slot_state(0), SlotState::Starting);
  driver.kill_worker(driver.worker(0), ExitCause::Exited, 1);
  EXPECT_EQ(driver.slot_state(0), SlotState::Failed);
  EXPECT_EQ(driver.notices(Notice::RecoveryGivenUp), 1U);
  driver.pass(seconds(10));
  EXPECT_EQ(driver.slot_state(0), SlotState::Starting) << "a failed slot tries again by itself";
}

TEST(Supervisor, RestartsOfAUselessWorkerStayFew) {
  PoolDriver driver;
  driver.declare_class(1);
  for (int second = 0; second < 3600; ++second) {
    if (driver.worker(0)) driver.kill_worker(driver.worker(0), ExitCause::Exited, 1);
    driver.pass(seconds(1));
  }
  EXPECT_LE(driver.all<command::Spawn>().size(), 14U);
}

TEST(Supervisor, ProductiveWorkersAreReplacedAtOnceAlways) {
  PoolDriver driver;
  driver.ready_pool(1);
  for (int i = 0; i < 20; ++i) {
    driver.submit();
    driver.tick();
    driver.answer(*driver.last<command::Assign>());
    driver.kill_worker(driver.worker(0));
    ASSERT_EQ(driver.slot_state(0), SlotState::Starting);
    driver.hello_all();
    driver.tick();
  }
}

TEST(Supervisor, NoHelloInTimeIsKilled) {
  PoolDriver driver;
  driver.declare_class(1);
  driver.pass(seconds(61));
  EXPECT_EQ(driver.last<command::EndWorker>()->cause, ExitCause::StartTimeout);
  EXPECT_EQ(driver.last<command::EndWorker>()->force, command::Force::Kill);
}

TEST(Supervisor, SilentIdleWorkersAreFoundAndReplaced) {
  PoolDriver driver;
  driver.beating = false;
  driver.ready_pool(2);
  for (int i = 0; i < 3; ++i) {
    driver.pass(seconds(5));
    driver.step(event::WorkerBeat{driver.worker(1)});
  }
  EXPECT_TRUE(driver.pool().slot(SlotId{0})->unresponsive);
  EXPECT_FALSE(driver.pool().slot(SlotId{1})->unresponsive);
  driver.submit();
  driver.tick();
  EXPECT_EQ(driver.last<command::Assign>()->worker, driver.worker(1));
  driver.pass(seconds(15));
  ASSERT_EQ(driver.all<command::EndWorker>().size(), 1U);
  EXPECT_EQ(driver.last<command::EndWorker>()->cause, ExitCause::Unresponsive);
  EXPECT_EQ(driver.notices(Notice::ZombieDetected), 1U);
}

TEST(Supervisor, SilentBusyWorkersAreLeftAlone) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.submit({.timeout = hours(2)});
  driver.tick();
  driver.pass(hours(1));
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
}

// The smaller of slow_after [15 min] and slow_percent [80 %] of its timeout.
TEST(Supervisor, AWorkerIsSlowWhileItsTaskRunsLong) {
  PoolDriver driver;
  driver.ready_pool(2);
  driver.submit({.timeout = seconds(100)});
  driver.submit({.timeout = hours(2)});
  driver.tick();
  driver.pass(seconds(79));
  EXPECT_EQ(driver.pool().slot(SlotId{0})->health, WorkerHealth::Working);
  driver.pass(seconds(2));
  EXPECT_EQ(driver.pool().slot(SlotId{0})->health, WorkerHealth::Slow);
  EXPECT_TRUE(driver.hand(0).front().slow);
  EXPECT_EQ(driver.notices(Notice::TaskSlow), 1U);
  driver.answer(driver.all<command::Assign>().front());
  EXPECT_EQ(driver.pool().slot(SlotId{0})->health, WorkerHealth::Healthy);
  EXPECT_EQ(driver.notices(Notice::WorkerHealthChanged), 2U) << "slow, and no more";
  driver.pass(minutes(13));
  EXPECT_EQ(driver.pool().slot(SlotId{1})->health, WorkerHealth::Working);
  driver.pass(minutes(2));
  EXPECT_EQ(driver.pool().slot(SlotId{1})->health, WorkerHealth::Slow);
  EXPECT_TRUE(driver.all<command::EndWorker>().empty()) << "slow kills nobody";
  driver.kill_worker(driver.worker(1));
  driver.hello_all();
  EXPECT_FALSE(driver.pool().slot(SlotId{1})->slow) << "a new worker is not";
}

TEST(Supervisor, SlowFollowsChangedOptions) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.submit({.timeout = hours(2)});
  driver.tick();
  driver.pass(seconds(10));
  Options options = default_options();
  options.slow_after = seconds(5);
  driver.step(event::OptionsChanged{options});
  driver.pass(seconds(1));
  EXPECT_TRUE(driver.pool().slot(SlotId{0})->slow);
}

TEST(Supervisor, StoppedBusyWorkersAreKilledAfterTheThreshold) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  driver.turn(event::WorkerStopped{driver.worker(0), true});
  driver.pass(seconds(29));
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
  driver.pass(seconds(2));
  EXPECT_EQ(driver.last<command::EndWorker>()->cause, ExitCause::Stopped);
  driver.kill_worker(driver.worker(0));
  EXPECT_EQ(driver.pool().task(task)->last_cause, EndCause::Hung);
  EXPECT_EQ(driver.pool().task(task)->used.crashes, 1);
}

// As cpulimit does it: each look finds it stopped, and each time it has moved in between.
TEST(Supervisor, WhoMovesBetweenTwoStopsIsNotKilled) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.submit({.timeout = hours(1)});
  driver.tick();
  for (int i = 0; i < 60; ++i) {
    driver.turn(event::WorkerStopped{driver.worker(0), true});
    driver.pass(seconds(1));
  }
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
  EXPECT_TRUE(driver.pool().slot(SlotId{0})->stopped);
  driver.pass(seconds(31));
  EXPECT_EQ(driver.last<command::EndWorker>()->cause, ExitCause::Stopped) << "it does not any more";
}

TEST(Supervisor, NobodyIsJudgedForAStallOfTheLoop) {
  PoolDriver driver;
  driver.ready_pool(4);
  driver.submit({.timeout = seconds(20)});
  driver.tick();
  driver.now = driver.now + seconds(60);
  driver.tick();
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
  EXPECT_TRUE(driver.all<command::CancelAttempt>().empty());
  driver.pass(seconds(4));
  EXPECT_TRUE(driver.all<command::CancelAttempt>().empty());
  driver.pass(seconds(2));
  EXPECT_EQ(driver.all<command::CancelAttempt>().size(), 1U) << "the grace ends";
}

TEST(Supervisor, AStallClearsTheSuspicionOfSilence) {
  PoolDriver driver;
  driver.beating = false;
  driver.ready_pool(1);
  driver.pass(seconds(16));
  EXPECT_TRUE(driver.pool().slot(SlotId{0})->unresponsive);
  driver.now = driver.now + seconds(60);
  const TaskId task = driver.submit();
  driver.tick();
  EXPECT_EQ(driver.state(task), TaskState::Running);
}

TEST(Supervisor, AWorkerThatEndsByItselfKeepsItsOwnCause) {
  PoolDriver driver;
  driver.ready_pool(1);
  const WorkerId worker = driver.worker(0);
  driver.turn(event::WorkerBroken{worker, ExitCause::ChannelClosed});
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
  driver.kill_worker(worker, ExitCause::Exited, 3);
  EXPECT_EQ(driver.pool().slot(SlotId{0})->last_cause, ExitCause::Exited);
}

TEST(Supervisor, AWorkerThatClosesItsChannelAndLivesOnIsKilled) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.turn(event::WorkerBroken{driver.worker(0), ExitCause::ChannelClosed});
  driver.pass(milliseconds(101));
  EXPECT_EQ(driver.last<command::EndWorker>()->cause, ExitCause::ChannelClosed);
}

TEST(Supervisor, ScaleDownTakesTheIdleAndDrainsTheBusy) {
  PoolDriver driver;
  driver.ready_pool(3);
  driver.submit();
  driver.tick();
  const auto busy = driver.last<command::Assign>()->worker;
  driver.turn(event::Scale{ClientId{1}, RequestId{60}, ClassId{0}, event::ScaleMode::To, 0});
  EXPECT_EQ(driver.all<command::Retire>().size(), 2U);
  for (const auto& retire : driver.all<command::Retire>()) {
    EXPECT_NE(retire.worker, busy);
    driver.kill_worker(retire.worker, ExitCause::Exited, 0);
  }
  driver.answer(*driver.last<command::Assign>());
  driver.tick();
  EXPECT_EQ(driver.last<command::Retire>()->worker, busy);
  driver.kill_worker(busy, ExitCause::Exited, 0);
  EXPECT_EQ(driver.slot_state(0), SlotState::Gone);
  EXPECT_EQ(driver.pool().counters().unproductive_deaths, 0U);
}

TEST(Supervisor, AWorkerThatIsNotUpIsEndedBySignalWhenItIsWantedNoMore) {
  PoolDriver driver;
  driver.declare_class(1);
  const WorkerId worker = driver.worker(0);
  driver.turn(event::Scale{ClientId{1}, RequestId{60}, ClassId{0}, event::ScaleMode::To, 0});
  ASSERT_EQ(driver.all<command::EndWorker>().size(), 1U);
  EXPECT_EQ(driver.last<command::EndWorker>()->force, command::Force::Term);
  driver.pass(seconds(4));
  EXPECT_EQ(driver.last<command::EndWorker>()->force, command::Force::Kill);
  driver.kill_worker(worker);
  EXPECT_EQ(driver.slot_state(0), SlotState::Gone);
}

TEST(Supervisor, ScaleOutsideTheLimitsIsRefused) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.step(event::Scale{ClientId{1}, RequestId{60}, ClassId{0}, event::ScaleMode::To, 1001});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::SizeOutOfRange);
  driver.step(event::Scale{ClientId{1}, RequestId{61}, ClassId{0}, event::ScaleMode::Down, 2});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::SizeOutOfRange);
  driver.step(event::Scale{ClientId{1}, RequestId{62}, ClassId{9}, event::ScaleMode::To, 2});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::NoSuchClass);
}

TEST(Supervisor, StopWaitsForWhatRunsThenFinishes) {
  PoolDriver driver;
  driver.ready_pool(2);
  driver.submit();
  const TaskId waiting = driver.submit();
  const TaskId more = driver.submit();
  driver.tick();
  driver.turn(event::Stop{ClientId{1}, RequestId{90}, false});
  EXPECT_EQ(driver.state(more), TaskState::Ready);
  driver.submit();
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::Stopping);
  for (const auto& assign : driver.all<command::Assign>()) driver.answer(assign);
  driver.tick();
  for (const auto& retire : driver.all<command::Retire>()) {
    driver.kill_worker(retire.worker, ExitCause::Exited, 0);
  }
  driver.tick();
  ASSERT_TRUE(driver.last<command::Finished>());
  EXPECT_EQ(driver.last<command::Finished>()->lost, 1U);
  EXPECT_NE(driver.state(waiting), TaskState::Running);
}

TEST(Supervisor, StopKillsAtTheDrainDeadlineAndChargesNothing) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  driver.turn(event::Stop{ClientId{}, RequestId{}, false});
  driver.pass(seconds(31));
  EXPECT_EQ(driver.last<command::EndWorker>()->cause, ExitCause::Shutdown);
  driver.turn(event::WorkerExited{driver.worker(0), ExitCause::Signalled, -9});
  EXPECT_EQ(driver.pool().task(task)->last_cause, EndCause::Interrupted);
  EXPECT_EQ(driver.pool().task(task)->used, record::Used{});
  EXPECT_TRUE(driver.last<command::Finished>());
}

TEST(Supervisor, AForcedStopWaitsForExitsASecondAndNoLonger) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.turn(event::Stop{ClientId{}, RequestId{}, true});
  driver.pass(milliseconds(999));
  EXPECT_FALSE(driver.last<command::Finished>());
  EXPECT_GT(driver.pool().next_deadline(), driver.now);
  driver.pass(milliseconds(1));
  EXPECT_TRUE(driver.last<command::Finished>());
}

TEST(Supervisor, AKilledWorkerThatDoesNotGoGivesUpItsTask) {
  PoolDriver driver;
  driver.ready_pool(2);
  const TaskId task = driver.submit();
  driver.tick();
  const auto first = *driver.last<command::Assign>();
  driver.turn(event::WorkerBroken{first.worker, ExitCause::Protocol});
  driver.pass(minutes(4));
  EXPECT_EQ(driver.state(task), TaskState::Running);
  driver.pass(minutes(2));
  EXPECT_EQ(driver.pool().task(task)->used.crashes, 1);
  const auto second = *driver.last<command::Assign>();
  EXPECT_EQ(second.key.task, task);
  EXPECT_NE(second.worker, first.worker);
  driver.answer(first);
  EXPECT_EQ(driver.pool().counters().refused_results, 1U) << "a late result counts for nothing";
  EXPECT_EQ(driver.slot_state(0), SlotState::Recovery) << "no other process beside it";
  driver.kill_worker(first.worker);
  EXPECT_EQ(driver.pool().task(task)->used.crashes, 1);
}

TEST(Supervisor, AStoppedWorkerIsAZombieAndSaidToBe) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.beating = false;
  driver.turn(event::WorkerStopped{driver.worker(0), true});
  driver.pass(seconds(31));
  EXPECT_EQ(driver.notices(Notice::ZombieDetected), 1U);
}

TEST(Supervisor, MorePlacesThanThereCanBeAreRefused) {
  PoolDriver driver;
  ClassOptions options = default_class_options();
  options.name = "worker";
  options.command = {"worker"};
  options.size_max = options.size = 9000;
  for (std::uint16_t id = 0; id < 7; ++id) driver.step(event::ClassDeclared{ClassId{id}, options});
  options.size = 1;
  options.size_max = 10'000;
  driver.step(event::ClassDeclared{ClassId{7}, options});
  driver.step(event::Scale{ClientId{1}, RequestId{60}, ClassId{7}, event::ScaleMode::To, 10'000});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::SizeOutOfRange);
  driver.step(event::Scale{ClientId{1}, RequestId{61}, ClassId{7}, event::ScaleMode::To, 2'535});
  EXPECT_EQ(driver.last<command::Completed>()->after, 2'535U);
}

TEST(Supervisor, AWorkerIsNeverGivenMoreThanItSaid) {
  PoolDriver driver;
  driver.declare_class(1, 3, 3);
  driver.declare_type(0);
  driver.step(event::WorkerReady{driver.worker(0), 1, true});
  for (int i = 0; i < 3; ++i) driver.submit();
  driver.tick();
  EXPECT_EQ(driver.hand(0).size(), 1U);
}

TEST(Supervisor, RoundRobinGoesAround) {
  PoolDriver driver;
  driver.ready_pool(3);
  std::vector<WorkerId> served;
  for (int i = 0; i < 6; ++i) {
    driver.submit();
    driver.tick();
    served.push_back(driver.last<command::Assign>()->worker);
    driver.answer(*driver.last<command::Assign>());
  }
  for (std::uint16_t i = 0; i < 6; ++i) {
    EXPECT_EQ(served[i], driver.worker(static_cast<std::uint16_t>(i % 3)));
  }
}

TEST(Supervisor, AttemptsRunAtOnceUpToTheConcurrency) {
  PoolDriver driver;
  driver.ready_pool(1, 3, 3);
  for (int i = 0; i < 5; ++i) driver.submit();
  driver.tick();
  EXPECT_EQ(driver.all<command::Assign>().size(), 3U);
  for (const auto& held : driver.hand(0)) EXPECT_TRUE(held.started);
}

}  // namespace
}  // namespace warmpool::test
