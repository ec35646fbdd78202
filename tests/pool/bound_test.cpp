// A class may name another for what died in it: who died for want of memory or time goes on there,
// and there alone.
#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

// Class 0 sends what dies for memory to `memory` and what is over its time to `timeout`; class 1
// has four times the memory, class 2 more again. Each has one worker; type 0 is served by all.
void three_classes(PoolDriver& driver, const std::string& memory, const std::string& timeout = "") {
  const std::array<const char*, 3> names{"small", "big", "huge"};
  for (std::uint16_t i = 0; i < names.size(); ++i) {
    ClassOptions options = default_class_options();
    options.name = names[i];
    options.size = 1;
    options.size_min = 0;
    options.memory_soft = 100ULL << (2 * i);
    if (i == 0) options.retry_memory_class = memory;
    if (i == 0) options.retry_timeout_class = timeout;
    if (i == 1) options.retry_memory_class = "huge";
    driver.step(event::ClassDeclared{ClassId{i}, options});
  }
  driver.declare_type(0, {0, 1, 2});
  driver.hello_all();
  driver.tick();
}

ClassId class_of(PoolDriver& driver, const command::Assign& assign) {
  return driver.pool()
      .slot(SlotId{static_cast<std::uint16_t>(assign.worker.value & 0xffff)})
      ->worker_class;
}

command::Assign assigned(PoolDriver& driver) {
  driver.tick();
  return *driver.last<command::Assign>();
}

// What it runs dies for memory, and its worker comes back; the wait before the next try is over.
command::Assign die_for_memory(PoolDriver& driver, const command::Assign& run) {
  driver.kill_worker(run.worker, ExitCause::OutOfMemory);
  driver.tick();
  driver.hello_all();
  driver.pass(seconds(5));
  return *driver.last<command::Assign>();
}

TEST(Bound, WhoDiedForMemoryGoesToTheClassThatItsClassNames) {
  PoolDriver driver;
  three_classes(driver, "huge");
  const auto task = driver.submit({.crashes_max = 5});
  const auto first = assigned(driver);
  ASSERT_EQ(class_of(driver, first), ClassId{0});
  const auto second = die_for_memory(driver, first);
  EXPECT_EQ(class_of(driver, second), ClassId{2}) << "though two others are free and come first";
  EXPECT_EQ(second.memory_max, 3200U);
  EXPECT_EQ(driver.records<record::Ended>().back().bound, ClassId{2});
  EXPECT_EQ(driver.pool().task(task)->bound, ClassId{2});
  EXPECT_EQ(class_of(driver, die_for_memory(driver, second)), ClassId{2})
      << "where that class names no other it stays";
}

TEST(Bound, AClassAfterAClassAfterAClass) {
  PoolDriver driver;
  three_classes(driver, "big");
  driver.submit({.crashes_max = 3});
  const auto second = die_for_memory(driver, assigned(driver));
  ASSERT_EQ(class_of(driver, second), ClassId{1});
  const auto third = die_for_memory(driver, second);
  ASSERT_EQ(class_of(driver, third), ClassId{2});
  driver.kill_worker(third.worker, ExitCause::OutOfMemory);
  EXPECT_EQ(driver.records<record::Settled>().back().verdict, Verdict::Dead)
      << "crashes_max ends the chain";
}

TEST(Bound, WhoWasOverTimeGoesElsewhereToo) {
  PoolDriver driver;
  three_classes(driver, "", "big");
  driver.submit({.timeout = seconds(1)});
  const auto first = assigned(driver);
  driver.pass(seconds(1));
  driver.answer(first, Outcome::Failed);
  driver.pass(seconds(3));
  EXPECT_EQ(driver.records<record::Ended>().back().cause, EndCause::Timeout);
  EXPECT_EQ(class_of(driver, *driver.last<command::Assign>()), ClassId{1});
}

TEST(Bound, OtherEndsBindNobody) {
  PoolDriver driver;
  three_classes(driver, "big", "big");
  driver.submit({.crashes_max = 5});
  driver.kill_worker(assigned(driver).worker);
  driver.pass(seconds(1));
  EXPECT_EQ(driver.records<record::Ended>().back().bound, kNoClass);
  driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
  EXPECT_EQ(driver.records<record::Ended>().back().bound, kNoClass);
}

