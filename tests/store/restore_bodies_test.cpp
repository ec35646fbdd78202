// Bodies in files of their own, on their way through a backup, or from a store that was set aside,
// into the store that is restored.
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "daemon/exit_status.hpp"
#include "daemon/store/checksum.hpp"
#include "daemon/store/restore.hpp"
#include "ipc/large_body.hpp"
#include "tests/store/fault_vfs.hpp"
#include "tests/store/store_fixture.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

namespace fs = std::filesystem;

const std::string kOverRow(kBodyInRowMax + 1, 'x');
const std::string kOverMemory(kBodyInMemoryMax + 12'345, 'y');

class RestoreBodies : public testing::Test {
 protected:
  void SetUp() override { lives_.renumbers = false; }
  void open() {
    ASSERT_NE(lives_.open(), nullptr) << lives_.error.text;
    driver_.emplace(*lives_.store());
  }
  template <class Wanted>
  auto wait_for(const Wanted& wanted) -> decltype(wanted(StoreAnswers{})) {
    for (const auto end = test::patience_ends(); std::chrono::steady_clock::now() < end;) {
      if (auto found = wanted(lives_.store()->take_answers())) return found;
      wait_for_news(*lives_.store());
    }
    return {};
  }
  static Blob by_descriptor(const std::string& bytes) {
    auto sealed = ipc::sealed_copy(ipc::bytes_of(bytes));
    REQUIRE(sealed);
    return Blob(std::make_shared<const ipc::UniqueFd>(std::move(*sealed)), bytes.size());
  }
  static Blob blob_of(const std::string& bytes) {
    return bytes.size() > kBodyInMemoryMax ? by_descriptor(bytes) : Blob(ipc::bytes_of(bytes));
  }
  BodyFile write(BodyKind kind, const std::string& bytes) {
    EXPECT_TRUE(lives_.store()->begin_body(kind, blob_of(bytes), 0));
    const auto ended = wait_for([](const StoreAnswers& answers) -> std::optional<BodyEnded> {
      if (answers.bodies.empty()) return std::nullopt;
      return answers.bodies.front();
    });
    EXPECT_TRUE(ended && ended->fault.empty());
    return ended ? ended->file : BodyFile{};
  }
  void accept(std::uint64_t task, const std::string& payload) {
    TaskSpec spec;
    spec.payload_bytes = static_cast<std::uint32_t>(payload.size());
    driver_->keep_file(record::Accepted{TaskId{task}, spec, Instant{1}, Instant{1}},
                       blob_of(payload), write(BodyKind::Payload, payload));
  }
  void finish(std::uint64_t task, const std::string& result) {
    record::Settled settled{};
    settled.task = TaskId{task};
    settled.round = settled.attempt = 1;
    settled.verdict = Verdict::Done;
    settled.cause = EndCause::Done;
    settled.at = Instant{5};
    driver_->keep_file(settled, blob_of(result), write(BodyKind::Result, result));
  }
  Result<BackupFigures> back_up(const std::string& file) {
    if (auto begun = lives_.store()->begin_backup(file); !begun) return begun.error();
    const auto ended = wait_for([](const StoreAnswers& answers) { return answers.backup; });
    return ended ? *ended : Result<BackupFigures>(Error{0, "it does not end"});
  }
  static std::string body_of(SqliteStore& store, std::uint64_t task) {
    const auto stored = store.find(TaskId{task});
    if (!stored) return "none";
    const auto from = stored->body->descriptor();
    if (!from) return text_of(*stored);
    const auto view = ipc::LargeView::of(from->get(), stored->body->size());
    return view ? std::string(ipc::text_of(view->bytes())) : view.error().text;
  }
  static void expect_all(SqliteStore& store) {
    EXPECT_TRUE(store.damaged().empty());
    EXPECT_TRUE(body_of(store, 1) == kOverMemory);
    EXPECT_TRUE(body_of(store, 2) == kOverMemory + "result");
    EXPECT_TRUE(body_of(store, 3) == kOverRow);
  }
  void fill() {
    open();
    accept(1, kOverMemory);
    accept(2, kOverRow);
    finish(2, kOverMemory + "result");
    accept(3, kOverRow);
    ASSERT_TRUE(driver_->settled());
  }

  FaultVfs vfs_;
  SqliteLives lives_;
  std::optional<RecordDriver> driver_;
};

TEST_F(RestoreBodies, WhatIsTooLargeForARowIsAFileBesideTheBackupAndComesBack) {
  ASSERT_NO_FATAL_FAILURE(fill());
  const std::string file = lives_.directory / "copy.db";
  const auto made = back_up(file);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_TRUE(made->left_out.empty());
  EXPECT_GT(made->bytes, 2 * kOverMemory.size());
  ASSERT_TRUE(fs::exists(file + ".bodies"));
  EXPECT_EQ(std::distance(fs::directory_iterator(file + ".bodies"), fs::directory_iterator()), 2);
  EXPECT_FALSE(back_up(file)) << "nothing is replaced";
  lives_.close();
  SqliteLives after;
  after.renumbers = false;
  const auto restored = restore_store(after.place, file);
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_TRUE(restored->left_out.empty());
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  expect_all(*after.store());
  EXPECT_TRUE(fs::exists(file + ".bodies")) << "the backup stays as it is";
}

TEST_F(RestoreBodies, ABackupWithoutTheDirectoryThatBelongsToItIsRefused) {
  ASSERT_NO_FATAL_FAILURE(fill());
  const std::string file = lives_.directory / "copy.db";
  ASSERT_TRUE(back_up(file));
  SqliteLives after, other;
  const std::string moved = other.directory / "moved.db";
  fs::copy_file(file, moved);
  const auto refused = restore_store(after.place, moved);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text.find("is missing"), std::string::npos) << refused.error().text;
  fs::create_directory(moved + ".bodies");  // so it is to be without them
  const auto restored = restore_store(after.place, moved);
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_EQ(restored->left_out.size(), 2U);
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  EXPECT_TRUE(after.store()->find(TaskId{1})->payload_lost);
}

