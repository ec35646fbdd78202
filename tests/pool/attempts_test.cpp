// What becomes of attempts: outcomes, budgets, blame, recall, cancel, timeouts, fencing.
#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

TEST(Attempts, DoneSettlesAndAnnouncesAfterItsRecord) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.submit();
  driver.tick();
  driver.auto_keep = false;
  driver.answer(*driver.last<command::Assign>());
  driver.tick();
  EXPECT_TRUE(driver.all<command::Announce>().empty());
  EXPECT_EQ(driver.slot_state(0), SlotState::Ready) << "credit returns before the record is kept";
  driver.keep_all();
  ASSERT_EQ(driver.all<command::Announce>().size(), 1U);
  EXPECT_EQ(driver.last<command::Announce>()->verdict, Verdict::Done);
}

TEST(Attempts, FailureIsRetriedWithBackoffThenDead) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit({.retries = 2});
  driver.tick();
  const std::int64_t waits[] = {1, 2};
  for (std::int64_t wait : waits) {
    driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
    EXPECT_EQ(driver.state(task), TaskState::Delayed);
    const auto ended = driver.records<record::Ended>().back();
    EXPECT_LE(ended.eligible_at - driver.now, seconds(wait));
    EXPECT_GE(ended.eligible_at - driver.now, milliseconds(750 * wait));
    driver.pass(seconds(wait));
    EXPECT_EQ(driver.state(task), TaskState::Running);
  }
  driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
  EXPECT_EQ(driver.state(task), TaskState::Dead);
  EXPECT_EQ(driver.all<command::Assign>().size(), 3U);
  EXPECT_EQ(driver.last<command::Announce>()->used.failures, 3);
}

TEST(Attempts, RetriesZeroMeansNone) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit({.retries = 0});
  driver.tick();
  driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
  EXPECT_EQ(driver.state(task), TaskState::Dead);
}

TEST(Attempts, FailedForGoodIsNeverRetried) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  driver.answer(*driver.last<command::Assign>(), Outcome::FailedForGood);
  EXPECT_EQ(driver.state(task), TaskState::Dead);
}

TEST(Attempts, RetryAfterWaitsAsLongAsAsked) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  driver.answer(*driver.last<command::Assign>(), Outcome::RetryAfter, {}, seconds(77));
  driver.pass(seconds(76));
  EXPECT_EQ(driver.state(task), TaskState::Delayed);
  driver.pass(seconds(2));
  EXPECT_EQ(driver.state(task), TaskState::Running);
}

TEST(Attempts, HeldTasksWaitForAPerson) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  driver.answer(*driver.last<command::Assign>(), Outcome::Held);
  driver.pass(hours(1));
  EXPECT_EQ(driver.state(task), TaskState::Held);
  driver.turn(event::Release{ClientId{1}, RequestId{70}, task});
  EXPECT_EQ(driver.state(task), TaskState::Running);
  driver.step(event::Release{ClientId{1}, RequestId{71}, task});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::NotHeld);
}

TEST(Attempts, ADeathWithOneInHandIsChargedAndRetriedAtOnce) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  driver.kill_worker(driver.worker(0));
  EXPECT_EQ(driver.state(task), TaskState::Ready);
  EXPECT_EQ(driver.pool().task(task)->used.crashes, 1);
  driver.hello_all();
  driver.tick();
  EXPECT_EQ(driver.state(task), TaskState::Running);
}

TEST(Attempts, APoisonTaskStopsAfterExactlyItsBudget) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit({.crashes_max = 3});
  for (int i = 0; i < 3; ++i) {
    driver.pass(seconds(10));
    driver.hello_all();
    driver.pass(seconds(10));
    ASSERT_EQ(driver.state(task), TaskState::Running) << i;
    driver.kill_worker(driver.worker(0), ExitCause::Signalled, -11);
  }
  EXPECT_EQ(driver.state(task), TaskState::Dead);
  EXPECT_EQ(driver.records<record::Settled>().back().cause, EndCause::Crashed);
  EXPECT_EQ(driver.records<record::Settled>().back().code, -11);
}

TEST(Attempts, ARetryWaitsForTheRecordOfTheCharge) {
  PoolDriver driver;
  driver.ready_pool(2);
  const TaskId task = driver.submit();
  driver.tick();
  driver.auto_keep = false;
  driver.kill_worker(driver.worker(0));
  driver.tick();
  EXPECT_EQ(driver.state(task), TaskState::Recording);
  driver.keep_all();
  driver.tick();
  EXPECT_EQ(driver.state(task), TaskState::Running);
}

