// Which class and which worker is given a task.
#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

void answer_all(PoolDriver& driver, std::uint16_t slot) {
  for (const auto& held : driver.hand(slot)) {
    driver.step(event::AttemptAnswered{
        driver.worker(slot), held.key, Outcome::Done, {}, microseconds(10), 0});
  }
}

event::ClassDeclared with(const std::string& strategy, std::uint64_t size) {
  event::ClassDeclared declared{ClassId{0}, default_class_options()};
  declared.options.name = "worker";
  declared.options.command = {"worker"};
  declared.options.size = size;
  declared.options.size_min = 0;
  declared.options.strategy = strategy;
  declared.options.credits = 16;
  return declared;
}

TEST(Dispatch, TheFirstClassOfATypeIsPreferred) {
  PoolDriver driver;
  driver.declare_class(1, 1, 1, 0);
  driver.declare_class(1, 1, 1, 1);
  driver.declare_type(0, {1, 0});
  driver.hello_all();
  driver.submit();
  driver.tick();
  EXPECT_EQ(driver.last<command::Assign>()->worker, driver.worker(1));
  driver.submit();
  driver.tick();
  EXPECT_EQ(driver.last<command::Assign>()->worker, driver.worker(0)) << "the other is busy";
}

TEST(Dispatch, AMoreUrgentTaskTakesThePreferredClassAndTheOtherGoesOn) {
  PoolDriver driver;
  driver.declare_class(1, 1, 1, 0);
  driver.declare_class(1, 1, 1, 1);
  driver.declare_type(0, {1, 0});
  driver.declare_type(1, {1});
  driver.hello_all();
  const TaskId both = driver.submit();
  const TaskId urgent = driver.submit({.type = TypeId{1}, .priority = 0});
  driver.tick();
  EXPECT_EQ(driver.hand(1).front().key.task, urgent);
  EXPECT_EQ(driver.hand(0).front().key.task, both);
}

TEST(Dispatch, AFreeWorkerOfAnotherClassComesBeforeWorkAhead) {
  PoolDriver driver;
  driver.declare_class(1, 16, 1, 0);
  driver.declare_type(0, {0});
  driver.hello_all();
  driver.teach();
  driver.declare_class(1, 1, 1, 1);
  driver.declare_type(0, {0, 1});
  driver.hello_all();
  driver.submit();
  driver.submit();
  driver.tick();
  EXPECT_EQ(driver.hand(0).size(), 1U);
  EXPECT_EQ(driver.hand(1).size(), 1U);
}

TEST(Dispatch, WorkAheadGoesAround) {
  PoolDriver driver;
  driver.ready_pool(4, 16);
  driver.teach();
  for (int i = 0; i < 12; ++i) driver.submit();
  driver.tick();
  for (std::uint16_t slot = 0; slot < 4; ++slot) EXPECT_EQ(driver.hand(slot).size(), 3U) << slot;
}

TEST(Dispatch, RoundRobinStartsWhereItIsTold) {
  PoolDriver driver;
  auto declared = with("round-robin", 3);
  declared.options.start_index = 2;
  driver.step(declared);
  driver.declare_type(0);
  driver.hello_all();
  driver.submit();
  driver.tick();
  EXPECT_EQ(driver.last<command::Assign>()->worker, driver.worker(2));
}

TEST(Dispatch, LeastLoadedTakesWhoHasServedFewest) {
  PoolDriver driver;
  driver.step(with("least-loaded", 3));
  driver.declare_type(0);
  driver.hello_all();
  for (int i = 0; i < 6; ++i) {
    driver.submit();
    driver.tick();
    EXPECT_EQ(driver.last<command::Assign>()->worker,
              driver.worker(static_cast<std::uint16_t>(i % 3)));
    driver.answer(*driver.last<command::Assign>());
  }
}

TEST(Dispatch, LeastLoadedGivesAheadWhereFewestAreInHand) {
  PoolDriver driver;
  driver.step(with("least-loaded", 2));
  driver.declare_type(0);
  driver.hello_all();
  driver.teach();
  for (int i = 0; i < 8; ++i) driver.submit();
  driver.tick();
  answer_all(driver, 1);
  for (int i = 0; i < 3; ++i) driver.submit();
  driver.tick();
  EXPECT_EQ(driver.hand(0).size(), 4U);
  EXPECT_EQ(driver.hand(1).size(), 3U);
}

TEST(Dispatch, AStrategyMayChangeWhileTheClassWorks) {
  PoolDriver driver;
  driver.step(with("round-robin", 2));
  driver.declare_type(0);
  driver.hello_all();
  driver.submit();
  driver.tick();
  driver.answer(*driver.last<command::Assign>());
  driver.step(with("least-loaded", 2));
  driver.submit();
  driver.tick();
  EXPECT_EQ(driver.last<command::Assign>()->worker, driver.worker(1));
}