TEST_F(RestoreBodies, AStoreThatWasSetAsideComesBackWithItsBodies) {
  ASSERT_NO_FATAL_FAILURE(fill());
  const std::string first = lives_.directory / "first.db";
  ASSERT_TRUE(back_up(first));
  accept(4, kOverRow + "later");
  ASSERT_TRUE(driver_->settled());
  lives_.close();
  const auto restored = restore_store(lives_.place, first);
  ASSERT_TRUE(restored) << restored.error().text;
  SqliteLives after;
  after.renumbers = false;
  const auto again = restore_store(after.place, restored->replaced);
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_TRUE(again->left_out.empty());
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  expect_all(*after.store());
  EXPECT_TRUE(body_of(*after.store(), 4) == kOverRow + "later");
}

TEST_F(RestoreBodies, WhatABackupOrARestoreLacksIsNamed) {
  ASSERT_NO_FATAL_FAILURE(fill());
  const auto directory = bodies_directory(lives_.path());
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
  ASSERT_EQ(files.size(), 3U);
  // A large one and a small one are changed.
  for (const auto& path : files) {
    const auto bytes = fs::file_size(path);
    if (bytes == kOverMemory.size() || bytes == kOverRow.size()) {
      std::ofstream(path) << std::string(bytes, 'z');
    }
  }
  const std::string file = lives_.directory / "copy.db";
  const auto made = back_up(file);
  ASSERT_TRUE(made) << made.error().text;
  EXPECT_EQ(made->left_out, (std::vector{TaskId{1}, TaskId{3}}));
  lives_.close();
  for (const auto& from : {file, lives_.path()}) {
    SqliteLives after;
    after.renumbers = false;
    const auto restored = restore_store(after.place, from);
    ASSERT_TRUE(restored) << restored.error().text;
    EXPECT_EQ(restored->left_out, (std::vector{TaskId{1}, TaskId{3}}));
    ASSERT_NE(after.open(), nullptr) << after.error.text;
    for (const auto task : {1U, 3U}) {
      const auto stored = after.store()->find(TaskId{task});
      ASSERT_TRUE(stored && stored->verdict == Verdict::Dead);
      EXPECT_TRUE(stored->payload_lost);
    }
    EXPECT_TRUE(body_of(*after.store(), 2) == kOverMemory + "result");
  }
}

// What may be whole is not given up because it cannot be read now.
TEST_F(RestoreBodies, OneThatTheSystemDoesNotGiveEndsABackupAndARestore) {
  open();
  accept(1, kOverMemory);
  accept(2, kOverRow);
  ASSERT_TRUE(driver_->settled());
  const auto directory = bodies_directory(lives_.path());
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) files.push_back(entry.path());
  ASSERT_EQ(files.size(), 2U);
  for (const auto& path : files) {
    fs::rename(path, path.string() + ".away");
    fs::create_symlink(path.string() + ".away", path);  // it is opened without following
    const std::string file = lives_.directory / "copy.db";
    const auto made = back_up(file);
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().text.find(path.string()), std::string::npos) << made.error().text;
    EXPECT_FALSE(fs::exists(file) || fs::exists(file + ".bodies"));
    lives_.close();
    SqliteLives after;
    const auto restored = restore_store(after.place, lives_.path());
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, static_cast<int>(ExitStatus::StoreFailed));
    EXPECT_NE(restored.error().text.find(path.string()), std::string::npos);
    fs::remove(path);
    fs::rename(path.string() + ".away", path);
    open();
  }
}

