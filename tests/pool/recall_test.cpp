// Work given ahead is taken back when its worker is slow, a more urgent task has no place, or a
// worker is free; never in turns.
#include <map>

#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

constexpr Duration kRun = microseconds(500);

// Much may be given ahead, so that there is something to take back.
Options roomy() {
  Options options = default_options();
  options.prefetch_budget = milliseconds(10);
  options.recall_after = seconds(1);
  return options;
}

void answer_first(PoolDriver& driver, std::uint16_t slot, Duration service = kRun) {
  const auto held = driver.hand(slot).front();
  driver.step(event::AttemptAnswered{driver.worker(slot), held.key, Outcome::Done, {}, service, 0});
}

std::vector<TaskId> submit_many(PoolDriver& driver, int tasks, std::uint8_t priority = 10) {
  std::vector<TaskId> ids;
  for (int i = 0; i < tasks; ++i) ids.push_back(driver.submit({.priority = priority}));
  driver.tick();
  return ids;
}

std::vector<TaskId> recalled(const PoolDriver& driver) {
  std::vector<TaskId> ids;
  for (const auto& recall : driver.all<command::Recall>()) ids.push_back(recall.key.task);
  return ids;
}

// The workers give back all that they were asked for.
void return_all(PoolDriver& driver) {
  const auto recalls = driver.all<command::Recall>();
  driver.log.clear();
  for (const auto& recall : recalls) {
    driver.step(event::RecallAnswered{recall.worker, recall.key, true});
  }
  driver.tick();
}

std::vector<TaskId> tasks_in(PoolDriver& driver, std::uint16_t slot) {
  std::vector<TaskId> ids;
  for (const auto& held : driver.hand(slot)) ids.push_back(held.key.task);
  return ids;
}

TEST(Recall, TheLeastUrgentMakeWayForAMoreUrgentTask) {
  PoolDriver driver(roomy());
  driver.ready_pool(1, 16);
  driver.teach(kRun);
  const auto tasks = submit_many(driver, 7);
  ASSERT_EQ(driver.hand(0).size(), 7U);
  const TaskId urgent = driver.submit({.priority = 0});
  driver.tick();
  EXPECT_EQ(driver.state(urgent), TaskState::Ready) << "3 ms of others would run before it";
  EXPECT_EQ(recalled(driver), (std::vector{tasks[6], tasks[5], tasks[4], tasks[3]}))
      << "the last first, until 1 ms is left";
  return_all(driver);
  EXPECT_EQ(tasks_in(driver, 0), (std::vector{tasks[0], tasks[1], tasks[2], urgent}));
  EXPECT_EQ(driver.pool().task(tasks[3])->used, record::Used{});
}

// A type that was paused and resumed: its tasks claim the same age, so they share one place.
TEST(Recall, OfTasksWithOnePlaceTheLastMakeWay) {
  Options options = roomy();
  options.reopen_age_max = Duration{};
  PoolDriver driver(options);
  driver.ready_pool(1, 16);
  driver.declare_type(1);
  driver.teach(kRun);
  driver.turn(event::Pause{ClientId{1}, RequestId{98}, pause_of(TypeId{0}), true});
  const auto tasks = submit_many(driver, 7);
  driver.pass(seconds(5));
  driver.turn(event::Pause{ClientId{1}, RequestId{99}, pause_of(TypeId{0}), false});
  ASSERT_EQ(driver.hand(0).size(), 7U);
  driver.submit({.type = TypeId{1}, .priority = 0});
  driver.tick();
  EXPECT_EQ(recalled(driver), (std::vector{tasks[6], tasks[5], tasks[4], tasks[3]}));
}

TEST(Recall, NothingMakesWayWithinTheBound) {
  PoolDriver driver(roomy());
  driver.ready_pool(1, 16);
  driver.teach(kRun);
  const auto tasks = submit_many(driver, 3);
  const TaskId urgent = driver.submit({.priority = 0});
  driver.tick();
  EXPECT_EQ(tasks_in(driver, 0), (std::vector{tasks[0], tasks[1], tasks[2], urgent}));
  EXPECT_TRUE(driver.all<command::Recall>().empty());
}

