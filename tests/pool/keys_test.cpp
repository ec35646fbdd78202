// Idempotency keys: the same key is the same task, as long as stated.
#include <gtest/gtest.h>

#include "pool/key_table.hpp"
#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

TaskSpec keyed(std::uint64_t key, std::uint64_t digest = 1) {
  return {.key = IdempotencyKey{key, key * 77, digest}};
}

TEST(Keys, TheSameKeyIsTheSameTask) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId first = driver.submit(keyed(5));
  const TaskId second = driver.submit(keyed(5));
  EXPECT_EQ(first, second);
  EXPECT_TRUE(driver.last<command::Accepted>()->duplicate);
  EXPECT_EQ(driver.pool().counters().accepted, 1U);
  EXPECT_EQ(driver.pool().counters().duplicates, 1U);
}

TEST(Keys, AnotherPayloadIsRefused) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.submit(keyed(5, 1));
  EXPECT_FALSE(driver.submit(keyed(5, 2)));
  EXPECT_EQ(driver.last<command::Refused>()->code, Refusal::KeyConflict);
}

TEST(Keys, ADuplicateIsAnsweredOnlyWhenTheFirstIsKept) {
  PoolDriver driver;
  driver.ready_pool(1);
  driver.auto_keep = false;
  driver.step(event::Submit{ClientId{1}, RequestId{1}, keyed(5)});
  driver.step(event::Submit{ClientId{2}, RequestId{1}, keyed(5)});
  EXPECT_TRUE(driver.all<command::Accepted>().empty());
  driver.keep_all();
  EXPECT_EQ(driver.all<command::Accepted>().size(), 2U);
}

TEST(Keys, AreRememberedForAWhileAfterDone) {
  Options options = default_options();
  options.keys_age_max = minutes(10);
  PoolDriver driver(options);
  driver.ready_pool(1);
  const TaskId first = driver.submit(keyed(5));
  driver.tick();
  driver.answer(*driver.last<command::Assign>());
  driver.pass(minutes(9));
  EXPECT_EQ(driver.submit(keyed(5)), first);
  driver.pass(minutes(2));
  EXPECT_NE(driver.submit(keyed(5)), first);
}

TEST(Keys, AreRememberedUpToTheirNumber) {
  Options options = default_options();
  options.keys_max = 2;
  PoolDriver driver(options);
  driver.ready_pool(1);
  std::vector<TaskId> tasks;
  for (std::uint64_t key = 1; key <= 3; ++key) {
    tasks.push_back(driver.submit(keyed(key)));
    driver.tick();
    driver.answer(*driver.last<command::Assign>());
    driver.tick();
  }
  EXPECT_NE(driver.submit(keyed(1)), tasks[0]);
  EXPECT_EQ(driver.submit(keyed(3)), tasks[2]);
}

TEST(Keys, OfCancelledTasksAreFree) {
  PoolDriver driver;
  driver.declare_class(0);
  driver.declare_type(0);
  const TaskId first = driver.submit(keyed(5));
  driver.turn(event::Cancel{ClientId{1}, RequestId{50}, first});
  EXPECT_NE(driver.submit(keyed(5)), first);
}

TEST(Keys, OfExpiredTasksAreFree) {
  PoolDriver driver;
  driver.declare_class(0);
  driver.declare_type(0);
  auto spec = keyed(5);
  spec.expiry = seconds(1);
  const TaskId first = driver.submit(spec);
  EXPECT_EQ(driver.submit(spec), first);
  driver.pass(seconds(2));
  EXPECT_NE(driver.submit(spec), first);
}

// Whatever has become of it meanwhile, as long as nobody cancelled it and it did not expire.
TEST(Keys, ASubmitAgainAfterALostAnswerIsOneTask) {
  PoolDriver driver;
  driver.ready_pool(1);
  const auto again = [&](std::uint64_t client) {
    driver.turn(event::Submit{ClientId{client}, RequestId{1}, keyed(5)});
    return driver.last<command::Accepted>()->task;
  };
  driver.auto_keep = false;
  driver.step(event::Submit{ClientId{1}, RequestId{1}, keyed(5)});
  driver.turn(event::ClientGone{ClientId{1}});  // before the answer
  driver.keep_all();
  driver.auto_keep = true;
  EXPECT_TRUE(driver.all<command::Accepted>().empty());
  const TaskId waiting = again(2);
  driver.tick();
  EXPECT_EQ(again(3), waiting) << "it runs";
  driver.answer(*driver.last<command::Assign>());
  EXPECT_EQ(again(4), waiting) << "it is done";
  EXPECT_EQ(driver.pool().counters().accepted, 1U);
}

TEST(Keys, OfDeadLettersStandForThem) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId dead = driver.submit(keyed(5));
  driver.tick();
  driver.answer(*driver.last<command::Assign>(), Outcome::FailedForGood);
  EXPECT_EQ(driver.submit(keyed(5)), dead);
  driver.turn(event::RemoveDead{ClientId{1}, RequestId{50}, dead});
  EXPECT_NE(driver.submit(keyed(5)), dead);
}

TEST(Keys, ANewOwnerKeepsTheTaskFromBeingDropped) {
  PoolDriver driver;
  driver.declare_class(0);
  driver.declare_type(0);
  TaskSpec spec = keyed(5);
  spec.cancel_on_disconnect = true;
  const TaskId task = driver.submit(spec);
  driver.step(event::Submit{ClientId{2}, RequestId{1}, spec});
  driver.turn(event::ClientGone{ClientId{1}});
  EXPECT_EQ(driver.state(task), TaskState::Ready);
  driver.turn(event::ClientGone{ClientId{2}});
  EXPECT_EQ(driver.last<command::Announce>()->verdict, Verdict::Cancelled);
}

