// What a store on disk gives back to the next life.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <unistd.h>

#include <gtest/gtest.h>

#include "daemon/exit_status.hpp"
#include "tests/store/finished.hpp"
#include "tests/store/store_fixture.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

template <class Kind>
std::vector<Kind> replayed(const SqliteLives& lives) {
  std::vector<Kind> found;
  for (const auto& record : lives.replayed) {
    if (const auto* each = std::get_if<Kind>(&record)) found.push_back(*each);
  }
  return found;
}

TEST(SqliteStore, GivesBackWhatWaitsWithAllThatItWasAcceptedWith) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  TaskSpec spec;
  spec.type = TypeId{3};
  spec.tenant = TenantId{4};
  spec.priority = 1;
  spec.retries = 7;
  spec.crashes_max = 8;
  spec.timeout = seconds(9);
  spec.deadline = seconds(10);
  spec.expiry = seconds(11);
  spec.run_at = WallTime{12};
  spec.cancel_on_disconnect = true;
  spec.payload_bytes = 3;
  driver.keep(record::Accepted{TaskId{1}, spec, Instant{5}, Instant{6}}, "abc");
  ASSERT_TRUE(driver.settled());
  ASSERT_TRUE(lives.open());
  const auto accepted = replayed<record::Accepted>(lives);
  ASSERT_EQ(accepted.size(), 1U);
  const auto& back = accepted.front();
  EXPECT_EQ(back.spec.type, TypeId{103});  // the same name in a life that numbers otherwise
  EXPECT_EQ(back.spec.tenant, TenantId{104});
  EXPECT_EQ(back.spec.priority, 1);
  EXPECT_EQ(back.spec.retries, 7);
  EXPECT_EQ(back.spec.crashes_max, 8);
  EXPECT_EQ(back.spec.timeout, seconds(9));
  EXPECT_EQ(back.spec.deadline, seconds(10));
  EXPECT_EQ(back.spec.expiry, seconds(11));
  EXPECT_EQ(back.spec.run_at, WallTime{12});
  EXPECT_TRUE(back.spec.cancel_on_disconnect);
  EXPECT_EQ(back.at, Instant{5});
  EXPECT_EQ(back.eligible_at, Instant{6});
  const auto stored = *lives.store()->find(TaskId{1});
  EXPECT_EQ(text_of(stored), "abc");
  EXPECT_EQ(stored.uid, 7U);
  EXPECT_EQ(stored.content, Content::Utf8);
}

TEST(SqliteStore, ReplaysInTheOrderOfAcceptance) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  for (std::uint64_t task = 1; task <= 100; ++task) driver.accept(task, "p");
  ASSERT_TRUE(driver.settled());
  ASSERT_TRUE(lives.open());
  const auto accepted = replayed<record::Accepted>(lives);
  ASSERT_EQ(accepted.size(), 100U);
  EXPECT_TRUE(std::ranges::is_sorted(accepted, {}, &record::Accepted::task));
}

TEST(SqliteStore, GivesBackAnOpenAttemptAndTheHistoryBeforeIt) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept(1, "payload");
  driver.start(1, 1);
  driver.end(1, 1, "first error", {"line one", "line two"});
  driver.start(1, 2);
  ASSERT_TRUE(driver.settled());
  ASSERT_TRUE(lives.open());
  const auto ended = replayed<record::Ended>(lives);
  ASSERT_EQ(ended.size(), 1U);
  EXPECT_EQ(ended.front().used, (record::Used{1, 0, 0}));
  EXPECT_EQ(ended.front().eligible_at, Instant{4});
  ASSERT_TRUE(std::holds_alternative<record::Started>(lives.replayed.back()));
  EXPECT_EQ(std::get<record::Started>(lives.replayed.back()).attempt, 2);
  const auto stored = *lives.store()->find(TaskId{1});
  ASSERT_NE(stored.attempts, nullptr);
  EXPECT_EQ(stored.attempts->front().error, "first error");
  EXPECT_EQ(stored.attempts->front().output, (std::vector<std::string>{"line one", "line two"}));
  EXPECT_EQ(FakeNames(100).name_of(stored.attempts->front().slot), "slot-2");
}

