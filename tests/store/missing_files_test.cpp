// A file of a store that is missing: all that was acknowledged is there all the same, or the start
// and the restore are refused with a text that says what to do. Never is it silently less.
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "daemon/exit_status.hpp"
#include "daemon/store/journal.hpp"
#include "daemon/store/restore.hpp"
#include "tests/store/fault_vfs.hpp"
#include "tests/store/store_fixture.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

namespace fs = std::filesystem;

const std::string kBesideRow(kBodyInRowMax + 1, 'x');
constexpr int kDamagedStatus = static_cast<int>(ExitStatus::StoreDamaged);

class MissingFiles : public testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override {
    lives_.place.journal_bytes = GetParam();
    lives_.renumbers = false;
  }
  // A life that ended in order, and one that accepts after it.
  void live_twice() {
    open();
    driver_->accept(1, "first life");
    accept_large(2);
    ASSERT_TRUE(driver_->settled());
    lives_.close();
    open();
    driver_->accept(3, "second life");
    accept_large(4);
    driver_->settle(1, Verdict::Done, "result");
    ASSERT_TRUE(driver_->settled());
  }
  void open() {
    ASSERT_NE(lives_.open(), nullptr) << lives_.error.text;
    driver_.emplace(*lives_.store());
  }
  void accept_large(std::uint64_t task) {
    const auto file =
        lives_.store()->begin_body(BodyKind::Payload, Blob(ipc::bytes_of(kBesideRow)), 0);
    bool is_there = false;
    for (const auto end = test::patience_ends();
         !is_there && std::chrono::steady_clock::now() < end;) {
      is_there = !lives_.store()->take_answers().bodies.empty();
      if (!is_there) wait_for_news(*lives_.store());
    }
    ASSERT_TRUE(is_there);
    TaskSpec spec;
    spec.payload_bytes = static_cast<std::uint32_t>(kBesideRow.size());
    driver_->keep_file(record::Accepted{TaskId{task}, spec, Instant{1}, Instant{1}}, kBesideRow,
                       file);
  }
  // What is there if the daemon is killed now, or of one that has ended.
  void copy_to(SqliteLives& after) const {
    after.renumbers = false;
    after.place.journal_bytes = lives_.place.journal_bytes;
    for (const char* suffix : {"", "-wal", ".journal"}) {
      if (fs::exists(lives_.path() + suffix)) {
        fs::copy_file(lives_.path() + suffix, after.path() + suffix);
      }
    }
    fs::copy(bodies_directory(lives_.path()), bodies_directory(after.path()));
  }
  static std::vector<std::string> files_of(const std::string& path) {
    return {path, path + "-wal", journal_path(path), bodies_directory(path)};
  }
  static void expect_all(SqliteLives& after) {
    ASSERT_TRUE(after.store()->damaged().empty());
    const auto text = [&](std::uint64_t task) {
      const auto stored = after.store()->find(TaskId{task});
      return stored ? text_of(*stored) : std::string("none");
    };
    EXPECT_EQ(text(1), "result");
    EXPECT_EQ(text(2), kBesideRow);
    EXPECT_EQ(text(3), "second life");
    EXPECT_EQ(text(4), kBesideRow);
  }

  // Without each file alone and each pair of them.
  template <class Judge>
  void for_each_lack(const Judge& judge) {
    for (std::size_t first = 0; first < 4; ++first) {
      for (std::size_t second = first; second < 4; ++second) {
        SqliteLives after;
        copy_to(after);
        const auto files = files_of(after.path());
        const bool lacks = fs::exists(files[first]) || fs::exists(files[second]);
        fs::remove_all(files[first]);
        fs::remove_all(files[second]);
        SCOPED_TRACE("without " + files[first] + " and " + files[second]);
        if (lacks) judge(after);
      }
    }
  }
  static void judge_start(SqliteLives& after) {
    const bool nothing = !fs::exists(after.path()) && !fs::exists(after.path() + "-wal") &&
                         !fs::exists(journal_path(after.path())) &&
                         !fs::exists(bodies_directory(after.path()));
    if (nothing) return;  // a new store is what is meant
    if (after.open() != nullptr) return expect_all(after);
    EXPECT_EQ(after.error.code, kDamagedStatus) << after.error.text;
    EXPECT_NE(after.error.text.find("missing"), std::string::npos) << after.error.text;
    EXPECT_EQ(after.open(), nullptr) << "the refusal was one of the first start alone";
    EXPECT_EQ(after.error.code, kDamagedStatus) << after.error.text;
  }
  static void judge_restore(SqliteLives& raw) {
    if (!fs::exists(raw.path())) return;
    SqliteLives after;
    after.renumbers = false;
    const auto restored = restore_store(after.place, raw.path());
    if (!restored) {
      EXPECT_EQ(restored.error().code, kDamagedStatus) << restored.error().text;
      EXPECT_NE(restored.error().text.find("missing"), std::string::npos) << restored.error().text;
      EXPECT_FALSE(restore_store(after.place, raw.path()));
      EXPECT_FALSE(fs::exists(after.path()));
      return;
    }
    EXPECT_TRUE(restored->left_out.empty());
    ASSERT_NE(after.open(), nullptr) << after.error.text;
    expect_all(after);
  }

  SqliteLives lives_;
  std::optional<RecordDriver> driver_;
};

