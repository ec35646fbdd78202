// Workers that died: how each is replaced, and the breaker over the recovery of a class.
#include <algorithm>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

class RecoveryTest : public testing::Test {
 protected:
  void begin(
      std::uint64_t size, const std::function<void(ClassOptions&)>& set = [](ClassOptions&) {}) {
    options = default_class_options();
    options.name = "class-0";
    options.size = size;
    options.size_min = 0;
    options.size_max = 1000;
    options.recovery = "*: restart";
    set(options);
    driver.turn(event::ClassDeclared{ClassId{0}, options});
    driver.declare_type(0);
  }
  void reload() { driver.turn(event::ClassDeclared{ClassId{0}, options}); }
  // All that are starting die before they say hello.
  void die_starting() {
    for (const auto& slot : driver.pool().snapshot().slots) {
      if (slot.state == SlotState::Starting) driver.kill_worker(slot.worker, ExitCause::Exited, 1);
    }
    driver.tick();
  }
  void be_of_use(WorkerId worker) {
    driver.submit();
    driver.tick();
    ASSERT_EQ(driver.last<command::Assign>()->worker, worker);
    driver.answer(*driver.last<command::Assign>());
    driver.tick();
  }
  void all_are_of_use() {
    driver.log.clear();
    for (std::uint16_t count = driver.pool().overview().classes[0].ready; count > 0; --count) {
      driver.submit();
    }
    driver.tick();
    for (const auto& assign : driver.all<command::Assign>()) driver.answer(assign);
    driver.tick();
  }
  std::size_t starting() {
    const auto slots = driver.pool().snapshot().slots;
    return static_cast<std::size_t>(
        std::ranges::count(slots, SlotState::Starting, &SlotView::state));
  }
  RecoveryView gate() { return driver.pool().overview().classes[0].recovery; }
  command::Recovery last_start() { return driver.last<command::Spawn>()->recovery; }
  std::size_t starts() { return driver.all<command::Spawn>().size(); }
  Notification last_notice(Notice notice) {
    Notification found{};
    for (const auto& told : driver.all<command::Notify>()) {
      if (told.notification.notice == notice) found = told.notification;
    }
    return found;
  }

  PoolDriver driver;
  ClassOptions options;
};

TEST_F(RecoveryTest, AReplacementIsToldWhatIsKnownOfTheDeath) {
  begin(1, [](ClassOptions& its) { its.recovery = "memory: custom, * x2: reset, *: restart"; });
  EXPECT_EQ(last_start().attempt, 0U) << "it replaces nobody";
  driver.kill_worker(driver.worker(0), ExitCause::Signalled, -11);
  auto how = last_start();
  EXPECT_EQ(how.strategy, RecoveryStrategy::Restart);
  EXPECT_EQ(how.cause, ExitCause::Signalled);
  EXPECT_EQ(how.code, -11);
  EXPECT_EQ(how.deaths, 1U);
  EXPECT_EQ(how.attempt, 1U);
  driver.kill_worker(driver.worker(0), ExitCause::Exited, 3);
  driver.pass(seconds(6));
  how = last_start();
  EXPECT_EQ(how.strategy, RecoveryStrategy::Reset);
  EXPECT_EQ(how.code, 3);
  EXPECT_EQ(how.attempt, 2U);
  EXPECT_EQ(last_notice(Notice::RecoveryAttempted).strategy, RecoveryStrategy::Reset);
  driver.hello_all();
  EXPECT_EQ(last_notice(Notice::RecoverySucceeded).strategy, RecoveryStrategy::Reset);
}

TEST_F(RecoveryTest, ADeathAfterUseIsTheFirstTryAgain) {
  begin(1);
  driver.kill_worker(driver.worker(0));
  driver.hello_all();
  driver.tick();
  be_of_use(driver.worker(0));
  driver.kill_worker(driver.worker(0));
  EXPECT_EQ(last_start().attempt, 1U);
  EXPECT_EQ(last_start().deaths, 0U);
  EXPECT_EQ(last_notice(Notice::RecoveryAttempted).count, 1U) << "never a try number 0";
}

