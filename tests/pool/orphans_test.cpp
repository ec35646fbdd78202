// Tasks that end with their clients, when the daemon dies before those do.
#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

constexpr Duration kGrace = seconds(30);

TaskSpec leaving(std::uint64_t key) {
  return {.cancel_on_disconnect = true, .key = IdempotencyKey{key, key, key}};
}

TaskSpec staying(std::uint64_t key) {
  TaskSpec spec = leaving(key);
  spec.cancel_on_disconnect = false;
  return spec;
}

// Lives of one daemon: each begins with all that the store kept of those before.
class Lives {
 public:
  Lives() { begin(); }

  void die() {
    for (const auto& persist : driver().all<command::Persist>()) kept_.push_back(persist.record);
    begin();
  }

  TaskId submit(const TaskSpec& spec, ClientId client = ClientId{9}) {
    driver().step(event::Submit{client, RequestId{++requests_}, spec});
    const TaskId task = driver().last<command::Accepted>()->task;
    driver().tick();
    return task;
  }
  void pass(Duration duration) { driver().pass(duration); }
  bool is_gone(TaskId task) { return !driver().pool().task(task); }
  PoolDriver& driver() { return *driver_; }

 private:
  void begin() {
    const Instant now = driver_ ? driver_->now : Instant{seconds(1000).ns};
    driver_ = std::make_unique<PoolDriver>();
    driver_->now = now;
    driver_->declare_class(0);
    driver_->declare_type(0);
    for (const auto& record : kept_) driver_->pool().replay(record);
    driver_->pool().finish_replay(now, driver_->log);
    driver_->keep_all();
    driver_->tick();
  }

  std::unique_ptr<PoolDriver> driver_;
  std::vector<Record> kept_;
  std::uint64_t requests_ = 0;
};

TEST(Orphans, AreCancelledAtTheEndOfTheGraceAndNotBefore) {
  Lives lives;
  const TaskId task = lives.submit(leaving(5));
  const TaskId without_key = lives.submit({.cancel_on_disconnect = true});
  const TaskId other = lives.submit(staying(6));
  lives.die();
  EXPECT_EQ(lives.driver().pool().next_deadline(), lives.driver().now + kGrace);
  lives.pass(kGrace - milliseconds(1));
  EXPECT_EQ(lives.driver().state(task), TaskState::Ready);
  lives.pass(milliseconds(2));
  EXPECT_TRUE(lives.is_gone(task));
  EXPECT_TRUE(lives.is_gone(without_key));
  EXPECT_EQ(lives.driver().state(other), TaskState::Ready);
  const auto announced = lives.driver().all<command::Announce>();
  ASSERT_EQ(announced.size(), 2U);
  EXPECT_EQ(announced[0].verdict, Verdict::Cancelled);
  EXPECT_EQ(announced[0].cause, EndCause::Dropped);
  EXPECT_EQ(lives.driver().notices(Notice::TaskCancelled), 2U);
}

TEST(Orphans, AreCancelledAlsoWhileTheyRun) {
  Lives lives;
  lives.submit(leaving(5));
  lives.die();
  lives.driver().turn(
      event::Scale{ClientId{1}, RequestId{90}, ClassId{0}, event::ScaleMode::To, 1});
  lives.driver().hello_all();
  lives.driver().tick();
  ASSERT_TRUE(lives.driver().last<command::Assign>());
  lives.pass(kGrace + milliseconds(1));
  ASSERT_TRUE(lives.driver().last<command::CancelAttempt>());
  EXPECT_EQ(lives.driver().last<command::CancelAttempt>()->cause, EndCause::Dropped);
}

TEST(Orphans, BelongToTheClientThatComesBackForThem) {
  Lives lives;
  const TaskId task = lives.submit(leaving(5));
  lives.die();
  lives.pass(kGrace - milliseconds(1));
  EXPECT_EQ(lives.submit(leaving(5), ClientId{2}), task);
  lives.pass(kGrace * 2);
  EXPECT_EQ(lives.driver().state(task), TaskState::Ready);
  lives.driver().turn(event::ClientGone{ClientId{2}});
  EXPECT_TRUE(lives.is_gone(task));
}

TEST(Orphans, TakenBackAreSafeForThisLifeAndTheNext) {
  Lives lives;
  const TaskId task = lives.submit(leaving(5));
  lives.die();
  lives.driver().auto_keep = false;
  lives.driver().step(event::Submit{ClientId{2}, RequestId{1}, staying(5)});
  EXPECT_EQ(lives.driver().records<record::Kept>().size(), 1U);
  EXPECT_FALSE(lives.driver().last<command::Accepted>()) << "not before its record";
  lives.driver().keep_all();
  EXPECT_EQ(lives.driver().last<command::Accepted>()->task, task);
  lives.driver().auto_keep = true;
  lives.driver().turn(event::ClientGone{ClientId{2}});
  lives.pass(kGrace * 2);
  EXPECT_EQ(lives.driver().state(task), TaskState::Ready);
  lives.die();
  lives.pass(kGrace * 2);
  EXPECT_EQ(lives.driver().state(task), TaskState::Ready);
}

TEST(Orphans, HaveTheirTimeAgainAfterEachDeath) {
  Lives lives;
  const TaskId task = lives.submit(leaving(5));
  lives.die();
  lives.pass(seconds(20));
  lives.die();
  lives.pass(seconds(20));
  EXPECT_EQ(lives.driver().state(task), TaskState::Ready);
  lives.pass(seconds(11));
  EXPECT_TRUE(lives.is_gone(task));
}

TEST(Orphans, HaveTheirTimeAgainAfterAStall) {
  Lives lives;
  const TaskId task = lives.submit(leaving(5));
  lives.die();
  lives.driver().now = lives.driver().now + minutes(2);
  lives.driver().tick();
  EXPECT_EQ(lives.driver().state(task), TaskState::Ready);
  lives.pass(kGrace + milliseconds(1));
  EXPECT_TRUE(lives.is_gone(task));
}

TEST(Orphans, AreLeftToTheNextLifeByAPoolThatStops) {
  Lives lives;
  const TaskId task = lives.submit(leaving(5));
  lives.die();
  lives.driver().turn(event::Stop{ClientId{1}, RequestId{90}, false});
  lives.pass(kGrace * 2);
  EXPECT_EQ(lives.driver().state(task), TaskState::Ready);
}

TEST(Orphans, FollowAGraceThatIsChanged) {
  Lives lives;
  const TaskId task = lives.submit(leaving(5));
  lives.die();
  Options options = default_options();
  options.reconnect_grace = seconds(1);
  lives.driver().turn(event::OptionsChanged{options});
  lives.pass(milliseconds(1001));
  EXPECT_TRUE(lives.is_gone(task));
}

TEST(Orphans, ARetriedDeadLetterIsNobodysAndStays) {
  PoolDriver driver;
  driver.ready_pool(1);
  TaskSpec spec = leaving(5);
  spec.retries = 0;
  const TaskId task = driver.submit(spec);
  driver.tick();
  driver.answer(*driver.last<command::Assign>(), Outcome::Failed);
  driver.turn(event::RetryDead{ClientId{3}, RequestId{90}, task});
  driver.turn(event::ClientGone{ClientId{1}});
  EXPECT_EQ(driver.state(task), TaskState::Running);
  driver.answer(*driver.last<command::Assign>());
  EXPECT_EQ(driver.last<command::Announce>()->verdict, Verdict::Done);
}

}  // namespace
}  // namespace warmpool::test
