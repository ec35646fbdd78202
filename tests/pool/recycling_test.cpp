// Workers that are replaced while they work: successor first, bounded, and in their place.
#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

void restart_all(PoolDriver& driver) { driver.turn(event::Restart{ClientId{1}, RequestId{900}}); }

// Every slot in which somebody may be given work.
std::vector<SlotView> serving(PoolDriver& driver) {
  std::vector<SlotView> found;
  for (const auto& slot : driver.pool().snapshot().slots) {
    if (slot.state == SlotState::Ready || slot.state == SlotState::Running) found.push_back(slot);
  }
  return found;
}

std::optional<SlotView> successor_of(PoolDriver& driver, SlotId home) {
  for (const auto& slot : driver.pool().snapshot().slots) {
    if (slot.home == home && slot.successor) return slot;
  }
  return std::nullopt;
}

void exit_retired(PoolDriver& driver) {
  for (const auto& slot : driver.pool().snapshot().slots) {
    if (slot.state == SlotState::Completing) driver.kill_worker(slot.worker, ExitCause::Exited, 0);
  }
}

TEST(Recycling, ASuccessorIsReadyBeforeItsPredecessorEnds) {
  PoolDriver driver;
  ready_class(driver, 1);
  const auto old = driver.worker(0);
  restart_all(driver);
  EXPECT_EQ(driver.last<command::Completed>()->before, 1U);
  EXPECT_EQ(driver.all<command::Spawn>().size(), 2U);
  EXPECT_EQ(driver.last<command::Spawn>()->home, SlotId{0});
  EXPECT_EQ(driver.worker(0), old) << "it serves until the other is ready";
  EXPECT_TRUE(driver.all<command::Retire>().empty());
  driver.hello_all();
  driver.tick();
  ASSERT_EQ(driver.all<command::Retire>().size(), 1U);
  EXPECT_EQ(driver.last<command::Retire>()->worker, old);
  ASSERT_EQ(serving(driver).size(), 1U);
  EXPECT_EQ(serving(driver)[0].home, SlotId{0}) << "the same place for those who look for it";
  EXPECT_EQ(driver.notices(Notice::WorkerRecycled), 1U);
  EXPECT_EQ(driver.pool().counters().recycles, 1U);
}

TEST(Recycling, AllAreReplacedAndCapacityNeverFalls) {
  PoolDriver driver;
  ready_class(driver, 20);
  std::set<WorkerId> old;
  for (const auto& slot : serving(driver)) old.insert(slot.worker);
  restart_all(driver);
  for (int round = 0; round < 40; ++round) {
    EXPECT_EQ(serving(driver).size(), 20U);
    EXPECT_LE(driver.pool().snapshot().classes[0].slots, 22U) << "at most a tenth is surplus";
    driver.hello_all();
    driver.tick();
    EXPECT_EQ(serving(driver).size(), 20U);
    exit_retired(driver);
    driver.tick();
  }
  std::set<SlotId> homes;
  for (const auto& slot : serving(driver)) {
    EXPECT_FALSE(old.contains(slot.worker));
    homes.insert(slot.home);
  }
  EXPECT_EQ(homes.size(), 20U);
  EXPECT_EQ(*homes.rbegin(), SlotId{19}) << "names stay those of before";
  EXPECT_EQ(driver.all<command::Spawn>().size(), 40U);
}

TEST(Recycling, ABusyWorkerFinishesWhatItHas) {
  PoolDriver driver;
  ready_class(driver, 1);
  const auto task = driver.submit();
  driver.tick();
  const auto assign = *driver.last<command::Assign>();
  restart_all(driver);
  driver.hello_all();
  driver.tick();
  EXPECT_TRUE(driver.all<command::Retire>().empty());
  driver.submit();
  driver.tick();
  EXPECT_NE(driver.last<command::Assign>()->worker, assign.worker) << "new work is the successor's";
  driver.answer(assign);
  driver.tick();
  EXPECT_EQ(driver.last<command::Retire>()->worker, assign.worker);
  EXPECT_EQ(driver.pool().counters().settled[0], 1U);
  (void)task;
}

