// Tasks whose memory does not fit beside what runs, and what is learned of what they need.
#include "pool/task_memory.hpp"

#include <gtest/gtest.h>

#include "pool/lane_table.hpp"
#include "pool/pool_settings.hpp"
#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

constexpr std::uint64_t kMega = 1 << 20;
constexpr TypeId kPlain{0}, kSmall{1}, kLarge{2}, kLearned{3};

Options with_bound(std::uint64_t total) {
  Options options = default_options();
  options.memory_tasks_total = total * kMega;
  return options;
}

// 100 MiB for tasks: small ones need 30, large ones 80, plain ones none.
class TaskMemoryTest : public testing::Test {
 protected:
  TaskMemoryTest() { begin(8); }
  void begin(std::uint64_t size, std::uint64_t credits = 1) {
    driver.ready_pool(size, credits);
    for (std::uint32_t type = 1; type <= 3; ++type) driver.declare_type(type);
    configure(kSmall, {.bytes = 30 * kMega});
    configure(kLarge, {.bytes = 80 * kMega});
    configure(kLearned, {.learned = true});
  }
  void configure(TypeId type, TaskMemory memory) {
    driver.turn(event::TypeConfigured{type, {}, memory});
  }
  void set_total(std::uint64_t total) { driver.turn(event::OptionsChanged{with_bound(total)}); }
  TaskId submit(TypeId type) {
    const TaskId task = driver.submit({.type = type, .retries = 0});
    driver.tick();
    return task;
  }
  bool runs(TaskId task) { return driver.state(task) == TaskState::Running; }
  void end(TaskId task, Outcome outcome = Outcome::Done) {
    for (const auto& assign : driver.all<command::Assign>()) {
      if (assign.key.task == task) driver.answer(assign, outcome);
    }
    driver.tick();
  }
  void sample(TaskId task, std::uint64_t mib) {
    driver.turn(event::WorkerSampled{driver.pool().task(task)->worker, mib * kMega});
  }
  bool is_held(TaskId task) {
    return (driver.pool().task(task)->holds & hold_bit(Hold::Memory)) != 0;
  }
  TypeMemoryView memory(TypeId type) { return driver.pool().memory(type); }
  std::vector<TaskView> running(TypeId type) {
    TaskQuery query;
    query.state = TaskState::Running;
    query.type = type;
    return driver.pool().list(query);
  }
  std::optional<TypeId> awaited() {
    const auto group = driver.pool().memory().awaited;
    return group ? std::optional(group->type) : std::nullopt;
  }

  PoolDriver driver{with_bound(100)};
};

TEST_F(TaskMemoryTest, NoMoreRunThanFit) {
  const TaskId first = submit(kSmall), second = submit(kSmall), third = submit(kSmall);
  const TaskId fourth = submit(kSmall);
  EXPECT_TRUE(runs(first) && runs(second) && runs(third));
  EXPECT_TRUE(is_held(fourth));
  EXPECT_EQ(driver.pool().memory().tasks_taken, 90 * kMega);
  end(second);
  EXPECT_TRUE(runs(fourth));
  EXPECT_EQ(driver.pool().memory().tasks_taken, 90 * kMega);
}

TEST_F(TaskMemoryTest, WithoutABoundNothingIsHeld) {
  set_total(0);
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(runs(submit(kLarge)));
  set_total(100);
  EXPECT_TRUE(is_held(submit(kSmall))) << "what runs by then counts";
}

TEST_F(TaskMemoryTest, OthersAndSmallerOnesPass) {
  submit(kSmall);
  const TaskId large = submit(kLarge);
  EXPECT_TRUE(is_held(large));
  EXPECT_TRUE(runs(submit(kSmall)));
  EXPECT_TRUE(runs(submit(kPlain)));
}