TEST_F(RecoveryTest, ARecreatedPlaceHasANewNumberAndForgetsAllButItsDeaths) {
  begin(2, [](ClassOptions& its) { its.recovery = "* x2: recreate"; });
  driver.hello_all();
  driver.tick();
  be_of_use(driver.worker(0));
  driver.kill_worker(driver.worker(0));
  EXPECT_EQ(driver.last<command::Spawn>()->home, SlotId{0});
  die_starting();
  die_starting();
  ASSERT_EQ(driver.slot_state(0), SlotState::Backoff);
  driver.pass(seconds(6));
  EXPECT_EQ(driver.slot_state(0), SlotState::Gone);
  const auto spawn = *driver.last<command::Spawn>();
  EXPECT_EQ(spawn.home, SlotId{2});
  EXPECT_EQ(spawn.recovery.former, SlotId{0});
  const auto slot = *driver.pool().slot(spawn.slot);
  EXPECT_EQ(slot.spawns, 1U);
  EXPECT_EQ(slot.attempts, 0U);
  EXPECT_EQ(slot.unproductive_deaths, 2U) << "or it would be tried without a pause";
  EXPECT_EQ(slot.former, SlotId{0});
  EXPECT_EQ(last_notice(Notice::RecoveryAttempted).former, SlotId{0});
  EXPECT_EQ(last_notice(Notice::RecoveryAttempted).slot, SlotId{2});
  EXPECT_EQ(driver.pool().overview().classes[0].slots, 2U);
  driver.hello_all();
  driver.turn(event::Scale{ClientId{1}, RequestId{70}, ClassId{0}, event::ScaleMode::Up, 1});
  EXPECT_EQ(driver.last<command::Spawn>()->home, SlotId{0}) << "the number is free for others";
}

TEST_F(RecoveryTest, NumbersOfRecreatedPlacesComeRoundAgain) {
  begin(1, [](ClassOptions& its) { its.recovery = "*: recreate"; });
  std::set<SlotId> homes;
  SlotId before{0xffff};
  for (int times = 0; times < 500; ++times) {
    driver.hello_all();
    driver.tick();
    const auto slots = driver.pool().snapshot().slots;
    const auto slot = std::ranges::find(slots, SlotState::Ready, &SlotView::state);
    ASSERT_NE(slot, slots.end());
    EXPECT_NE(slot->home, before);
    before = slot->home;
    homes.insert(slot->home);
    be_of_use(slot->worker);
    driver.kill_worker(slot->worker);
    driver.tick();
  }
  EXPECT_GT(homes.size(), 60U);
  EXPECT_LT(homes.size(), 80U);
}

// Its number and its directory are those of another one that works.
TEST_F(RecoveryTest, APendingSuccessorIsNeverRecreatedOrReset) {
  begin(1, [](ClassOptions& its) { its.recovery = "* x2: reset, *: recreate"; });
  driver.hello_all();
  driver.tick();
  driver.turn(event::Restart{ClientId{1}, RequestId{71}});
  const auto successor = *driver.last<command::Spawn>();
  driver.kill_worker(successor.worker, ExitCause::Exited, 1);
  EXPECT_EQ(last_start().strategy, RecoveryStrategy::Restart);
  EXPECT_EQ(driver.last<command::Spawn>()->home, SlotId{0});
  EXPECT_EQ(driver.last<command::Spawn>()->slot, successor.slot);
}