TEST(Dispatch, CreditsMayChangeWhileTheClassWorks) {
  PoolDriver driver;
  driver.ready_pool(1, 1);
  driver.teach();
  driver.step(with("round-robin", 1));
  for (int i = 0; i < 3; ++i) driver.submit();
  driver.tick();
  EXPECT_EQ(driver.hand(0).size(), 3U);
}

TEST(Dispatch, AClassThatBeatsAgainIsHeardFromNow) {
  PoolDriver driver;
  driver.beating = false;
  auto declared = with("round-robin", 1);
  declared.options.beatless = true;
  driver.step(declared);
  driver.declare_type(0);
  driver.hello_all();
  driver.pass(hours(1));
  declared.options.beatless = false;
  driver.turn(declared);
  EXPECT_TRUE(driver.all<command::EndWorker>().empty());
  driver.pass(seconds(31));
  EXPECT_EQ(driver.last<command::EndWorker>()->cause, ExitCause::Unresponsive);
}

TEST(Dispatch, AnUnresponsiveWorkerIsNotKeptForASuspect) {
  PoolDriver driver;
  driver.ready_pool(2, 16);
  driver.teach();
  for (int i = 0; i < 4; ++i) driver.submit();
  driver.tick();
  driver.kill_worker(driver.worker(0));  // two suspects
  driver.tick();
  EXPECT_TRUE(driver.pool().slot(SlotId{1})->reserved);
  driver.turn(event::WorkerStopped{driver.worker(1), true});
  EXPECT_FALSE(driver.pool().slot(SlotId{1})->reserved);
}

TEST(Dispatch, ShownCapacityIsWhatWorkersSaidTheyCanDo) {
  PoolDriver driver;
  driver.declare_class(2, 4, 4);
  driver.step(event::WorkerReady{driver.worker(0), 4, true});
  driver.step(event::WorkerReady{driver.worker(1), 1, true});
  EXPECT_EQ(driver.pool().snapshot().classes[0].capacity, 5U);
}

TEST(Dispatch, TheOldestReadyTaskIsShownThoughItIsNotTheMostUrgent) {
  PoolDriver driver;
  driver.declare_class(0);
  driver.declare_type(0);
  driver.declare_type(1);
  driver.submit({.type = TypeId{1}, .priority = 100});
  driver.pass(seconds(20));
  driver.submit({.priority = 0});
  EXPECT_EQ(driver.pool().queue().oldest_ready, seconds(20));
}

TEST(Dispatch, NoticesOfSingleTasksAreGivenOnlyToWhoListens) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.step(event::Listen{false});
  driver.submit();
  driver.tick();
  driver.answer(*driver.last<command::Assign>());
  for (Notice notice : {Notice::TaskSubmitted, Notice::TaskStarted, Notice::TaskCompleted}) {
    EXPECT_EQ(driver.notices(notice), 0U);
  }
  driver.step(event::Listen{true});
  driver.submit();
  driver.tick();
  driver.answer(*driver.last<command::Assign>());
  for (Notice notice : {Notice::TaskSubmitted, Notice::TaskStarted, Notice::TaskCompleted}) {
    EXPECT_EQ(driver.notices(notice), 1U);
  }
}

TEST(Dispatch, CriticalClassesAreServedFirst) {
  PoolDriver driver;
  for (std::uint16_t id = 0; id < 3; ++id) {
    ClassOptions options = default_class_options();
    options.name = "class-" + std::to_string(id);
    options.size = 1;
    options.size_min = 0;
    options.critical = id == 1;
    driver.step(event::ClassDeclared{ClassId{id}, options});
    driver.declare_type(id, {id});
  }
  driver.hello_all();
  for (std::uint32_t type = 0; type < 3; ++type) driver.submit({.type = TypeId{type}});
  driver.tick();
  const auto given = driver.all<command::Assign>();
  ASSERT_EQ(given.size(), 3U);
  EXPECT_EQ(given[0].type, TypeId{1});
}

TEST(Dispatch, WhatIsGivenAheadIsShownBehindTheOneThatRuns) {
  PoolDriver driver;
  driver.ready_pool(1, 2);
  driver.teach();
  const TaskId first = driver.submit(), second = driver.submit();
  driver.tick();
  ASSERT_EQ(driver.hand(0).size(), 2U);
  EXPECT_EQ(driver.pool().task(first)->behind, std::nullopt);
  EXPECT_EQ(driver.pool().task(second)->behind, first);
  driver.answer(driver.all<command::Assign>().front());
  EXPECT_EQ(driver.pool().task(second)->behind, std::nullopt);
}

}  // namespace
}  // namespace warmpool::test
