// Stores in which a value cannot be true: by another program's hand, or by a disk that lies. SQLite
// finds nothing wrong with them. Each is refused with the status of damage, and left as it is.
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "daemon/exit_status.hpp"
#include "tests/store/fault_vfs.hpp"
#include "tests/store/store_fixture.hpp"

namespace warmpool::daemon {
namespace {

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A row in every table.
void keep_all_kinds(SqliteLives& lives) {
  RecordDriver driver(*lives.open());
  driver.accept(1, "waits");
  driver.accept(2, "has failed");
  driver.start(2, 1);
  driver.end(2, 1, "once", {"a line"});
  driver.accept(3, "is dead");
  driver.settle(3, Verdict::Dead, "fatal");
  driver.accept_with_key(4, "is done", "a key");
  driver.start(4, 1);
  driver.end(4, 1, "once");
  driver.settle(4, Verdict::Done, "result", 5, 2);
  driver.keep(record::Paused{pause_of(TypeId{5}), true});
  ASSERT_TRUE(driver.settled());
  ASSERT_TRUE(lives.open()) << lives.error.text;
  lives.close();
}

// Opened with `sql` done to it.
void expect_refused(const std::string& sql, std::string_view part) {
  SCOPED_TRACE(sql);
  FaultVfs fast;
  fast.skip_syncs();
  SqliteLives lives;
  lives.place.vfs = fast.name();
  keep_all_kinds(lives);
  ASSERT_TRUE(lives.raw().run(sql));
  const auto before = content_of(lives.path());
  const auto wal_before = content_of(lives.path() + "-wal");
  EXPECT_EQ(lives.open(), nullptr);
  EXPECT_EQ(lives.error.code, static_cast<int>(ExitStatus::StoreDamaged)) << lives.error.text;
  EXPECT_NE(lives.error.text.find(part), std::string::npos) << lives.error.text;
  EXPECT_NE(lives.error.text.find("restore a backup"), std::string::npos) << lives.error.text;
  EXPECT_EQ(content_of(lives.path()), before);
  EXPECT_EQ(content_of(lives.path() + "-wal"), wal_before);
}

TEST(HostileStore, NumbersThatWouldBeAllocationsAreRefused) {
  expect_refused("UPDATE types SET number = 4294967295", "number is 4294967295");
  expect_refused("UPDATE slots SET number = -1 WHERE number = 1", "number is -1");
  expect_refused("UPDATE tasks SET type = 4000000000 WHERE id = 1", "type is 4000000000");
  expect_refused("UPDATE tasks SET type = NULL WHERE id = 1", "type is missing");
  expect_refused("UPDATE tasks SET tenant = -7 WHERE id = 1", "tenant is -7");
  expect_refused("UPDATE results SET slot = 4294967295", "slot is 4294967295");
  expect_refused("DELETE FROM types", "type is 1");
}

TEST(HostileStore, WordsThatNoVocabularyHasAreRefused) {
  expect_refused("UPDATE tasks SET durability = 9 WHERE id = 1", "durability is 9");
  expect_refused("UPDATE tasks SET content = -1 WHERE id = 1", "content is -1");
  expect_refused("UPDATE progress SET cause = 200 WHERE task = 2", "cause is 200");
  expect_refused("UPDATE attempts SET charge = 77 WHERE task = 2", "charge is 77");
  expect_refused("UPDATE attempts SET cause = 256 WHERE task = 4", "cause is 256");
  expect_refused("UPDATE results SET verdict = 5", "verdict is 5");
  expect_refused("UPDATE results SET verdict = 1", "verdict is 1");
  expect_refused("UPDATE pauses SET scope = 3", "scope is 3");
}

TEST(HostileStore, NumbersThatDoNotFitAreRefused) {
  expect_refused("UPDATE tasks SET priority = 256 WHERE id = 1", "priority is 256");
  expect_refused("UPDATE tasks SET timeout = 9223372036854775807 WHERE id = 1", "timeout is 9");
  expect_refused("UPDATE tasks SET accepted_at = 9223372036854775807 WHERE id = 1", "accepted_at");
  expect_refused("UPDATE tasks SET eligible_at = -9223372036854775807 WHERE id = 1", "eligible_at");
  expect_refused("UPDATE progress SET round = 0 WHERE task = 2", "round is 0");
  expect_refused("UPDATE progress SET ended = 9 WHERE task = 2", "ended is 9");
  expect_refused("UPDATE progress SET attempt = 65536 WHERE task = 2", "attempt is 65536");
  expect_refused("UPDATE attempts SET round = 2 WHERE task = 2", "round is 2");
  expect_refused("UPDATE attempts SET position = 4294967296 WHERE task = 2", "position is 4294967");
  expect_refused("UPDATE store SET life = 16777215", "life is 16777215");
  expect_refused("UPDATE store SET life = -1", "life is -1");
  expect_refused("UPDATE store SET instant = -5", "instant is -5");
  expect_refused("UPDATE store SET done = 9223372036854775807", "done is 9223372036854775807");
}

TEST(HostileStore, IdsThatNoLifeHasGivenAreRefused) {
  expect_refused("UPDATE tasks SET id = 0 WHERE id = 1", "id is 0");
  expect_refused("UPDATE tasks SET id = 1099511627776 * 9 WHERE id = 1", "id is 9895604649984");
  expect_refused("UPDATE results SET task = -1", "task is -1");
  expect_refused("UPDATE keys SET task = 0", "task is 0");
  expect_refused("UPDATE results SET task = 1", "task is 1");
}

TEST(HostileStore, RowsThatAreGoneAreMissed) {
  expect_refused("DELETE FROM tasks WHERE id = 2", "has a row in progress and none in tasks");
  expect_refused("DELETE FROM store", "there is no row");
  expect_refused("DROP TABLE keys", "no such table");
  expect_refused("ALTER TABLE tasks RENAME COLUMN labels TO others", "no such column");
}

TEST(HostileStore, AVersionThatNeverWasIsRefused) {
  expect_refused("PRAGMA user_version = -1", "its version is -1");
  expect_refused("PRAGMA user_version = 0", "its version is 0");
}

TEST(HostileStore, ANameThatIsNoTextIsRefused) {
  expect_refused("UPDATE types SET name = x'ff' WHERE number = 1", "name is");
}

TEST(HostileStore, WhatHoldsItIsToBeEnded) {
  SqliteLives lives;
  keep_all_kinds(lives);
  auto other = lives.raw();
  ASSERT_TRUE(other.run("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; SELECT * FROM store"));
  EXPECT_EQ(lives.open(), nullptr);
  EXPECT_EQ(lives.error.code, static_cast<int>(ExitStatus::StoreFailed)) << lives.error.text;
  EXPECT_NE(lives.error.text.find("end the program that has it open"), std::string::npos)
      << lives.error.text;
}

}  // namespace
}  // namespace warmpool::daemon
