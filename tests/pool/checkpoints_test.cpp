// When the handler of a run is asked for a checkpoint, and which of them become records.
#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

constexpr Duration kEvery = seconds(60);  // built in

// One worker, that has the feature or not, with a task of an hour in its hand.
struct Saving : PoolDriver {
  explicit Saving(bool checkpoints = true, std::uint8_t credits = 1, std::uint64_t every_s = 60) {
    event::ClassDeclared declared{ClassId{0}, default_class_options()};
    declared.options.size = 1;
    declared.options.credits = credits;
    declared.options.checkpoint_every = seconds(static_cast<std::int64_t>(every_s));
    step(declared);
    declare_type(0);
    step(event::WorkerReady{worker(0), credits, true, checkpoints});
    tick();
    task = submit({.timeout = hours(1)});
    tick();
  }
  std::size_t asked() const { return all<command::AskCheckpoint>().size(); }
  std::vector<record::Checkpointed> kept() const { return records<record::Checkpointed>(); }
  AttemptKey key() const { return all<command::Assign>().back().key; }
  void send(const AttemptKey& of, std::uint32_t bytes = 10) {
    turn(event::AttemptCheckpointed{worker(0), of, bytes});
  }
  TaskId task;
};

TEST(Checkpoints, AreAskedForEverySoOftenWhileARunGoesOn) {
  Saving driver;
  driver.pass(kEvery - seconds(1));
  EXPECT_EQ(driver.asked(), 0U);
  driver.pass(seconds(2));
  ASSERT_EQ(driver.asked(), 1U);
  EXPECT_EQ(driver.last<command::AskCheckpoint>()->key, driver.key());
  driver.pass(kEvery);
  EXPECT_EQ(driver.asked(), 2U) << "also of one that does not answer";
}

TEST(Checkpoints, AreNotAskedOfAWorkerThatDoesNotKnowThem) {
  Saving driver(false);
  driver.pass(minutes(10));
  driver.turn(event::Stop{ClientId{}, {}, false});
  EXPECT_EQ(driver.asked(), 0U);
}

TEST(Checkpoints, AreNotAskedForWhereTheClassSaysNever) {
  Saving driver(true, 1, 0);
  driver.pass(minutes(10));
  EXPECT_EQ(driver.asked(), 0U);
  driver.turn(event::Stop{ClientId{}, {}, false});
  EXPECT_EQ(driver.asked(), 1U) << "before its end all the same";
}

TEST(Checkpoints, OfWhoSendsThemUnaskedNoneAreAskedFor) {
  Saving driver;
  for (int i = 0; i < 5; ++i) {
    driver.pass(seconds(40));
    driver.send(driver.key());
  }
  EXPECT_EQ(driver.asked(), 0U);
  EXPECT_EQ(driver.kept().size(), 5U);
  driver.pass(kEvery + seconds(1));
  EXPECT_EQ(driver.asked(), 1U);
}

TEST(Checkpoints, AreAskedForAtOnceWhenTheWorkerIsToBeReplaced) {
  Saving driver;
  driver.turn(event::Restart{ClientId{1}, RequestId{900}});
  EXPECT_EQ(driver.asked(), 0U) << "its successor is not ready yet";
  driver.hello_all();
  driver.tick();
  EXPECT_EQ(driver.asked(), 1U);
}

TEST(Checkpoints, AreAskedForBeforeTheCancelOfARunThatIsOverItsTime) {
  Saving driver(true, 1, 0);
  driver.pass(hours(1) + seconds(1));
  ASSERT_EQ(driver.asked(), 1U);
  const auto order = [&](auto is) { return std::ranges::find_if(driver.log, is); };
  const auto ask = order(
      [](const Command& each) { return std::holds_alternative<command::AskCheckpoint>(each); });
  const auto cancel = order(
      [](const Command& each) { return std::holds_alternative<command::CancelAttempt>(each); });
  EXPECT_LT(ask, cancel);
}

TEST(Checkpoints, OfACancelledRunNobodyNeedsOne) {
  Saving driver;
  driver.turn(event::Cancel{ClientId{1}, RequestId{900}, driver.task});
  EXPECT_EQ(driver.all<command::CancelAttempt>().size(), 1U);
  EXPECT_EQ(driver.asked(), 0U);
}

TEST(Checkpoints, AreNotAskedOfWhatHasNotBegun) {
  Saving driver(true, 2);
  driver.answer(driver.all<command::Assign>().back());
  driver.teach();
  const TaskId first = driver.submit({.timeout = hours(1)});
  driver.submit({.timeout = hours(1)});
  driver.tick();
  ASSERT_EQ(driver.hand(0).size(), 2U);
  driver.turn(event::Stop{ClientId{}, {}, false});
  ASSERT_EQ(driver.asked(), 1U);
  EXPECT_EQ(driver.last<command::AskCheckpoint>()->key.task, first);
}

TEST(Checkpoints, BecomeARecordThatNamesTheRun) {
  Saving driver;
  driver.send(driver.key(), 250);
  ASSERT_EQ(driver.kept().size(), 1U);
  EXPECT_EQ(driver.kept().front().task, driver.task);
  EXPECT_EQ(driver.kept().front().attempt, driver.key().attempt);
  EXPECT_EQ(driver.kept().front().bytes, 250U);
  EXPECT_EQ(driver.notices(Notice::TaskCheckpointed), 1U);
}

TEST(Checkpoints, OfARunThatIsNotCurrentAreRefused) {
  Saving driver;
  auto stale = driver.key();
  stale.token ^= 1;
  driver.send(stale);
  EXPECT_TRUE(driver.kept().empty());
  EXPECT_EQ(driver.notices(Notice::ResultRefused), 1U);
  const auto ended = driver.key();
  driver.answer(driver.all<command::Assign>().back());
  driver.send(ended);
  EXPECT_TRUE(driver.kept().empty());
  EXPECT_EQ(driver.notices(Notice::ResultRefused), 2U);
}

TEST(Checkpoints, ArePutOffWhileTheDiskTakesNothing) {
  Saving driver;
  driver.step(event::StoreState{false});
  driver.send(driver.key());
  EXPECT_TRUE(driver.kept().empty());
  driver.step(event::StoreState{true});
  driver.send(driver.key());
  EXPECT_EQ(driver.kept().size(), 1U);
}

}  // namespace
}  // namespace warmpool::test