TEST_F(TaskMemoryTest, ALargeOneIsPassedOnlyUntilItsTimeIsOver) {
  const TaskId first = submit(kSmall), large = submit(kLarge);
  const TaskId second = submit(kSmall);
  driver.pass(default_options().memory_pass_max - milliseconds(1));
  EXPECT_TRUE(runs(submit(kSmall))) << "it may pass";
  EXPECT_FALSE(awaited());
  driver.pass(milliseconds(1));
  EXPECT_EQ(awaited(), kLarge);
  end(first);
  const TaskId later = submit(kSmall);
  EXPECT_TRUE(is_held(later)) << "what is free is kept for the large one";
  EXPECT_TRUE(runs(submit(kPlain)));
  end(second);
  EXPECT_FALSE(runs(large)) << "there is one more";
  for (const auto& view : running(kSmall)) end(view.task);
  EXPECT_TRUE(runs(large));
  EXPECT_FALSE(awaited());
  EXPECT_FALSE(runs(later)) << "beside the large one it does not fit";
  end(large);
  EXPECT_TRUE(runs(later));
}

TEST_F(TaskMemoryTest, WhatNeedsMoreThanThereIsRunsAlone) {
  configure(kLarge, {.bytes = 500 * kMega});
  const TaskId small = submit(kSmall), large = submit(kLarge);
  EXPECT_TRUE(is_held(large));
  end(small);
  EXPECT_TRUE(runs(large));
  EXPECT_TRUE(is_held(submit(kSmall)));
  EXPECT_TRUE(runs(submit(kPlain)));
}

TEST_F(TaskMemoryTest, RoomIsKeptAlsoWhileItsWorkersAreAtWork) {
  driver = PoolDriver(with_bound(100));
  begin(2);
  const TaskId small = submit(kSmall);
  const TaskId large = submit(kLarge);
  driver.pass(default_options().memory_pass_max);
  ASSERT_EQ(awaited(), kLarge);
  const TaskId plain = submit(kPlain);
  const TaskId urgent = driver.submit({.type = kPlain, .priority = 0});
  driver.tick();
  ASSERT_TRUE(runs(plain) && !runs(urgent)) << "both workers are at work";
  end(small);
  ASSERT_TRUE(runs(large) || runs(urgent));
  end(plain);
  EXPECT_TRUE(runs(large) && runs(urgent));
}

TEST_F(TaskMemoryTest, NobodyWaitsForATypeThatIsPaused) {
  const TaskId first = submit(kSmall);
  submit(kLarge);
  driver.pass(default_options().memory_pass_max);
  ASSERT_EQ(awaited(), kLarge);
  EXPECT_TRUE(is_held(submit(kSmall)));
  driver.turn(event::Pause{ClientId{1}, RequestId{9}, pause_of(kLarge), true});
  driver.tick();
  EXPECT_FALSE(awaited());
  end(first);
  EXPECT_EQ(running(kSmall).size(), 1U);
}

TEST_F(TaskMemoryTest, ATypeWithoutTheOptionAnyMoreIsNotHeld) {
  submit(kSmall);
  const TaskId large = submit(kLarge);
  ASSERT_TRUE(is_held(large));
  configure(kLarge, {});
  EXPECT_TRUE(runs(large));
  EXPECT_EQ(driver.pool().memory().tasks_taken, 30 * kMega);
}

TEST_F(TaskMemoryTest, NothingOfItWaitsInTheHandOfAWorker) {
  driver = PoolDriver(with_bound(100));
  begin(1, 8);
  driver.teach(microseconds(10), kSmall);
  submit(kSmall);
  submit(kSmall);
  EXPECT_EQ(driver.hand(0).size(), 1U);
  set_total(0);
  EXPECT_EQ(driver.hand(0).size(), 2U);
}

