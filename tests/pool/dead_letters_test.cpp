// Dead letters: retried, removed, bounded.
#include "pool/dead_letters.hpp"

#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

TaskId bury_one(PoolDriver& driver, std::uint32_t payload_bytes = 10) {
  const TaskId task = driver.submit({.payload_bytes = payload_bytes});
  driver.tick();
  driver.answer(*driver.last<command::Assign>(), Outcome::FailedForGood);
  driver.tick();
  return task;
}

TEST(DeadLetters, ARetryIsANewRoundWithAFreshBudget) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = bury_one(driver);
  driver.turn(event::RetryDead{ClientId{1}, RequestId{40}, task});
  EXPECT_EQ(driver.last<command::Completed>()->request, RequestId{40});
  const auto assign = *driver.last<command::Assign>();
  EXPECT_EQ(assign.key.round, 2);
  EXPECT_EQ(assign.key.attempt, 1);
  driver.answer(assign);
  EXPECT_EQ(driver.last<command::Announce>()->round, 2);
  const auto counters = driver.pool().counters();
  EXPECT_EQ(counters.accepted, 2U);
  EXPECT_EQ(counters.settled[0] + counters.settled[1], 2U);
}

TEST(DeadLetters, OnlyTheDeadCanBeRetriedOrRemoved) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.step(event::RetryDead{ClientId{1}, RequestId{40}, task});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::NotDead);
  driver.step(event::RemoveDead{ClientId{1}, RequestId{41}, TaskId{12345}});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::NoSuchTask);
}

TEST(DeadLetters, AListHoldsEachOfThemOnceWhateverBecameOfItBefore) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId twice = bury_one(driver);
  const TaskId once = bury_one(driver);
  const TaskId removed = bury_one(driver);
  const TaskId revived = bury_one(driver);
  driver.turn(event::RetryDead{ClientId{1}, RequestId{40}, twice});
  driver.answer(*driver.last<command::Assign>(), Outcome::FailedForGood);
  driver.tick();
  driver.turn(event::RemoveDead{ClientId{1}, RequestId{41}, removed});
  driver.turn(event::RetryDead{ClientId{1}, RequestId{42}, revived});
  const TaskQuery query{.after = {}, .limit = 10, .state = TaskState::Dead};
  std::vector<TaskId> found;
  for (const auto& view : driver.pool().list(query)) found.push_back(view.task);
  EXPECT_EQ(found, (std::vector{twice, once}));
  ASSERT_EQ(driver.pool().list({.after = {}, .limit = 1, .state = TaskState::Dead}).size(), 1U);
  const auto second = driver.pool().list({.after = twice, .limit = 10, .state = TaskState::Dead});
  ASSERT_EQ(second.size(), 1U);
  EXPECT_EQ(second.front().task, once);
  EXPECT_EQ(driver.pool().list({.after = {}, .limit = 10}).size(), 3U);
}

TEST(DeadLetters, RemovedOnesAreGone) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = bury_one(driver);
  driver.turn(event::RemoveDead{ClientId{1}, RequestId{40}, task});
  EXPECT_FALSE(driver.pool().task(task));
  EXPECT_FALSE(driver.records<record::Removed>().back().archived);
}

TEST(DeadLetters, TheOldestBeyondTheBoundAreArchivedAndTold) {
  Options options = default_options();
  options.dead_max = 2;
  PoolDriver driver(options);
  driver.ready_pool(1);
  const TaskId oldest = bury_one(driver);
  const TaskId second = bury_one(driver);
  bury_one(driver);
  EXPECT_FALSE(driver.pool().task(oldest));
  EXPECT_EQ(driver.state(second), TaskState::Dead);
  EXPECT_TRUE(driver.records<record::Removed>().back().archived);
  EXPECT_EQ(driver.notices(Notice::DeadArchived), 1U);
}

TEST(DeadLetters, AreBoundedByBytesAndAge) {
  Options options = default_options();
  options.dead_bytes_max = 100;
  options.dead_age_max = hours(1);
  PoolDriver driver(options);
  driver.ready_pool(1);
  bury_one(driver, 60);
  const TaskId second = bury_one(driver, 60);
  EXPECT_EQ(driver.pool().queue().dead_letters, 1U);
  EXPECT_EQ(driver.state(second), TaskState::Dead);
  driver.pass(hours(2));
  EXPECT_EQ(driver.pool().queue().dead_letters, 0U);
}

