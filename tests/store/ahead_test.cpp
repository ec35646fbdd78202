// What is kept in the journal first: told before the tables have it, there in the next life.
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "daemon/exit_status.hpp"
#include "daemon/store/journal.hpp"
#include "daemon/store/journal_recovery.hpp"
#include "daemon/store/restore.hpp"
#include "tests/store/ahead_fixture.hpp"

namespace warmpool::daemon {
namespace {

namespace fs = std::filesystem;

TEST_F(Ahead, IsToldBeforeTheTablesHaveItAndIsThereInTheNextLife) {
  open();
  stop_tables();
  accept(1, 20);
  driver_->settle(3, Verdict::Done, "result");
  ASSERT_TRUE(driver_->settled());
  SqliteLives after;
  kill_into(after);
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  expect_tasks(after, 20);
  EXPECT_EQ(after.store()->find(TaskId{3})->verdict, Verdict::Done);
  EXPECT_EQ(text_of(*after.store()->find(TaskId{3})), "result");
  EXPECT_EQ(text_of(*after.store()->find(TaskId{4})), std::string(10, 'e'));
  EXPECT_EQ(after.totals[static_cast<std::size_t>(Verdict::Done)], 1U);
}

TEST_F(Ahead, IsTakenOnceWhateverEndsTheStart) {
  open();
  stop_tables();
  accept(1, 10);
  ASSERT_TRUE(driver_->settled());
  // Each time one more call of the disk fails, until the start comes through.
  FaultVfs disk;
  SqliteLives after;
  kill_into(after);
  after.place.vfs = disk.name();
  after.place.journal_bytes = lives_.place.journal_bytes;
  std::uint64_t calls = 1;
  for (bool met = true; met; ++calls) {
    disk.clear_faults();
    const auto before = disk.faults_met();
    disk.set_fault({DiskCall::Write, {}, calls, true, SQLITE_IOERR_WRITE});
    const bool opened = after.open() != nullptr;
    met = disk.faults_met() != before;
    EXPECT_TRUE(opened || met) << after.error.text;
    if (opened) after.close();
    if (opened && !met) break;
  }
  EXPECT_GT(calls, 3U);
  disk.clear_faults();
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  expect_tasks(after, 10);
}

TEST_F(Ahead, AFullJournalWaitsForTheTablesAndGoesOn) {
  open();
  for (std::uint64_t round = 0; round < 8; ++round) {
    accept(round * 20 + 1, round * 20 + 20, 150);
    ASSERT_TRUE(driver_->settled());
  }
  EXPECT_LE(fs::file_size(journal_path(lives_.path())), 4096U + 8 * 1024U);
  vfs_.hold_syncs(DiskFile::Wal);
  accept(161, 240, 150);
  for (int looks = 0; looks < 5; ++looks) wait_for_news(*lives_.store());
  const auto told = lives_.store()->take_answers().persisted;
  EXPECT_LT(told ? told->value : 160, 240U) << "more than there is room for";
  vfs_.let_syncs_go();
  ASSERT_TRUE(driver_->settled());
  lives_.close();
  ASSERT_NE(lives_.open(), nullptr) << lives_.error.text;
  expect_tasks(lives_, 240);
}

TEST_F(Ahead, WhatIsTooLargeGoesStraightToTheTables) {
  open();
  accept(1, 3);
  accept(4, 4, 10'000);
  accept(5, 6);
  ASSERT_TRUE(driver_->settled());
  ASSERT_TRUE(lives_.in_tables({4}));
  stop_tables();
  accept(7, 8);
  ASSERT_TRUE(driver_->settled()) << "the journal is used again";
  expect_after_kill(8);
}

TEST_F(Ahead, AJournalThatCannotBeWrittenIsLeftAloneForAWhile) {
  open();
  accept(1, 1);
  ASSERT_TRUE(driver_->settled());
  vfs_.set_fault({DiskCall::Write, DiskFile::Journal, 1, false, SQLITE_FULL});
  accept(2, 4);
  const auto answers = until([](const auto& told) { return told.slower.has_value(); });
  EXPECT_NE(answers.slower->find(".journal"), std::string::npos) << *answers.slower;
  EXPECT_FALSE(answers.accepting == false);
  until_kept(4);
  const auto writes = vfs_.calls(DiskCall::Write);
  lives_.time.pass(seconds(11));
  accept(5, 6);
  until_kept(6);
  EXPECT_GT(vfs_.calls(DiskCall::Write), writes);
  stop_tables();
  accept(7, 8);
  until_kept(8);
  expect_after_kill(8);
}

TEST_F(Ahead, WhatAFailedSyncOfTheJournalMayHaveKeptIsNotUndone) {
  open();
  accept(1, 1);
  ASSERT_TRUE(driver_->settled());
  ASSERT_TRUE(lives_.in_tables({1}));
  vfs_.set_fault({DiskCall::Sync, DiskFile::Journal, 1, false, SQLITE_IOERR_FSYNC});
  vfs_.set_fault({DiskCall::Write, DiskFile::Wal, 1, true, SQLITE_FULL});
  accept(2, 2);
  bool undone = false;
  until([&](const auto& told) {
    undone = undone || told.undone;
    return vfs_.faults_met() >= 4;
  });
  EXPECT_FALSE(undone) << "it would come back in the next life";
  vfs_.clear_faults();
  until_kept(2);
  lives_.close();
  ASSERT_NE(lives_.open(), nullptr) << lives_.error.text;
  expect_tasks(lives_, 2);
}

TEST_F(Ahead, WhereTheTablesTakeNothingWhatIsToldStaysAndTheRestIsUndone) {
  open();
  accept(1, 1);
  ASSERT_TRUE(driver_->settled());
  vfs_.set_fault({DiskCall::Write, DiskFile::Wal, 1, true, SQLITE_FULL});
  accept(2, 3);
  const auto end = test::patience_ends();
  while (lives_.store()->figures().trouble.empty()) {
    ASSERT_LT(std::chrono::steady_clock::now(), end);
    std::this_thread::yield();
  }
  // Nothing is kept in the journal from now on.
  driver_->accept(4, "refused");
  const auto told = until([](const auto& answers) { return answers.undone; });
  EXPECT_EQ(told.accepting, false);
  EXPECT_EQ(told.persisted, RecordNumber{3}) << "the journal had room for it";
  driver_->settle(4, Verdict::Cancelled, "");
  vfs_.clear_faults();
  until_kept(5);
  lives_.close();
  ASSERT_NE(lives_.open(), nullptr) << lives_.error.text;
  EXPECT_EQ(lives_.store()->find(TaskId{4})->verdict, Verdict::Cancelled);
  expect_tasks(lives_, 4);
}

TEST_F(Ahead, AWriteThatCameToItsEndAndFailedIsThereOnce) {
  open();
  accept(1, 1);
  ASSERT_TRUE(driver_->settled());
  vfs_.set_fault({DiskCall::Write, DiskFile::Journal, 1, false, SQLITE_IOERR_WRITE, true});
  accept(2, 4);
  ASSERT_TRUE(driver_->settled());
  lives_.time.pass(seconds(11));
  accept(5, 6);
  ASSERT_TRUE(driver_->settled());
  stop_tables();
  accept(7, 8);
  ASSERT_TRUE(driver_->settled());
  expect_after_kill(8);
}

TEST_F(Ahead, AfterAnOrderlyEndTheTablesAreWhole) {
  open();
  accept(1, 9);
  ASSERT_TRUE(driver_->settled());
  lives_.close();
  EXPECT_FALSE(fs::exists(journal_path(lives_.path())));
  ASSERT_NE(lives_.open(), nullptr) << lives_.error.text;
  expect_tasks(lives_, 9);
}

TEST_F(Ahead, AMissingJournalIsRefusedAndAnEmptyOneIsPutUpWith) {
  open();
  accept(1, 4);
  ASSERT_TRUE(driver_->settled());
  ASSERT_TRUE(lives_.in_tables({4}));
  stop_tables();
  accept(5, 6);
  ASSERT_TRUE(driver_->settled());
  SqliteLives after;
  kill_into(after);
  fs::remove(journal_path(after.path()));
  ASSERT_EQ(after.open(), nullptr);
  EXPECT_EQ(after.error.code, static_cast<int>(ExitStatus::StoreDamaged));
  EXPECT_NE(after.error.text.find("is missing"), std::string::npos) << after.error.text;
  std::ofstream(journal_path(after.path())).close();
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  expect_tasks(after, 4);
}

TEST_F(Ahead, WithoutAJournalWhatAnEarlierLifeLeftIsTaken) {
  open();
  stop_tables();
  accept(1, 5);
  ASSERT_TRUE(driver_->settled());
  SqliteLives after;
  kill_into(after);
  ASSERT_EQ(after.place.journal_bytes, 0U);
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  after.close();
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  expect_tasks(after, 5);
}

TEST_F(Ahead, RelaxedIsToldWithoutASync) {
  open();
  accept(1, 1);
  ASSERT_TRUE(driver_->settled());
  vfs_.hold_syncs();
  TaskSpec relaxed;
  relaxed.durability = Durability::Relaxed;
  driver_->accept(2, "relaxed", relaxed);
  until_kept(2);
}

TEST_F(Ahead, ABackupHasWhatIsInTheJournal) {
  open();
  vfs_.hold_syncs(DiskFile::Wal);
  accept(1, 12);
  ASSERT_TRUE(driver_->settled());
  const auto copy = lives_.directory / "copy.db";
  ASSERT_TRUE(lives_.store()->begin_backup(copy));
  vfs_.let_syncs_go();
  const auto made = until([](const auto& told) { return told.backup.has_value(); });
  ASSERT_TRUE(*made.backup) << made.backup->error().text;
  auto raw = Database::open(copy, OpenMode::ReadOnly, "");
  ASSERT_TRUE(raw);
  EXPECT_EQ(*raw->integer("SELECT count(*) FROM tasks"), 12);
}

// The tables know by one number what of the journal they have.
TEST_F(Ahead, AGroupIsNotPartedWhereATransactionIsFull) {
  constexpr std::uint64_t tasks = StoreThread::kChangesMax + 1500;
  lives_.place.journal_bytes = 8U << 20;
  lives_.place.busy_wait = seconds(100);
  open();
  accept(1, 1);
  ASSERT_TRUE(driver_->settled());
  // The first transaction behind a move of the WAL syncs its head by itself.
  ASSERT_TRUE(lives_.in_tables({1}));
  accept(2, 2);
  ASSERT_TRUE(driver_->settled());
  vfs_.hold_syncs(DiskFile::Wal);
  ASSERT_TRUE(lives_.store()->begin_backup(lives_.directory / "copy.db"));  // which wants a sync
  const auto end = test::patience_ends();
  while (!vfs_.sync_waits()) {
    ASSERT_LT(std::chrono::steady_clock::now(), end);
    std::this_thread::yield();
  }
  // In groups of many turns.
  accept(3, tasks);
  ASSERT_TRUE(driver_->settled());
  // The transaction that is being filled is written, and the next one cannot be begun.
  vfs_.set_fault({DiskCall::Begin, {}, 1, true, SQLITE_BUSY});
  vfs_.let_syncs_go();
  ASSERT_TRUE(lives_.in_tables({StoreThread::kChangesMax / 2}));
  expect_after_kill(tasks);
}

// Who is told that nothing of his is on disk must not find it there later.
TEST_F(Ahead, WhatIsOnItsWayToTheJournalIsWaitedForBeforeAnythingIsUndone) {
  open();
  TaskSpec relaxed;
  relaxed.durability = Durability::Relaxed;
  driver_->accept(1, "one", relaxed);
  ASSERT_TRUE(driver_->settled());
  vfs_.set_fault({DiskCall::Write, DiskFile::Wal, 1, true, SQLITE_FULL});
  vfs_.hold_syncs(DiskFile::Journal);
  accept(2, 2);
  const auto end = test::patience_ends();
  while (!vfs_.sync_waits() || vfs_.faults_met() == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), end);
    std::this_thread::yield();
  }
  for (int looks = 0; looks < 5; ++looks) {
    EXPECT_FALSE(lives_.store()->take_answers().undone) << "it may come to be there";
    wait_for_news(*lives_.store());
  }
  vfs_.let_syncs_go();
  const auto told = until([](const auto& answers) { return answers.undone; });
  EXPECT_GE(kept_.value, 2U) << "it is told as kept first, or with it";
  vfs_.clear_faults();
  lives_.close();
  ASSERT_NE(lives_.open(), nullptr) << lives_.error.text;
  expect_tasks(lives_, 2);
}

TEST_F(Ahead, OneLifeWithAJournalOneWithoutAndOneWithIt) {
  lives_.renumbers = false;
  for (const std::uint64_t bytes : {8U * 1024, 0U, 8U * 1024}) {
    lives_.place.journal_bytes = bytes;
    open();
    const auto first = lives_.store()->life() << 40 | 1;
    accept(first, first + 3);
    ASSERT_TRUE(driver_->settled());
    SqliteLives after;
    ASSERT_TRUE(lives_.in_tables(driver_->last()));
    kill_into(after);
    ASSERT_NE(after.open(), nullptr) << after.error.text;
    EXPECT_TRUE(after.store()->find(TaskId{first}));
    lives_.close();
  }
  ASSERT_NE(lives_.open(), nullptr) << lives_.error.text;
  EXPECT_EQ(lives_.replayed.size(), 12U);
}

// A store that was set aside, or copied after a kill, is given back with what its journal has.
TEST_F(Ahead, ARestoreOfARawFileTakesTheJournalBesideIt) {
  open();
  accept(1, 2);
  ASSERT_TRUE(driver_->settled());
  ASSERT_TRUE(lives_.in_tables({2}));
  stop_tables();
  accept(3, 4);
  ASSERT_TRUE(driver_->settled());
  SqliteLives killed, after;
  kill_into(killed);
  ASSERT_TRUE(restore_store(after.place, killed.path()));
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  expect_tasks(after, 4);
  fs::remove(journal_path(killed.path()));
  SqliteLives without;
  const auto refused = restore_store(without.place, killed.path());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("is missing"), std::string::npos) << refused.error().text;
}