TEST(Recall, WhatIsMoreUrgentStays) {
  PoolDriver driver(roomy());
  driver.ready_pool(1, 16);
  driver.teach(kRun);
  const auto urgent = submit_many(driver, 7, 0);
  const TaskId less = driver.submit({.priority = 5});
  driver.tick();
  EXPECT_EQ(tasks_in(driver, 0).back(), less);
  EXPECT_TRUE(driver.all<command::Recall>().empty());
}

TEST(Recall, OneHandIsClearedForEachTaskThatNeedsIt) {
  PoolDriver driver(roomy());
  driver.ready_pool(4, 16);
  driver.declare_type(1);  // how long it takes is not known: it starts on a free worker
  driver.teach(kRun);
  submit_many(driver, 28);
  for (std::uint16_t slot = 0; slot < 4; ++slot) ASSERT_EQ(driver.hand(slot).size(), 7U);
  driver.submit({.type = TypeId{1}, .priority = 0});
  driver.tick();
  driver.tick();
  EXPECT_EQ(recalled(driver).size(), 4U) << "of one hand";
  driver.submit({.type = TypeId{1}, .priority = 0});
  driver.submit({.type = TypeId{1}, .priority = 1});
  driver.tick();
  std::map<WorkerId, int> hands;
  for (const auto& recall : driver.all<command::Recall>()) ++hands[recall.worker];
  EXPECT_EQ(hands.size(), 3U);
}

TEST(Recall, NobodyIsTakenBackTwiceForMoreUrgentTasks) {
  PoolDriver driver(roomy());
  driver.ready_pool(2, 16);
  driver.declare_type(1);
  driver.teach(kRun);
  std::map<TaskId, int> times;
  for (int round = 0; round < 200; ++round) {
    submit_many(driver, 3, 50);
    driver.submit({.type = TypeId{1}, .priority = 0});
    driver.tick();
    for (TaskId task : recalled(driver)) EXPECT_EQ(++times[task], 1);
    return_all(driver);
    driver.now = driver.now + microseconds(400);
    for (std::uint16_t slot = 0; slot < 2; ++slot) {
      if (!driver.hand(slot).empty()) answer_first(driver, slot);
    }
    driver.tick();
  }
  EXPECT_GT(times.size(), 20U);
}

TEST(Recall, AFreeWorkerGetsWhatWaitsBehindAnother) {
  PoolDriver driver;
  driver.ready_pool(2, 16);
  driver.teach(microseconds(100));
  const auto tasks = submit_many(driver, 4);
  ASSERT_EQ(tasks_in(driver, 0), (std::vector{tasks[0], tasks[2]}));
  answer_first(driver, 1);
  answer_first(driver, 1);
  driver.tick();
  driver.pass(microseconds(990));
  EXPECT_TRUE(driver.all<command::Recall>().empty());
  driver.pass(microseconds(20));
  EXPECT_EQ(recalled(driver), std::vector{tasks[2]});
  return_all(driver);
  EXPECT_EQ(tasks_in(driver, 1), std::vector{tasks[2]});
}