TEST_F(TaskMemoryTest, WhatRunsHadIsLearnedAndShown) {
  const TaskId task = submit(kPlain);
  sample(task, 40);
  sample(task, 70);
  sample(task, 50);
  EXPECT_EQ(memory(kPlain).runs, 0U) << "it has not ended";
  end(task);
  EXPECT_EQ(memory(kPlain).runs, 1U);
  EXPECT_EQ(memory(kPlain).high, 70 * kMega);
  EXPECT_FALSE(memory(kPlain).wanted.any());
  end(submit(kPlain));
  EXPECT_EQ(memory(kPlain).runs, 1U) << "nobody looked at that one";
}

TEST_F(TaskMemoryTest, ARunThatIsCutShortSaysNothingUnlessMemoryWasTheReason) {
  const TaskId cancelled = submit(kPlain);
  sample(cancelled, 10);
  driver.turn(event::Cancel{ClientId{1}, RequestId{7}, cancelled});
  end(cancelled, Outcome::Failed);
  EXPECT_EQ(memory(kPlain).runs, 0U);
  const TaskId large = submit(kPlain);
  sample(large, 90);
  driver.kill_worker(driver.pool().task(large)->worker, ExitCause::OutOfMemory);
  EXPECT_EQ(memory(kPlain).high, 90 * kMega);
}

TEST_F(TaskMemoryTest, OneRunsAtATimeUntilItIsKnownWhatALearnedTypeNeeds) {
  const TaskId first = submit(kLearned), second = submit(kLearned), third = submit(kLearned);
  EXPECT_TRUE(runs(first));
  EXPECT_TRUE(is_held(second) && is_held(third));
  EXPECT_TRUE(memory(kLearned).unknown);
  EXPECT_FALSE(awaited()) << "it does not wait for room";
  sample(first, 60);
  end(first);
  EXPECT_EQ(memory(kLearned).need, 60 * kMega);
  EXPECT_TRUE(runs(second));
  EXPECT_TRUE(is_held(third)) << "two do not fit";
  EXPECT_EQ(driver.pool().memory().tasks_taken, 60 * kMega);
}

TEST_F(TaskMemoryTest, RunsThatAreTooShortForALookCountAsNothingAfterAFew) {
  for (int i = 0; i < 8; ++i) end(submit(kLearned));
  EXPECT_FALSE(memory(kLearned).unknown);
  EXPECT_EQ(memory(kLearned).need, 0U);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(runs(submit(kLearned)));
}

TEST_F(TaskMemoryTest, WhoIsIdleStaysWhileATaskWaitsForMemory) {
  driver = PoolDriver(with_bound(100));
  ready_class(driver, 2, [](ClassOptions& options) {
    options.size_min = 0;
    options.max_idle = seconds(60);
  });
  configure(kPlain, {.bytes = 60 * kMega});
  submit(kPlain);
  submit(kPlain);
  driver.pass(seconds(61));
  EXPECT_EQ(driver.all<command::Retire>().size(), 0U);
}

// Two classes serve both types; what died in the first goes on in the second.
void two_classes(PoolDriver& driver) {
  for (const std::uint16_t id : {std::uint16_t{0}, std::uint16_t{1}}) {
    ClassOptions options = default_class_options();
    options.name = id == 0 ? "small" : "big";
    options.size = id == 0 ? 3 : 1;
    if (id == 0) options.retry_memory_class = "big";
    driver.step(event::ClassDeclared{ClassId{id}, options});
  }
  for (const std::uint32_t type : {1U, 2U}) driver.declare_type(type, {0, 1});
  driver.hello_all();
  driver.tick();
}