TEST(Attempts, SeveralInHandAreSuspectsAndNoneIsCharged) {
  PoolDriver driver;
  driver.ready_pool(1, 16);
  driver.teach();
  std::vector<TaskId> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(driver.submit());
  driver.tick();
  ASSERT_EQ(driver.hand(0).size(), 4U);
  driver.kill_worker(driver.worker(0));
  for (TaskId task : tasks) EXPECT_EQ(driver.pool().task(task)->used.crashes, 0);
  driver.hello_all();
  driver.tick();
  EXPECT_EQ(driver.hand(0).size(), 1U) << "a suspect runs alone";
  driver.kill_worker(driver.worker(0));
  EXPECT_EQ(driver.pool().task(tasks[0])->used.crashes, 1) << "only a death there is charged";
  EXPECT_EQ(driver.pool().task(tasks[1])->used.crashes, 0);
}

// One worker that has four short tasks in hand.
struct FourInHand {
  PoolDriver driver;
  std::vector<TaskId> tasks;

  FourInHand() {
    driver.ready_pool(1, 16);
    driver.teach();
    for (int i = 0; i < 4; ++i) tasks.push_back(driver.submit());
    driver.tick();
    EXPECT_EQ(driver.hand(0).size(), 4U);
  }
  // The worker dies and says that it was in the `at`th of its hand.
  void die_in(std::size_t at) { die_saying(driver.hand(0).at(at).key.token); }
  void die_saying(std::uint64_t token) {
    driver.kill_worker(driver.worker(0), ExitCause::Signalled, -11, token);
    driver.hello_all();
    driver.tick();
  }
  bool is_suspect(std::size_t at) {
    return driver.pool().task(tasks.at(at))->last_cause == EndCause::Suspect;
  }
  std::uint16_t crashes(std::size_t at) { return driver.pool().task(tasks.at(at))->used.crashes; }
};

TEST(Hint, LeavesAsSuspectsWhatTheWorkerHadBegun) {
  FourInHand four;
  four.die_in(1);
  EXPECT_EQ(four.driver.hand(0).size(), 1U) << "the first of two suspects runs alone";
  EXPECT_TRUE(four.is_suspect(0));
  EXPECT_TRUE(four.is_suspect(1));
  EXPECT_FALSE(four.is_suspect(2));
  EXPECT_FALSE(four.is_suspect(3));
  const auto ends = four.driver.records<record::Ended>();
  ASSERT_GE(ends.size(), 4U);
  EXPECT_EQ(ends[ends.size() - 2].cause, EndCause::NeverStarted);
  EXPECT_EQ(four.driver.pool().counters().suspects, 2U);
}

TEST(Hint, IsNoProof) {
  FourInHand four;
  four.die_in(0);
  for (std::size_t at = 0; at < 4; ++at) EXPECT_EQ(four.crashes(at), 0) << at;
  ASSERT_EQ(four.driver.hand(0).size(), 1U);
  four.die_saying(0);
  EXPECT_EQ(four.crashes(0), 1) << "only a death alone is charged";
  for (std::size_t at = 1; at < 4; ++at) EXPECT_EQ(four.crashes(at), 0) << at;
}

TEST(Hint, ThatNamesNothingInHandSparesNobody) {
  for (const std::uint64_t token : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
    FourInHand four;
    four.die_saying(token);
    EXPECT_EQ(four.driver.pool().counters().suspects, 4U) << token;
  }
}

// A lie that always names the first in hand would else keep the deadly one from running alone.
TEST(Hint, SparesATaskOnceInARound) {
  FourInHand four;
  four.die_in(0);
  const auto first = four.driver.all<command::Assign>().back();
  four.driver.answer(first, Outcome::Done, microseconds(10));
  four.driver.tick();
  ASSERT_EQ(four.driver.hand(0).size(), 3U) << "those that were spared, together again";
  four.die_in(0);
  for (std::size_t at = 1; at < 4; ++at) EXPECT_TRUE(four.is_suspect(at)) << at;
}

TEST(Hint, CountsForNothingWhereAWorkerRunsSeveralAtOnce) {
  PoolDriver driver;
  driver.ready_pool(1, 4, 2);
  std::vector<TaskId> tasks{driver.submit(), driver.submit()};
  driver.tick();
  ASSERT_EQ(driver.hand(0).size(), 2U);
  driver.kill_worker(driver.worker(0), ExitCause::Signalled, -11, driver.hand(0).front().key.token);
  EXPECT_EQ(driver.pool().counters().suspects, 2U);
}

