// Groups of changes, one in a sync and the next one beside it.
#include <algorithm>
#include <thread>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/store/fault_vfs.hpp"
#include "tests/store/store_fixture.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

class GroupCommit : public testing::Test {
 protected:
  void SetUp() override {
    lives_.place.vfs = vfs_.name();
    lives_.place.refused_wait = milliseconds(1);
    ASSERT_NE(lives_.open(), nullptr) << lives_.error.text;
    driver_.emplace(*lives_.store());
    driver_->accept(1, "before");
    ASSERT_TRUE(driver_->settled());
  }
  void TearDown() override {
    vfs_.let_syncs_go();
    vfs_.clear_faults();
  }

  template <class Condition>
  static bool comes(const Condition& condition) {
    for (const auto end = test::patience_ends(); !condition(); std::this_thread::yield()) {
      if (std::chrono::steady_clock::now() > end) return false;
    }
    return true;
  }

  // How many transactions that write were begun.
  std::uint64_t begun() const { return vfs_.calls(DiskCall::Begin); }

  // A group whose sync has begun, and one beside it that is being filled.
  void put_one_beside_another() {
    vfs_.hold_syncs();
    driver_->accept(2, "synced");
    ASSERT_TRUE(comes([this] { return vfs_.sync_waits(); }));
    const auto before = begun();
    driver_->accept(3, "beside it");
    ASSERT_TRUE(comes([&] { return begun() > before; }));
    driver_->accept(4, "beside it too");
  }

  void fill_disk() { vfs_.set_fault({DiskCall::Write, DiskFile::Wal, 1, true, SQLITE_FULL}); }
  // Until the store says that nothing more is on disk. Gives what was told as kept by then.
  std::optional<RecordNumber> kept_when_undone() {
    std::optional<RecordNumber> kept;
    const bool undone = comes([&] {
      const auto answers = lives_.store()->take_answers();
      if (answers.persisted) kept = answers.persisted;
      EXPECT_FALSE(answers.undone && answers.accepting != false);
      return answers.undone;
    });
    EXPECT_TRUE(undone);
    return kept;
  }
  std::int64_t rows_of(const std::string& table) {
    lives_.close();
    const auto count = lives_.raw().integer("SELECT count(*) FROM " + table);
    return count ? *count : -1;
  }

  void expect_all_in_the_next_life() {
    ASSERT_NE(lives_.open(), nullptr) << lives_.error.text;
    for (const auto& [task, text] : std::map<std::uint64_t, std::string>{
             {1, "before"}, {2, "synced"}, {3, "beside it"}, {4, "beside it too"}}) {
      const auto stored = lives_.store()->find(TaskId{task});
      ASSERT_TRUE(stored) << task;
      EXPECT_EQ(text_of(*stored), text);
    }
  }

  FaultVfs vfs_;
  SqliteLives lives_;
  std::optional<RecordDriver> driver_;
};

TEST_F(GroupCommit, FillsAGroupWhileTheOneBeforeIsSynced) {
  const auto commits = lives_.store()->figures().commits;
  put_one_beside_another();
  EXPECT_FALSE(lives_.store()->take_answers().persisted);
  vfs_.let_syncs_go();
  ASSERT_TRUE(driver_->settled());
  EXPECT_EQ(lives_.store()->figures().commits, commits + 2);
  expect_all_in_the_next_life();
}

TEST_F(GroupCommit, AGroupBesideAFailedSyncIsWrittenAnewWithIt) {
  put_one_beside_another();
  vfs_.set_fault({DiskCall::Sync, DiskFile::Wal, 1, false, SQLITE_IOERR_FSYNC});
  vfs_.let_syncs_go();
  ASSERT_TRUE(comes([this] { return vfs_.faults_met() == 1; }));
  ASSERT_TRUE(driver_->settled());
  expect_all_in_the_next_life();
}

TEST_F(GroupCommit, AGroupThatIsNotSyncedIsToldAfterTheOneThatIs) {
  vfs_.hold_syncs();
  driver_->accept(2, "synced");
  ASSERT_TRUE(comes([this] { return vfs_.sync_waits(); }));
  TaskSpec relaxed;
  relaxed.durability = Durability::Relaxed;
  const auto before = begun();
  driver_->accept(3, "beside it", relaxed);
  ASSERT_TRUE(comes([&] { return begun() > before; }));
  EXPECT_FALSE(lives_.store()->take_answers().persisted);
  vfs_.let_syncs_go();
  ASSERT_TRUE(driver_->settled());
}

