// Memory of workers: over the soft limit they are replaced while they work, over the hard one
// killed, and what ended for want of memory or time is given more.
#include "pool/memory.hpp"

#include <functional>

#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// A ready pool with a soft limit of 100 MiB and these options besides.
void limited_class(
    PoolDriver& driver, std::uint64_t size,
    const std::function<void(ClassOptions&)>& set = [](ClassOptions&) {}) {
  ready_class(driver, size, [&](ClassOptions& options) {
    options.memory_soft = 100 * kMiB;
    set(options);
  });
}

void sample(PoolDriver& driver, WorkerId worker, std::uint64_t mib) {
  driver.turn(event::WorkerSampled{worker, mib * kMiB});
}

command::Assign begin_one(PoolDriver& driver) {
  driver.submit();
  driver.tick();
  return *driver.last<command::Assign>();
}

// It has run a task, after which it has so much.
void settle_in(PoolDriver& driver, WorkerId worker, std::uint64_t mib) {
  driver.answer(begin_one(driver));
  sample(driver, worker, mib);
}

std::size_t kills(const PoolDriver& driver) {
  const auto ends = driver.all<command::EndWorker>();
  return static_cast<std::size_t>(std::ranges::count_if(ends, [](const command::EndWorker& end) {
    return end.force == command::Force::Kill && end.cause == ExitCause::Memory;
  }));
}

TEST(Memory, OneOverTheSoftLimitIsReplacedWhileItWorks) {
  PoolDriver driver;
  limited_class(driver, 1);
  const auto worker = driver.worker(0);
  settle_in(driver, worker, 30);
  const auto running = begin_one(driver);
  sample(driver, worker, 100);
  EXPECT_EQ(driver.all<command::Spawn>().size(), 1U) << "as much as the limit is not over it";
  sample(driver, worker, 101);
  EXPECT_EQ(driver.all<command::Spawn>().size(), 2U);
  EXPECT_EQ(driver.pool().slot(SlotId{0})->due, DueReason::Memory);
  driver.hello_all();
  EXPECT_EQ(driver.slot_state(0), SlotState::Draining) << "its task goes on";
  driver.answer(running);
  EXPECT_EQ(driver.last<command::Retire>()->worker, worker);
  EXPECT_EQ(kills(driver), 0U);
  EXPECT_EQ(driver.pool().counters().recycles, 1U);
}

TEST(Memory, OneThatRanNoTaskYetIsNotReplaced) {
  PoolDriver driver;
  limited_class(driver, 1);
  sample(driver, driver.worker(0), 150);
  EXPECT_EQ(driver.all<command::Spawn>().size(), 1U);
}

TEST(Memory, AProgramThatNeedsMoreThanTheSoftLimitIsToldAndNotReplacedForEver) {
  PoolDriver driver;
  limited_class(driver, 2);
  settle_in(driver, driver.worker(0), 150);
  settle_in(driver, driver.worker(1), 160);
  EXPECT_EQ(driver.all<command::Spawn>().size(), 2U);
  EXPECT_EQ(driver.notices(Notice::WorkerOversized), 1U) << "once for its class";
  EXPECT_EQ(driver.last<command::Spawn>()->slot, SlotId{1});
  sample(driver, driver.worker(0), 176);
  EXPECT_EQ(driver.pool().slot(SlotId{0})->due, DueReason::Memory)
      << "half way to the hard limit it is";
}

TEST(Memory, GrowthCountsFromWhatItHadAfterItsFirstTask) {
  PoolDriver driver;
  limited_class(driver, 1, [](ClassOptions& options) { options.memory_growth = 20 * kMiB; });
  sample(driver, driver.worker(0), 10);
  settle_in(driver, driver.worker(0), 60);
  EXPECT_EQ(driver.pool().slot(SlotId{0})->memory_base, 60 * kMiB);
  sample(driver, driver.worker(0), 80);
  EXPECT_EQ(driver.pool().slot(SlotId{0})->due, DueReason::None);
  sample(driver, driver.worker(0), 81);
  EXPECT_EQ(driver.pool().slot(SlotId{0})->due, DueReason::Memory);
}

TEST(Memory, OneOverTheHardLimitIsKilledAndWhatItRanAloneIsCharged) {
  PoolDriver driver;
  limited_class(driver, 1);
  const auto running = begin_one(driver);
  sample(driver, running.worker, 200);
  EXPECT_EQ(kills(driver), 0U) << "twice the soft limit is allowed";
  sample(driver, running.worker, 201);
  EXPECT_EQ(kills(driver), 1U);
  sample(driver, running.worker, 900);
  EXPECT_EQ(kills(driver), 1U);
  driver.kill_worker(running.worker);
  const auto ended = driver.records<record::Ended>().back();
  EXPECT_EQ(ended.cause, EndCause::Memory);
  EXPECT_EQ(ended.charge, Charge::Crash);
  EXPECT_EQ(ended.used, (record::Used{0, 1, 0, 1, 0}));
}

TEST(Memory, OneThatIsIdleOrStartingIsKilledTooAndNobodyIsCharged) {
  PoolDriver driver;
  limited_class(driver, 1);
  settle_in(driver, driver.worker(0), 50);
  const auto worker = driver.worker(0);
  sample(driver, worker, 201);
  EXPECT_EQ(kills(driver), 1U);
  driver.kill_worker(worker);
  EXPECT_EQ(driver.pool().counters().crashes, 0U);
  driver.tick();
  ASSERT_EQ(driver.slot_state(0), SlotState::Starting);
  sample(driver, driver.worker(0), 201);
  EXPECT_EQ(kills(driver), 2U);
}

