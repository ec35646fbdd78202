// What shows that a worker is of use: a task that it has settled, in that life of it.
#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

// One worker, that answers what it is given and dies.
std::uint64_t useless_deaths(Outcome outcome) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.submit({.retries = 5});
  driver.tick();
  driver.answer(*driver.last<command::Assign>(), outcome, {}, hours(1));
  driver.tick();
  driver.kill_worker(driver.worker(0));
  driver.tick();
  return driver.pool().counters().unproductive_deaths;
}

TEST(OfUse, IsWhoHasSettledATask) {
  EXPECT_EQ(useless_deaths(Outcome::Done), 0U);
  EXPECT_EQ(useless_deaths(Outcome::FailedForGood), 0U);
}

TEST(OfUse, IsNobodyWhoseTasksFailAndAreTriedAgain) {
  EXPECT_EQ(useless_deaths(Outcome::Failed), 1U);
  EXPECT_EQ(useless_deaths(Outcome::RetryAfter), 1U);
}

// Those that fail what they are given and die are replaced later and later, as any that are of no
// use.
TEST(OfUse, WhoFailsATaskInEachLifeIsNotReplacedAtOnceForEver) {
  PoolDriver driver;
  driver.ready_pool(1);
  for (int life = 0; life < 2; ++life) {
    driver.submit({.retries = 5});
    driver.tick();
    driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
    driver.kill_worker(driver.worker(0));
    driver.tick();
    driver.hello_all();
    driver.tick();
  }
  EXPECT_EQ(driver.slot_state(0), SlotState::Backoff);
}

}  // namespace
}  // namespace warmpool::test