TEST(Bound, ItWaitsForItsClassAndOthersPass) {
  PoolDriver driver;
  three_classes(driver, "big");
  const auto task = driver.submit({.crashes_max = 5});
  const auto first = assigned(driver);
  driver.turn(event::Pause{ClientId{1}, RequestId{90}, pause_of(ClassId{1}), true});
  die_for_memory(driver, first);
  EXPECT_EQ(driver.state(task), TaskState::Ready);
  EXPECT_NE(driver.pool().task(task)->holds & (1U << static_cast<unsigned>(Hold::Paused)), 0);
  const auto later = driver.submit();
  EXPECT_EQ(assigned(driver).key.task, later);
  EXPECT_EQ(driver.pool().tasks_before(task, 10), 0U);
  driver.turn(event::Pause{ClientId{1}, RequestId{91}, pause_of(ClassId{1}), false});
  EXPECT_EQ(driver.last<command::Assign>()->key.task, task);
  EXPECT_EQ(class_of(driver, *driver.last<command::Assign>()), ClassId{1});
}

TEST(Bound, AClassThatServesItsTypeNoMoreBindsNobody) {
  PoolDriver driver;
  three_classes(driver, "big");
  const auto task = driver.submit({.crashes_max = 5});
  const auto first = assigned(driver);
  driver.turn(event::Pause{ClientId{1}, RequestId{90}, pause_of(ClassId{1}), true});
  die_for_memory(driver, first);
  ASSERT_EQ(driver.state(task), TaskState::Ready);
  driver.declare_type(0, {0, 2});
  EXPECT_FALSE(driver.pool().task(task)->bound);
  EXPECT_EQ(class_of(driver, assigned(driver)), ClassId{0});
}

TEST(Bound, ANameThatNobodyHasBindsNobody) {
  PoolDriver driver;
  three_classes(driver, "vast");
  driver.submit({.crashes_max = 5});
  EXPECT_EQ(class_of(driver, die_for_memory(driver, assigned(driver))), ClassId{1})
      << "the next one that is free";
  EXPECT_EQ(driver.records<record::Ended>().back().bound, kNoClass);
}

TEST(Bound, ARoundBeginsAnew) {
  PoolDriver driver;
  three_classes(driver, "big");
  const auto task = driver.submit({.crashes_max = 2});
  const auto second = die_for_memory(driver, assigned(driver));
  driver.kill_worker(second.worker, ExitCause::OutOfMemory);
  driver.tick();
  driver.hello_all();
  ASSERT_EQ(driver.state(task), TaskState::Dead);
  driver.turn(event::RetryDead{ClientId{1}, RequestId{90}, task});
  EXPECT_EQ(class_of(driver, *driver.last<command::Assign>()), ClassId{0});
}

TEST(Bound, HoldsOverARestartOfTheDaemon) {
  PoolDriver before;
  three_classes(before, "huge");
  before.submit({.crashes_max = 5});
  before.kill_worker(assigned(before).worker, ExitCause::OutOfMemory);
  PoolDriver driver;
  for (const auto& persist : before.all<command::Persist>()) driver.pool().replay(persist.record);
  driver.pool().finish_replay(driver.now, driver.log);
  three_classes(driver, "huge");
  EXPECT_EQ(class_of(driver, *driver.last<command::Assign>()), ClassId{2});
}

TEST(Bound, AClassThatNamesItselfIsRefused) {
  for (const std::string name : {"retry_memory_class", "retry_timeout_class"}) {
    ClassOptions options = default_class_options();
    options.name = "small";
    options.command = {"true"};
    ASSERT_TRUE(set_option(options, name, "small"));
    const auto checked = check_options(options);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().text,
              "worker class 'small': " + name +
                  " names the class itself; name another one, with more memory or time, or leave "
                  "it out");
    ASSERT_TRUE(set_option(options, name, "big"));
    EXPECT_TRUE(check_options(options));
  }
}

}  // namespace
}  // namespace warmpool::test
