// A store that takes nothing: who asked is answered, and what was refused never runs.
#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

constexpr event::StoreState kUndone{false, true};

TEST(FullStore, RefusesWhatItDidNotTakeAndNeverRunsIt) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.auto_keep = false;
  driver.step(event::Submit{ClientId{1}, RequestId{1}, {}});
  driver.step(kUndone);
  ASSERT_TRUE(driver.last<command::Refused>());
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::StoreUnavailable);
  EXPECT_GT(driver.last<command::Refused>()->retry_after, Duration{});
  driver.step(event::StoreState{true});
  driver.keep_all();
  driver.tick();
  EXPECT_TRUE(driver.all<command::Accepted>().empty());
  EXPECT_TRUE(driver.all<command::Assign>().empty());
  const auto counters = driver.pool().counters();
  EXPECT_EQ(counters.accepted, 1U);
  EXPECT_EQ(counters.settled[static_cast<std::size_t>(Verdict::Cancelled)], 1U);
  EXPECT_EQ(counters.refused_submits, 1U);
}

TEST(FullStore, FreesTheKeyOfWhatItRefused) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskSpec spec{.key = IdempotencyKey{1, 2, 3}};
  driver.auto_keep = false;
  driver.step(event::Submit{ClientId{1}, RequestId{1}, spec});
  driver.step(event::Submit{ClientId{2}, RequestId{1}, spec});
  driver.step(kUndone);
  EXPECT_EQ(driver.all<command::Refused>().size(), 2U);
  driver.step(event::StoreState{true});
  driver.keep_all();
  driver.auto_keep = true;
  EXPECT_TRUE(driver.submit(spec));
  EXPECT_FALSE(driver.last<command::Accepted>()->duplicate);
}

// A failed sync may have kept them: nobody knows before the store was opened anew.
TEST(FullStore, LeavesWhatMayBeOnTheDiskOpen) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.auto_keep = false;
  driver.step(event::Submit{ClientId{1}, RequestId{1}, {}});
  driver.step(event::StoreState{false});
  EXPECT_TRUE(driver.all<command::Refused>().empty());
  driver.keep_all();
  EXPECT_EQ(driver.all<command::Accepted>().size(), 1U);
}

TEST(FullStore, SaysOfACancelThatItIsNotKept) {
  PoolDriver driver;
  driver.declare_class(0);
  driver.declare_type(0);
  const TaskId first = driver.submit(), second = driver.submit();
  driver.auto_keep = false;
  driver.step(event::Cancel{ClientId{1}, RequestId{50}, first});
  EXPECT_TRUE(driver.all<command::Cancelled>().empty());
  driver.step(event::StoreState{false});
  driver.step(event::Cancel{ClientId{1}, RequestId{51}, second});
  const auto cancelled = driver.all<command::Cancelled>();
  ASSERT_EQ(cancelled.size(), 2U);
  for (const auto& each : cancelled) EXPECT_FALSE(each.kept);
  driver.step(event::StoreState{true});
  driver.keep_all();
  EXPECT_EQ(driver.all<command::Cancelled>().size(), 2U) << "nobody is answered twice";
}

TEST(FullStore, ACancelWaitsASecondForASlowDisk) {
  PoolDriver driver;
  driver.declare_class(0);
  driver.declare_type(0);
  const TaskId task = driver.submit();
  driver.auto_keep = false;
  driver.step(event::Cancel{ClientId{1}, RequestId{50}, task});
  driver.tick();
  EXPECT_EQ(driver.pool().next_deadline(), driver.now + seconds(1));
  driver.pass(milliseconds(900));
  EXPECT_TRUE(driver.all<command::Cancelled>().empty());
  driver.pass(milliseconds(200));
  ASSERT_EQ(driver.all<command::Cancelled>().size(), 1U);
  EXPECT_FALSE(driver.last<command::Cancelled>()->kept);
}

}  // namespace
}  // namespace warmpool::test
