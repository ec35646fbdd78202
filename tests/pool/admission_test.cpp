// Starts that wait until the memory that their workers declare fits into that of the pool.
#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

constexpr std::uint64_t kMebi = 1 << 20;

Options with_total(std::uint64_t total) {
  Options options = default_options();
  options.memory_total = total;
  return options;
}

class AdmissionTest : public testing::Test {
 protected:
  static ClassOptions sized(std::uint64_t size, std::uint64_t declared) {
    ClassOptions options = default_class_options();
    options.name = "class";
    options.size = size;
    options.size_min = 0;
    options.size_max = 1000;
    options.memory_declared = declared;
    return options;
  }
  void declare(std::uint16_t id, const ClassOptions& options) {
    driver.turn(event::ClassDeclared{ClassId{id}, options});
    if (id == 0) driver.declare_type(0);
    driver.hello_all();
    driver.tick();
  }
  void scale(std::uint16_t id, std::uint16_t size) {
    const RequestId request{++requests};
    driver.turn(event::Scale{ClientId{1}, request, ClassId{id}, event::ScaleMode::To, size});
  }
  void set_total(std::uint64_t total) { driver.turn(event::OptionsChanged{with_total(total)}); }
  std::uint64_t held(std::uint16_t id = 0) { return driver.pool().overview().classes[id].held; }
  std::uint64_t ready(std::uint16_t id = 0) { return driver.pool().overview().classes[id].ready; }
  std::size_t spawns() { return driver.all<command::Spawn>().size(); }
  std::uint16_t last_class() { return driver.last<command::Spawn>()->worker_class.value; }

  PoolDriver driver{with_total(1000 * kMebi)};
  std::uint64_t requests = 100;
};

TEST_F(AdmissionTest, NoMoreStartThanFit) {
  declare(0, sized(3, 400 * kMebi));
  EXPECT_EQ(ready(), 2U);
  EXPECT_EQ(held(), 1U);
  EXPECT_EQ(driver.slot_state(2), SlotState::Held);
  const auto memory = driver.pool().memory();
  EXPECT_EQ(memory.declared, 800 * kMebi);
  EXPECT_EQ(memory.held, std::vector<SlotId>{SlotId{2}});
}

TEST_F(AdmissionTest, WithoutABoundOrADeclarationNothingIsHeld) {
  declare(0, sized(50, 0));
  EXPECT_EQ(ready(), 50U);
  set_total(0);
  declare(1, sized(50, 400 * kMebi));
  EXPECT_EQ(ready(1), 50U);
}

TEST_F(AdmissionTest, RoomLetsItStart) {
  declare(0, sized(3, 400 * kMebi));
  set_total(1200 * kMebi);
  EXPECT_EQ(spawns(), 3U);
  EXPECT_EQ(driver.slot_state(2), SlotState::Starting);
  EXPECT_EQ(driver.pool().counters().unproductive_deaths, 0U);
  EXPECT_EQ(driver.notices(Notice::RecoveryAttempted), 0U) << "it is the first start of its place";
}

TEST_F(AdmissionTest, OneThatIsKilledCountsUntilItIsGone) {
  declare(0, sized(2, 400 * kMebi));
  const WorkerId first = driver.worker(0);
  driver.turn(event::WorkerBroken{first, ExitCause::Protocol});
  ASSERT_EQ(driver.slot_state(0), SlotState::Recovery);
  scale(0, 1);
  declare(1, sized(1, 400 * kMebi));
  EXPECT_EQ(held(1), 1U);
  driver.kill_worker(first);
  driver.tick();
  EXPECT_EQ(held(1), 0U);
}

TEST_F(AdmissionTest, ARegisteredWorkerCountsNothing) {
  ClassOptions options = sized(2, 500 * kMebi);
  options.registered_max = 4;
  declare(0, options);
  driver.turn(event::WorkerRegistered{RegistrationId{1}, ClassId{0}});
  EXPECT_EQ(driver.all<command::Admit>().size(), 1U);
  EXPECT_EQ(driver.pool().memory().declared, 1000 * kMebi);
}

