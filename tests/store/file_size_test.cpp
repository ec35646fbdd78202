// What the database file grows to, and what becomes of it when its rows are gone.
#include <filesystem>
#include <optional>

#include <gtest/gtest.h>

#include "tests/store/store_fixture.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint64_t kTasks = 4'000, kPinned = 1, kRounds = 4;
const std::string kPayload(4'000, 'p');

std::uint64_t file_bytes(const SqliteLives& lives) {
  return std::filesystem::file_size(lives.path());
}

// What the file comes to once all of its WAL is moved there.
std::uint64_t pages_bytes(const SqliteLives& lives) {
  auto reader = Database::open(lives.path(), OpenMode::ReadOnly, "");
  REQUIRE(reader);
  return static_cast<std::uint64_t>(*reader->integer("PRAGMA page_count")) * 4096;
}

// All of them wait, then settle; their results are received, so nothing of them is kept.
void pass_through(RecordDriver& driver, Store& store, std::uint64_t first) {
  for (std::uint64_t task = first; task < first + kTasks; ++task) driver.accept(task, kPayload);
  ASSERT_TRUE(driver.settled());
  for (std::uint64_t task = first; task < first + kTasks; ++task) {
    driver.settle(task, Verdict::Done, "result");
    store.received(TaskId{task});
  }
  ASSERT_TRUE(driver.settled());
}

// A dead letter stays among rows that are gone: neither does the file grow from round to round, nor
// does it stay as large as it was.
TEST(FileSize, OneDeadLetterPinsNothing) {
  SqliteLives lives;
  RecordDriver driver(*lives.open());
  driver.accept(kPinned, kPayload);
  driver.start(kPinned, 1);
  driver.settle(kPinned, Verdict::Dead, "error");
  std::uint64_t most = 0;
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    pass_through(driver, *lives.store(), 10 + round * kTasks);
    if (round == 0) most = pages_bytes(lives);
    EXPECT_LE(pages_bytes(lives), most * 2);
  }
  EXPECT_TRUE(test::eventually([&] {
    lives.time.pass(seconds(1));  // what may be written late is written
    return file_bytes(lives) < most / 2;
  })) << file_bytes(lives)
      << " bytes of " << most;
  EXPECT_TRUE(lives.store()->find(TaskId{kPinned}));
}

// Nothing new is accepted then, so nothing is written that would move the WAL: it is looked at
// again by itself.
TEST(FileSize, AReaderThatEndsLetsTheStoreTakeNewWorkAgain) {
  SqliteLives lives;
  lives.place.checkpoint_pages = 8;
  lives.place.wal_pages_max = 64;
  RecordDriver driver(*lives.open());
  driver.accept(1, kPayload);
  ASSERT_TRUE(driver.settled());
  std::optional<bool> accepting;
  const auto look = [&] {
    if (auto told = lives.store()->take_answers().accepting) accepting = told;
  };
  {
    auto reader = Database::open(lives.path(), OpenMode::ReadOnly, {});
    ASSERT_TRUE(reader && reader->run("BEGIN") && reader->integer("SELECT count(*) FROM tasks"));
    for (std::uint64_t task = 2; task < 200; ++task) driver.accept(task, kPayload);
    ASSERT_TRUE(test::eventually([&] { return look(), accepting == false; }));
    EXPECT_NE(lives.store()->figures().trouble.find("end that program"), std::string::npos);
  }
  EXPECT_TRUE(test::eventually([&] {
    lives.time.pass(seconds(1));
    return look(), accepting == true;
  }));
  EXPECT_EQ(lives.store()->figures().trouble, "");
}

}  // namespace
}  // namespace warmpool::daemon
