// A new life begins where the records of the old one end.
#include <algorithm>

#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

// The records of one life, read by the next.
class NextLife {
 public:
  explicit NextLife(const PoolDriver& old, std::size_t lost = 0) : pool_(genesis(old)) {
    ClassOptions options = default_class_options();
    options.name = "worker";
    options.command = {"worker"};
    options.size = 1;
    options.size_min = 0;
    pool_.step(old.now, event::ClassDeclared{ClassId{0}, options}, log);
    pool_.step(old.now, event::TypeDeclared{.type = TypeId{0}, .count = 1}, log);
    const auto kept = old.all<command::Persist>();
    for (std::size_t i = 0; i + lost < kept.size(); ++i) pool_.replay(kept[i].record);
    pool_.finish_replay(old.now, log);
    keep();
  }

  void keep() {
    std::optional<RecordNumber> last;
    for (const auto& command : log) {
      if (const auto* each = std::get_if<command::Persist>(&command)) last = each->number;
    }
    if (last) pool_.step(Instant{pool_.snapshot().now}, event::Persisted{*last}, log);
  }

  // What it is told: a new task or an earlier one.
  TaskId submit(const TaskSpec& spec, Instant now) {
    log.clear();
    pool_.step(now, event::Submit{ClientId{1}, RequestId{1}, spec}, log);
    keep();
    for (const auto& command : log) {
      if (const auto* each = std::get_if<command::Accepted>(&command)) return each->task;
    }
    return {};
  }

  Pool& pool() { return pool_; }
  Commands log;

 private:
  static Genesis genesis(const PoolDriver& old) {
    Genesis made;
    made.options = default_options();
    made.life = 2;
    made.now = old.now;
    made.wall = WallTime{old.now.ns + seconds(1'700'000'000).ns};
    return made;
  }
  Pool pool_;
};

TEST(Replay, WaitingDelayedHeldAndDeadComeBack) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId dead = driver.submit({.retries = 0});
  driver.tick();
  driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
  const TaskId held = driver.submit();
  driver.tick();
  driver.answer(*driver.last<command::Assign>(), Outcome::Held);
  const TaskId delayed = driver.submit({.delay = hours(1)});
  const TaskId ready = driver.submit({.priority = 3});
  NextLife next(driver);
  EXPECT_EQ(next.pool().task(dead)->state, TaskState::Dead);
  EXPECT_EQ(next.pool().task(held)->state, TaskState::Held);
  EXPECT_EQ(next.pool().task(delayed)->state, TaskState::Delayed);
  EXPECT_EQ(next.pool().task(ready)->state, TaskState::Ready);
  EXPECT_EQ(next.pool().task(ready)->priority, 3);
}

TEST(Replay, RunningAttemptsAreClosedAsInterruptions) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  NextLife next(driver);
  EXPECT_EQ(next.pool().task(task)->used.interruptions, 1);
  EXPECT_EQ(next.pool().task(task)->used.crashes, 0);
  EXPECT_EQ(next.pool().task(task)->state, TaskState::Ready);
}

TEST(Replay, AnInterruptionTooManyIsADeadLetter) {
  Options options = default_options();
  options.interruptions_max = 0;
  PoolDriver driver(options);
  driver.ready_pool(1);
  driver.submit();
  driver.tick();
  Genesis made;
  made.life = 2;
  made.now = driver.now;
  made.options = options;
  Pool pool(made);
  Commands log;
  pool.step(made.now, event::TypeDeclared{.type = TypeId{0}}, log);
  for (const auto& kept : driver.all<command::Persist>()) pool.replay(kept.record);
  pool.finish_replay(made.now, log);
  EXPECT_EQ(pool.queue().dead_letters, 1U);
}

TEST(Replay, LosingTheStartRecordOnlyForgetsTheInterruption) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  NextLife next(driver, 1);
  EXPECT_EQ(next.pool().task(task)->used.interruptions, 0);
  EXPECT_EQ(next.pool().task(task)->state, TaskState::Ready);
}

TEST(Replay, ApplyingTwiceChangesNothing) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit();
  driver.tick();
  driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
  Genesis made;
  made.life = 2;
  made.now = driver.now;
  Pool pool(made);
  Commands log;
  pool.step(made.now, event::TypeDeclared{.type = TypeId{0}}, log);
  for (const auto& kept : driver.all<command::Persist>()) {
    pool.replay(kept.record);
    pool.replay(kept.record);
  }
  pool.finish_replay(made.now, log);
  EXPECT_EQ(pool.task(task)->used.failures, 1);
  EXPECT_EQ(pool.counters().accepted, 1U);
}

TEST(Replay, NewTasksOfANewLifeHaveNewIds) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId old = driver.submit();
  NextLife next(driver);
  next.log.clear();
  next.pool().step(driver.now, event::Submit{ClientId{1}, RequestId{1}, {}}, next.log);
  next.keep();
  for (const auto& command : next.log) {
    if (const auto* each = std::get_if<command::Accepted>(&command)) {
      EXPECT_GT(each->task, old);
      EXPECT_EQ(each->task.value >> 40, 2U);
    }
  }
}

TEST(Replay, KeysPastTheirMemoryAreFreeFromTheFirstTurn) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskSpec spec{.key = IdempotencyKey{5, 6, 7}};
  const TaskId first = driver.submit(spec);
  driver.tick();
  driver.answer(*driver.last<command::Assign>());
  driver.now = driver.now + hours(25);
  NextLife next(driver);
  const TaskId again = next.submit(spec, driver.now);
  EXPECT_TRUE(again);
  EXPECT_NE(again, first);
}