TEST_F(TaskMemoryTest, NoRoomIsKeptForATaskThatOnlyAPausedClassMayRun) {
  driver = PoolDriver(with_bound(100));
  two_classes(driver);
  configure(kSmall, {.bytes = 30 * kMega});
  configure(kLarge, {.bytes = 80 * kMega});
  const TaskId large = driver.submit({.type = kLarge, .crashes_max = 5});
  driver.tick();
  driver.turn(event::Pause{ClientId{1}, RequestId{9}, pause_of(ClassId{1}), true});
  driver.kill_worker(driver.last<command::Assign>()->worker, ExitCause::OutOfMemory);
  driver.tick();
  ASSERT_EQ(driver.pool().task(large)->bound, ClassId{1});
  driver.hello_all();
  const TaskId first = submit(kSmall);
  ASSERT_TRUE(runs(first));
  driver.pass(seconds(5) + default_options().memory_pass_max);
  EXPECT_FALSE(awaited());
  EXPECT_TRUE(runs(submit(kSmall)));
  driver.turn(event::Pause{ClientId{1}, RequestId{10}, pause_of(ClassId{1}), false});
  driver.pass(default_options().memory_pass_max);
  EXPECT_EQ(awaited(), kLarge);
}

// Dies in the first class for its memory, and only the second may run it then.
void bind(PoolDriver& driver, TaskId task) {
  driver.kill_worker(driver.pool().task(task)->worker, ExitCause::OutOfMemory);
  driver.tick();
  driver.hello_all();
  driver.pass(seconds(5));  // of backoff
}

TEST_F(TaskMemoryTest, WhatIsBoundToAClassIsNotPassedByItsTypeForEver) {
  driver = PoolDriver(with_bound(100));
  two_classes(driver);
  configure(kSmall, {.bytes = 40 * kMega});
  const TaskId bound = driver.submit({.type = kSmall, .crashes_max = 5});
  TaskId older = submit(kSmall), newer = submit(kSmall);
  bind(driver, bound);
  ASSERT_TRUE(runs(older) && runs(newer) && is_held(bound));
  ASSERT_EQ(driver.pool().task(bound)->bound, ClassId{1});
  for (int i = 0; i < 2; ++i) {
    const TaskId next = submit(kSmall);
    end(older);
    ASSERT_TRUE(runs(next)) << "it may pass";
    older = std::exchange(newer, next);
    driver.pass(default_options().memory_pass_max / 2 - seconds(3));
  }
  EXPECT_FALSE(awaited());
  driver.pass(seconds(1));
  EXPECT_EQ(driver.pool().memory().awaited, (MemoryGroup{kSmall, {ClassId{1}, LaneKind::Suspect}}));
  const TaskId later = submit(kSmall);
  end(older);
  EXPECT_TRUE(runs(bound));
  EXPECT_TRUE(is_held(later));
}

class SuspectMemory : public TaskMemoryTest {
 protected:
  struct Passed {
    TaskId suspect, large, there, here;
  };
  // Two workers that may run two each. One runs `here`, the other `there` and a large one; another
  // large one may have killed a worker, and waits.
  Passed pass_a_suspect() {
    driver = PoolDriver(with_bound(200));
    driver.ready_pool(2, 2, 2);
    for (std::uint32_t type = 1; type <= 2; ++type) driver.declare_type(type);
    configure(kLarge, {.bytes = 80 * kMega});
    Passed made;
    made.suspect = submit(kLarge);
    made.large = submit(kLarge);
    const TaskId other = submit(kPlain);
    made.there = submit(kPlain);
    set_total(100);
    driver.kill_worker(driver.pool().task(made.suspect)->worker);
    driver.tick();
    driver.hello_all();
    driver.tick();
    end(other);  // it was a suspect too, and ran alone
    made.here = submit(kPlain);
    return made;
  }
  void go_on(Passed& made) {
    const TaskId next = submit(kLarge);
    end(made.large);
    ASSERT_TRUE(runs(next)) << "it may pass";
    made.large = next;
  }
};