TEST_P(MissingFiles, AfterAKillNothingIsSilentlyLess) {
  ASSERT_NO_FATAL_FAILURE(live_twice());
  {
    SqliteLives whole;
    copy_to(whole);
    ASSERT_NE(whole.open(), nullptr) << whole.error.text;
    expect_all(whole);
  }
  for_each_lack(judge_start);
  for_each_lack(judge_restore);
}

TEST_P(MissingFiles, AfterAnOrderlyStopNothingIsSilentlyLess) {
  ASSERT_NO_FATAL_FAILURE(live_twice());
  lives_.close();
  EXPECT_FALSE(fs::exists(lives_.path() + "-wal"));
  for_each_lack(judge_start);
  for_each_lack(judge_restore);
}

// What the file has is gone on with by who says so.
TEST_P(MissingFiles, AnEmptyFileInThePlaceOfTheWalGoesOnWithWhatThereIs) {
  ASSERT_NO_FATAL_FAILURE(live_twice());
  SqliteLives after;
  copy_to(after);
  fs::remove(after.path() + "-wal");
  ASSERT_EQ(after.open(), nullptr);
  EXPECT_NE(after.error.text.find("-wal is missing"), std::string::npos) << after.error.text;
  EXPECT_FALSE(fs::exists(after.path() + "-wal")) << "an empty one would stand for that wish";
  std::ofstream(after.path() + "-wal").close();
  fs::remove(journal_path(after.path()));
  std::ofstream(journal_path(after.path())).close();
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  EXPECT_TRUE(after.store()->find(TaskId{2}));
}