TEST(Memory, OfSeveralInHandEachIsASuspect) {
  PoolDriver driver;
  limited_class(driver, 1,
                [](ClassOptions& options) { options.credits = options.concurrency = 2; });
  for (const auto& slot : driver.pool().snapshot().slots) ASSERT_EQ(slot.state, SlotState::Ready);
  driver.submit();
  driver.submit();
  driver.tick();
  const auto worker = driver.worker(0);
  const auto several = driver.hand(0).size();
  sample(driver, worker, 300);
  EXPECT_EQ(kills(driver), 1U);
  driver.kill_worker(worker);
  ASSERT_EQ(several, 2U);
  EXPECT_EQ(driver.pool().counters().crashes, 0U);
  EXPECT_EQ(driver.pool().counters().suspects, 2U);
}

TEST(Memory, ALimitThatIsLoweredIsJudgedAtOnce) {
  PoolDriver driver;
  limited_class(driver, 1);
  settle_in(driver, driver.worker(0), 90);
  ClassOptions options = default_class_options();
  options.name = "class-0";
  options.size = 1;
  options.size_min = 0;
  options.memory_soft = 40 * kMiB;
  driver.turn(event::ClassDeclared{ClassId{0}, options});
  EXPECT_EQ(kills(driver), 1U) << "90 is over twice 40";
}

TEST(Memory, ATaskThatEndedForMemoryMayHaveMoreAndItsWorkerOnlyWithIt) {
  PoolDriver driver;
  limited_class(driver, 1, [](ClassOptions& options) {
    options.retry_memory_factor = 3;
    options.retry_memory_max = 500 * kMiB;
  });
  const auto first = begin_one(driver);
  EXPECT_EQ(first.memory_max, 200 * kMiB);
  sample(driver, first.worker, 201);
  driver.kill_worker(first.worker);
  driver.hello_all();
  driver.pass(seconds(5));
  const auto second = *driver.last<command::Assign>();
  ASSERT_NE(second.worker, first.worker);
  EXPECT_EQ(second.memory_max, 500 * kMiB) << "three times as much, but no more than that";
  sample(driver, second.worker, 499);
  EXPECT_EQ(kills(driver), 1U);
  driver.answer(second);
  EXPECT_EQ(kills(driver), 2U) << "what comes next is not charged for what it left behind";
  EXPECT_EQ(driver.pool().counters().crashes, 1U);
}

TEST(Memory, ATaskThatWasOverTimeMayHaveMore) {
  PoolDriver driver;
  limited_class(driver, 1, [](ClassOptions& options) { options.retry_timeout_factor = 2; });
  driver.submit({.timeout = seconds(1)});
  driver.tick();
  const auto first = *driver.last<command::Assign>();
  EXPECT_EQ(first.timeout, seconds(1));
  driver.pass(seconds(1));
  driver.answer(first, Outcome::Failed);
  driver.pass(seconds(3));
  EXPECT_EQ(driver.last<command::Assign>()->timeout, seconds(2));
  EXPECT_EQ(driver.records<record::Ended>().back().used.timeouts, 1);
}

TEST(Memory, LimitsAreDerivedOfTheOptions) {
  ClassOptions options = default_class_options();
  EXPECT_EQ(memory_max_of(options, 0), 1024 * kMiB);
  EXPECT_EQ(memory_due_of(options, 0), 512 * kMiB);
  EXPECT_EQ(memory_max_of(options, 7), 1024 * kMiB) << "a factor of 1 raises nothing";
  options.memory_soft = 0;
  EXPECT_EQ(memory_max_of(options, 0), kUnlimited);
  EXPECT_EQ(memory_due_of(options, 900 * kMiB), kUnlimited);
  options.memory_hard = 64 * kMiB;
  options.retry_memory_factor = 100;
  EXPECT_EQ(memory_max_of(options, 1), 6400 * kMiB);
  EXPECT_EQ(memory_max_of(options, 255), kUnlimited) << "it ends at the largest number";
  options.retry_memory_max = 16 * kMiB;
  EXPECT_EQ(memory_max_of(options, 255), 64 * kMiB) << "never less than without";
  options.retry_timeout_factor = 10;
  EXPECT_EQ(timeout_of(options, seconds(3), 2), seconds(300));
  EXPECT_EQ(timeout_of(options, seconds(3), 255), kDurationMax);
  options.memory_hard = kUnlimited;
  EXPECT_EQ(memory_max_of(options, 3), kUnlimited);
}

TEST(Memory, AHardLimitBelowTheSoftOneIsRefused) {
  ClassOptions options = default_class_options();
  options.name = "small";
  options.command = {"true"};
  ASSERT_TRUE(set_option(options, "memory_hard", "256MiB"));
  const auto checked = check_options(options);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().text,
            "worker class 'small': memory_hard (256MiB) must be at least memory_soft (512MiB); "
            "lower memory_soft, or set it to 0");
  ASSERT_TRUE(set_option(options, "memory_soft", "0"));
  EXPECT_TRUE(check_options(options));
  ASSERT_TRUE(set_option(options, "memory_hard", "0"));
  EXPECT_EQ(memory_max_of(options, 0), kUnlimited);
}

}  // namespace
}  // namespace warmpool::test