TEST(Hint, ClearsNobodyWhoWasAlone) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  driver.kill_worker(driver.worker(0), ExitCause::Signalled, -11, 4711);
  EXPECT_EQ(driver.pool().task(task)->used.crashes, 1);
}

TEST(Attempts, ASuspectGetsAWorkerToItselfUnderLoad) {
  PoolDriver driver;
  driver.ready_pool(2, 16);
  driver.teach();
  for (int i = 0; i < 8; ++i) driver.submit();
  driver.tick();
  driver.kill_worker(driver.worker(0));
  for (int i = 0; i < 100; ++i) driver.submit();
  bool alone = false;
  for (int i = 0; i < 50; ++i) {
    const auto held = driver.hand(1);
    ASSERT_FALSE(held.empty());
    alone = alone || held.size() == 1;
    driver.step(event::AttemptAnswered{
        driver.worker(1), held.front().key, Outcome::Done, {}, microseconds(10), 0});
    driver.tick();
  }
  EXPECT_TRUE(alone);
}

TEST(Attempts, LateAndForeignResultsAreRefusedAndCounted) {
  PoolDriver driver;
  driver.ready_pool(2);
  driver.submit();
  driver.tick();
  const auto assign = *driver.last<command::Assign>();
  auto forged = assign;
  forged.key.token ^= 1;
  driver.answer(forged);
  auto foreign = assign;
  foreign.worker = driver.worker(1);
  driver.answer(foreign);
  EXPECT_EQ(driver.pool().counters().refused_results, 2U);
  driver.answer(assign);
  driver.answer(assign);
  EXPECT_EQ(driver.pool().counters().refused_results, 3U);
  EXPECT_EQ(driver.pool().counters().settled[0], 1U);
}

TEST(Attempts, TimeoutAsksThenTermsThenKillsAndCountsAsFailure) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit({.timeout = seconds(10)});
  driver.tick();
  driver.pass(seconds(10));
  EXPECT_EQ(driver.all<command::CancelAttempt>().size(), 1U);
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
  driver.pass(seconds(2) + milliseconds(1));
  ASSERT_EQ(driver.all<command::EndWorker>().size(), 1U);
  EXPECT_EQ(driver.last<command::EndWorker>()->force, command::Force::Term);
  driver.pass(seconds(3) + milliseconds(1));
  EXPECT_EQ(driver.last<command::EndWorker>()->force, command::Force::Kill);
  EXPECT_EQ(driver.last<command::EndWorker>()->cause, ExitCause::Timeout);
  driver.kill_worker(driver.worker(0));
  EXPECT_EQ(driver.pool().task(task)->used.failures, 1);
  EXPECT_EQ(driver.pool().task(task)->used.crashes, 0);
  EXPECT_EQ(driver.pool().task(task)->last_cause, EndCause::Timeout);
}

TEST(Attempts, AnAnswerInTheGraceSavesTheWorker) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit({.timeout = seconds(10)});
  driver.tick();
  driver.pass(seconds(11));
  driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
  EXPECT_EQ(driver.pool().task(task)->last_cause, EndCause::Timeout);
  EXPECT_EQ(driver.slot_state(0), SlotState::Ready);
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
}

TEST(Attempts, CancelWaitsForTheWorkerAndNamesTheRung) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  driver.turn(event::Cancel{ClientId{1}, RequestId{80}, task});
  EXPECT_TRUE(driver.all<command::Cancelled>().empty());
  driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
  ASSERT_TRUE(driver.last<command::Cancelled>());
  EXPECT_EQ(driver.last<command::Cancelled>()->rung, Rung::Frame);
  EXPECT_EQ(driver.last<command::Announce>()->verdict, Verdict::Cancelled);
}

TEST(Attempts, CancelOfWhatAKilledWorkerHasNamesTheKill) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  const auto worker = driver.worker(0);
  driver.step(event::WorkerBroken{worker, ExitCause::Protocol});
  ASSERT_EQ(driver.last<command::EndWorker>()->force, command::Force::Kill);
  driver.turn(event::Cancel{ClientId{1}, RequestId{80}, task});
  driver.kill_worker(worker);
  ASSERT_TRUE(driver.last<command::Cancelled>());
  EXPECT_EQ(driver.last<command::Cancelled>()->rung, Rung::Kill) << "nobody heeded a frame";
  EXPECT_EQ(driver.last<command::Announce>()->verdict, Verdict::Cancelled);
}