TEST_F(SuspectMemory, IsNotPassedByItsTypeForEver) {
  auto made = pass_a_suspect();
  ASSERT_TRUE(runs(made.large));
  ASSERT_TRUE(runs(made.there));
  ASSERT_TRUE(runs(made.here));
  ASSERT_TRUE(is_held(made.suspect));
  for (int i = 0; i < 2; ++i) {
    go_on(made);
    driver.pass(default_options().memory_pass_max / 2 - seconds(1));
  }
  EXPECT_FALSE(awaited());
  driver.pass(seconds(2));
  EXPECT_EQ(driver.pool().memory().awaited, (MemoryGroup{kLarge, {kNoClass, LaneKind::Suspect}}));
  const TaskId later = submit(kLarge);
  end(made.large);
  EXPECT_TRUE(is_held(later));
  // The room stays its own for as long as its worker takes to become empty.
  driver.pass(default_options().memory_pass_max * 3);
  EXPECT_EQ(awaited(), kLarge);
  EXPECT_TRUE(is_held(later));
  const bool first = driver.pool().slot(SlotId{0})->reserved;
  ASSERT_NE(first, driver.pool().slot(SlotId{1})->reserved);
  const bool here = driver.pool().task(made.here)->worker == driver.worker(first ? 0 : 1);
  end(here ? made.here : made.there);
  EXPECT_TRUE(runs(made.suspect));
  end(made.suspect);
  EXPECT_TRUE(runs(later));
}

TEST_F(TaskMemoryTest, RoomIsKeptForWhatOnlyWaitsForAWorkerNoLongerThanItMayBePassed) {
  driver = PoolDriver(with_bound(100));
  begin(2);
  const TaskId small = submit(kSmall);
  submit(kPlain);
  const TaskId next = submit(kPlain);
  submit(kLarge);
  driver.pass(default_options().memory_pass_max);
  ASSERT_EQ(awaited(), kLarge);
  end(small);
  ASSERT_TRUE(runs(next)) << "both workers are at work";
  driver.pass(default_options().memory_pass_max - milliseconds(1));
  EXPECT_EQ(awaited(), kLarge);
  driver.pass(milliseconds(1));
  EXPECT_FALSE(awaited());
}

TEST_F(TaskMemoryTest, WhatFailsSaysNothingOfWhatItsTypeNeeds) {
  for (int i = 0; i < 8; ++i) end(submit(kLearned), Outcome::Failed);
  EXPECT_TRUE(memory(kLearned).unknown);
  const TaskId failed = submit(kLearned);
  sample(failed, 10);
  end(failed, Outcome::Failed);
  EXPECT_EQ(memory(kLearned).runs, 0U);
  EXPECT_TRUE(runs(submit(kLearned)));
  EXPECT_TRUE(is_held(submit(kLearned)));
}

TEST_F(TaskMemoryTest, WhoWaitsForMemoryAndIsBoundElsewhereKeepsNobodyWhoIsIdle) {
  driver = PoolDriver(with_bound(100));
  two_classes(driver);
  ClassOptions options = driver.pool().settings().classes[0];
  options.size_min = 0;
  options.max_idle = seconds(60);
  driver.turn(event::ClassDeclared{ClassId{0}, options});
  configure(kSmall, {.bytes = 60 * kMega});
  const TaskId bound = driver.submit({.type = kSmall, .crashes_max = 5});
  const TaskId other = submit(kSmall);
  bind(driver, bound);
  ASSERT_TRUE(runs(other) && is_held(bound));
  driver.pass(seconds(61));
  EXPECT_EQ(driver.all<command::Retire>().size(), 2U);
}

TEST(TaskMemory, IsASizeOrLearnedOrNothing) {
  EXPECT_EQ(*parse_task_memory("200MiB"), (TaskMemory{.bytes = 200 * kMega}));
  EXPECT_TRUE(parse_task_memory("learned")->learned);
  EXPECT_FALSE(parse_task_memory("")->any());
  EXPECT_FALSE(parse_task_memory("0")->any());
  EXPECT_FALSE(parse_task_memory("lots"));
  EXPECT_FALSE(parse_task_memory("2000GiB"));
  TypeOptions options;
  const auto wrong = set_option(options, "memory", "lots");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().text.find("or learned"), std::string::npos);
}

}  // namespace
}  // namespace warmpool::test
