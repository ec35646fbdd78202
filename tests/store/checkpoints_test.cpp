// What is kept of checkpoints in memory, and which go when there is no room.
#include "daemon/store/checkpoints.hpp"

#include <gtest/gtest.h>

namespace warmpool::daemon {
namespace {

Checkpoint made(std::string_view text) {
  return {1, 1, Instant{1}, Content::Bytes, Blob(ipc::bytes_of(text))};
}

TEST(KeptCheckpoints, BeyondTheirBoundThoseGoThatWereSentLongestAgo) {
  Checkpoints kept(10);
  kept.keep(TaskId{1}, made("1234"));
  kept.keep(TaskId{2}, made("1234"));
  kept.keep(TaskId{1}, made("12345"));
  EXPECT_EQ(kept.bytes(), 9U);
  EXPECT_EQ(kept.dropped(), 0U);
  kept.keep(TaskId{3}, made("12"));
  EXPECT_EQ(kept.find(TaskId{2}), nullptr) << "task 1 has sent one since";
  EXPECT_NE(kept.find(TaskId{1}), nullptr);
  EXPECT_NE(kept.find(TaskId{3}), nullptr);
  EXPECT_EQ(kept.bytes(), 7U);
  EXPECT_EQ(kept.dropped(), 1U);
  EXPECT_EQ(kept.take_dropped(), std::vector<TaskId>{TaskId{2}});
  EXPECT_TRUE(kept.take_dropped().empty());
}

TEST(KeptCheckpoints, OneThatIsReplacedOrDroppedLeavesNothing) {
  Checkpoints kept(10);
  kept.keep(TaskId{1}, made("1234"));
  kept.keep(TaskId{1}, made(""));
  EXPECT_EQ(kept.find(TaskId{1}), nullptr);
  kept.keep(TaskId{2}, made("1234"));
  kept.drop(TaskId{2});
  kept.drop(TaskId{2});
  EXPECT_EQ(kept.count(), 0U);
  EXPECT_EQ(kept.bytes(), 0U);
}

}  // namespace
}  // namespace warmpool::daemon