// The verdict that was announced of it since the log was cleared.
std::optional<Verdict> verdict_of(const NextLife& life, TaskId task) {
  for (const auto& command : life.log) {
    const auto* each = std::get_if<command::Announce>(&command);
    if (each != nullptr && each->task == task) return each->verdict;
  }
  return std::nullopt;
}

TEST(Replay, TasksWhoseClientsStayAwayAreCancelledAfterTheirGrace) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId dropped = driver.submit({.cancel_on_disconnect = true});
  const TaskId kept = driver.submit();
  NextLife next(driver);
  const Instant due = driver.now + default_options().reconnect_grace;
  EXPECT_EQ(next.pool().next_deadline(), due);
  next.pool().step(due - Duration{1}, event::Tick{}, next.log);
  next.keep();
  EXPECT_FALSE(verdict_of(next, dropped));
  next.pool().step(due, event::Tick{}, next.log);
  next.keep();
  EXPECT_EQ(verdict_of(next, dropped), Verdict::Cancelled);
  EXPECT_FALSE(verdict_of(next, kept));
  EXPECT_GT(next.pool().next_deadline(), due);
}

TEST(Replay, AClientThatComesBackByItsKeyHasItsTaskAgain) {
  PoolDriver driver;
  driver.ready_pool(1);
  TaskSpec spec{.cancel_on_disconnect = true};
  spec.key = IdempotencyKey{1, 2, 3};
  const TaskId task = driver.submit(spec);
  NextLife next(driver);
  EXPECT_EQ(next.submit(spec, driver.now), task);
  const Instant due = driver.now + default_options().reconnect_grace;
  next.pool().step(due, event::Tick{}, next.log);
  next.keep();
  EXPECT_FALSE(verdict_of(next, task));
  next.pool().step(due, event::ClientGone{ClientId{1}}, next.log);
  next.keep();
  EXPECT_EQ(verdict_of(next, task), Verdict::Cancelled);
}

// In that time the daemon heard nobody.
TEST(Replay, AStallOfTheLoopTakesNoTimeFromClientsThatComeBack) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit({.cancel_on_disconnect = true});
  NextLife next(driver);
  next.pool().step(driver.now, event::Tick{}, next.log);
  const Instant late = driver.now + default_options().reconnect_grace + seconds(60);
  next.pool().step(late, event::Tick{}, next.log);
  next.keep();
  EXPECT_FALSE(verdict_of(next, task));
  const Instant due = late + default_options().reconnect_grace;
  for (Instant now = late; now < due;) {
    now = std::clamp(next.pool().next_deadline(), now + Duration{1}, due);
    next.pool().step(now, event::Tick{}, next.log);
  }
  next.keep();
  EXPECT_EQ(verdict_of(next, task), Verdict::Cancelled);
}

TEST(Replay, APoolThatStopsLeavesTheTimeToComeBackToTheNextLife) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = driver.submit({.cancel_on_disconnect = true});
  NextLife next(driver);
  next.pool().step(driver.now, event::Stop{}, next.log);
  next.pool().step(driver.now + default_options().reconnect_grace, event::Tick{}, next.log);
  next.keep();
  EXPECT_FALSE(verdict_of(next, task));
}

TEST(Replay, WhoComesBackWithoutTheWishKeepsTheTaskForGood) {
  PoolDriver driver;
  driver.ready_pool(1);
  TaskSpec spec{.cancel_on_disconnect = true};
  spec.key = IdempotencyKey{1, 2, 3};
  const TaskId task = driver.submit(spec);
  spec.cancel_on_disconnect = false;
  EXPECT_EQ(driver.submit(spec), task);
  ASSERT_EQ(driver.records<record::Kept>().size(), 1U);
  NextLife next(driver);
  next.pool().step(driver.now + hours(1), event::Tick{}, next.log);
  next.keep();
  EXPECT_FALSE(verdict_of(next, task));
}

TEST(Replay, PausesComeBack) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.turn(event::Pause{ClientId{1}, RequestId{1}, pause_of(TypeId{0}), true});
  driver.turn(event::Pause{ClientId{1}, RequestId{2}, pause_of(ClassId{0}), true});
  driver.turn(event::Pause{ClientId{1}, RequestId{3}, pause_of_pool(), true});
  driver.turn(event::Pause{ClientId{1}, RequestId{4}, pause_of_pool(), false});
  NextLife next(driver);
  const Snapshot snapshot = next.pool().snapshot();
  EXPECT_TRUE(snapshot.types[0].paused);
  EXPECT_TRUE(snapshot.classes[0].paused);
  EXPECT_FALSE(snapshot.paused);
}

// Its client could not come back while no daemon was there, so the time begins with the new life.
TEST(Replay, ReconnectKeysCountFromTheNewLife) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskSpec spec{.key = IdempotencyKey{5, 6, 7, KeyUse::Reconnect}};
  const TaskId first = driver.submit(spec);
  driver.tick();
  driver.answer(*driver.last<command::Assign>());
  driver.now = driver.now + minutes(10);
  NextLife next(driver);
  EXPECT_EQ(next.submit(spec, driver.now + seconds(59)), first);
  next.pool().step(driver.now + seconds(61), event::Tick{}, next.log);
  EXPECT_NE(next.submit(spec, driver.now + seconds(61)), first);
}

}  // namespace
}  // namespace warmpool::test