// What the next attempt may have is derived of them.
TEST(SqliteStore, CountsTheEndsForMemoryAndOverTimeOfTheRound) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept(1, "payload");
  const auto end = [&](std::uint16_t attempt, EndCause cause, Charge charge, record::Used used) {
    driver.start(1, attempt);
    driver.keep(record::Ended{TaskId{1}, 1, attempt, WorkerId{5}, cause, charge, 0, used,
                              Instant{3}, Instant{4}, false, false});
  };
  end(1, EndCause::Memory, Charge::Crash, {0, 1, 0, 1, 0});
  end(2, EndCause::Timeout, Charge::Failure, {1, 1, 0, 1, 1});
  end(3, EndCause::Memory, Charge::Crash, {1, 2, 0, 2, 1});
  end(4, EndCause::Drained, Charge::Nothing, {1, 2, 0, 2, 1});
  ASSERT_TRUE(driver.settled());
  ASSERT_TRUE(lives.open());
  EXPECT_EQ(replayed<record::Ended>(lives).back().used, (record::Used{1, 2, 0, 2, 1}));
}

TEST(SqliteStore, GivesBackTheClassThatATaskIsBoundTo) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  const auto end = [&](std::uint64_t task, std::uint16_t attempt, ClassId bound) {
    driver.start(task, attempt);
    driver.keep(record::Ended{TaskId{task}, 1, attempt, WorkerId{5}, EndCause::Memory,
                              Charge::Crash, 0, record::Used{0, attempt, 0, 1, 0}, Instant{3},
                              Instant{4}, false, true, bound});
  };
  for (const std::uint64_t task : {1U, 2U, 3U, 4U}) driver.accept(task, "payload");
  end(1, 1, ClassId{3});
  end(2, 1, ClassId{9});
  end(3, 1, ClassId{3});
  end(3, 2, kNoClass);
  end(4, 1, ClassId{3});
  driver.settle(4, Verdict::Dead, "fatal", 5, 2);
  driver.keep(record::Revived{TaskId{4}, 2, Instant{6}, Instant{6}});
  ASSERT_TRUE(driver.settled());
  ASSERT_TRUE(lives.open());
  const auto bound = [&](std::uint64_t task) {
    auto last = kNoClass;
    for (const auto& ended : replayed<record::Ended>(lives)) {
      if (ended.task == TaskId{task}) last = ended.bound;
    }
    return last;
  };
  EXPECT_EQ(FakeNames(100).name_of(bound(1)), "class-3");
  EXPECT_EQ(bound(2), kNoClass) << "there is no such class any more";
  EXPECT_EQ(bound(3), kNoClass);
  EXPECT_EQ(*lives.raw().integer("SELECT count(*) FROM progress WHERE bound IS NOT NULL"), 2);
}

TEST(SqliteStore, GivesBackDeadLettersInTheirRound) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept(1, "payload");
  driver.start(1, 1);
  driver.settle(1, Verdict::Dead, "fatal", 5);
  driver.keep(record::Revived{TaskId{1}, 2, Instant{6}, Instant{6}});
  driver.start(1, 1, 2);
  driver.settle(1, Verdict::Dead, "fatal again", 7, 1, 2);
  ASSERT_TRUE(driver.settled());
  ASSERT_TRUE(lives.open());
  const auto stored = *lives.store()->find(TaskId{1});
  EXPECT_EQ(stored.verdict, Verdict::Dead);
  EXPECT_EQ(stored.round, 2);
  EXPECT_EQ(*stored.error, "fatal again");
  EXPECT_EQ(text_of(stored), "payload");
  EXPECT_EQ(stored.attempts->size(), 2U);
  EXPECT_EQ(lives.totals[1], 2U);
  RecordDriver again(*lives.store());
  again.keep(record::Revived{TaskId{1}, 3, Instant{8}, Instant{8}});
  again.settle(1, Verdict::Done, "at last", 9, 1, 3);
  ASSERT_TRUE(again.settled());
  ASSERT_TRUE(lives.open());
  EXPECT_EQ(text_of(*lives.store()->find(TaskId{1})), "at last");
  EXPECT_EQ(lives.store()->find(TaskId{1})->attempts->size(), 3U);
  EXPECT_TRUE(lives.replayed.empty());
}