TEST(Recycling, ASuccessorThatCannotStartCostsNoCapacity) {
  PoolDriver driver;
  ready_class(driver, 2);
  restart_all(driver);
  for (int second = 0; second < 600; ++second) {
    if (const auto pending = successor_of(driver, SlotId{0}); pending && pending->worker) {
      driver.kill_worker(pending->worker, ExitCause::Exited, 1);
    }
    driver.pass(seconds(1));
    ASSERT_EQ(serving(driver).size(), 2U);
  }
  EXPECT_TRUE(driver.all<command::Retire>().empty());
  EXPECT_LE(driver.all<command::Spawn>().size(), 14U) << "it waits longer and longer";
  driver.turn(event::Restart{ClientId{1}, RequestId{901}});
  driver.hello_all();
  driver.tick();
  EXPECT_EQ(driver.all<command::Retire>().size(), 1U) << "asked again it starts at once";
}

TEST(Recycling, ASuccessorWhoseHelloCameAfterItsKillIsStartedAgain) {
  Options options = default_options();
  options.start_timeout = seconds(10);
  PoolDriver driver(options);
  ready_class(driver, 1);
  const auto old = driver.worker(0);
  restart_all(driver);
  const auto late = driver.last<command::Spawn>()->worker;
  driver.pass(seconds(11));
  ASSERT_TRUE(driver.last<command::EndWorker>());
  ASSERT_EQ(driver.last<command::EndWorker>()->worker, late);
  driver.turn(event::WorkerReady{late, 1, true});
  EXPECT_TRUE(driver.all<command::Retire>().empty()) << "nobody gives way to one that is killed";
  driver.kill_worker(late);
  driver.tick();
  EXPECT_EQ(driver.notices(Notice::RecoveryAttempted), 1U);
  ASSERT_NE(driver.last<command::Spawn>()->worker, late);
  EXPECT_EQ(driver.last<command::Spawn>()->home, SlotId{0});
  driver.hello_all();
  driver.tick();
  ASSERT_EQ(driver.all<command::Retire>().size(), 1U);
  EXPECT_EQ(driver.last<command::Retire>()->worker, old);
  EXPECT_EQ(driver.notices(Notice::RecoverySucceeded), 1U);
  EXPECT_EQ(driver.notices(Notice::WorkerRecycled), 1U);
}

TEST(Recycling, APlaceWhoseWorkerDiesIsItsSuccessors) {
  PoolDriver driver;
  ready_class(driver, 1);
  restart_all(driver);
  driver.kill_worker(driver.worker(0));
  driver.tick();
  EXPECT_EQ(driver.all<command::Spawn>().size(), 2U) << "the successor is on its way already";
  driver.hello_all();
  driver.tick();
  ASSERT_EQ(serving(driver).size(), 1U);
  EXPECT_EQ(serving(driver)[0].home, SlotId{0});
  EXPECT_EQ(driver.notices(Notice::RecoverySucceeded), 1U);
}

TEST(Recycling, ASmallerClassWantsNoSuccessor) {
  PoolDriver driver;
  ready_class(driver, 1);
  restart_all(driver);
  driver.turn(event::Scale{ClientId{1}, RequestId{902}, ClassId{0}, event::ScaleMode::To, 0});
  EXPECT_EQ(driver.all<command::Retire>().size(), 1U);
  EXPECT_EQ(driver.last<command::EndWorker>()->cause, ExitCause::Requested);
  for (const auto& spawn : driver.all<command::Spawn>()) {
    driver.kill_worker(spawn.worker, ExitCause::Exited, 0);
  }
  driver.turn(event::Scale{ClientId{1}, RequestId{903}, ClassId{0}, event::ScaleMode::To, 3});
  driver.hello_all();
  driver.tick();
  EXPECT_EQ(serving(driver).size(), 3U);
  restart_all(driver);
  EXPECT_TRUE(successor_of(driver, serving(driver)[0].home)) << "the pair of before counts no more";
}