TaskSpec reconnecting(std::uint64_t key) {
  TaskSpec spec = keyed(key);
  spec.key->use = KeyUse::Reconnect;
  return spec;
}

// Submits and finishes one.
TaskId done(PoolDriver& driver, const TaskSpec& spec) {
  const TaskId task = driver.submit(spec);
  driver.tick();
  driver.answer(*driver.last<command::Assign>());
  driver.tick();
  return task;
}

TEST(ReconnectKeys, OutliveTheirTaskForTheirOwnShortTime) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = done(driver, reconnecting(5));
  driver.pass(seconds(59));
  EXPECT_EQ(driver.submit(reconnecting(5)), task) << "whose acknowledgement was lost";
  EXPECT_EQ(driver.pool().counters().accepted, 1U);
  driver.pass(seconds(2));
  EXPECT_NE(driver.submit(reconnecting(5)), task);
}

TEST(ReconnectKeys, AreForgottenAsSoonAsTheClientHasAll) {
  PoolDriver driver;
  driver.ready_pool(1);
  const TaskId task = done(driver, reconnecting(5));
  const TaskId lasting = done(driver, keyed(6));
  driver.step(event::Received{task});
  driver.step(event::Received{lasting});
  driver.step(event::Received{TaskId{12345}});
  EXPECT_NE(driver.submit(reconnecting(5)), task);
  EXPECT_EQ(driver.submit(keyed(6)), lasting) << "a lasting key is a promise to the user";
}

TEST(ReconnectKeys, OfAWaitingTaskAreForgottenWhenItsAcceptanceArrived) {
  PoolDriver driver;
  driver.declare_class(0);
  driver.declare_type(0);
  const TaskId task = driver.submit(reconnecting(5));
  EXPECT_EQ(driver.submit(reconnecting(5)), task);
  driver.step(event::Received{task});
  EXPECT_NE(driver.submit(reconnecting(5)), task);
}

TEST(ReconnectKeys, StandForAnyVerdictButADrop) {
  PoolDriver driver;
  driver.declare_class(0);
  driver.declare_type(0);
  const TaskId cancelled = driver.submit(reconnecting(5));
  driver.turn(event::Cancel{ClientId{1}, RequestId{50}, cancelled});
  EXPECT_EQ(driver.submit(reconnecting(5)), cancelled);
  TaskSpec expiring = reconnecting(6);
  expiring.expiry = seconds(1);
  const TaskId expired = driver.submit(expiring);
  driver.pass(seconds(2));
  EXPECT_EQ(driver.submit(expiring), expired);
  TaskSpec dropping = reconnecting(7);
  dropping.cancel_on_disconnect = true;
  const TaskId dropped = driver.submit(dropping);
  driver.turn(event::ClientGone{ClientId{1}});
  EXPECT_NE(driver.submit(dropping), dropped) << "it comes back and wants it done";
}

TEST(ReconnectKeys, AFloodOfThemPushesOutNoLastingKey) {
  Options options = default_options();
  options.keys_max = 2;
  PoolDriver driver(options);
  driver.ready_pool(1);
  const TaskId lasting = done(driver, keyed(1));
  const TaskId first = done(driver, reconnecting(11));
  const TaskId second = done(driver, reconnecting(12));
  const TaskId third = done(driver, reconnecting(13));
  EXPECT_EQ(driver.submit(keyed(1)), lasting);
  EXPECT_EQ(driver.submit(reconnecting(12)), second);
  EXPECT_EQ(driver.submit(reconnecting(13)), third);
  EXPECT_NE(driver.submit(reconnecting(11)), first);
}

TEST(KeyTable, ForgetsFromTheMiddleAndKeepsTheOrderOfExpiry) {
  KeyTable keys;
  const KeyAges ages(default_options());  // 24 h and 60 s
  for (std::uint64_t n = 1; n <= 5; ++n) {
    const IdempotencyKey key{n, n, 0, KeyUse::Reconnect};
    keys.insert(key, TaskId{n});
    keys.remember(key, TaskId{n}, Instant{seconds(static_cast<std::int64_t>(n)).ns}, 100);
  }
  keys.received(TaskId{1});
  keys.received(TaskId{3});
  keys.received(TaskId{5});
  keys.received(TaskId{5});
  EXPECT_EQ(keys.next_expiry(ages), Instant{seconds(62).ns});
  keys.expire(Instant{seconds(62).ns}, ages);
  EXPECT_FALSE(keys.find({2, 2, 0}));
  EXPECT_EQ(keys.find({4, 4, 0})->task, TaskId{4});
  keys.renew(Instant{seconds(100).ns});
  EXPECT_EQ(keys.next_expiry(ages), Instant{seconds(160).ns});
  keys.expire(Instant{seconds(160).ns}, ages);
  EXPECT_EQ(keys.next_expiry(ages), kNever);
  EXPECT_EQ(keys.size(), 0U);
}

TEST(Keys, ChainsOfOneHashHoldTogether) {
  KeyTable keys;
  for (std::uint64_t high = 1; high <= 5; ++high) keys.insert({high, 9, 0}, TaskId{high});
  keys.erase({3, 9, 0}, TaskId{3});
  keys.erase({5, 9, 0}, TaskId{5});
  keys.erase({1, 9, 0}, TaskId{99});
  EXPECT_FALSE(keys.find({3, 9, 0}));
  EXPECT_FALSE(keys.find({5, 9, 0}));
  EXPECT_EQ(keys.find({1, 9, 0})->task, TaskId{1});
  EXPECT_EQ(keys.find({4, 9, 0})->task, TaskId{4});
}

}  // namespace
}  // namespace warmpool::test