TEST(SqliteStore, GivesBackResultsWithTheirHistoryAndTexts) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept_with_key(1, "payload", "a key");
  driver.start(1, 1);
  driver.end(1, 1, "once");
  driver.start(1, 2);
  driver.settle(1, Verdict::Done, "result", 5, 2);
  driver.accept(2, "p");
  driver.settle(2, Verdict::Cancelled, "", 6, 0);
  ASSERT_TRUE(driver.settled());
  ASSERT_TRUE(lives.open());
  const auto stored = *lives.store()->find(TaskId{1});
  EXPECT_EQ(text_of(stored), "result");
  EXPECT_EQ(stored.verdict, Verdict::Done);
  EXPECT_EQ(stored.texts->key, "a key");
  EXPECT_EQ(stored.texts->labels, (std::vector<std::string>{"one", "two\nlines"}));
  EXPECT_EQ(stored.attempts->size(), 2U);
  EXPECT_EQ(stored.attempts->front().error, "once");
  EXPECT_EQ(stored.payload_bytes, 7U);
  EXPECT_EQ(lives.store()->find(TaskId{2})->verdict, Verdict::Cancelled);
  EXPECT_EQ(finished(*lives.store(), {}, 9).size(), 2U);
  EXPECT_EQ(lives.totals, (SettledTotals{1, 0, 1, 0, 0}));
  // The key of what is done stays known to the core.
  ASSERT_EQ(lives.replayed.size(), 2U);
  EXPECT_EQ(std::get<record::Accepted>(lives.replayed.front()).spec.key, (IdempotencyKey{1, 1, 1}));
}

TEST(SqliteStore, KeepsHistoriesWithinTheirBounds) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept(1, "payload");
  for (std::uint16_t attempt = 1; attempt <= 100; ++attempt) {
    driver.end(1, attempt, std::string(3000, 'e'), {"line " + std::to_string(attempt)});
  }
  ASSERT_TRUE(driver.settled());
  const auto before = *lives.store()->find(TaskId{1})->attempts;
  ASSERT_TRUE(lives.open());
  const auto stored = *lives.store()->find(TaskId{1});
  ASSERT_EQ(stored.attempts->size(), before.size());
  for (std::size_t at = 0; at < before.size(); ++at) {
    EXPECT_EQ(stored.attempts->at(at).attempt, before[at].attempt);
    EXPECT_EQ(stored.attempts->at(at).error, before[at].error);
    EXPECT_EQ(stored.attempts->at(at).output, before[at].output);
  }
  EXPECT_EQ(stored.attempts_dropped, 36U);
  EXPECT_EQ(stored.error->size(), 3000U);
  lives.close();
  auto raw = lives.raw();
  EXPECT_EQ(*raw.integer("SELECT count(*) FROM attempts"), 64);
  EXPECT_EQ(*raw.integer("SELECT count(*) FROM attempts WHERE output IS NOT NULL"),
            static_cast<int>(kOutputsKept));
  EXPECT_EQ(*raw.integer("SELECT count(*) FROM attempts WHERE length(error) > 256"), 1);
}

TEST(SqliteStore, AReceivedResultIsGoneUnlessItIsToBeKept) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept(1, "p");
  driver.settle(1, Verdict::Done, "r");
  driver.accept(2, "p");
  driver.settle(2, Verdict::Done, "r");
  ASSERT_TRUE(driver.settled());
  lives.store()->received(TaskId{1});
  ASSERT_TRUE(lives.open());
  EXPECT_FALSE(lives.store()->find(TaskId{1}));
  EXPECT_TRUE(lives.store()->find(TaskId{2}));
}

