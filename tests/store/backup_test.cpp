// Copies of a store that is written to, and copies that become the store.
#include <array>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "daemon/exit_status.hpp"
#include "daemon/store/body_files.hpp"
#include "daemon/store/restore.hpp"
#include "tests/store/store_fixture.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

std::optional<Result<BackupFigures>> wait_for_backup(SqliteStore& store) {
  const auto end = test::patience_ends();
  while (std::chrono::steady_clock::now() < end) {
    if (auto answers = store.take_answers(); answers.backup) return answers.backup;
    pollfd waits{store.answers_fd(), POLLIN, 0};
    ::poll(&waits, 1, 10);
  }
  return std::nullopt;
}

bool back_up(SqliteStore& store, const std::string& file) {
  if (!store.begin_backup(file)) return false;
  const auto ended = wait_for_backup(store);
  return ended && *ended;
}

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

int code(ExitStatus status) { return static_cast<int>(status); }

TEST(Backup, HoldsAllThatWasAcknowledgedBeforeIt) {
  SqliteLives lives;
  auto* store = lives.open();
  RecordDriver driver(*store);
  for (std::uint64_t task = 1; task <= 500; ++task) driver.accept(task, "payload");
  ASSERT_TRUE(driver.settled());
  const auto file = lives.directory / "copy.db";
  ASSERT_TRUE(store->begin_backup(file));
  std::uint64_t last = 500;
  std::optional<Result<BackupFigures>> ended;
  while (!ended) {  // under load
    driver.accept(++last, "payload");
    ended = store->take_answers().backup;
  }
  ASSERT_TRUE(*ended) << (*ended).error().text;
  struct stat made {};
  ASSERT_EQ(::stat(file.c_str(), &made), 0);
  EXPECT_EQ(made.st_mode & 0777U, 0600U);
  EXPECT_EQ((*ended)->bytes, static_cast<std::uint64_t>(made.st_size));
  auto copy = Database::open(file, OpenMode::ReadOnly, "");
  ASSERT_TRUE(copy);
  EXPECT_EQ(*copy->text("PRAGMA integrity_check"), "ok");
  EXPECT_GE(*copy->integer("SELECT count(*) FROM tasks"), 500);
  EXPECT_EQ(*copy->integer("SELECT count(*) FROM tasks"),
            *copy->integer("SELECT max(id) FROM tasks"))
      << "one moment: no task is missing before the last";
}

TEST(Backup, ReplacesNothingAndLeavesNothingHalfDone) {
  SqliteLives lives;
  auto* store = lives.open();
  const auto file = lives.directory / "copy.db";
  std::ofstream(file) << "mine";
  EXPECT_FALSE(store->begin_backup(file));
  EXPECT_EQ(bytes_of(file), "mine");
  EXPECT_FALSE(store->begin_backup("copy.db")) << "a daemon has no directory of its own";
  const auto nowhere = lives.directory / "no-such-directory/copy.db";
  ASSERT_TRUE(store->begin_backup(nowhere));
  EXPECT_FALSE(store->begin_backup(lives.directory / "second.db")) << "one at a time";
  const auto ended = wait_for_backup(*store);
  ASSERT_TRUE(ended);
  EXPECT_NE(ended->error().text.find(nowhere), std::string::npos) << ended->error().text;
  EXPECT_TRUE(back_up(*store, lives.directory / "second.db"));
}

TEST(Restore, BringsBackWhatTheBackupHolds) {
  SqliteLives lives;
  auto* store = lives.open();
  RecordDriver driver(*store);
  driver.accept(1, "payload");
  driver.accept(2, "payload");
  driver.settle(2, Verdict::Done, "result");
  ASSERT_TRUE(driver.settled());
  const auto file = lives.directory / "copy.db";
  ASSERT_TRUE(back_up(*store, file));
  driver.accept(3, "later");
  ASSERT_TRUE(driver.settled());
  const auto life = store->life();
  lives.close();
  const auto restored = restore_store(lives.place, file);
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_EQ(restored->tasks, 1U);
  EXPECT_EQ(restored->results, 1U);
  ASSERT_TRUE(lives.open()) << lives.error.text;
  EXPECT_EQ(text_of(*lives.store()->find(TaskId{1})), "payload");
  EXPECT_EQ(text_of(*lives.store()->find(TaskId{2})), "result");
  EXPECT_FALSE(lives.store()->find(TaskId{3}));
  EXPECT_GT(lives.store()->life(), life) << "ids of the life that is forgotten are not given again";
  auto aside = Database::open(restored->replaced, OpenMode::ReadOnly, "");
  ASSERT_TRUE(aside);
  EXPECT_EQ(*aside->integer("SELECT count(*) FROM tasks WHERE id = 3"), 1);
}

TEST(Restore, TakesThePlaceOfADamagedStoreWithItsWal) {
  SqliteLives lives;
  auto* store = lives.open();
  RecordDriver driver(*store);
  driver.accept(1, "payload");
  ASSERT_TRUE(driver.settled());
  const auto file = lives.directory / "copy.db";
  ASSERT_TRUE(back_up(*store, file));
  lives.close();
  std::ofstream(lives.path()) << "nonsense";
  std::ofstream(lives.path() + "-wal") << "nonsense of another file";
  ASSERT_FALSE(lives.open());
  ASSERT_TRUE(restore_store(lives.place, file));
  ASSERT_TRUE(lives.open()) << lives.error.text;
  EXPECT_EQ(text_of(*lives.store()->find(TaskId{1})), "payload");
  lives.close();
  EXPECT_FALSE(restore_store(lives.place, file)) << "what was set aside is not overwritten";
}