TEST_F(RecoveryTest, ACommandThatFailedIsADeathOfItsOwnCause) {
  begin(1, [](ClassOptions& its) {
    its.recovery = "recovery-failed x3: recreate, *: custom";
    its.recovery_timeout = seconds(20);
  });
  driver.kill_worker(driver.worker(0), ExitCause::Exited, 1);
  EXPECT_EQ(last_start().strategy, RecoveryStrategy::Custom);
  driver.turn(event::WorkerPrepares{driver.worker(0), false});
  driver.pass(minutes(20));
  EXPECT_EQ(driver.slot_state(0), SlotState::Starting) << "start_timeout begins after the command";
  driver.turn(event::WorkerPrepares{driver.worker(0), true});
  driver.pass(seconds(59));
  EXPECT_EQ(driver.slot_state(0), SlotState::Starting);
  driver.pass(seconds(2));
  EXPECT_EQ(driver.slot_state(0), SlotState::Recovery) << "and ends";
  driver.kill_worker(driver.worker(0));
  driver.pass(seconds(6));
  driver.kill_worker(driver.worker(0), ExitCause::RecoveryFailed, 4);
  EXPECT_EQ(driver.pool().slot(SlotId{0})->last_cause, ExitCause::RecoveryFailed);
  EXPECT_EQ(driver.pool().slot(SlotId{0})->unproductive_deaths, 3U);
  driver.pass(seconds(11));
  EXPECT_EQ(last_start().strategy, RecoveryStrategy::Recreate);
  EXPECT_EQ(last_start().code, 4);
}

TEST_F(RecoveryTest, WithoutAutomaticRestartAPersonStartsThePlace) {
  begin(2, [](ClassOptions& its) { its.automatic_restart = false; });
  driver.hello_all();
  driver.kill_worker(driver.worker(0));
  driver.pass(hours(3));
  EXPECT_EQ(driver.slot_state(0), SlotState::Failed);
  EXPECT_EQ(driver.slot_state(1), SlotState::Ready);
  EXPECT_EQ(driver.notices(Notice::RecoveryGivenUp), 1U);
  driver.turn(event::Restart{ClientId{1}, RequestId{72}, {}, SlotId{0}});
  EXPECT_EQ(driver.slot_state(0), SlotState::Starting);
  driver.kill_worker(driver.worker(0));
  options.automatic_restart = true;
  reload();
  EXPECT_EQ(driver.slot_state(0), SlotState::Starting) << "a reload does, too";
  driver.kill_worker(driver.worker(0));
  ASSERT_NE(driver.slot_state(0), SlotState::Starting);
  options.automatic_restart = false;
  reload();
  driver.pass(hours(2));
  EXPECT_NE(driver.slot_state(0), SlotState::Starting) << "also of one that waited already";
}

TEST_F(RecoveryTest, AnAttemptThatCouldNotBePreparedDoesNotProveItsWorker) {
  begin(1, [](ClassOptions& its) { its.health_replace_after = {}; });
  die_starting();
  driver.hello_all();
  ASSERT_EQ(driver.pool().slot(SlotId{0})->unproductive_deaths, 1U);
  driver.submit();
  driver.tick();
  const auto given = *driver.last<command::Assign>();
  event::AttemptAnswered failed{given.worker, given.key, Outcome::Failed};
  failed.ungiven = true;
  driver.turn(failed);
  EXPECT_EQ(driver.pool().slot(SlotId{0})->unproductive_deaths, 1U);
  driver.kill_worker(driver.worker(0));
  EXPECT_EQ(driver.pool().slot(SlotId{0})->unproductive_deaths, 2U);
}

// --- the breaker ---------------------------------------------------------------------------------

TEST_F(RecoveryTest, ABreakerOpensWhenReplacementsKeepDying) {
  begin(20);
  die_starting();
  EXPECT_EQ(gate().state, RecoveryState::Closed) << "that all die once is a mass kill";
  EXPECT_EQ(starting(), 20U);
  die_starting();
  EXPECT_EQ(gate().state, RecoveryState::Open);
  EXPECT_EQ(gate().why, RecoveryWhy::Deaths);
  EXPECT_EQ(gate().waiting, 20U);
  EXPECT_EQ(driver.notices(Notice::RecoveryOpened), 1U);
  EXPECT_EQ(last_notice(Notice::RecoveryOpened).count, 10U);
  driver.pass(seconds(3));
  EXPECT_EQ(starting(), 0U);
  driver.pass(seconds(3));
  EXPECT_EQ(gate().state, RecoveryState::HalfOpen);
  EXPECT_EQ(starting(), 1U) << "one tries";
  driver.pass(seconds(30));
  EXPECT_EQ(starting(), 1U) << "the others do not, though their own waits are over";
  const auto slots = driver.pool().snapshot().slots;
  EXPECT_TRUE(std::ranges::any_of(slots, &SlotView::held_back));
}

