// The journal where it cannot be had, is full, or is gone.
#include <filesystem>
#include <thread>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "daemon/store/journal.hpp"
#include "tests/store/ahead_fixture.hpp"

namespace warmpool::daemon {
namespace {

// Until a sync waits that the disk was told to hold.
testing::AssertionResult a_sync_waits(const FaultVfs& vfs) {
  for (const auto end = test::patience_ends(); std::chrono::steady_clock::now() < end;) {
    if (vfs.sync_waits()) return testing::AssertionSuccess();
    std::this_thread::yield();
  }
  return testing::AssertionFailure() << "no sync waits";
}

TEST_F(Ahead, AJournalThatWasRemovedIsLeftAndTheTablesAreWholeWithoutIt) {
  open();
  accept(1, 2);
  ASSERT_TRUE(driver_->settled());
  std::filesystem::remove(journal_path(lives_.path()));
  accept(3, 5);
  const auto told = until([](const auto& answers) { return answers.slower.has_value(); });
  EXPECT_NE(told.slower->find("removed"), std::string::npos) << *told.slower;
  until_kept(5);
  ASSERT_TRUE(lives_.in_tables({5}));
  expect_after_kill(5);
}

TEST_F(Ahead, AJournalThatCannotBeBegunIsTriedAgain) {
  vfs_.set_fault({DiskCall::Open, DiskFile::Journal, 1, false, SQLITE_CANTOPEN});
  open();
  EXPECT_NE(lives_.store()->figures().journal_trouble, "");
  EXPECT_TRUE(lives_.store()->take_answers().slower);
  accept(1, 2);
  until_kept(2);
  lives_.time.pass(seconds(11));
  accept(3, 4);
  until_kept(4);
  EXPECT_EQ(lives_.store()->figures().journal_trouble, "");
  stop_tables();
  accept(5, 6);
  until_kept(6);
  expect_after_kill(6);
}

TEST_F(Ahead, WhoWaitsForAFullJournalIsSeenToWait) {
  open();
  vfs_.hold_syncs(DiskFile::Wal);
  accept(1, 80, 150);
  ASSERT_TRUE(a_sync_waits(vfs_));
  lives_.time.pass(seconds(5));
  const auto end = test::patience_ends();
  while (lives_.store()->figures().stalled < seconds(5)) {
    ASSERT_LT(std::chrono::steady_clock::now(), end);
    std::this_thread::yield();
  }
  vfs_.let_syncs_go();
  EXPECT_TRUE(driver_->settled());
}

// Time does not pass here: the window of what was told as written cannot have ended by itself.
TEST_F(Ahead, WhatWasToldAsWrittenIsSyncedBeforeItWaitsForTheTables) {
  open();
  vfs_.hold_syncs(DiskFile::Wal);
  TaskSpec relaxed;
  relaxed.durability = Durability::Relaxed;
  for (std::uint64_t task = 1; task <= 80; ++task) {
    driver_->accept(task, std::string(150, 'r'), relaxed);
  }
  ASSERT_TRUE(a_sync_waits(vfs_));
  EXPECT_TRUE(vfs_.moment().journal.unsynced.empty());
  vfs_.let_syncs_go();
  EXPECT_TRUE(driver_->settled());
}

TEST_F(Ahead, ManyTurnsAtOnceFitInASmallJournal) {
  lives_.place.journal_bytes = 64 * 1024;
  open();
  vfs_.hold_syncs(DiskFile::Journal);
  accept(1, 1);
  ASSERT_TRUE(a_sync_waits(vfs_));
  accept(2, 180, 150);
  stop_tables();
  vfs_.let_syncs_go();
  EXPECT_TRUE(driver_->settled()) << "together they are more than a half";
  expect_after_kill(180);
}

// A program that reads an old state keeps the WAL from being moved, and the journal goes all the
// same.
TEST_F(Ahead, AnOrderlyEndBesideAReaderOutlivesAPowerCut) {
  open();
  accept(1, 6);
  ASSERT_TRUE(driver_->settled());
  ASSERT_TRUE(lives_.in_tables({6}));
  auto reader = Database::open(lives_.path(), OpenMode::ReadOnly, "");
  ASSERT_TRUE(reader);
  ASSERT_TRUE(reader->run("BEGIN"));
  ASSERT_TRUE(reader->integer("SELECT count(*) FROM tasks"));
  accept(7, 8);
  ASSERT_TRUE(driver_->settled());
  lives_.close();
  ASSERT_FALSE(std::filesystem::exists(journal_path(lives_.path())));
  SqliteLives after;
  after.renumbers = false;
  FaultVfs::make_files(vfs_.moment(), Torn::None, 1, after.path());
  std::filesystem::remove(journal_path(after.path()));
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  expect_tasks(after, 8);
}

}  // namespace
}  // namespace warmpool::daemon