TEST(SqliteStore, AReceivedResultStaysGoneInTheNextLife) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  for (const std::uint64_t task : {1U, 2U}) {
    driver.accept(task, "p");
    driver.end(task, 1, "once");
    driver.settle(task, Verdict::Done, "");
  }
  ASSERT_TRUE(driver.settled());
  lives.store()->received(TaskId{1});
  ASSERT_TRUE(lives.open());
  EXPECT_TRUE(lives.store()->find(TaskId{1})->result_gone);
  EXPECT_FALSE(lives.store()->find(TaskId{2})->result_gone) << "empty, but there";
}

TEST(SqliteStore, KeysThatServeToReconnectLiveAsLongAsTheirResults) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  for (std::uint64_t task = 1; task <= 3; ++task) {
    TaskSpec spec;
    spec.key = IdempotencyKey{task, task, task, KeyUse::Reconnect};
    driver.accept(task, "p", spec);
  }
  driver.settle(1, Verdict::Done, "r", 5);
  driver.settle(2, Verdict::Done, "r", 5);
  driver.settle(3, Verdict::Cancelled, "", 5, 0);
  ASSERT_TRUE(driver.settled());
  lives.store()->received(TaskId{1});
  ASSERT_TRUE(lives.open());
  EXPECT_EQ(replayed<record::Accepted>(lives).size(), 2U);
  EXPECT_EQ(replayed<record::Accepted>(lives).front().spec.key,
            (IdempotencyKey{2, 2, 2, KeyUse::Reconnect}));
  EXPECT_EQ(replayed<record::Settled>(lives).back().verdict, Verdict::Cancelled);
  RecordDriver again(*lives.store());
  lives.time.pass(hours(1));
  again.accept(4, "p");
  ASSERT_TRUE(again.settled());
  ASSERT_TRUE(lives.open());
  EXPECT_TRUE(replayed<record::Settled>(lives).empty()) << "their clients had an hour to come";
}

TEST(SqliteStore, WhatWasCleanedStaysAway) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  for (const std::uint64_t task : {1U, 2U}) {
    driver.accept(task, "p");
    driver.start(task, 1);
    driver.end(task, 1, "first error");
    driver.settle(task, Verdict::Done, "r", 5, 2);
  }
  ASSERT_TRUE(driver.settled());
  ASSERT_TRUE(lives.store()->drop(TaskId{1}));
  ASSERT_TRUE(lives.open());
  EXPECT_FALSE(lives.store()->find(TaskId{1}));
  EXPECT_EQ(text_of(*lives.store()->find(TaskId{2})), "r");
  EXPECT_EQ(lives.totals[0], 2U) << "they were done all the same";
  lives.close();
  EXPECT_EQ(*lives.raw().integer("SELECT count(*) FROM attempts WHERE task = 1"), 0);
  EXPECT_NE(*lives.raw().integer("SELECT count(*) FROM attempts WHERE task = 2"), 0);
}

TEST(SqliteStore, PausesComeBack) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.keep(record::Paused{pause_of(TypeId{5}), true});
  driver.keep(record::Paused{pause_of(TypeId{6}), true});
  driver.keep(record::Paused{pause_of(TypeId{6}), false});
  driver.keep(record::Paused{pause_of(ClassId{3}), true});
  driver.keep(record::Paused{pause_of(ClassId{9}), true});
  driver.keep(record::Paused{pause_of_pool(), true});
  ASSERT_TRUE(driver.settled());
  ASSERT_TRUE(lives.open());
  const auto paused = replayed<record::Paused>(lives);
  ASSERT_EQ(paused.size(), 3U);
  EXPECT_EQ(paused[0].target, pause_of(TypeId{105}));
  EXPECT_EQ(paused[1].target, pause_of(ClassId{103}));
  EXPECT_EQ(paused[2].target, pause_of_pool());
}