TEST_F(RecoveryTest, AProbeThatDiesOpensItForTwiceAsLong) {
  begin(20);
  die_starting();
  die_starting();
  Duration last{};
  for (const int most : {5, 10, 20, 40, 60, 60}) {
    const Duration open = gate().until - gate().since;
    EXPECT_LE(open, seconds(most));
    EXPECT_GT(open, seconds(most) / 4 * 3 - milliseconds(1));
    driver.pass(gate().until - driver.now);
    ASSERT_EQ(starting(), 1U);
    die_starting();
    ASSERT_EQ(gate().state, RecoveryState::Open);
    EXPECT_EQ(gate().why, RecoveryWhy::Probe);
    last = open;
  }
  EXPECT_LE(last, seconds(60));
}

TEST_F(RecoveryTest, AStormOfAClassIsBounded) {
  begin(20);
  std::map<SlotId, int> of_slot;
  for (int second = 0; second < 600; ++second) {
    die_starting();
    driver.pass(seconds(1));
  }
  EXPECT_LE(starts(), 20U + 20U + 20U) << "first starts, first replacements, and a probe a minute";
  for (const auto& spawn : driver.all<command::Spawn>()) ++of_slot[spawn.slot];
  for (const auto& [slot, times] : of_slot) EXPECT_LE(times, 20) << slot.value;
}

TEST_F(RecoveryTest, AProbeOfUseLetsAllOthersStart) {
  begin(20);
  for (int times = 0; times < 6; ++times) die_starting();
  driver.pass(gate().until - driver.now);
  ASSERT_EQ(starting(), 1U);
  driver.hello_all();
  driver.tick();
  EXPECT_EQ(gate().state, RecoveryState::HalfOpen) << "its hello alone proves nothing";
  be_of_use(driver.last<command::Spawn>()->worker);
  EXPECT_EQ(gate().state, RecoveryState::Closed);
  EXPECT_EQ(gate().why, RecoveryWhy::Recovered);
  EXPECT_LT(starting(), 19U) << "not all in one moment";
  driver.pass(seconds(1));
  EXPECT_EQ(starting(), 19U) << "whatever each of them had waited for";
  EXPECT_EQ(driver.notices(Notice::RecoveryClosed), 1U);
}

TEST_F(RecoveryTest, AProbeThatLivesWithoutATaskIsProofToo) {
  begin(20);
  die_starting();
  die_starting();
  driver.pass(gate().until - driver.now);
  driver.hello_all();
  driver.pass(seconds(4));
  EXPECT_EQ(gate().state, RecoveryState::HalfOpen);
  driver.pass(seconds(2));
  EXPECT_EQ(gate().state, RecoveryState::Closed);
}

// What it runs may take hours, and the class would have one worker meanwhile.
TEST_F(RecoveryTest, AProbeThatRunsATaskIsProofAfterACooldown) {
  begin(20);
  die_starting();
  die_starting();
  driver.pass(gate().until - driver.now);
  driver.hello_all();
  driver.submit();
  driver.tick();
  const auto assign = *driver.last<command::Assign>();
  driver.pass(seconds(4));
  EXPECT_EQ(gate().state, RecoveryState::HalfOpen);
  driver.pass(seconds(2));
  EXPECT_EQ(gate().state, RecoveryState::Closed);
  EXPECT_EQ(driver.state(assign.key.task), TaskState::Running);
}

