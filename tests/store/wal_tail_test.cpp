// Pages of a WAL that SQLite leaves out.
#include "daemon/store/wal_tail.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "tests/store/store_fixture.hpp"

namespace warmpool::daemon {
namespace {

class WalTail : public testing::Test {
 protected:
  void SetUp() override {
    RecordDriver driver(*lives_.open());
    for (std::uint64_t task = 1; task <= 40; ++task) {
      driver.accept(task, std::string(300, 'x'));
      ASSERT_TRUE(driver.settled());
    }
    ASSERT_TRUE(lives_.in_tables({40}));
    after_.renumbers = false;
    std::filesystem::copy_file(lives_.path(), after_.path());
    std::filesystem::copy_file(lives_.path() + "-wal", wal());
  }
  std::string wal() const { return after_.path() + "-wal"; }
  void flip(std::uint64_t at) {
    std::fstream file(wal(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
  }

  SqliteLives lives_, after_;
};

TEST_F(WalTail, OfAWholeOneThereIsNone) {
  EXPECT_EQ(frames_not_whole(wal()), 0U);
  EXPECT_EQ(frames_not_whole(wal() + "-not-there"), 0U);
  EXPECT_EQ(frames_not_whole(lives_.path()), 0U);
  ASSERT_TRUE(after_.open()) << after_.error.text;
  EXPECT_TRUE(after_.store()->found().empty());
}

TEST_F(WalTail, WhatIsBehindAFlippedBitIsToldOf) {
  const auto frames = std::filesystem::file_size(wal()) / 4120;
  ASSERT_GT(frames, 5U);
  flip(32 + (frames - 3) * 4120 + 100);
  EXPECT_EQ(frames_not_whole(wal()), 3U);
  ASSERT_TRUE(after_.open()) << after_.error.text;
  ASSERT_EQ(after_.store()->found().size(), 1U);
  EXPECT_NE(after_.store()->found().front().find("last 3 pages"), std::string::npos);
}

}  // namespace
}  // namespace warmpool::daemon
