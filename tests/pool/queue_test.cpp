// Who runs next: order, ageing, delay, expiry, pause.
#include <gtest/gtest.h>

#include "pool/lane_table.hpp"
#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

TaskSpec of_priority(std::uint8_t priority) { return {.priority = priority}; }

std::vector<TaskId> run_order(PoolDriver& driver, std::size_t tasks) {
  std::vector<TaskId> order;
  for (std::size_t i = 0; i < tasks; ++i) {
    const auto assign = driver.last<command::Assign>();
    order.push_back(assign->key.task);
    driver.answer(*assign);
    driver.tick();
  }
  return order;
}

TEST(Queue, KeepsArrivalOrderWithinOnePriority) {
  PoolDriver driver;
  driver.ready_pool(1);
  std::vector<TaskId> submitted;
  for (int i = 0; i < 20; ++i) submitted.push_back(driver.submit());
  driver.tick();
  EXPECT_EQ(run_order(driver, 20), submitted);
}

TEST(Queue, RunsTheMoreUrgentFirst) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId low = driver.submit(of_priority(100));
  const TaskId middle = driver.submit(of_priority(10));
  const TaskId high = driver.submit(of_priority(0));
  driver.tick();
  EXPECT_EQ(run_order(driver, 3), (std::vector{high, middle, low}));
}

TEST(Queue, SaysHowManyComeBeforeATask) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.declare_type(1, {});
  const TaskId runs = driver.submit();
  driver.tick();
  const TaskId first = driver.submit(of_priority(10));
  const TaskId urgent = driver.submit(of_priority(0));
  const TaskId last = driver.submit({.tenant = TenantId{2}});
  const auto before = [&](TaskId task, std::size_t most = 100) {
    return driver.pool().tasks_before(task, most);
  };
  EXPECT_EQ(before(urgent), 0U);
  EXPECT_EQ(before(first), 1U);
  EXPECT_EQ(before(last), 2U);
  EXPECT_EQ(before(last, 1), 1U) << "counted no further";
  EXPECT_FALSE(before(runs)) << "it does not wait";
  EXPECT_FALSE(before(driver.submit({.type = TypeId{1}}))) << "nobody serves it";
}

TEST(Queue, OldTasksOvertakeUrgentOnesThatCameMuchLater) {
  PoolDriver driver;
  driver.declare_class(1);
  driver.declare_type(0);
  const TaskId low = driver.submit(of_priority(20));
  driver.now = driver.now + seconds(21);
  const TaskId high = driver.submit(of_priority(0));
  driver.hello_all();
  driver.tick();
  EXPECT_EQ(run_order(driver, 2), (std::vector{low, high}));
}

TEST(Queue, DelayedTasksWaitForTheirTime) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit({.delay = seconds(5)});
  driver.tick();
  EXPECT_EQ(driver.state(task), TaskState::Delayed);
  driver.pass(milliseconds(4999));
  EXPECT_EQ(driver.state(task), TaskState::Delayed);
  driver.pass(milliseconds(2));
  EXPECT_EQ(driver.state(task), TaskState::Running);
}