TEST_F(RecoveryTest, APlaceThatWaitedWhenRestartsWereSwitchedOffIsToldOf) {
  begin(1);
  die_starting();
  die_starting();
  ASSERT_EQ(driver.slot_state(0), SlotState::Backoff);
  ASSERT_EQ(driver.notices(Notice::RecoveryGivenUp), 0U);
  options.automatic_restart = false;
  reload();
  const auto before = starts();
  driver.pass(minutes(5));
  EXPECT_EQ(starts(), before);
  EXPECT_EQ(driver.notices(Notice::RecoveryGivenUp), 1U);
  driver.turn(event::Restart{ClientId{1}, RequestId{71}, {}, SlotId{0}});
  EXPECT_EQ(starts(), before + 1);
}

TEST_F(RecoveryTest, WhatPreparesForEverIsGivenUp) {
  begin(1);
  driver.turn(event::WorkerPrepares{driver.worker(0), false});
  const Duration most = hours(1) + options.recovery_timeout + options.directory_timeout * 2;
  driver.pass(most);
  EXPECT_EQ(driver.slot_state(0), SlotState::Starting);
  driver.pass(minutes(3));
  EXPECT_EQ(driver.slot_state(0), SlotState::Recovery);
}

TEST_F(RecoveryTest, AProbeThatCannotBeKilledIsNotWaitedForForEver) {
  begin(20);
  die_starting();
  die_starting();
  driver.pass(gate().until - driver.now);
  const auto probe = driver.last<command::Spawn>()->worker;
  driver.pass(default_options().start_timeout + default_options().term_grace +
              default_options().unkillable_after + seconds(2));
  EXPECT_EQ(gate().state, RecoveryState::Open);
  driver.pass(seconds(60));
  EXPECT_EQ(starting(), 1U) << "another one tries";
  EXPECT_NE(driver.last<command::Spawn>()->worker, probe);
}

// A class that a person restarts, whose program cannot start any more: one place died before.
TEST_F(RecoveryTest, ABreakerThatSuccessorsOpenStartsNoPlaceThatWaitsForAPerson) {
  begin(3, [](ClassOptions& its) {
    its.automatic_restart = false;
    its.recovery_deaths = 2;
    its.recycle_share = 100;
  });
  driver.hello_all();
  driver.kill_worker(driver.worker(0));
  driver.tick();
  ASSERT_EQ(driver.slot_state(0), SlotState::Failed);
  for (std::uint16_t slot = 1; slot < 3; ++slot) {
    driver.turn(event::Restart{ClientId{1}, RequestId{slot}, {}, SlotId{slot}});
  }
  for (int times = 0; times < 20 && gate().state != RecoveryState::Open; ++times) {
    die_starting();
    driver.pass(seconds(6));
  }
  ASSERT_EQ(gate().state, RecoveryState::Open);
  driver.pass(gate().until - driver.now);
  ASSERT_EQ(starting(), 1U) << "one tries";
  EXPECT_EQ(driver.slot_state(0), SlotState::Failed) << "and not the place that waits";
  for (int second = 0; second < 300; ++second) {
    driver.hello_all();
    driver.pass(seconds(1));
  }
  EXPECT_EQ(gate().state, RecoveryState::Closed);
  EXPECT_EQ(driver.pool().overview().counters.recycles, 2U) << "the other successor came, too";
  EXPECT_EQ(driver.slot_state(0), SlotState::Failed);
}

TEST_F(RecoveryTest, OneThatCannotBeKilledHasASubstituteBesideItAndNoMoreThanOne) {
  begin(1);
  driver.hello_all();
  driver.tick();
  be_of_use(driver.worker(0));
  const auto get_stuck = [&](WorkerId worker) {
    driver.turn(event::WorkerBroken{worker, ExitCause::Protocol});
    driver.pass(default_options().unkillable_after + seconds(1));
  };
  const WorkerId stuck = driver.worker(0);
  driver.submit();
  driver.tick();
  get_stuck(stuck);
  const WorkerId second = driver.last<command::Spawn>()->worker;
  ASSERT_NE(second, stuck) << "its place is filled";
  EXPECT_EQ(driver.last<command::Spawn>()->home, SlotId{0});
  driver.hello_all();
  driver.tick();
  ASSERT_EQ(driver.last<command::Assign>()->worker, second);
  driver.answer(*driver.last<command::Assign>());
  const auto count = starts();
  get_stuck(second);
  EXPECT_EQ(starts(), count) << "two hang, a third would as well";
  driver.kill_worker(stuck);
  EXPECT_EQ(starts(), count + 1) << "one of the two has gone";
  driver.kill_worker(second);
  EXPECT_EQ(driver.pool().overview().classes[0].slots, 1U);
  EXPECT_EQ(starts(), count + 1);
}

