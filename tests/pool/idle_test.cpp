// Workers that nobody needs end, and come back when tasks wait.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

class IdleTest : public testing::Test {
 protected:
  void begin(std::uint64_t size, std::uint64_t size_min, bool critical = false,
             std::uint64_t concurrency = 1) {
    ready_class(driver, size, [&](ClassOptions& options) {
      options.concurrency = concurrency;
      options.size_min = size_min;
      options.max_idle = seconds(60);
      options.critical = critical;
      its = options;
    });
  }
  // Those that were asked to end do.
  void leave() {
    for (const auto& slot : driver.pool().snapshot().slots) {
      if (slot.state == SlotState::Completing) {
        driver.kill_worker(slot.worker, ExitCause::Exited, 0);
      }
    }
    driver.tick();
  }
  ClassView seen() { return driver.pool().overview().classes[0]; }
  std::size_t spawns() { return driver.all<command::Spawn>().size(); }

  PoolDriver driver;
  ClassOptions its;
};

TEST_F(IdleTest, WhoIsIdleForLongEndsAndSizeMinStays) {
  begin(8, 3);
  driver.pass(seconds(59));
  EXPECT_EQ(driver.all<command::Retire>().size(), 0U);
  driver.pass(seconds(2));
  EXPECT_EQ(driver.all<command::Retire>().size(), 5U);
  EXPECT_EQ(driver.notices(Notice::WorkerParked), 5U);
  leave();
  EXPECT_EQ(seen().ready, 3U);
  EXPECT_EQ(seen().parked, 5U);
  EXPECT_EQ(seen().target, 8U) << "that is the size that it goes back to";
  driver.pass(hours(2));
  EXPECT_EQ(seen().ready, 3U);
  EXPECT_EQ(driver.pool().counters().unproductive_deaths, 0U);
}

TEST_F(IdleTest, TheLeastUsefulGoesFirst) {
  begin(4, 2);
  for (int i = 0; i < 6; ++i) {  // round robin: places 0 and 1 twice, 2 and 3 once
    driver.submit();
    driver.tick();
    driver.answer(*driver.last<command::Assign>());
    driver.tick();
  }
  driver.pass(seconds(61));
  const auto retired = driver.all<command::Retire>();
  ASSERT_EQ(retired.size(), 2U);
  EXPECT_EQ(retired[0].worker, driver.worker(3));
  EXPECT_EQ(retired[1].worker, driver.worker(2));
}

TEST_F(IdleTest, WhoWorksNowAndThenStays) {
  begin(2, 0);
  for (int i = 0; i < 20; ++i) {
    driver.submit();
    driver.submit();
    driver.tick();
    for (const auto& assign : driver.all<command::Assign>()) driver.answer(assign);
    driver.log.clear();
    driver.pass(seconds(40));
    ASSERT_EQ(driver.notices(Notice::WorkerParked), 0U);
  }
}

TEST_F(IdleTest, TasksThatWaitBringBackAsManyAsTheyNeed) {
  begin(8, 1);
  driver.pass(seconds(61));
  leave();
  ASSERT_EQ(seen().ready, 1U);
  const auto before = spawns();
  driver.submit();
  driver.tick();
  EXPECT_EQ(spawns(), before) << "there is one that is free";
  driver.submit();
  driver.tick();
  EXPECT_EQ(spawns(), before + 1);
  driver.tick();
  EXPECT_EQ(spawns(), before + 1) << "one is on its way for it";
  for (int i = 0; i < 3; ++i) driver.submit();
  driver.tick();
  EXPECT_EQ(spawns(), before + 4);
  for (int i = 0; i < 50; ++i) driver.submit();
  driver.tick();
  EXPECT_EQ(spawns(), before + 7) << "never more than its size";
  EXPECT_EQ(seen().parked, 0U);
  driver.hello_all();
  driver.tick();
  EXPECT_EQ(seen().in_flight, 8U);
}