TEST(DeadLetters, OverTheirAgeWaitForTheirRecordWithoutSpinning) {
  Options options = default_options();
  options.dead_age_max = seconds(1);
  PoolDriver driver(options);
  driver.ready_pool(1);
  driver.submit();
  driver.tick();
  driver.auto_keep = false;
  driver.answer(*driver.last<command::Assign>(), Outcome::FailedForGood);
  driver.pass(seconds(2));
  EXPECT_GT(driver.pool().next_deadline(), driver.now);
  driver.keep_all();
  driver.tick();
  EXPECT_EQ(driver.pool().queue().dead_letters, 0U);
}

TEST(DeadLetters, ARevivedOneDoesNotCountAsTheOldDeath) {
  Options options = default_options();
  options.dead_max = 1;
  PoolDriver driver(options);
  driver.ready_pool(1);
  const TaskId task = bury_one(driver);
  driver.turn(event::RetryDead{ClientId{1}, RequestId{40}, task});
  driver.answer(*driver.last<command::Assign>(), Outcome::FailedForGood);
  driver.tick();
  EXPECT_EQ(driver.state(task), TaskState::Dead);
  EXPECT_EQ(driver.notices(Notice::DeadArchived), 0U);
}

TEST(DeadLetters, StayUntilTheArchiveHasThem) {
  Options options = default_options();
  options.dead_max = 1;
  PoolDriver driver(options);
  driver.auto_archive = false;
  driver.ready_pool(1);
  const TaskId oldest = bury_one(driver);
  bury_one(driver);
  ASSERT_EQ(driver.all<command::Archive>().size(), 1U);
  EXPECT_EQ(driver.last<command::Archive>()->task, oldest);
  EXPECT_EQ(driver.state(oldest), TaskState::Dead);
  EXPECT_TRUE(driver.records<record::Removed>().empty());
  driver.archive(*driver.last<command::Archive>());
  EXPECT_FALSE(driver.pool().task(oldest));
  EXPECT_TRUE(driver.records<record::Removed>().back().archived);
}

TEST(DeadLetters, WhatTheArchiveCannotTakeIsTriedAgainLaterAndOneByOne) {
  Options options = default_options();
  options.dead_max = 0;
  PoolDriver driver(options);
  driver.auto_archive = false;
  driver.ready_pool(1);
  const TaskId first = bury_one(driver);
  const TaskId second = bury_one(driver);
  const auto asked = driver.all<command::Archive>();
  ASSERT_EQ(asked.size(), 2U);
  for (const auto& letter : asked) driver.archive(letter, false);
  driver.tick();
  EXPECT_EQ(driver.all<command::Archive>().size(), 2U) << "not at once";
  EXPECT_EQ(driver.state(first), TaskState::Dead);
  driver.pass(seconds(2));
  ASSERT_EQ(driver.all<command::Archive>().size(), 3U) << "one, to see";
  EXPECT_EQ(driver.last<command::Archive>()->task, first) << "the oldest";
  driver.archive(*driver.last<command::Archive>(), false);
  driver.pass(milliseconds(1900));
  EXPECT_EQ(driver.all<command::Archive>().size(), 3U) << "the second pause is longer";
  driver.auto_archive = true;
  driver.pass(seconds(2));
  EXPECT_FALSE(driver.pool().task(first));
  EXPECT_FALSE(driver.pool().task(second));
  EXPECT_EQ(driver.notices(Notice::DeadArchived), 2U);
}

TEST(DeadLetters, OnTheirWayToTheArchiveAreNoMoreThanSome) {
  Options options = default_options();
  PoolDriver driver(options);
  driver.auto_archive = false;
  driver.ready_pool(1);
  for (int i = 0; i < 100; ++i) bury_one(driver);
  options.dead_max = 0;
  driver.turn(event::OptionsChanged{options});
  EXPECT_EQ(driver.all<command::Archive>().size(), DeadLetters::kArchivingMax);
  EXPECT_GT(driver.pool().next_deadline(), driver.now) << "an answer brings the next";
  driver.archive(driver.all<command::Archive>().front());
  driver.tick();
  EXPECT_EQ(driver.all<command::Archive>().size(), DeadLetters::kArchivingMax + 1);
}

TEST(DeadLetters, OneThatIsRetriedOnItsWayToTheArchiveLivesOn) {
  Options options = default_options();
  options.dead_max = 0;
  PoolDriver driver(options);
  driver.auto_archive = false;
  driver.ready_pool(1);
  const TaskId task = bury_one(driver);
  const auto first = *driver.last<command::Archive>();
  driver.turn(event::RetryDead{ClientId{1}, RequestId{40}, task});
  EXPECT_EQ(driver.state(task), TaskState::Running);
  driver.archive(first);
  EXPECT_EQ(driver.state(task), TaskState::Running);
  driver.answer(*driver.last<command::Assign>(), Outcome::FailedForGood);
  driver.tick();
  const auto second = *driver.last<command::Archive>();
  EXPECT_EQ(second.round, 2);
  driver.archive(first);
  EXPECT_EQ(driver.state(task), TaskState::Dead) << "the archive has another round of it";
  driver.archive(second);
  EXPECT_FALSE(driver.pool().task(task));
}