// The first of two runs overlong; the worker got SIGTERM for it before the other is cancelled.
TEST(Attempts, CancelAfterTheTermNamesTheTerm) {
  PoolDriver driver;
  driver.ready_pool(1, 2, 2);
  driver.submit({.timeout = seconds(10)});
  const TaskId other = driver.submit({.timeout = seconds(3600)});
  driver.tick();
  ASSERT_EQ(driver.hand(0).size(), 2U);
  const auto worker = driver.worker(0);
  while (!driver.last<command::EndWorker>()) driver.pass(seconds(1));
  ASSERT_EQ(driver.last<command::EndWorker>()->force, command::Force::Term);
  driver.turn(event::Cancel{ClientId{1}, RequestId{80}, other});
  driver.kill_worker(worker, ExitCause::Signalled, -15);
  ASSERT_TRUE(driver.last<command::Cancelled>());
  EXPECT_EQ(driver.last<command::Cancelled>()->rung, Rung::Term);
}

TEST(Attempts, CancelThatComesTooLateIsRefused) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  driver.step(event::Cancel{ClientId{1}, RequestId{80}, task});
  driver.answer(*driver.last<command::Assign>(), Outcome::Done);
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::AlreadySettled);
  EXPECT_EQ(driver.last<command::Announce>()->verdict, Verdict::Done);
}

TEST(Attempts, CancelOfOneThatIsEndingForItsTimeoutWins) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit({.timeout = seconds(10)});
  driver.tick();
  driver.pass(seconds(11));
  driver.turn(event::Cancel{ClientId{1}, RequestId{80}, task});
  driver.kill_worker(driver.worker(0));
  ASSERT_TRUE(driver.last<command::Cancelled>());
  EXPECT_EQ(driver.last<command::Announce>()->verdict, Verdict::Cancelled);
}

// The one before it was answered, so it may have begun, and it is told to end; its worker had given
// it back by then.
TEST(Attempts, WhatWasGivenBackDidNotRunThoughACancelCrossed) {
  PoolDriver driver;
  driver.ready_pool(1, 16);
  driver.teach();
  driver.submit();
  const TaskId second = driver.submit();
  driver.tick();
  const auto assigns = driver.all<command::Assign>();
  ASSERT_GE(assigns.size(), 2U);
  driver.turn(event::Cancel{ClientId{1}, RequestId{80}, second});
  const auto recall = driver.last<command::Recall>();
  ASSERT_TRUE(recall);
  driver.answer(assigns[assigns.size() - 2]);
  ASSERT_EQ(driver.all<command::CancelAttempt>().size(), 1U);
  EXPECT_EQ(driver.last<command::CancelAttempt>()->key, recall->key);
  driver.turn(event::RecallAnswered{recall->worker, recall->key, true});
  ASSERT_TRUE(driver.last<command::Cancelled>());
  EXPECT_EQ(driver.last<command::Cancelled>()->rung, Rung::NotRunning);
  EXPECT_EQ(driver.slot_state(0), SlotState::Ready);
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
}

TEST(Attempts, CancelOfAnUnstartedOneHarmsNobodyBeforeIt) {
  PoolDriver driver;
  driver.ready_pool(1, 16);
  driver.teach();
  driver.submit();
  const TaskId second = driver.submit();
  driver.tick();
  driver.turn(event::Cancel{ClientId{1}, RequestId{80}, second});
  ASSERT_EQ(driver.all<command::Recall>().size(), 1U);
  EXPECT_TRUE(driver.all<command::CancelAttempt>().empty());
  const auto recall = *driver.last<command::Recall>();
  driver.turn(event::RecallAnswered{recall.worker, recall.key, true});
  EXPECT_EQ(driver.last<command::Cancelled>()->rung, Rung::NotRunning);
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
}

TEST(Attempts, TasksBehindALateOneAreTakenBack) {
  PoolDriver driver;
  driver.ready_pool(1, 16);
  driver.teach();
  driver.submit();
  const TaskId behind = driver.submit();
  driver.tick();
  EXPECT_EQ(driver.state(behind), TaskState::Running);
  driver.pass(milliseconds(11));
  ASSERT_EQ(driver.all<command::Recall>().size(), 1U);
  const auto recall = *driver.last<command::Recall>();
  driver.step(event::RecallAnswered{recall.worker, recall.key, true});
  EXPECT_EQ(driver.state(behind), TaskState::Ready);
  EXPECT_EQ(driver.pool().counters().recalls, 1U);
  EXPECT_EQ(driver.pool().task(behind)->used, record::Used{});
}