// What was told as written is lost by no power cut later than its window, whatever the disk refuses
// by then.
TEST_F(GroupCommit, WhatIsRelaxedIsSyncedThoughTheNextGroupIsRefusedForEver) {
  TaskSpec relaxed;
  relaxed.durability = Durability::Relaxed;
  std::uint64_t task = 2;
  for (const auto& fault : {DiskFault{DiskCall::Write, DiskFile::Wal, 1, true, SQLITE_FULL},
                            DiskFault{DiskCall::Begin, {}, 1, true, SQLITE_BUSY}}) {
    driver_->accept(task, "relaxed", relaxed);
    ASSERT_TRUE(driver_->settled());
    const auto met = vfs_.faults_met();
    vfs_.set_fault(fault);
    driver_->accept(task + 1, "refused");
    ASSERT_TRUE(comes([&] {
      (void)lives_.store()->take_answers();  // what is undone is tried again after it was heard
      return vfs_.faults_met() >= met + 2;
    }));
    SqliteLives after;
    after.renumbers = false;
    FaultVfs::make_files(vfs_.moment(), Torn::None, 1, after.path());
    ASSERT_NE(after.open(), nullptr) << after.error.text;
    EXPECT_TRUE(after.store()->find(TaskId{task})) << task;
    EXPECT_FALSE(after.store()->find(TaskId{task + 1})) << task;
    vfs_.clear_faults();
    ASSERT_TRUE(driver_->settled());
    task += 2;
  }
}

// A task that takes the machine down each time is counted from the second time on.
TEST_F(GroupCommit, AStartOfATaskOfAnEarlierLifeOutlivesAPowerCut) {
  driver_->start(1, 1);
  const auto is_kept = [&] {
    SqliteLives after;
    after.renumbers = false;
    FaultVfs::make_files(vfs_.moment(), Torn::None, 1, after.path());
    if (after.open() == nullptr) return false;
    return std::ranges::any_of(after.replayed, [](const Record& record) {
      return std::holds_alternative<record::Started>(record);
    });
  };
  EXPECT_TRUE(comes(is_kept));
}

// A backlog has no sync for each of its starts; what has run before is counted at once.
TEST_F(GroupCommit, StartsOfABacklogOfAnEarlierLifeShareTheirSyncs) {
  constexpr std::uint64_t first = 100, count = 20;
  for (auto task = first; task <= first + count; ++task) driver_->accept(task, "backlog");
  ASSERT_TRUE(driver_->settled());
  const auto before = lives_.store()->figures().syncs;
  for (auto task = first; task < first + count; ++task) {
    driver_->start(task, 1);
    ASSERT_TRUE(driver_->settled());
  }
  EXPECT_EQ(lives_.store()->figures().syncs, before + 1) << "of the first one";
  driver_->start(1, 2);
  ASSERT_TRUE(driver_->settled());
  EXPECT_EQ(lives_.store()->figures().syncs, before + 2);
  lives_.time.pass(milliseconds(50));
  driver_->start(first + count, 1);
  ASSERT_TRUE(driver_->settled());
  EXPECT_EQ(lives_.store()->figures().syncs, before + 3) << "their next turn";
}

TEST_F(GroupCommit, OnAFullDiskTheGroupBesideASyncIsUndoneAndTheOneBeforeIsKept) {
  put_one_beside_another();
  fill_disk();
  for (int looks = 0; looks < 100; ++looks) {
    const auto answers = lives_.store()->take_answers();
    EXPECT_FALSE(answers.undone || answers.persisted) << "a sync may still fail";
    std::this_thread::yield();
  }
  vfs_.let_syncs_go();
  EXPECT_EQ(kept_when_undone(), RecordNumber{2});
  const auto commits = lives_.store()->figures().commits;
  driver_->settle(3, Verdict::Cancelled, "");
  driver_->settle(4, Verdict::Cancelled, "");
  vfs_.clear_faults();
  ASSERT_TRUE(driver_->settled());
  EXPECT_EQ(lives_.store()->figures().commits, commits + 1) << "its end comes with it";
  EXPECT_EQ(rows_of("tasks"), 2);
}