TEST(SqliteStore, TasksThatWereTakenBackForGoodStayTaken) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  for (const std::uint64_t task : {1U, 2U, 3U})
    driver.accept(task, "p", {.cancel_on_disconnect = true});
  driver.keep(record::Kept{TaskId{2}});
  driver.settle(3, Verdict::Done, "r", 5, 0);
  driver.keep(record::Kept{TaskId{3}});
  driver.keep(record::Kept{TaskId{4}});
  ASSERT_TRUE(driver.settled());
  ASSERT_TRUE(lives.open());
  const auto accepted = replayed<record::Accepted>(lives);
  ASSERT_EQ(accepted.size(), 2U);
  EXPECT_TRUE(accepted[0].spec.cancel_on_disconnect);
  EXPECT_FALSE(accepted[1].spec.cancel_on_disconnect);
}

record::Checkpointed checkpoint_of(std::uint64_t task, std::uint32_t bytes) {
  return {TaskId{task}, 1, 1, bytes, Instant{4}};
}

TEST(SqliteStore, CheckpointsOutliveTheDaemonAndGoWithTheirTasks) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  const std::string large(200'000, 'x');
  for (const std::uint64_t task : {1U, 2U, 3U, 4U, 5U}) {
    driver.accept(task, "p", {.durability = task == 5 ? Durability::None : Durability::Full});
    driver.start(task, 1);
    driver.keep(checkpoint_of(task, 3), "old");
    driver.keep(checkpoint_of(task, 200'000), large);
  }
  driver.settle(2, Verdict::Done, "r");
  driver.settle(3, Verdict::Cancelled, "");
  driver.settle(4, Verdict::Dead, "an error");
  ASSERT_TRUE(driver.settled());
  ASSERT_TRUE(lives.open());
  for (const std::uint64_t task : {1U, 4U}) {
    const auto stored = *lives.store()->find(TaskId{task});
    ASSERT_NE(stored.checkpoint, nullptr) << task;
    EXPECT_EQ(ipc::text_of(stored.checkpoint->body.bytes()), large);
    EXPECT_EQ(stored.checkpoint->attempt, 1);
    EXPECT_EQ(stored.checkpoint->content, Content::Utf8);
  }
  EXPECT_EQ(lives.store()->find(TaskId{2})->checkpoint, nullptr);
  RecordDriver again(*lives.store());
  again.settle(1, Verdict::Done, "r");
  again.keep(record::Removed{TaskId{4}, false, Instant{7}});
  ASSERT_TRUE(again.settled());
  lives.close();
  EXPECT_EQ(*lives.raw().integer("SELECT count(*) FROM checkpoints"), 0);
}

TEST(SqliteStore, ADamagedCheckpointIsDroppedAndItsTaskBeginsAnew) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept(1, "p");
  driver.keep(checkpoint_of(1, 5), "state");
  ASSERT_TRUE(driver.settled());
  lives.close();
  ASSERT_TRUE(lives.raw().run("UPDATE checkpoints SET body = 'stale'"));
  ASSERT_TRUE(lives.open());
  EXPECT_EQ(lives.store()->find(TaskId{1})->checkpoint, nullptr);
  EXPECT_FALSE(lives.store()->find(TaskId{1})->verdict) << "it lives";
  lives.close();
  EXPECT_EQ(*lives.raw().integer("SELECT count(*) FROM checkpoints"), 0);
}

TEST(SqliteStore, DropsTheOldestResultsAndKeysBeyondItsBounds) {
  SqliteLives lives;
  lives.options.results_max = 3;
  lives.options.keys_max = 2;
  RecordDriver driver(*lives.open());
  for (std::uint64_t task = 1; task <= 10; ++task) {
    driver.accept_with_key(task, "p", std::to_string(task));
    driver.settle(task, Verdict::Done, "r", static_cast<std::int64_t>(task));
  }
  ASSERT_TRUE(driver.settled());
  lives.close();
  {
    auto raw = lives.raw();
    EXPECT_EQ(*raw.integer("SELECT min(task) FROM results"), 8);
    EXPECT_EQ(*raw.integer("SELECT count(*) FROM results"), 3);
    EXPECT_EQ(*raw.integer("SELECT min(task) FROM keys"), 9);
    EXPECT_EQ(*raw.integer("SELECT count(*) FROM tasks"), 0);
    EXPECT_EQ(*raw.integer("SELECT count(*) FROM progress"), 0);
  }
  lives.time.pass(hours(25));
  ASSERT_TRUE(lives.open());
  lives.store()->trim(lives.store()->begin());
  RecordDriver after(*lives.store());
  after.accept(11, "p");  // what is kept after the trim was asked for shows that it was done
  ASSERT_TRUE(after.settled());
  lives.close();
  auto raw = lives.raw();
  EXPECT_EQ(*raw.integer("SELECT count(*) FROM results"), 0);
  EXPECT_EQ(*raw.integer("SELECT count(*) FROM keys"), 0);
}

TEST(SqliteStore, EachLifeHasANumberOfItsOwn) {
  SqliteLives lives;
  std::uint64_t last = 0;
  for (int life = 0; life < 3; ++life) {
    ASSERT_TRUE(lives.open());
    EXPECT_GT(lives.store()->life(), last);
    last = lives.store()->life();
  }
}

TEST(SqliteStore, TimeGoesOnByTheWallAndNeverBack) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  const auto first = lives.store()->begin();
  lives.time.pass(seconds(10));
  driver.accept(1, "p");
  ASSERT_TRUE(driver.settled());
  lives.time.pass(seconds(5));
  ASSERT_TRUE(lives.open());
  EXPECT_EQ(lives.store()->begin() - first, seconds(15));
  lives.time.wall_ns -= hours(1).ns;
  ASSERT_TRUE(lives.open());
  EXPECT_EQ(lives.store()->begin() - first, seconds(15));
}

