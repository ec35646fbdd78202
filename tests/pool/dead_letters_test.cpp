// Dead letters: retried, removed, bounded.
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

}  // namespace
}  // namespace warmpool::test