TEST_F(GroupCommit, NothingIsUndoneThatAFailedSyncMayHaveKept) {
  put_one_beside_another();
  vfs_.set_fault({DiskCall::Sync, DiskFile::Wal, 1, false, SQLITE_IOERR_FSYNC});
  fill_disk();
  vfs_.let_syncs_go();
  ASSERT_TRUE(comes([this] {
    EXPECT_FALSE(lives_.store()->take_answers().undone);
    return vfs_.faults_met() >= 4;  // also where what the WAL holds is written anew
  }));
  vfs_.clear_faults();
  ASSERT_TRUE(driver_->settled());
  expect_all_in_the_next_life();
}

TEST_F(GroupCommit, StaysUndoneWhateverComesUntilItIsAnswered) {
  fill_disk();
  driver_->accept(2, "undone");
  ASSERT_FALSE(kept_when_undone());
  const auto before = begun();
  vfs_.clear_faults();
  driver_->accept(3, "too");
  driver_->settle(2, Verdict::Cancelled, "");
  for (int looks = 0; looks < 5; ++looks) wait_for_news(*lives_.store());
  EXPECT_EQ(begun(), before) << "nobody has said what is to become of it";
  ASSERT_TRUE(driver_->settled());
  EXPECT_EQ(rows_of("tasks"), 2);
}

// What a start belongs to is before it and what ends it is behind it, whenever a group was undone
// between them.
TEST_F(GroupCommit, AStartInAGroupThatWasUndoneComesBeforeItsEnd) {
  fill_disk();
  driver_->keep_together({record::Accepted{TaskId{2}, {}, Instant{1}, Instant{1}},
                          record::Started{TaskId{1}, 1, 1, WorkerId{5}, SlotId{2}, Instant{2}}});
  ASSERT_FALSE(kept_when_undone());
  driver_->settle(1, Verdict::Done, "result");
  vfs_.clear_faults();
  ASSERT_TRUE(driver_->settled()) << driver_->broken->text;
  EXPECT_EQ(rows_of("tasks"), 1);
}

TEST_F(GroupCommit, AnEndDoesNotWaitForAnAnswerToWhatIsUndone) {
  fill_disk();
  driver_->accept(2, "undone");
  ASSERT_FALSE(kept_when_undone());
  vfs_.clear_faults();
  driver_->settle(2, Verdict::Cancelled, "");
  EXPECT_EQ(rows_of("tasks"), 1);
}

TEST_F(GroupCommit, ItsEndWaitsForTheSyncThatRuns) {
  put_one_beside_another();
  std::thread ends([this] { lives_.close(); });
  vfs_.let_syncs_go();
  ends.join();
  expect_all_in_the_next_life();
}

TEST_F(GroupCommit, WritesItsFramesTogetherAndShowsThemAtOnce) {
  const auto writes = vfs_.calls(DiskCall::Write);
  for (std::uint64_t task = 2; task < 52; ++task) {
    driver_->accept(task, std::string(64, 'x'));
  }
  ASSERT_TRUE(driver_->settled());
  const auto commits = lives_.store()->figures().commits;
  EXPECT_LE(vfs_.calls(DiskCall::Write) - writes, commits);
  auto other = Database::open(lives_.path(), OpenMode::ReadOnly, "");
  ASSERT_TRUE(other);
  EXPECT_EQ(*other->integer("SELECT count(*) FROM tasks"), 51);
  EXPECT_EQ(*other->text("PRAGMA quick_check"), "ok");
}

TEST_F(GroupCommit, AGroupLargerThanOneWriteIsWhole) {
  vfs_.hold_syncs();
  driver_->accept(2, "synced");
  ASSERT_TRUE(comes([this] { return vfs_.sync_waits(); }));
  for (std::uint64_t task = 3; task < 13; ++task) {
    driver_->accept(task, std::string(60'000, static_cast<char>('a' + task)));
  }
  vfs_.let_syncs_go();
  ASSERT_TRUE(driver_->settled());
  ASSERT_NE(lives_.open(), nullptr) << lives_.error.text;
  for (std::uint64_t task = 3; task < 13; ++task) {
    const auto stored = lives_.store()->find(TaskId{task});
    ASSERT_TRUE(stored) << task;
    EXPECT_EQ(text_of(*stored), std::string(60'000, static_cast<char>('a' + task)));
  }
}

}  // namespace
}  // namespace warmpool::daemon