TEST(Restore, RefusesWhatIsNoBackupAndChangesNothing) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept(1, "payload");
  ASSERT_TRUE(driver.settled());
  lives.close();
  const auto before = bytes_of(lives.path());
  const auto file = lives.directory / "copy.db";
  EXPECT_EQ(restore_store(lives.place, file).error().code, code(ExitStatus::StoreFailed));
  std::ofstream(file) << "nonsense";
  EXPECT_EQ(restore_store(lives.place, file).error().code, code(ExitStatus::StoreDamaged));
  std::ofstream(file, std::ios::trunc).close();
  EXPECT_EQ(restore_store(lives.place, file).error().code, code(ExitStatus::StoreDamaged));
  EXPECT_EQ(bytes_of(lives.path()), before);
  EXPECT_TRUE(lives.open());
}

// What a crash leaves between any two of its steps is no store that a daemon would open.
TEST(Restore, OneThatWasNotFinishedIsNoStore) {
  SqliteLives lives;
  auto* store = lives.open();
  RecordDriver driver(*store);
  driver.accept(1, "payload");
  ASSERT_TRUE(driver.settled());
  const auto file = lives.directory / "copy.db";
  ASSERT_TRUE(back_up(*store, file));
  lives.close();
  std::ofstream(restoring_path(lives.path())) << "half of it";
  const auto refused = [&] {
    return !lives.open() && lives.error.code == code(ExitStatus::StoreDamaged) &&
           lives.error.text.find("--restore") != std::string::npos;
  };
  EXPECT_TRUE(refused());
  ASSERT_EQ(::rename(lives.path().c_str(), (lives.path() + ".replaced").c_str()), 0);
  EXPECT_TRUE(refused()) << "a new store would be begun";
  ASSERT_TRUE(restore_store(lives.place, file));
  ASSERT_TRUE(lives.open()) << lives.error.text;
  EXPECT_TRUE(lives.store()->find(TaskId{1}));
}

// Killed while it sets the store aside, a part at a time: what is there already stays, and the
// whole of the store that was there is found under its other name.
TEST(Restore, OneThatWasInterruptedIsGoneOnWith) {
  namespace fs = std::filesystem;
  SqliteLives lives;
  lives.place.journal_bytes = 1 << 20;
  lives.renumbers = false;
  auto* store = lives.open();
  RecordDriver driver(*store);
  driver.accept(1, "payload");
  ASSERT_TRUE(driver.settled());
  const std::string file = lives.directory / "copy.db";
  ASSERT_TRUE(back_up(*store, file));
  driver.accept(2, "later");
  ASSERT_TRUE(driver.settled());
  const auto life = store->life();
  for (std::size_t moved = 0; moved <= 4; ++moved) {
    SCOPED_TRACE(moved);
    SqliteLives killed;
    killed.renumbers = false;
    const auto path = killed.path();
    const std::array<std::pair<std::string, std::string>, 4> parts{
        {{path + "-wal", path + ".replaced-wal"},
         {path + ".journal", path + ".replaced.journal"},
         {bodies_directory(path), path + ".replaced.bodies"},
         {path, path + ".replaced"}}};
    for (const char* suffix : {"", "-wal", ".journal"}) {
      fs::copy_file(lives.path() + suffix, path + suffix);
    }
    fs::create_directory(bodies_directory(path));
    ASSERT_TRUE(restore_store(killed.place, file));
    // Back to where it had set aside some of them.
    fs::rename(path, restoring_path(path));
    for (auto at = moved; at < parts.size(); ++at) fs::rename(parts[at].second, parts[at].first);
    ASSERT_FALSE(killed.open());
    EXPECT_EQ(killed.error.text.find("remove that file") == std::string::npos, moved != 0)
        << killed.error.text;
    // A copy that cannot be made takes nothing away.
    fs::create_directory(restoring_path(path) + ".made.part");
    EXPECT_FALSE(restore_store(killed.place, file));
    EXPECT_TRUE(fs::exists(restoring_path(path)));
    EXPECT_FALSE(killed.open());
    fs::remove(restoring_path(path) + ".made.part");
    const auto restored = restore_store(killed.place, file);
    ASSERT_TRUE(restored) << restored.error().text;
    ASSERT_TRUE(killed.open()) << killed.error.text;
    EXPECT_TRUE(killed.store()->find(TaskId{1}));
    EXPECT_FALSE(killed.store()->find(TaskId{2}));
    EXPECT_GT(killed.store()->life(), life);
    SqliteLives replaced;
    replaced.renumbers = false;
    EXPECT_EQ(restored->replaced, path + ".replaced");
    for (const char* suffix : {"", "-wal", ".journal"}) {
      fs::rename(path + ".replaced" + suffix, replaced.path() + suffix);
    }
    ASSERT_TRUE(replaced.open()) << replaced.error.text;
    EXPECT_TRUE(replaced.store()->find(TaskId{2}));
    EXPECT_TRUE(fs::exists(path + ".replaced.bodies"));
  }
}

}  // namespace
}  // namespace warmpool::daemon