TEST_F(AdmissionTest, APoolIsInitializedAlsoWhereAClassWaitsForRoom) {
  ClassOptions options = sized(2, 500 * kMebi);
  options.size_min = 2;
  driver.turn(event::ClassDeclared{ClassId{0}, options});
  driver.turn(event::ClassDeclared{ClassId{1}, sized(1, 500 * kMebi)});
  ASSERT_EQ(held(1), 1U);
  ASSERT_EQ(driver.notices(Notice::PoolInitialized), 0U);
  driver.hello_all();
  driver.tick();
  EXPECT_EQ(driver.notices(Notice::PoolInitialized), 1U);
}

TEST_F(AdmissionTest, AHeldSuccessorTakesThePlaceOfTheDeadWhateverAutomaticRestartSays) {
  ClassOptions options = sized(2, 500 * kMebi);
  options.automatic_restart = false;
  declare(0, options);
  driver.turn(event::Restart{ClientId{1}, RequestId{71}, {}, SlotId{0}});
  ASSERT_EQ(held(), 1U);
  const auto before = spawns();
  driver.kill_worker(driver.worker(0));
  driver.tick();
  EXPECT_EQ(held(), 0U);
  EXPECT_EQ(spawns(), before + 1) << "whoever asked for a successor wants the place";
}

TEST_F(AdmissionTest, WhoIsIdleStaysWhileAPlaceOfItsClassWaits) {
  ClassOptions options = sized(3, 400 * kMebi);
  options.size_min = 1;
  options.max_idle = seconds(60);
  declare(0, options);
  ASSERT_EQ(ready(), 2U);
  driver.pass(seconds(61));
  EXPECT_EQ(held(), 0U) << "it is given up first";
  EXPECT_EQ(driver.pool().overview().classes[0].parked, 2U);
  EXPECT_EQ(driver.all<command::Retire>().size(), 1U);
}

TEST_F(AdmissionTest, ADeathMakesRoomForWhoWaitsAndItsOwnPlaceComesBehind) {
  declare(0, sized(2, 500 * kMebi));
  declare(1, sized(1, 500 * kMebi));
  ASSERT_EQ(held(1), 1U);
  driver.kill_worker(driver.worker(0));
  driver.tick();
  EXPECT_EQ(last_class(), 1U);
  EXPECT_EQ(driver.slot_state(0), SlotState::Held);
  EXPECT_EQ(driver.notices(Notice::RecoveryAttempted), 0U) << "it has not started yet";
  set_total(1500 * kMebi);
  EXPECT_EQ(driver.slot_state(0), SlotState::Starting);
  EXPECT_EQ(driver.notices(Notice::RecoveryAttempted), 1U);
}

TEST_F(AdmissionTest, CriticalOnesAreFirstInTheLine) {
  declare(0, sized(2, 500 * kMebi));
  declare(1, sized(1, 500 * kMebi));
  ClassOptions critical = sized(1, 500 * kMebi);
  critical.critical = true;
  declare(2, critical);
  driver.kill_worker(driver.worker(0));
  driver.tick();
  EXPECT_EQ(last_class(), 2U);
}

TEST_F(AdmissionTest, SmallerOnesPassOnlyUntilItsTimeIsOver) {
  declare(0, sized(2, 200 * kMebi));
  declare(1, sized(1, 900 * kMebi));
  ASSERT_EQ(held(1), 1U);
  scale(0, 3);
  EXPECT_EQ(held(), 0U) << "it may pass";
  driver.hello_all();
  driver.pass(default_options().memory_pass_max);
  scale(0, 4);
  EXPECT_EQ(held(), 1U) << "what is free is kept for the large one";
  scale(0, 0);
  for (const auto& retire : driver.all<command::Retire>()) {
    driver.kill_worker(retire.worker, ExitCause::Exited, 0);
  }
  driver.tick();
  EXPECT_EQ(last_class(), 1U);
}

TEST_F(AdmissionTest, WhoNeedsNothingWaitsForNobody) {
  declare(0, sized(1, 600 * kMebi));
  declare(1, sized(1, 600 * kMebi));
  driver.pass(minutes(5));
  declare(2, sized(2, 0));
  EXPECT_EQ(ready(2), 2U);
}