TEST(SqliteStore, KeepsNothingOfATaskThatAskedForNothing) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  TaskSpec spec;
  spec.durability = Durability::None;
  driver.accept(1, "p", spec);
  EXPECT_TRUE(driver.settled());
  driver.start(1, 1);
  driver.end(1, 1, "error");
  driver.accept(2, "p", spec);
  driver.settle(2, Verdict::Done, "r");
  EXPECT_TRUE(driver.settled());
  EXPECT_TRUE(lives.store()->find(TaskId{2}));
  ASSERT_TRUE(lives.open());
  EXPECT_FALSE(lives.store()->find(TaskId{1}));
  EXPECT_TRUE(lives.replayed.empty());
}

TEST(SqliteStore, AStartThatItsEndOvertakesIsNeverWritten) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  const auto task = lives.store()->life() << 40 | 1;
  driver.accept(task, "p");
  driver.start(task, 1);
  driver.settle(task, Verdict::Done, "r");
  ASSERT_TRUE(driver.settled());
  const auto figures = lives.store()->figures();
  EXPECT_LE(figures.commits, 2U);
  lives.close();
  auto raw = lives.raw();
  EXPECT_EQ(*raw.integer("SELECT count(*) FROM progress"), 0);
}

TEST(SqliteStore, ADamagedPayloadIsADeadLetterThatSaysSo) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept(1, "payload");
  driver.accept(2, "payload");
  ASSERT_TRUE(driver.settled());
  lives.close();
  ASSERT_TRUE(lives.raw().run("UPDATE tasks SET payload = 'pAyload' WHERE id = 1"));
  for (int life = 0; life < 2; ++life) {
    ASSERT_TRUE(lives.open());
    EXPECT_EQ(lives.store()->damaged(), std::vector<TaskId>{TaskId{1}});
    EXPECT_EQ(lives.store()->find(TaskId{1})->verdict, Verdict::Dead);
    EXPECT_NE(lives.store()->find(TaskId{1})->error->find("damaged"), std::string::npos);
    EXPECT_FALSE(lives.store()->find(TaskId{2})->verdict);
    EXPECT_EQ(lives.totals[1], 1U);
  }
}