TEST_F(IdleTest, NothingSwingsWithinTheTime) {
  begin(8, 1);
  driver.pass(seconds(61));
  leave();
  driver.log.clear();
  Instant last = driver.now;
  for (int i = 0; i < 600; ++i) {  // two tasks at once, each second
    driver.submit();
    driver.submit();
    driver.tick();
    driver.hello_all();
    driver.tick();
    for (const auto& assign : driver.all<command::Assign>()) driver.answer(assign);
    driver.log.clear();
    driver.pass(seconds(1));
    leave();
    if (driver.notices(Notice::WorkerParked) == 0) continue;
    EXPECT_GE(driver.now - last, seconds(60));
    last = driver.now;
  }
  EXPECT_EQ(seen().ready, 2U) << "what is needed each second stays";
}

TEST_F(IdleTest, APauseIsNoIdleness) {
  begin(4, 0);
  driver.turn(event::Pause{ClientId{1}, RequestId{80}, pause_of(ClassId{0}), true});
  for (int i = 0; i < 4; ++i) driver.submit();
  driver.pass(hours(1));
  EXPECT_EQ(driver.notices(Notice::WorkerParked), 0U);
  driver.turn(event::Pause{ClientId{1}, RequestId{81}, pause_of(ClassId{0}), false});
  EXPECT_EQ(seen().in_flight, 4U);
}

TEST_F(IdleTest, AScaleBringsAllBack) {
  begin(4, 0);
  driver.pass(seconds(61));
  leave();
  ASSERT_EQ(seen().slots, 0U);
  driver.turn(event::Scale{ClientId{1}, RequestId{82}, ClassId{0}, event::ScaleMode::Up, 1});
  EXPECT_EQ(driver.last<command::Completed>()->before, 4U);
  EXPECT_EQ(driver.last<command::Completed>()->after, 5U);
  EXPECT_EQ(seen().slots, 5U);
  EXPECT_EQ(seen().parked, 0U);
}

TEST_F(IdleTest, AReloadOfItsBoundsBringsBackWhatTheyAskFor) {
  begin(6, 1);
  driver.pass(seconds(61));
  leave();
  its.size_min = 3;
  driver.turn(event::ClassDeclared{ClassId{0}, its});
  EXPECT_EQ(seen().slots, 3U);
  EXPECT_EQ(driver.notices(Notice::WorkerUnparked), 2U);
  its.max_idle = Duration{};
  driver.turn(event::ClassDeclared{ClassId{0}, its});
  EXPECT_EQ(seen().slots, 6U);
  EXPECT_EQ(seen().parked, 0U);
}

TEST_F(IdleTest, AClassOfNoneComesBackForOneTask) {
  begin(3, 0);
  driver.pass(seconds(61));
  leave();
  ASSERT_EQ(seen().slots, 0U);
  driver.submit();
  driver.tick();
  EXPECT_EQ(seen().slots, 1U);
}

TEST_F(IdleTest, OneComesBackWhereOnlyAnUnhealthyOneIsLeft) {
  begin(4, 1, false, 2);
  driver.pass(seconds(61));
  leave();
  ASSERT_EQ(seen().slots, 1U);
  driver.submit();
  driver.tick();
  const auto worker = driver.last<command::Assign>()->worker;
  EXPECT_EQ(seen().parked, 3U);
  for (int i = 0; i < 3; ++i) driver.turn(event::WorkerChecked{worker, false, milliseconds(1)});
  EXPECT_EQ(seen().parked, 2U);
  driver.tick();
  EXPECT_EQ(seen().parked, 2U) << "one is enough to begin with";
  driver.hello_all();
  driver.submit();
  driver.tick();
  EXPECT_NE(driver.last<command::Assign>()->worker, worker);
}

TEST_F(IdleTest, UptimeCountsOnlyWhatIsWanted) {
  begin(4, 1);
  driver.pass(seconds(60));
  leave();
  const Duration until_then = driver.pool().overview().recoveries.wanted;
  driver.pass(seconds(100));
  EXPECT_EQ(driver.pool().overview().recoveries.wanted - until_then, seconds(100));
}

}  // namespace
}  // namespace warmpool::test