TEST_F(AdmissionTest, AHeldSuccessorLetsItsPredecessorWorkAndPassesNobody) {
  declare(0, sized(2, 500 * kMebi));
  driver.turn(event::Restart{ClientId{1}, RequestId{1}, {}, SlotId{0}});
  EXPECT_EQ(held(), 1U);
  EXPECT_EQ(ready(), 2U) << "both work on";
  driver.pass(minutes(5));
  driver.kill_worker(driver.worker(1));
  driver.tick();
  EXPECT_EQ(driver.last<command::Spawn>()->home, SlotId{1}) << "a place without a worker is first";
  set_total(1500 * kMebi);
  EXPECT_EQ(driver.last<command::Spawn>()->home, SlotId{0});
  driver.hello_all();
  EXPECT_EQ(driver.notices(Notice::WorkerRecycled), 1U);
}

TEST_F(AdmissionTest, AHeldSuccessorTakesThePlaceOfOneThatDies) {
  declare(0, sized(2, 500 * kMebi));
  driver.turn(event::Restart{ClientId{1}, RequestId{1}, {}, SlotId{0}});
  driver.kill_worker(driver.worker(0));
  driver.tick();
  EXPECT_EQ(held(), 0U);
  const auto spawn = *driver.last<command::Spawn>();
  EXPECT_EQ(spawn.home, SlotId{0});
  EXPECT_EQ(spawn.recovery.attempt, 1U) << "it replaces one that died";
  EXPECT_EQ(spawn.recovery.cause, ExitCause::Signalled);
}

TEST_F(AdmissionTest, AHeldPlaceGoesBeforeThoseThatWork) {
  declare(0, sized(3, 400 * kMebi));
  scale(0, 2);
  EXPECT_EQ(held(), 0U);
  EXPECT_EQ(ready(), 2U);
  EXPECT_EQ(driver.all<command::Retire>().size(), 0U);
}

TEST_F(AdmissionTest, ASizeThatCanNeverFitIsRefused) {
  declare(0, sized(1, 400 * kMebi));
  scale(0, 3);
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::MemoryDoesNotFit);
  EXPECT_EQ(driver.pool().overview().classes[0].target, 1U);
  set_total(100 * kMebi);
  scale(0, 0);
  EXPECT_EQ(driver.all<command::Refused>().size(), 1U) << "less is always allowed";
}

TEST_F(AdmissionTest, WhatIsDeclaredByAReloadCountsForTheLivingAtOnce) {
  declare(0, sized(3, 300 * kMebi));
  declare(0, sized(3, 400 * kMebi));
  EXPECT_EQ(driver.pool().memory().declared, 1200 * kMebi) << "nobody is ended for it";
  driver.kill_worker(driver.worker(0));
  driver.tick();
  EXPECT_EQ(held(), 1U);
  declare(0, sized(3, 300 * kMebi));
  EXPECT_EQ(held(), 0U);
}

TEST_F(AdmissionTest, AHeldProbeIsOneWhenItStarts) {
  ClassOptions options = sized(1, 600 * kMebi);
  options.recovery = "*: restart";
  options.recovery_deaths = 1;
  declare(0, options);
  driver.kill_worker(driver.worker(0));
  driver.tick();
  driver.kill_worker(driver.worker(0));
  driver.tick();
  ASSERT_EQ(driver.pool().overview().classes[0].recovery.state, RecoveryState::Open);
  declare(1, sized(1, 600 * kMebi));
  driver.pass(options.recovery_cooldown + seconds(1));
  EXPECT_EQ(held(), 1U);
  driver.pass(minutes(5));
  EXPECT_EQ(driver.pool().overview().classes[0].recovery.state, RecoveryState::HalfOpen);
  const auto before = spawns();
  set_total(1200 * kMebi);
  EXPECT_EQ(spawns(), before + 1);
  driver.hello_all();
  driver.pass(options.recovery_cooldown);
  EXPECT_EQ(driver.pool().overview().classes[0].recovery.state, RecoveryState::Closed);
}

TEST_F(AdmissionTest, AStopLeavesNobodyHeld) {
  declare(0, sized(3, 400 * kMebi));
  driver.turn(event::Stop{ClientId{1}, RequestId{1}, true});
  EXPECT_EQ(held(), 0U);
}

}  // namespace
}  // namespace warmpool::test
