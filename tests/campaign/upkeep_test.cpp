// What a daemon left or forgot must be found.
#include "tests/campaign/upkeep.hpp"

#include <csignal>

#include <gtest/gtest.h>

namespace warmpool::campaign {
namespace {

Heard exited(int code, const char* cause = "signalled") {
  Heard heard;
  heard.event = "worker-exited";
  heard.cause = cause;
  heard.code = code;
  return heard;
}

TEST(Upkeep, FindsAFileThatNoRowNamesAndARowWithoutItsFile) {
  EXPECT_TRUE(differences({"2.payload"}, {"2.payload"}).empty());
  EXPECT_EQ(differences({"2.payload", "3.result"}, {"2.payload"}).size(), 1U);
  EXPECT_EQ(differences({}, {"2.payload"}).size(), 1U);
}

TEST(Upkeep, FindsWhatWasNotFinished) {
  EXPECT_TRUE(half_made({"warmpool.db", "bodies"}).empty());
  EXPECT_EQ(half_made({"warmpool.db.new", "2.part"}).size(), 2U);
}

TEST(Upkeep, ADatabaseThatCannotBeReadIsADifference) {
  EXPECT_EQ(differences({}, files_named_by("/nowhere/warmpool.db")).size(), 1U);
}

TEST(Upkeep, FindsADeathThatNobodyCaused) {
  EXPECT_TRUE(unexplained({exited(0, "requested"), exited(-SIGKILL, "shutdown")}, {}).empty());
  EXPECT_TRUE(unexplained({exited(-SIGKILL), exited(9, "exited")}, {1, 1}).empty());
  EXPECT_EQ(unexplained({exited(-SIGKILL), exited(-SIGKILL)}, {1, 1}).size(), 1U);
  EXPECT_EQ(unexplained({exited(9, "exited")}, {1, 0}).size(), 1U);
  EXPECT_EQ(unexplained({exited(-SIGSEGV)}, {1, 1}).size(), 1U);
}

}  // namespace
}  // namespace warmpool::campaign