TEST_F(RecoveryTest, ASuccessorThatDiesIsTriedAgainWhateverAutomaticRestartSays) {
  begin(2, [](ClassOptions& its) { its.automatic_restart = false; });
  driver.hello_all();
  driver.tick();
  driver.turn(event::Restart{ClientId{1}, RequestId{71}, {}, SlotId{0}});
  const auto successor = *driver.last<command::Spawn>();
  ASSERT_NE(successor.slot, SlotId{0});
  driver.kill_worker(successor.worker, ExitCause::Exited, 1);
  driver.tick();
  EXPECT_EQ(driver.last<command::Spawn>()->slot, successor.slot);
  EXPECT_NE(driver.last<command::Spawn>()->worker, successor.worker);
}

TEST_F(RecoveryTest, APlaceThatWasOfUseIsTheFirstToTry) {
  begin(20);
  driver.hello_all();
  driver.tick();
  be_of_use(driver.worker(0));
  for (std::uint16_t slot = 1; slot < 20; ++slot) driver.kill_worker(driver.worker(slot));
  die_starting();
  ASSERT_EQ(gate().state, RecoveryState::Open);
  driver.kill_worker(driver.worker(0));
  EXPECT_EQ(driver.slot_state(0), SlotState::Backoff) << "not even it starts now";
  driver.pass(gate().until - driver.now);
  EXPECT_EQ(driver.slot_state(0), SlotState::Starting);
  EXPECT_EQ(starting(), 1U);
}

TEST_F(RecoveryTest, AWorkerOfUseTellsThatTheClassIsWell) {
  begin(10);
  driver.hello_all();
  driver.tick();
  for (std::uint16_t slot = 1; slot < 10; ++slot) driver.kill_worker(driver.worker(slot));
  die_starting();
  be_of_use(driver.worker(0));
  driver.pass(seconds(6));
  for (int times = 0; times < 3 && starting() > 1; ++times) {
    const auto slots = driver.pool().snapshot().slots;
    const auto one = std::ranges::find(slots, SlotState::Starting, &SlotView::state);
    driver.kill_worker(one->worker, ExitCause::Exited, 1);
  }
  EXPECT_EQ(gate().state, RecoveryState::Closed) << "nine before, three since";
}

TEST_F(RecoveryTest, ARestartOfTheClassClosesIt) {
  begin(20);
  die_starting();
  die_starting();
  driver.turn(event::Restart{ClientId{1}, RequestId{73}, ClassId{0}, {}});
  EXPECT_EQ(gate().state, RecoveryState::Closed);
  EXPECT_EQ(gate().why, RecoveryWhy::ByHand);
  EXPECT_EQ(starting(), 20U);
}

TEST_F(RecoveryTest, ARestartOfOnePlaceStartsThatAlone) {
  begin(20);
  die_starting();
  die_starting();
  driver.turn(event::Restart{ClientId{1}, RequestId{74}, {}, SlotId{7}});
  EXPECT_EQ(gate().state, RecoveryState::Open);
  EXPECT_EQ(driver.slot_state(7), SlotState::Starting);
  EXPECT_EQ(starting(), 1U);
}