std::string bytes_at(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// By a daemon that would change the tables, and take in what the journal has.
TEST_P(MissingFiles, BodiesAreAskedForBeforeAnythingIsChanged) {
  ASSERT_NO_FATAL_FAILURE(live_twice());
  SqliteLives after;
  copy_to(after);
  fs::remove_all(bodies_directory(after.path()));
  const auto newest = schema_migrations();
  std::vector<Migration> list(newest.begin(), newest.end());
  list.push_back([](Database& database) { return database.run("CREATE TABLE more(x)"); });
  after.place.migrations = list;
  const auto files = files_of(after.path());
  std::vector<std::string> before;
  for (std::size_t file = 0; file < 3; ++file) before.push_back(bytes_at(files[file]));
  ASSERT_EQ(after.open(), nullptr);
  EXPECT_EQ(after.error.code, kDamagedStatus);
  EXPECT_NE(after.error.text.find("bodies is missing"), std::string::npos) << after.error.text;
  for (std::size_t file = 0; file < 3; ++file) {
    EXPECT_TRUE(bytes_at(files[file]) == before[file]) << files[file];
  }
}

// Once: what could not be moved into the file at the start of a life is moved later.
TEST(MissingWal, TheFileComesToSayThatALifeHasBegun) {
  FaultVfs vfs;
  SqliteLives lives;
  lives.place.vfs = vfs.name();
  ASSERT_NE(lives.open(), nullptr) << lives.error.text;
  lives.close();
  vfs.set_fault({DiskCall::Write, DiskFile::Database, 1, false, SQLITE_IOERR_WRITE});
  ASSERT_NE(lives.open(), nullptr) << lives.error.text;
  EXPECT_EQ(vfs.faults_met(), 1U);
  const auto open_of_file = [&] {
    SqliteLives alone;
    fs::copy_file(lives.path(), alone.path());
    const auto open = alone.raw().integer("SELECT open FROM store");
    return open ? *open : -1;
  };
  EXPECT_EQ(open_of_file(), 0);
  bool says = false;
  for (const auto end = test::patience_ends(); !says && std::chrono::steady_clock::now() < end;) {
    wait_for_news(*lives.store());
    says = open_of_file() != 0;
  }
  EXPECT_TRUE(says);
}

// What it could not write to the tables may be in the journal alone.
TEST(MissingJournal, OfALifeThatDidNotEndInOrderIsRefused) {
  FaultVfs vfs;
  SqliteLives lives;
  lives.renumbers = false;
  lives.place.vfs = vfs.name();
  lives.place.journal_bytes = 1 << 20;
  lives.place.busy_wait = seconds(1000);
  ASSERT_NE(lives.open(), nullptr) << lives.error.text;
  const DiskFault once{DiskCall::Begin, {}, 1, false, SQLITE_BUSY};
  vfs.set_fault(once);
  RecordDriver driver(*lives.store());
  driver.accept(1, "payload");
  ASSERT_TRUE(driver.settled());
  for (const auto end = test::patience_ends();
       vfs.faults_met() == 0 && std::chrono::steady_clock::now() < end;) {
    wait_for_news(*lives.store());
  }
  ASSERT_EQ(vfs.faults_met(), 1U);
  vfs.set_fault(once);  // and at the end once more
  lives.close();
  ASSERT_EQ(vfs.faults_met(), 2U);
  const auto journal = journal_path(lives.path());
  fs::rename(journal, journal + ".away");
  ASSERT_EQ(lives.open(), nullptr);
  EXPECT_EQ(lives.error.code, kDamagedStatus);
  fs::rename(journal + ".away", journal);
  ASSERT_NE(lives.open(), nullptr) << lives.error.text;
  EXPECT_TRUE(lives.store()->find(TaskId{1}));
}

// Of a daemon of an earlier version the file says nothing of the life that its WAL had.
TEST(MissingWal, AJournalOfALaterLifeIsRefusedBeforeAnythingIsWritten) {
  SqliteLives lives;
  lives.place.journal_bytes = 1 << 20;
  ASSERT_NE(lives.open(), nullptr) << lives.error.text;
  RecordDriver driver(*lives.store());
  driver.accept(1, "payload");
  ASSERT_TRUE(driver.settled());
  SqliteLives before;
  lives.close();
  fs::copy_file(lives.path(), before.path());  // of the life before
  ASSERT_NE(lives.open(), nullptr) << lives.error.text;
  fs::copy_file(journal_path(lives.path()), journal_path(before.path()));
  for (int start = 0; start < 2; ++start) {
    ASSERT_EQ(before.open(), nullptr);
    EXPECT_EQ(before.error.code, kDamagedStatus);
    EXPECT_NE(before.error.text.find("-wal is missing"), std::string::npos) << before.error.text;
  }
  SqliteLives after;
  EXPECT_EQ(restore_store(after.place, before.path()).error().code, kDamagedStatus);
  fs::rename(journal_path(before.path()), before.path() + ".away");
  ASSERT_NE(before.open(), nullptr) << before.error.text;
  EXPECT_TRUE(before.store()->find(TaskId{1}));
}

// Also where the tables have nothing of it yet.
TEST(MissingJournal, OfALifeThatHasBegunIsRefused) {
  FaultVfs vfs;
  SqliteLives lives, after;
  lives.place.vfs = vfs.name();
  lives.place.journal_bytes = after.place.journal_bytes = 1 << 20;
  ASSERT_NE(lives.open(), nullptr) << lives.error.text;
  vfs.set_fault({DiskCall::Begin, {}, 1, true, SQLITE_BUSY});
  RecordDriver driver(*lives.store());
  driver.accept(1, "payload");
  ASSERT_TRUE(driver.settled());
  for (const char* suffix : {"", "-wal"}) {
    fs::copy_file(lives.path() + suffix, after.path() + suffix);
  }
  ASSERT_EQ(after.open(), nullptr);
  EXPECT_EQ(after.error.code, kDamagedStatus);
  EXPECT_NE(after.error.text.find(".journal is missing"), std::string::npos) << after.error.text;
  SqliteLives restored;
  EXPECT_EQ(restore_store(restored.place, after.path()).error().code, kDamagedStatus);
  fs::copy_file(journal_path(lives.path()), journal_path(after.path()));
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  EXPECT_TRUE(after.store()->find(TaskId{1}));
  vfs.clear_faults();
}

INSTANTIATE_TEST_SUITE_P(Journal, MissingFiles, testing::Values(0U, 1U << 20));

}  // namespace
}  // namespace warmpool::daemon