TEST_F(Ahead, ADatabaseThatIsMissingBesideItsJournalIsRefused) {
  open();
  accept(1, 2);
  ASSERT_TRUE(driver_->settled());
  ASSERT_TRUE(lives_.in_tables({2}));
  stop_tables();
  SqliteLives after;
  kill_into(after);
  fs::remove(after.path());
  fs::remove(after.path() + "-wal");
  ASSERT_EQ(after.open(), nullptr);
  EXPECT_EQ(after.error.code, static_cast<int>(ExitStatus::StoreDamaged));
}

TEST_F(Ahead, ARestoreSetsTheJournalAsideAndTheStoreThatWasThereIsWholeWithIt) {
  open();
  accept(1, 2);
  ASSERT_TRUE(driver_->settled());
  const auto copy = lives_.directory / "copy.db";
  ASSERT_TRUE(lives_.store()->begin_backup(copy));
  ASSERT_TRUE(*until([](const auto& told) { return told.backup.has_value(); }).backup);
  stop_tables();
  accept(3, 4);
  ASSERT_TRUE(driver_->settled());
  SqliteLives after;
  kill_into(after);
  const auto restored = restore_store(after.place, copy);
  ASSERT_TRUE(restored) << restored.error().text;
  after.place.journal_bytes = lives_.place.journal_bytes;
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  expect_tasks(after, 2);
  SqliteLives replaced;
  replaced.renumbers = false;
  fs::rename(restored->replaced, replaced.path());
  fs::rename(restored->replaced + ".journal", replaced.path() + ".journal");
  if (fs::exists(restored->replaced + "-wal")) {
    fs::rename(restored->replaced + "-wal", replaced.path() + "-wal");
  }
  ASSERT_NE(replaced.open(), nullptr) << replaced.error.text;
  expect_tasks(replaced, 4);
}

}  // namespace
}  // namespace warmpool::daemon