TEST(Queue, RunAtFollowsTheWallClockWhenItSteps) {
  PoolDriver driver;
  driver.ready_pool(1);
  const WallTime wall{driver.now.ns + seconds(1'700'000'000).ns};
  const TaskId task = driver.submit({.run_at = WallTime{wall.ns + seconds(3600).ns}});
  driver.pass(seconds(1));
  EXPECT_EQ(driver.state(task), TaskState::Delayed);
  driver.turn(event::WallStepped{WallTime{wall.ns + seconds(3601).ns}});
  EXPECT_EQ(driver.state(task), TaskState::Running);
}

TEST(Queue, RunAtFollowsTheWallClockAlsoBeforeTheTaskIsKept) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.auto_keep = false;
  const WallTime wall{driver.now.ns + seconds(1'700'000'000).ns};
  driver.step(event::Submit{ClientId{1}, RequestId{500}, {.run_at = {wall.ns + hours(1).ns}}});
  driver.step(event::WallStepped{WallTime{wall.ns + hours(2).ns}});
  driver.keep_all();
  driver.tick();
  EXPECT_EQ(driver.all<command::Assign>().size(), 1U);
}

TEST(Queue, ADateThatMovesAwayIsWaitedFor) {
  PoolDriver driver;
  driver.ready_pool(1);
  const WallTime wall{driver.now.ns + seconds(1'700'000'000).ns};
  const TaskId task = driver.submit({.run_at = WallTime{wall.ns + seconds(10).ns}});
  driver.turn(event::WallStepped{WallTime{wall.ns - seconds(10).ns}});
  driver.pass(seconds(19));
  EXPECT_EQ(driver.state(task), TaskState::Delayed);
  driver.pass(seconds(2));
  EXPECT_EQ(driver.state(task), TaskState::Running);
}

TEST(Queue, ATaskThatWasOnlyGivenAndTakenBackStillExpires) {
  PoolDriver driver;
  driver.ready_pool(1, 16);
  for (int i = 0; i < 8; ++i) {
    driver.submit();
    driver.tick();
    driver.answer(*driver.last<command::Assign>(), Outcome::Done, microseconds(10));
  }
  driver.submit();
  driver.submit({.expiry = milliseconds(100)});
  const TaskId late = driver.submit({.expiry = milliseconds(12)});
  driver.tick();
  driver.pass(milliseconds(11));
  auto recalls = driver.all<command::Recall>();
  ASSERT_EQ(recalls.size(), 2U);
  driver.turn(event::RecallAnswered{recalls[0].worker, recalls[0].key, true});
  driver.pass(milliseconds(2));
  driver.turn(event::RecallAnswered{recalls[1].worker, recalls[1].key, true});
  EXPECT_EQ(driver.last<command::Announce>()->task, late) << "over when it came back";
  driver.pass(milliseconds(100));
  EXPECT_EQ(driver.last<command::Announce>()->task, recalls[0].key.task);
  EXPECT_EQ(driver.last<command::Announce>()->cause, EndCause::Expired);
}

TEST(Queue, ExpiresWhatWaitsTooLongAndOnlyThat) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId running = driver.submit({.expiry = seconds(3)});
  driver.tick();
  const TaskId waiting = driver.submit({.expiry = seconds(3)});
  driver.pass(seconds(4));
  EXPECT_EQ(driver.state(running), TaskState::Running);
  EXPECT_EQ(driver.all<command::Announce>().size(), 1U);
  EXPECT_EQ(driver.last<command::Announce>()->task, waiting);
  EXPECT_EQ(driver.last<command::Announce>()->verdict, Verdict::Expired);
}

TEST(Queue, PausedTypesWaitAndOthersRun) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.declare_type(1);
  driver.turn(event::Pause{ClientId{1}, RequestId{99}, pause_of(TypeId{0}), true});
  const TaskId paused = driver.submit();
  const TaskId other = driver.submit({.type = TypeId{1}});
  driver.tick();
  EXPECT_EQ(driver.state(paused), TaskState::Ready);
  EXPECT_EQ(driver.state(other), TaskState::Running);
  driver.answer(*driver.last<command::Assign>());
  driver.turn(event::Pause{ClientId{1}, RequestId{100}, pause_of(TypeId{0}), false});
  EXPECT_EQ(driver.state(paused), TaskState::Running);
}

TEST(Queue, APausedPoolStartsNothingAlsoOfTypesSeenLater) {
  PoolDriver driver;
  driver.ready_pool(2);
  const TaskId before = driver.submit();
  driver.tick();
  driver.turn(event::Pause{ClientId{1}, RequestId{99}, pause_of_pool(), true});
  driver.declare_type(1);
  const TaskId waiting = driver.submit();
  const TaskId later = driver.submit({.type = TypeId{1}});
  driver.pass(seconds(10));
  EXPECT_EQ(driver.state(before), TaskState::Running) << "what runs goes on";
  EXPECT_EQ(driver.state(waiting), TaskState::Ready);
  EXPECT_EQ(driver.state(later), TaskState::Ready);
  EXPECT_EQ(driver.pool().task(later)->holds, hold_bit(Hold::Paused));
  EXPECT_TRUE(driver.pool().snapshot().paused);
  EXPECT_EQ(driver.pool().snapshot().types[1].paused_by, PauseScope::Pool);
  driver.turn(event::Pause{ClientId{1}, RequestId{100}, pause_of_pool(), false});
  EXPECT_EQ(driver.state(waiting), TaskState::Running);
  driver.answer(*driver.last<command::Assign>());
  driver.tick();
  EXPECT_EQ(driver.state(later), TaskState::Running);
}

TEST(Queue, APausedClassLeavesItsTasksToOthers) {
  PoolDriver driver;
  driver.declare_class(1);
  driver.declare_class(1, 1, 1, 1);
  driver.declare_type(0, {0, 1});
  driver.declare_type(1, {0});
  driver.hello_all();
  driver.turn(event::Pause{ClientId{1}, RequestId{99}, pause_of(ClassId{0}), true});
  const TaskId shared = driver.submit();
  const TaskId own = driver.submit({.type = TypeId{1}});
  driver.tick();
  EXPECT_EQ(driver.state(shared), TaskState::Running);
  EXPECT_EQ(driver.last<command::Assign>()->worker, driver.worker(1));
  EXPECT_EQ(driver.state(own), TaskState::Ready);
  const Snapshot snapshot = driver.pool().snapshot();
  EXPECT_FALSE(snapshot.types[0].paused);
  EXPECT_TRUE(snapshot.types[1].paused);
  EXPECT_EQ(snapshot.types[1].paused_by, PauseScope::Class);
  EXPECT_TRUE(snapshot.classes[0].paused);
  driver.turn(event::Pause{ClientId{1}, RequestId{100}, pause_of(ClassId{0}), false});
  EXPECT_EQ(driver.state(own), TaskState::Running);
}

TEST(Queue, PausesOfWhatIsNotThereAreRefused) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.turn(event::Pause{ClientId{1}, RequestId{1}, pause_of(TypeId{7}), true});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::UnknownType);
  driver.turn(event::Pause{ClientId{1}, RequestId{2}, pause_of(ClassId{7}), true});
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::NoSuchClass);
  EXPECT_TRUE(driver.records<record::Paused>().empty());
}