TEST(Recall, TheMostUrgentGoToFreeWorkersAndNoMoreThanThereArePlaces) {
  PoolDriver driver;
  driver.ready_pool(2, 16);
  driver.teach(microseconds(100));
  const auto tasks = submit_many(driver, 10);
  while (!driver.hand(1).empty()) answer_first(driver, 1, microseconds(100));
  driver.pass(microseconds(1'010));
  EXPECT_EQ(recalled(driver), std::vector{tasks[2]});
  return_all(driver);
  answer_first(driver, 1, microseconds(100));
  driver.pass(microseconds(500));
  EXPECT_EQ(recalled(driver), std::vector{tasks[4]});
}

TEST(Recall, AWorkerThatDoesNotAnswerHoldsNoPlaceForLong) {
  PoolDriver driver;
  driver.ready_pool(3, 16);
  driver.teach(microseconds(100));
  const auto tasks = submit_many(driver, 6);
  while (!driver.hand(2).empty()) answer_first(driver, 2, microseconds(100));
  driver.pass(microseconds(1100));
  EXPECT_EQ(recalled(driver).size(), 1U) << "there is one place";
  driver.pass(microseconds(1300));
  EXPECT_EQ(recalled(driver).size(), 2U) << "the first did not come back";
}

TEST(Recall, AFreeWorkerOfAnotherClassCountsIfItServesTheType) {
  PoolDriver driver;
  driver.declare_class(1, 16, 1, 0);
  driver.declare_class(1, 1, 1, 1);
  driver.declare_type(0, {0, 1});
  driver.declare_type(1, {0});
  driver.hello_all();
  driver.teach(microseconds(100), TypeId{0});
  driver.teach(microseconds(100), TypeId{1});
  driver.submit({.type = TypeId{1}});
  driver.tick();
  const TaskId own = driver.submit({.type = TypeId{1}});
  const TaskId blocks = driver.submit();
  const TaskId shared = driver.submit();
  driver.tick();
  ASSERT_EQ(driver.hand(1).front().key.task, blocks);
  EXPECT_EQ(tasks_in(driver, 0).back(), shared);
  answer_first(driver, 1, microseconds(100));
  driver.pass(microseconds(1400));
  EXPECT_EQ(recalled(driver), std::vector{shared}) << "and not " << own.value;
}

TEST(Recall, NothingIsGivenBehindATaskThatRunsLongerThanItShould) {
  PoolDriver driver;
  driver.ready_pool(2, 16);
  driver.teach(microseconds(100));
  submit_many(driver, 1);
  driver.now = driver.now + milliseconds(2);
  submit_many(driver, 1);
  const auto last = submit_many(driver, 1);
  EXPECT_EQ(driver.hand(0).size(), 1U);
  EXPECT_EQ(tasks_in(driver, 1).back(), last.front());
}

TEST(Recall, WorkersThatCannotGiveBackAreGivenNothingAhead) {
  PoolDriver driver;
  driver.declare_class(1, 16);
  driver.declare_type(0);
  driver.step(event::WorkerReady{driver.worker(0), 16, false});
  driver.teach(microseconds(100));
  submit_many(driver, 4);
  EXPECT_EQ(driver.hand(0).size(), 1U);
}

TEST(Recall, WhatNobodyAskedForIsNotTakenBack) {
  PoolDriver driver;
  driver.ready_pool(1, 16);
  const auto tasks = submit_many(driver, 1);
  driver.turn(event::RecallAnswered{driver.worker(0), driver.hand(0).front().key, true});
  EXPECT_EQ(driver.state(tasks[0]), TaskState::Running);
  EXPECT_EQ(driver.pool().counters().refused_results, 1U);
  EXPECT_EQ(driver.pool().counters().recalls, 0U);
}

TEST(Recall, ATaskThatRunsAlreadyStaysAndIsTimedFromNow) {
  PoolDriver driver;
  driver.ready_pool(1, 16);
  driver.teach(microseconds(100));
  submit_many(driver, 2);
  driver.pass(milliseconds(11));
  const auto recall = *driver.last<command::Recall>();
  driver.turn(event::RecallAnswered{recall.worker, recall.key, false});
  EXPECT_TRUE(driver.hand(0).back().started);
  EXPECT_EQ(driver.hand(0).back().deadline, driver.now + seconds(300));
}

TEST(Recall, TasksBehindALateOneAreNotKeptByAStallOfTheLoop) {
  PoolDriver driver;
  driver.ready_pool(1, 16);
  driver.teach(microseconds(100));
  submit_many(driver, 3);
  driver.now = driver.now + seconds(60);
  driver.tick();
  EXPECT_EQ(recalled(driver).size(), 2U) << "and nobody is judged in the grace";
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
}

TEST(Recall, TheWorkerKeptForASuspectIsClearedOfWhatIsLessUrgent) {
  PoolDriver driver(roomy());
  driver.ready_pool(2, 16);
  driver.teach(kRun);
  submit_many(driver, 2, 0);
  submit_many(driver, 2, 0);
  ASSERT_EQ(driver.hand(0).size(), 2U);
  submit_many(driver, 14, 90);
  driver.kill_worker(driver.worker(0));
  driver.tick();
  const auto taken = recalled(driver);
  EXPECT_GE(taken.size(), 4U);
  for (TaskId task : taken) EXPECT_EQ(driver.pool().task(task)->priority, 90);
}

TEST(Recall, ANewBoundHoldsAtOnce) {
  PoolDriver driver(roomy());
  driver.ready_pool(1, 16);
  driver.teach(kRun);
  submit_many(driver, 3);
  driver.submit({.type = TypeId{0}, .priority = 0});
  Options tight = roomy();
  tight.overtake_max = Duration{};
  driver.turn(event::OptionsChanged{tight});
  EXPECT_EQ(recalled(driver).size(), 2U);
}

}  // namespace
}  // namespace warmpool::test