TEST(Recycling, OneSlotIsRestartedByItsPlace) {
  PoolDriver driver;
  ready_class(driver, 3);
  for (int times = 0; times < 3; ++times) {
    driver.turn(event::Restart{ClientId{1}, RequestId{910}, {}, SlotId{1}});
    driver.hello_all();
    driver.tick();
    exit_retired(driver);
    driver.tick();
  }
  EXPECT_EQ(driver.all<command::Spawn>().size(), 6U);
  for (const auto& slot : serving(driver)) {
    if (slot.home == SlotId{1}) {
      EXPECT_EQ(slot.spawns, 4U) << "the place counts its processes";
    }
  }
  driver.turn(event::Restart{ClientId{1}, RequestId{911}, {}, SlotId{7}});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::NoSuchWorker);
  driver.turn(event::Restart{ClientId{1}, RequestId{912}, ClassId{7}, {}});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::NoSuchClass);
}

TEST(Recycling, AFailedSlotIsStartedNow) {
  PoolDriver driver;
  driver.declare_class(1);
  for (int death = 0; death < 2; ++death) {
    driver.kill_worker(driver.worker(0), ExitCause::Exited, 1);
  }
  ASSERT_EQ(driver.slot_state(0), SlotState::Backoff);
  restart_all(driver);
  EXPECT_EQ(driver.slot_state(0), SlotState::Starting);
}

TEST(Recycling, WhoHasRunMaxTasksIsReplacedAndNeverTwoAtOnce) {
  PoolDriver driver;
  ready_class(driver, 4, [](ClassOptions& options) { options.max_tasks = 5; });
  std::size_t fewest = 4, most = 4;
  for (int task = 0; task < 200; ++task) {
    driver.submit();
    driver.tick();
    driver.answer(*driver.last<command::Assign>());
    driver.tick();
    driver.hello_all();
    driver.tick();
    exit_retired(driver);
    driver.tick();
    fewest = std::min(fewest, serving(driver).size());
    most = std::max<std::size_t>(most, driver.pool().snapshot().classes[0].slots);
  }
  EXPECT_EQ(fewest, 4U);
  EXPECT_LE(most, 5U);
  EXPECT_GE(driver.pool().counters().recycles, 30U);
  EXPECT_EQ(driver.pool().counters().settled[0], 200U);
}

TEST(Recycling, WhoIsTooOldIsReplaced) {
  PoolDriver driver;
  ready_class(driver, 3, [](ClassOptions& options) { options.max_age = minutes(10); });
  driver.pass(minutes(9));
  EXPECT_EQ(driver.all<command::Spawn>().size(), 3U);
  driver.pass(minutes(1) + seconds(1));
  EXPECT_EQ(driver.all<command::Spawn>().size(), 4U) << "one at a time";
  for (int round = 0; round < 6; ++round) {
    driver.hello_all();
    driver.tick();
    exit_retired(driver);
    driver.tick();
  }
  EXPECT_EQ(driver.pool().counters().recycles, 3U);
  EXPECT_EQ(serving(driver).size(), 3U);
}

TEST(Recycling, AStoppingPoolReplacesNobody) {
  PoolDriver driver;
  ready_class(driver, 2);
  restart_all(driver);
  driver.turn(event::Stop{ClientId{1}, RequestId{920}, false});
  for (const auto& spawn : driver.all<command::Spawn>()) {
    driver.kill_worker(spawn.worker, ExitCause::Exited, 0);
  }
  driver.tick();
  EXPECT_TRUE(driver.last<command::Finished>());
  EXPECT_EQ(driver.all<command::Spawn>().size(), 3U);
}

}  // namespace
}  // namespace warmpool::test