TEST(Queue, APauseOfWhatIsPausedIsAnsweredAndChangesNothing) {
  PoolDriver driver;
  driver.ready_pool(1);
  std::uint64_t requests = 0;
  for (const auto& target : {pause_of(TypeId{0}), pause_of(ClassId{0}), pause_of_pool()}) {
    for (const bool paused : {true, true, false, false}) {
      driver.turn(event::Pause{ClientId{1}, RequestId{++requests}, target, paused});
      EXPECT_EQ(driver.last<command::Completed>()->request, RequestId{requests});
    }
  }
  EXPECT_EQ(driver.records<record::Paused>().size(), 6U);
  EXPECT_EQ(driver.notices(Notice::TypePaused), 1U);
  EXPECT_EQ(driver.notices(Notice::TypeResumed), 1U);
  EXPECT_EQ(driver.notices(Notice::ClassPaused), 1U);
  EXPECT_EQ(driver.notices(Notice::ClassResumed), 1U);
  EXPECT_EQ(driver.notices(Notice::PoolPaused), 1U);
  EXPECT_EQ(driver.notices(Notice::PoolResumed), 1U);
}

// The second one is told what the first one is not told yet.
TEST(Queue, APauseOfWhatIsPausedIsAnsweredNoSoonerThanThatIsKept) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.auto_keep = false;
  for (std::uint64_t request : {1U, 2U}) {
    driver.turn(event::Pause{ClientId{1}, RequestId{request}, pause_of_pool(), true});
  }
  EXPECT_FALSE(driver.last<command::Completed>());
  driver.keep_all();
  EXPECT_EQ(driver.all<command::Completed>().size(), 2U);
}

// All that waited for it waited alike, so nobody is set back as in a type that is resumed.
TEST(Queue, APoolThatIsResumedKeepsItsOrder) {
  PoolDriver driver;
  driver.declare_class(0);
  driver.declare_type(0);
  driver.declare_type(1);
  driver.turn(event::Pause{ClientId{1}, RequestId{99}, pause_of_pool(), true});
  const TaskId old = driver.submit();
  driver.pass(seconds(100));
  const TaskId young = driver.submit({.type = TypeId{1}});
  driver.pass(seconds(15));
  driver.turn(event::Pause{ClientId{1}, RequestId{100}, pause_of_pool(), false});
  driver.turn(event::Scale{ClientId{1}, RequestId{101}, ClassId{0}, event::ScaleMode::To, 1});
  driver.hello_all();
  driver.tick();
  EXPECT_EQ(run_order(driver, 2), (std::vector{old, young}));
}