TEST_F(RecoveryTest, NobodyIsReplacedWhileHeWorksWhileItIsOpen) {
  begin(20);
  driver.hello_all();
  driver.tick();
  be_of_use(driver.worker(0));
  for (std::uint16_t slot = 1; slot < 20; ++slot) driver.kill_worker(driver.worker(slot));
  die_starting();
  ASSERT_EQ(gate().state, RecoveryState::Open);
  const auto before = starts();
  driver.turn(event::Restart{ClientId{1}, RequestId{75}, {}, SlotId{0}});
  EXPECT_EQ(starts(), before) << "its successor would die as well";
  driver.pass(gate().until - driver.now);
  EXPECT_EQ(starting(), 1U);
  driver.hello_all();
  driver.pass(seconds(8));
  EXPECT_GT(driver.all<command::Spawn>().size(), before + 1);
  driver.hello_all();
  driver.tick();
  EXPECT_EQ(driver.notices(Notice::WorkerRecycled), 1U) << "then it is";
}

TEST_F(RecoveryTest, WithoutPlacesThatWaitItCloses) {
  begin(20);
  die_starting();
  die_starting();
  driver.turn(event::Scale{ClientId{1}, RequestId{76}, ClassId{0}, event::ScaleMode::To, 0});
  driver.pass(seconds(6));
  EXPECT_EQ(gate().state, RecoveryState::Closed);
  EXPECT_EQ(gate().why, RecoveryWhy::Nobody);
}

TEST_F(RecoveryTest, SwitchedOffItHoldsNobody) {
  begin(20);
  die_starting();
  die_starting();
  options.recovery_deaths = 0;
  reload();
  EXPECT_EQ(gate().state, RecoveryState::Closed);
  driver.pass(seconds(1));
  EXPECT_EQ(starting(), 20U);
  die_starting();
  EXPECT_EQ(gate().state, RecoveryState::Closed);
}

TEST_F(RecoveryTest, CriticalClassesTryFirst) {
  begin(20);
  ClassOptions critical = options;
  critical.name = "critical";
  critical.critical = true;
  driver.turn(event::ClassDeclared{ClassId{1}, critical});
  die_starting();
  die_starting();
  driver.now = driver.now + seconds(5);
  driver.log.clear();
  driver.tick();
  const auto probes = driver.all<command::Spawn>();
  ASSERT_EQ(probes.size(), 2U);
  EXPECT_EQ(probes[0].worker_class, ClassId{1});
}

// --- figures -------------------------------------------------------------------------------------

TEST_F(RecoveryTest, TimesAndSharesAreCountedFromDeathToReady) {
  begin(4);
  driver.hello_all();
  driver.tick();
  const Instant began = driver.now;
  for (const int took : {1, 2, 9}) {
    driver.kill_worker(driver.worker(0));
    driver.pass(seconds(took));
    driver.hello_all();
    driver.tick();
    all_are_of_use();
    driver.pass(seconds(10 - took));
  }
  driver.kill_worker(driver.worker(1));
  driver.pass(seconds(10));
  const auto seen = driver.pool().overview().recoveries;
  EXPECT_EQ(seen.attempts, 4U);
  EXPECT_EQ(seen.succeeded, 3U);
  EXPECT_EQ(seen.failed, 0U);
  EXPECT_EQ(seen.mean, seconds(4));
  EXPECT_EQ(seen.median, seconds(2));
  EXPECT_EQ(seen.longest, seconds(9));
  EXPECT_EQ(seen.down, seconds(12 + 10)) << "also that of one that is not back yet";
  EXPECT_EQ(seen.wanted, (driver.now - began) * 4);
  driver.kill_worker(driver.worker(1));
  EXPECT_EQ(driver.pool().overview().recoveries.failed, 1U);
}

TEST_F(RecoveryTest, APlaceThatIsWantedNoMoreIsNoLongerDown) {
  begin(1);
  driver.hello_all();
  driver.kill_worker(driver.worker(0));
  driver.pass(seconds(3));
  driver.turn(event::Scale{ClientId{1}, RequestId{77}, ClassId{0}, event::ScaleMode::To, 0});
  driver.kill_worker(driver.worker(0), ExitCause::Signalled, -15);
  driver.pass(seconds(30));
  const auto seen = driver.pool().overview().recoveries;
  EXPECT_EQ(seen.down, seconds(3));
  EXPECT_EQ(seen.wanted, seconds(3));
}

}  // namespace
}  // namespace warmpool::test