// Versions before 7 made backups of one file, without what is over 16 MiB.
TEST_F(RestoreBodies, ABackupOfAnEarlierVersionComesBackWithoutWhatItNeverHad) {
  ASSERT_NO_FATAL_FAILURE(fill());
  SqliteLives other, after;
  after.renumbers = false;
  ASSERT_TRUE(back_up(other.path()));
  fs::remove_all(other.path() + ".bodies");
  ASSERT_TRUE(other.raw().run("ALTER TABLE store DROP COLUMN open; PRAGMA user_version = 6"));
  const auto restored = restore_store(after.place, other.path());
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_EQ(restored->left_out, (std::vector{TaskId{1}, TaskId{2}}));
  EXPECT_NE(restored->said.find("earlier version"), std::string::npos) << restored->said;
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  EXPECT_TRUE(after.store()->find(TaskId{1})->payload_lost);
  EXPECT_TRUE(body_of(*after.store(), 3) == kOverRow);
}

// Theirs is the checksum of nothing; in a row it would tell of damage.
TEST_F(RestoreBodies, WhatEarlierVersionsDidNotReadIsWholeInABackup) {
  open();
  accept(1, kOverRow);
  ASSERT_TRUE(driver_->settled());
  lives_.close();
  const auto unread = static_cast<std::int64_t>(checksum_of(TaskId{1}, {}));
  ASSERT_TRUE(lives_.raw().run("UPDATE tasks SET checksum = " + std::to_string(unread)));
  SqliteLives after;
  const auto restored = restore_store(after.place, lives_.path());
  ASSERT_TRUE(restored) << restored.error().text;
  EXPECT_TRUE(restored->left_out.empty());
  ASSERT_NE(after.open(), nullptr) << after.error.text;
  EXPECT_TRUE(after.store()->damaged().empty());
  EXPECT_FALSE(after.store()->find(TaskId{1})->payload_lost);
  EXPECT_TRUE(body_of(*after.store(), 1) == kOverRow);
}

// Killed after the bodies of the copy had their name and before the copy had its own.
TEST_F(RestoreBodies, OneThatWasInterruptedBehindTheBodiesIsGoneOnWith) {
  ASSERT_NO_FATAL_FAILURE(fill());
  const std::string file = lives_.directory / "copy.db";
  ASSERT_TRUE(back_up(file));
  lives_.close();
  for (const bool had_bodies : {true, false}) {
    SqliteLives killed;
    killed.renumbers = false;
    fs::copy_file(lives_.path(), killed.path());
    if (had_bodies) fs::copy(bodies_directory(lives_.path()), bodies_directory(killed.path()));
    ASSERT_TRUE(restore_store(killed.place, file));
    fs::rename(killed.path(), restoring_path(killed.path()));
    ASSERT_EQ(killed.open(), nullptr);
    const auto restored = restore_store(killed.place, file);
    ASSERT_TRUE(restored) << restored.error().text;
    ASSERT_NE(killed.open(), nullptr) << killed.error.text;
    expect_all(*killed.store());
    EXPECT_EQ(fs::exists(restored->replaced + ".bodies"), had_bodies);
  }
}

TEST_F(RestoreBodies, WhereTheStoreThatWasThereCannotBeReadThousandsOfLivesAreLeftOut) {
  open();
  driver_->accept(1, "payload");
  ASSERT_TRUE(driver_->settled());
  const std::string file = lives_.directory / "copy.db";
  ASSERT_TRUE(back_up(file));
  lives_.close();
  std::ofstream(lives_.path()) << "nonsense";
  constexpr std::uint64_t life = 70'000;
  fs::create_directory(bodies_directory(lives_.path()));
  std::ofstream(bodies_directory(lives_.path()) + "/" + body_name(BodyFile{(life << 40) + 2})) << 1;
  ASSERT_TRUE(restore_store(lives_.place, file));
  open();
  EXPECT_GT(lives_.store()->life(), life + 4000);
}

// It reads an old state, and so the WAL grows: work goes before it.
TEST_F(RestoreBodies, ABackupIsGivenUpBeforeWorkIsRefused) {
  lives_.place.vfs = vfs_.name();
  lives_.place.checkpoint_pages = 8;
  lives_.place.wal_pages_max = 1024;
  open();
  auto reader = Database::open(lives_.path(), OpenMode::ReadOnly, "");
  ASSERT_TRUE(reader && reader->run("BEGIN") && reader->integer("SELECT life FROM store"));
  for (std::uint64_t task = 100; lives_.store()->figures().wal_bytes < 800 * 4096; ++task) {
    driver_->accept(task, std::string(60'000, 'x'));
    ASSERT_TRUE(driver_->settled());
    ASSERT_EQ(lives_.store()->figures().trouble, "");
  }
  // It waits until the tables have this, and so it cannot end before it is looked at.
  vfs_.hold_syncs(DiskFile::Wal);
  driver_->accept(99, "payload");
  const auto ended = back_up(lives_.directory / "copy.db");
  vfs_.let_syncs_go();
  ASSERT_FALSE(ended);
  EXPECT_NE(ended.error().text.find("given up"), std::string::npos) << ended.error().text;
  EXPECT_TRUE(driver_->settled());
}

}  // namespace
}  // namespace warmpool::daemon