TEST(DeadLetters, ThatTheArchiveDoesNotTakeCountAsWhatWaits) {
  Options options = default_options();
  options.dead_max = 1;
  options.tasks_max = 3;
  PoolDriver driver(options);
  driver.auto_archive = false;
  driver.ready_pool(1);
  for (int i = 0; i < 4; ++i) bury_one(driver);
  EXPECT_FALSE(driver.submit());
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::QueueFull);
  driver.archive(driver.all<command::Archive>().front());
  EXPECT_TRUE(driver.submit());
}

TEST(DeadLetters, AfterAReplayTheOldestByDeathGoFirst) {
  Options options = default_options();
  options.dead_max = 2;
  Genesis genesis;
  genesis.now = Instant{1};
  genesis.options = options;
  Pool pool(genesis);
  const auto bury = [&](std::uint64_t id, Instant died) {
    pool.replay(record::Accepted{TaskId{id}, {}, Instant{1}, Instant{1}});
    pool.replay(record::Settled{TaskId{id},
                                1,
                                1,
                                WorkerId{1},
                                Verdict::Dead,
                                EndCause::FailedForGood,
                                Charge::Failure,
                                0,
                                {},
                                died});
  };
  bury(1, Instant{30});
  bury(2, Instant{10});
  bury(3, Instant{20});
  Commands commands;
  pool.finish_replay(Instant{40}, commands);
  pool.step(Instant{40}, event::Tick{}, commands);
  ASSERT_EQ(commands.size(), 1U);
  EXPECT_EQ(std::get<command::Archive>(commands[0]).task, TaskId{2});
}

// One that nobody touches must not pin what was known of all that died after it.
TEST(DeadLetters, RetriedAndRemovedOnesLeaveNothingBehind) {
  PoolDriver driver;
  driver.ready_pool(1);
  bury_one(driver);
  const auto size = [&] { return driver.pool().image(std::size_t{16} << 20)->size(); };
  std::size_t before = 0;
  for (int i = 0; i < 300; ++i) {
    const TaskId task = bury_one(driver);
    driver.turn(event::RetryDead{ClientId{1}, RequestId{40}, task});
    driver.answer(*driver.last<command::Assign>(), Outcome::FailedForGood);
    driver.tick();
    driver.turn(event::RemoveDead{ClientId{1}, RequestId{41}, task});
    if (i == 50) before = size();
    driver.log.clear();
  }
  EXPECT_LE(size(), before + 64) << "some numbers in it became longer";
}

TEST(DeadLetters, ARetryMayBringAnotherPayload) {
  Options options = default_options();
  options.payload_bytes_total_max = 100;
  PoolDriver driver(options);
  driver.ready_pool(1);
  const TaskId task = bury_one(driver, 60);
  driver.step(event::RetryDead{ClientId{1}, RequestId{40}, task, 101});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::BytesFull);
  EXPECT_EQ(driver.state(task), TaskState::Dead);
  driver.turn(event::RetryDead{ClientId{1}, RequestId{41}, task, 90});
  EXPECT_EQ(driver.records<record::Revived>().back().payload_bytes, 90U);
  EXPECT_EQ(driver.pool().queue().payload_bytes, 90U);
  EXPECT_EQ(driver.last<command::Assign>()->key.round, 2);
}

TEST(DeadLetters, AKeyStandsForWhatWasSubmittedFirst) {
  PoolDriver driver;
  driver.ready_pool(1);
  const IdempotencyKey key{1, 2, 3, KeyUse::Lasting};
  const TaskId task = driver.submit({.payload_bytes = 60, .key = key});
  driver.tick();
  driver.answer(*driver.last<command::Assign>(), Outcome::FailedForGood);
  driver.tick();
  driver.turn(event::RetryDead{ClientId{1}, RequestId{40}, task, 90});
  EXPECT_EQ(driver.submit({.payload_bytes = 60, .key = key}), task);
  auto other = key;
  other.digest = 4;
  EXPECT_FALSE(driver.submit({.payload_bytes = 90, .key = other}));
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::KeyConflict);
}

}  // namespace
}  // namespace warmpool::test
