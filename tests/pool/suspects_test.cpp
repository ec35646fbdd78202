// A class may bound how many tasks run at once of which each may have killed a worker.
#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

std::size_t alone(PoolDriver& driver) { return driver.pool().overview().classes[0].suspects; }

// What runs on each of these places kills its worker, and the workers come back.
void kill_all(PoolDriver& driver, std::uint16_t places) {
  for (std::uint16_t slot = 0; slot < places; ++slot) driver.kill_worker(driver.worker(slot));
  driver.tick();
  driver.hello_all();
  driver.tick();
}

// A class of four workers, and four tasks that have each killed one.
void four_poisons(PoolDriver& driver, std::optional<std::uint64_t> suspects_max,
                  std::vector<TaskId>& poisons) {
  ready_class(driver, 4, [&](ClassOptions& options) { options.suspects_max = suspects_max; });
  for (int i = 0; i < 4; ++i) poisons.push_back(driver.submit({.crashes_max = 3}));
  driver.tick();
  kill_all(driver, 4);
}

TEST(Suspects, WithoutABoundEachIsTriedAtOnce) {
  PoolDriver driver;
  std::vector<TaskId> poisons;
  four_poisons(driver, std::nullopt, poisons);
  EXPECT_EQ(alone(driver), 4U);
}

TEST(Suspects, NoMoreRunAtOnceThanMay) {
  PoolDriver driver;
  std::vector<TaskId> poisons;
  four_poisons(driver, 1, poisons);
  EXPECT_EQ(alone(driver), 1U);
  EXPECT_EQ(driver.hand(0).size(), 1U);
  for (std::uint16_t slot = 1; slot < 4; ++slot) {
    EXPECT_TRUE(driver.hand(slot).empty()) << slot;
    EXPECT_FALSE(driver.pool().slot(SlotId{slot})->reserved) << slot;
  }
  EXPECT_NE(driver.pool().task(poisons[1])->holds & (1U << static_cast<unsigned>(Hold::Suspect)),
            0);
}

TEST(Suspects, AllElsePassesThoseThatWaitForTheirTurn) {
  PoolDriver driver;
  std::vector<TaskId> poisons;
  four_poisons(driver, 1, poisons);
  std::vector<TaskId> healthy;
  for (int i = 0; i < 3; ++i) healthy.push_back(driver.submit());
  driver.tick();
  for (const TaskId task : healthy) EXPECT_EQ(driver.state(task), TaskState::Running);
  EXPECT_EQ(driver.state(poisons[1]), TaskState::Ready);
}

TEST(Suspects, OneAfterTheOtherTheyComeToTheirEnd) {
  PoolDriver driver;
  std::vector<TaskId> poisons;
  four_poisons(driver, 1, poisons);
  for (int i = 0; i < 40 && alone(driver) != 0; ++i) {
    ASSERT_EQ(alone(driver), 1U);
    driver.kill_worker(driver.last<command::Assign>()->worker);
    driver.pass(seconds(20));
    driver.hello_all();
    driver.tick();
  }
  for (const TaskId task : poisons) EXPECT_EQ(driver.state(task), TaskState::Dead);
}

TEST(Suspects, ThoseThatWaitForTheirTurnKeepNobodyWhoIsIdle) {
  PoolDriver driver;
  ready_class(driver, 4, [&](ClassOptions& options) {
    options.suspects_max = 1;
    options.max_idle = seconds(60);
  });
  for (int i = 0; i < 4; ++i) driver.submit({.crashes_max = 3});
  driver.tick();
  kill_all(driver, 4);
  ASSERT_EQ(alone(driver), 1U);
  driver.pass(seconds(61));
  EXPECT_EQ(driver.all<command::Retire>().size(), 3U);
}

TEST(Suspects, WhoAnswersMakesRoomForTheNext) {
  PoolDriver driver;
  std::vector<TaskId> poisons;
  four_poisons(driver, 2, poisons);
  ASSERT_EQ(alone(driver), 2U);
  driver.answer(*driver.last<command::Assign>());
  driver.tick();
  EXPECT_EQ(alone(driver), 2U);
  EXPECT_EQ(driver.pool().queue().ready, 1U);
}