TEST(Attempts, LongTasksAreNeverGivenAhead) {
  PoolDriver driver;
  driver.ready_pool(1, 16);
  for (int i = 0; i < 8; ++i) {
    driver.submit();
    driver.tick();
    driver.answer(*driver.last<command::Assign>(), Outcome::Done, milliseconds(5));
    driver.tick();
  }
  for (int i = 0; i < 4; ++i) driver.submit();
  driver.tick();
  EXPECT_EQ(driver.hand(0).size(), 1U);
}

TEST(Attempts, DeadlineOfTheWholeExpiresWaitingAndRunning) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId running = driver.submit({.deadline = seconds(5)});
  const TaskId waiting = driver.submit({.deadline = seconds(5)});
  driver.tick();
  driver.pass(seconds(5));
  EXPECT_EQ(driver.last<command::Announce>()->task, waiting);
  EXPECT_EQ(driver.last<command::Announce>()->cause, EndCause::Deadline);
  driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
  EXPECT_EQ(driver.last<command::Announce>()->task, running);
  EXPECT_EQ(driver.last<command::Announce>()->verdict, Verdict::Expired);
}

TEST(Attempts, TasksOfAClientThatLeavesAreCancelledWhenItAskedForThat) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId running = driver.submit({.cancel_on_disconnect = true});
  const TaskId waiting = driver.submit({.cancel_on_disconnect = true});
  const TaskId kept = driver.submit();
  driver.tick();
  driver.turn(event::ClientGone{ClientId{1}});
  EXPECT_EQ(driver.last<command::Announce>()->task, waiting);
  driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
  driver.tick();
  EXPECT_EQ(driver.last<command::Announce>()->task, running);
  EXPECT_EQ(driver.state(kept), TaskState::Running);
}

TEST(Attempts, AFailureForWantOfMemoryIsACrashAndNotTheWorkers) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit({.retries = 0, .crashes_max = 3});
  driver.tick();
  const auto given = driver.all<command::Assign>().front();
  event::AttemptAnswered answered{given.worker, given.key, Outcome::Failed};
  answered.out_of_memory = true;
  driver.turn(answered);
  const auto seen = driver.pool().task(task);
  EXPECT_EQ(seen->last_cause, EndCause::Memory);
  EXPECT_EQ(seen->used.crashes, 1);
  EXPECT_EQ(seen->used.failures, 0);
  EXPECT_EQ(seen->used.memory_ends, 1) << "the next may have more";
  EXPECT_EQ(driver.slot_state(0), SlotState::Running) << "it runs again, on the same worker";
}

TEST(Attempts, AResultThatFindsNoRoomIsAnInterruptionAndIsTriedAgainLater) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit({.retries = 0});
  for (int nth = 1; nth <= 2; ++nth) {
    driver.tick();
    const auto given = driver.all<command::Assign>().back();
    event::AttemptAnswered answered{given.worker, given.key, Outcome::Failed};
    answered.no_room = true;
    driver.turn(answered);
    const auto seen = driver.pool().task(task);
    EXPECT_EQ(seen->last_cause, EndCause::Interrupted);
    EXPECT_EQ(seen->used.interruptions, nth);
    EXPECT_EQ(seen->used.failures, 0);
    EXPECT_EQ(driver.state(task), TaskState::Delayed);
    driver.pass(seconds(nth));
  }
  driver.answer(*driver.last<command::Assign>());
  EXPECT_EQ(driver.last<command::Announce>()->verdict, Verdict::Done);
}

TEST(Attempts, ResultsThatNeverFindRoomAreBoundedByInterruptionsMax) {
  Options options = default_options();
  options.interruptions_max = 1;
  PoolDriver driver(options);
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  for (int nth = 0; nth < 2; ++nth) {
    driver.tick();
    const auto given = driver.all<command::Assign>().back();
    event::AttemptAnswered answered{given.worker, given.key, Outcome::Failed};
    answered.no_room = true;
    driver.turn(answered);
    driver.pass(seconds(2));
  }
  EXPECT_EQ(driver.state(task), TaskState::Dead);
  EXPECT_EQ(driver.last<command::Announce>()->used.interruptions, 2);
}

}  // namespace
}  // namespace warmpool::test