TEST(Queue, ALaneThatOpensAgainClaimsNoMoreAgeThanAllowed) {
  PoolDriver driver;
  driver.declare_class(0);
  driver.declare_type(0);
  driver.declare_type(1);
  driver.turn(event::Pause{ClientId{1}, RequestId{99}, pause_of(TypeId{0}), true});
  const TaskId old = driver.submit();
  driver.pass(seconds(100));
  const TaskId young = driver.submit({.type = TypeId{1}});
  driver.pass(seconds(15));
  driver.turn(event::Pause{ClientId{1}, RequestId{100}, pause_of(TypeId{0}), false});
  driver.turn(event::Scale{ClientId{1}, RequestId{101}, ClassId{0}, event::ScaleMode::To, 1});
  driver.hello_all();
  driver.tick();
  EXPECT_EQ(run_order(driver, 2), (std::vector{young, old}));
}

TEST(Queue, ALaneThatIsNewAfterThatClaimsNoMoreEither) {
  PoolDriver driver;
  driver.ready_pool(1, 16);
  driver.declare_type(1);
  for (int i = 0; i < 8; ++i) {
    driver.submit();
    driver.tick();
    driver.answer(*driver.last<command::Assign>(), Outcome::Done, microseconds(10));
  }
  driver.submit();
  driver.submit();
  driver.tick();
  driver.turn(event::Pause{ClientId{1}, RequestId{99}, pause_of(TypeId{0}), true});
  driver.pass(seconds(50));
  const TaskId young = driver.submit({.type = TypeId{1}});
  driver.pass(seconds(50));
  driver.turn(event::Pause{ClientId{1}, RequestId{100}, pause_of(TypeId{0}), false});
  driver.kill_worker(driver.worker(0));  // both become suspects, which have a lane of their own
  driver.hello_all();
  driver.tick();
  EXPECT_EQ(driver.last<command::Assign>()->key.task, young);
}

TEST(Queue, RefusesBeyondItsBoundsAndTakesNothing) {
  Options options = default_options();
  options.tasks_max = 2;
  PoolDriver driver(options);
  driver.declare_class(0);
  driver.declare_type(0);
  EXPECT_TRUE(driver.submit());
  EXPECT_TRUE(driver.submit());
  EXPECT_FALSE(driver.submit());
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::QueueFull);
  EXPECT_GT(driver.last<command::Refused>()->retry_after, Duration{});
  EXPECT_EQ(driver.pool().counters().accepted, 2U);
}

TEST(Queue, BoundsThePayloadsOfAllWaitingTasks) {
  Options options = default_options();
  options.payload_bytes_total_max = 100;
  PoolDriver driver(options);
  driver.declare_class(0);
  driver.declare_type(0);
  EXPECT_TRUE(driver.submit({.payload_bytes = 60}));
  EXPECT_FALSE(driver.submit({.payload_bytes = 41}));
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::BytesFull);
  EXPECT_TRUE(driver.submit({.payload_bytes = 40}));
}

TEST(Queue, UnknownTypesAreRefused) {
  PoolDriver driver;
  driver.ready_pool(1);
  EXPECT_FALSE(driver.submit({.type = TypeId{7}}));
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::UnknownType);
}

TEST(Queue, AcceptsOnlyWhenTheRecordIsKept) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.auto_keep = false;
  driver.step(event::Submit{ClientId{1}, RequestId{500}, {}});
  driver.tick();
  EXPECT_TRUE(driver.all<command::Accepted>().empty());
  EXPECT_TRUE(driver.all<command::Assign>().empty());
  driver.keep_all();
  driver.tick();
  EXPECT_EQ(driver.all<command::Accepted>().size(), 1U);
  EXPECT_EQ(driver.all<command::Assign>().size(), 1U);
}

TEST(Queue, ManyCancelledTasksLeaveNoTrace) {
  PoolDriver driver;
  driver.declare_class(1);
  driver.declare_type(0);
  std::vector<TaskId> tasks;
  for (int i = 0; i < 500; ++i) tasks.push_back(driver.submit());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (i % 7 != 0) driver.step(event::Cancel{ClientId{1}, RequestId{1000 + i}, tasks[i]});
  }
  EXPECT_EQ(driver.pool().queue().ready, 72U);
  driver.hello_all();
  driver.tick();
  std::vector<TaskId> expected;
  for (std::size_t i = 0; i < tasks.size(); i += 7) expected.push_back(tasks[i]);
  EXPECT_EQ(run_order(driver, expected.size()), expected);
}

}  // namespace
}  // namespace warmpool::test