TEST(Suspects, ABoundThatIsRaisedHoldsAtOnce) {
  PoolDriver driver;
  std::vector<TaskId> poisons;
  four_poisons(driver, 1, poisons);
  ClassOptions options = default_class_options();
  options.name = "class-0";
  options.size = 4;
  options.size_min = 0;
  options.size_max = 1000;
  options.suspects_max = 3;
  driver.turn(event::ClassDeclared{ClassId{0}, options});
  EXPECT_EQ(alone(driver), 3U);
}

TEST(Suspects, WhoIsGivenUpWithItsWorkerCountsNoMore) {
  PoolDriver driver;
  std::vector<TaskId> poisons;
  four_poisons(driver, 1, poisons);
  const auto stuck = *driver.last<command::Assign>();
  driver.pass(seconds(900));
  EXPECT_EQ(
      driver.pool().slot(SlotId{static_cast<std::uint16_t>(stuck.worker.value & 0xffff)})->worker,
      stuck.worker)
      << "it is killed and does not go";
  EXPECT_EQ(alone(driver), 1U);
  EXPECT_EQ(driver.state(poisons[1]), TaskState::Running);
}

// Two that run at once on one worker, of which the first is told to end.
struct OneOfTwoEnds {
  PoolDriver driver;
  TaskId ending, neighbour;

  OneOfTwoEnds() {
    driver.ready_pool(1, 2, 2);
    ending = driver.submit({.timeout = seconds(20)});
    neighbour = driver.submit({.timeout = hours(1)});
    driver.tick();
    driver.pass(seconds(21));
    EXPECT_EQ(driver.all<command::CancelAttempt>().size(), 1U);
  }
};

TEST(Blame, ADeathWhileANeighbourIsBeingEndedIsNotExcusedByThat) {
  OneOfTwoEnds two;
  ASSERT_TRUE(two.driver.all<command::EndWorker>().empty());
  two.driver.kill_worker(two.driver.worker(0), ExitCause::Signalled, -11);
  EXPECT_EQ(two.driver.pool().task(two.neighbour)->last_cause, EndCause::Suspect);
  EXPECT_EQ(two.driver.pool().task(two.ending)->last_cause, EndCause::Timeout);
  EXPECT_EQ(two.driver.pool().task(two.ending)->used.failures, 1);
}

TEST(Blame, ADeathByOurOrderIsNobodysWhoWasBesideIt) {
  OneOfTwoEnds two;
  two.driver.pass(seconds(60));
  ASSERT_FALSE(two.driver.all<command::EndWorker>().empty());
  two.driver.kill_worker(two.driver.worker(0));
  EXPECT_EQ(two.driver.pool().task(two.neighbour)->last_cause, EndCause::Drained);
  EXPECT_EQ(two.driver.pool().task(two.neighbour)->used.crashes, 0);
}

// It answered after all, when SIGTERM was sent for it already.
TEST(Blame, ADeathByOurOrderIsNobodysWhenTheOneItWasForHasAnswered) {
  OneOfTwoEnds two;
  const auto assign = two.driver.all<command::Assign>().front();
  ASSERT_EQ(assign.key.task, two.ending);
  for (int i = 0; i < 60 && two.driver.all<command::EndWorker>().empty(); ++i) {
    two.driver.pass(seconds(1));
  }
  ASSERT_FALSE(two.driver.all<command::EndWorker>().empty());
  two.driver.answer(assign, Outcome::Failed);
  two.driver.kill_worker(two.driver.worker(0));
  EXPECT_EQ(two.driver.pool().task(two.neighbour)->last_cause, EndCause::Drained);
  EXPECT_EQ(two.driver.pool().task(two.neighbour)->used.crashes, 0);
}

}  // namespace
}  // namespace warmpool::test
