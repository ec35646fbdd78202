// Files that are no store, or not a whole one, or not ours to read.
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "daemon/exit_status.hpp"
#include "tests/store/store_fixture.hpp"

namespace warmpool::daemon {
namespace {

void expect_damaged(SqliteLives& lives, std::string_view part) {
  EXPECT_EQ(lives.open(), nullptr);
  EXPECT_EQ(lives.error.code, static_cast<int>(ExitStatus::StoreDamaged)) << lives.error.text;
  EXPECT_NE(lives.error.text.find(part), std::string::npos) << lives.error.text;
}

void keep_some(SqliteLives& lives, std::uint64_t tasks = 1) {
  RecordDriver driver(*lives.open());
  for (std::uint64_t task = 1; task <= tasks; ++task) driver.accept(task, "payload");
  ASSERT_TRUE(driver.settled());
}

TEST(Schema, ItsFilesAreForItsUserAlone) {
  SqliteLives lives;
  const auto mask = ::umask(0);
  keep_some(lives);
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat found {};
    ASSERT_EQ(::stat((lives.path() + suffix).c_str(), &found), 0) << suffix;
    EXPECT_EQ(found.st_mode & 0777, 0600U) << suffix;
  }
  ::umask(mask);
}

TEST(Schema, AForeignFileIsRefusedAndLeftAlone) {
  SqliteLives lives;
  std::ofstream(lives.path()) << std::string(10'000, 'x');
  expect_damaged(lives, "is no database");
  EXPECT_EQ(std::filesystem::file_size(lives.path()), 10'000U);
}

TEST(Schema, AnotherProgramsDatabaseIsRefused) {
  SqliteLives lives;
  std::ofstream{lives.path()};
  ASSERT_TRUE(lives.raw().run("CREATE TABLE mine(x); PRAGMA application_id = 77"));
  expect_damaged(lives, "belongs to another program");
  EXPECT_EQ(*lives.raw().integer("SELECT count(*) FROM mine"), 0);
}

TEST(Schema, ANewerVersionIsRefused) {
  SqliteLives lives;
  keep_some(lives);
  lives.close();
  ASSERT_TRUE(lives.raw().run("PRAGMA user_version = 99"));
  expect_damaged(lives, "is of version 99");
}

TEST(Schema, AWalWithoutItsFileIsRefusedAndLeftAlone) {
  SqliteLives lives;
  keep_some(lives);
  const auto copy = lives.directory / "copy";
  std::filesystem::copy_file(lives.path() + "-wal", copy);
  lives.close();
  std::filesystem::remove(lives.path());
  std::filesystem::copy_file(copy, lives.path() + "-wal",
                             std::filesystem::copy_options::overwrite_existing);
  expect_damaged(lives, "is missing beside its WAL");
  std::ofstream{lives.path()};
  expect_damaged(lives, "is empty");
  EXPECT_EQ(std::filesystem::file_size(lives.path() + "-wal"), std::filesystem::file_size(copy));
}

TEST(Schema, WhatCannotBeLookedAtIsNotTakenForMissing) {
  SqliteLives lives;
  const auto loop = lives.directory / "loop";
  std::filesystem::create_symlink(loop, loop);  // a link to itself
  SchemaPlace behind;
  behind.path = loop + "/warmpool.db";
  const auto looked = open_store_database(behind);
  ASSERT_FALSE(looked);
  EXPECT_NE(looked.error().text.find("cannot look at"), std::string::npos) << looked.error().text;
  EXPECT_TRUE(std::filesystem::is_symlink(loop));
  std::filesystem::create_directory(lives.path());
  EXPECT_EQ(lives.open(), nullptr);
  EXPECT_NE(lives.error.text.find("is no file"), std::string::npos) << lives.error.text;
  EXPECT_TRUE(std::filesystem::is_directory(lives.path()));
}

// SQLite would look for the WAL beside what the link points to, and miss it.
TEST(Schema, ALinkInPlaceOfTheFileIsRefused) {
  SqliteLives lives;
  ASSERT_TRUE(lives.open());
  lives.close();
  const auto real = lives.directory / "real.db";
  std::filesystem::rename(lives.path(), real);
  std::filesystem::create_symlink(real, lives.path());
  EXPECT_FALSE(lives.open());
  EXPECT_NE(lives.error.text.find("symbolic link"), std::string::npos) << lives.error.text;
}

TEST(Schema, APageOfNonsenseIsFoundAtTheStart) {
  SqliteLives lives;
  keep_some(lives, 2'000);
  lives.close();
  std::fstream file(lives.path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(4096 * 20);
  file << std::string(4096, '\x5a');
  file.close();
  expect_damaged(lives, "restore a backup");
}

TEST(Schema, AHalfMadeFileIsMadeAnew) {
  SqliteLives lives;
  std::ofstream(lives.path() + ".new") << "half";
  EXPECT_NE(lives.open(), nullptr) << lives.error.text;
}

TEST(Schema, EachMigrationIsWholeOrNotThere) {
  SqliteLives lives;
  keep_some(lives);
  lives.close();
  bool fails = true;
  const auto newest = schema_migrations();
  std::vector<Migration> list(newest.begin(), newest.end());
  list.push_back([](Database& database) { return database.run("CREATE TABLE two(x)"); });
  list.push_back([&fails](Database& database) -> Result<void> {
    if (auto made = database.run("CREATE TABLE three(x)"); !made) return made;
    if (fails) return Error{1, "no"};
    return {};
  });
  lives.place.migrations = list;
  EXPECT_EQ(lives.open(), nullptr);
  {
    auto raw = lives.raw();
    EXPECT_EQ(*raw.integer("PRAGMA user_version"), static_cast<int>(newest.size()) + 1);
    EXPECT_EQ(*raw.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'three'"), 0);
  }
  fails = false;
  ASSERT_NE(lives.open(), nullptr) << lives.error.text;
  EXPECT_TRUE(lives.store()->find(TaskId{1}));
  lives.close();
  EXPECT_EQ(*lives.raw().integer("SELECT count(*) FROM sqlite_schema WHERE name = 'three'"), 1);
}

TEST(Schema, ACopyOfTheFileIsWholeAfterAnOrderlyEnd) {
  SqliteLives lives;
  keep_some(lives, 100);
  lives.close();
  EXPECT_FALSE(std::filesystem::exists(lives.path() + "-wal"));
  EXPECT_EQ(*lives.raw().integer("SELECT count(*) FROM tasks"), 100);
}

}  // namespace
}  // namespace warmpool::daemon