TEST(SqliteStore, ADamagedResultIsNotGiven) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept(1, "payload");
  driver.settle(1, Verdict::Done, "result");
  ASSERT_TRUE(driver.settled());
  lives.close();
  ASSERT_TRUE(lives.raw().run("UPDATE results SET body = 'rEsult'"));
  ASSERT_TRUE(lives.open());
  EXPECT_FALSE(lives.store()->find(TaskId{1}));
  EXPECT_EQ(lives.store()->damaged(), std::vector<TaskId>{TaskId{1}});
}

TEST(SqliteStore, AChangeThatFindsNoRowIsDamage) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept(1, "payload");
  ASSERT_TRUE(driver.settled());
  ASSERT_TRUE(lives.raw().run("DELETE FROM tasks"));
  driver.settle(1, Verdict::Done, "result");
  EXPECT_FALSE(driver.settled());
  ASSERT_TRUE(driver.broken);
  EXPECT_EQ(driver.broken->code, static_cast<int>(ExitStatus::StoreDamaged));
}

// The daemon blocks its signals to read them in its loop: a thread that did not would be ended by
// one.
TEST(SqliteStore, ItsThreadTakesNoSignal) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept(1, "payload");
  ASSERT_TRUE(driver.settled());
  sigset_t one, before;
  ::sigemptyset(&one);
  ::sigaddset(&one, SIGUSR2);
  ::pthread_sigmask(SIG_BLOCK, &one, &before);
  ::kill(::getpid(), SIGUSR2);
  const timespec at_once{};
  EXPECT_EQ(::sigtimedwait(&one, nullptr, &at_once), SIGUSR2) << "nobody has taken it";
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(SqliteStore, ItsTablesCanBeReadByPeople) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept(1, "payload");
  driver.start(1, 1);
  driver.end(1, 1, "oh no");
  driver.accept(2, "payload");
  driver.settle(2, Verdict::Done, "result");
  ASSERT_TRUE(driver.settled());
  auto reader = Database::open(lives.path(), OpenMode::ReadOnly, "");
  ASSERT_TRUE(reader);
  EXPECT_EQ(*reader->text("SELECT type || ' ' || state || ' ' || cause FROM task_list"),
            "type-0 waiting failed");
  EXPECT_EQ(*reader->text("SELECT verdict || ' ' || bytes FROM result_list"), "done 6");
  EXPECT_EQ(*reader->text("SELECT worker || ' ' || charge || ' ' || error FROM attempt_list"),
            "slot-2 failure oh no");
  EXPECT_EQ(*reader->text("SELECT substr(accepted_at, 1, 4) FROM task_list"), "2023");
}

// A transaction may bring more results than the bound, and may be the last for a long time.
TEST(SqliteStore, BoundsOfResultsHoldOnTheDiskWhereNothingComesAnyMore) {
  constexpr std::uint64_t tasks = 6000;
  SqliteLives lives;
  lives.options.results_max = lives.options.keys_max = 100;
  RecordDriver driver(*lives.open());
  std::vector<Record> records;
  for (std::uint64_t task = 1; task <= tasks; ++task) {
    records.push_back(record::Accepted{TaskId{task}, {}, Instant{1}, Instant{1}});
    records.push_back(record::Settled{TaskId{task},
                                      1,
                                      1,
                                      WorkerId{5},
                                      Verdict::Done,
                                      EndCause::Done,
                                      Charge::Nothing,
                                      0,
                                      {},
                                      Instant{2}});
  }
  driver.keep_together(records);
  ASSERT_TRUE(driver.settled());
  auto raw = Database::open(lives.path(), OpenMode::ReadOnly, "");
  ASSERT_TRUE(raw);
  const auto end = test::patience_ends();
  const auto results = [&] { return *raw->integer("SELECT count(*) FROM results"); };
  while (results() > 100) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << results();
    wait_for_news(*lives.store());
  }
  // And once they are too old.
  lives.time.pass(lives.options.results_age_max + seconds(1));
  lives.store()->trim(Instant{seconds(200'000).ns});
  while (results() > 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << results();
    wait_for_news(*lives.store());
  }
}

}  // namespace
}  // namespace warmpool::daemon
