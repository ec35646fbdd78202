// From a pipe into a ring: bounded in each call, never blocking, last lines right in a flood.
#include "daemon/output/output_pump.hpp"

#include <array>
#include <fcntl.h>
#include <string>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/fd.hpp"

namespace warmpool::daemon {
namespace {

class Pump : public ::testing::Test {
 protected:
  void SetUp() override {
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
    ours_.reset(ends[0]);
    theirs_.reset(ends[1]);
    fcntl(theirs_.get(), F_SETPIPE_SZ, 1 << 20);
  }
  void put(const std::string& text) {
    ASSERT_EQ(write(theirs_.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  ipc::UniqueFd ours_, theirs_;
  OutputRing ring_;
  OutputPump pump_{OutputStream::Err};
};

TEST_F(Pump, CarriesLinesWithTheirStream) {
  put("hello\n");
  const auto result = pump_.pump(ours_.get(), ring_, {7});
  EXPECT_EQ(result.read, 6U);
  EXPECT_FALSE(result.more);
  EXPECT_FALSE(result.closed);
  ASSERT_EQ(ring_.lines(1).size(), 1U);
  EXPECT_EQ(ring_.lines(1)[0].text, "hello");
  EXPECT_EQ(ring_.lines(1)[0].stream, OutputStream::Err);
  EXPECT_EQ(ring_.lines(1)[0].at, Instant{7});
}

TEST_F(Pump, EmptyPipeIsNeitherMoreNorClosed) {
  const auto result = pump_.pump(ours_.get(), ring_, {});
  EXPECT_EQ(result.read, 0U);
  EXPECT_FALSE(result.more);
  EXPECT_FALSE(result.closed);
}

TEST_F(Pump, ClosedPipeIsToldAfterItsLastBytes) {
  put("last");
  theirs_.reset();
  EXPECT_FALSE(pump_.pump(ours_.get(), ring_, {}).closed);
  EXPECT_TRUE(pump_.pump(ours_.get(), ring_, {}).closed);
  EXPECT_EQ(ring_.lines(1)[0].text, "last");
}

TEST_F(Pump, BrokenDescriptorIsClosed) { EXPECT_TRUE(pump_.pump(-1, ring_, {}).closed); }

TEST_F(Pump, TakesAtMost64KiBInOneCall) {
  put(std::string(200 << 10, 'x'));
  const auto result = pump_.pump(ours_.get(), ring_, {});
  EXPECT_EQ(result.read, 64U << 10);
  EXPECT_TRUE(result.more);
}

TEST_F(Pump, DrainTakesWhatIsThereThoughTheOtherEndIsHeld) {
  put(std::string(200 << 10, 'x') + "\nend\n");
  EXPECT_EQ(pump_.drain(ours_.get(), ring_, {}), (200U << 10) + 5);
  EXPECT_EQ(ring_.lines(1)[0].text, "end");
  EXPECT_EQ(pump_.drain(ours_.get(), ring_, {}), 0U);
}

TEST_F(Pump, FloodIsReadAndItsLastLinesAreRight) {
  for (int i = 0; i < 64; ++i) {
    put(std::string(64 << 10, 'x'));
    pump_.pump(ours_.get(), ring_, {});
  }
  put("\nlast words\n");
  pump_.pump(ours_.get(), ring_, {});
  EXPECT_EQ(ring_.counters().bytes, (64U << 16) + 12);
  EXPECT_LE(ring_.bytes_kept(), 64U << 10);
  EXPECT_EQ(ring_.lines(1)[0].text, "last words");
  EXPECT_FALSE(ring_.lines(1)[0].cut);
}

TEST_F(Pump, OverTheRateOnlyTheEndOfEachPieceIsLookedAt) {
  OutputPump pump(OutputStream::Out, {.bytes_per_second = 1000, .burst_bytes = 1000});
  std::string flood;
  for (int i = 0; flood.size() < (60U << 10); ++i) flood += "line " + std::to_string(i) + "\n";
  put(flood);
  pump.pump(ours_.get(), ring_, {});
  EXPECT_EQ(ring_.counters().bytes, flood.size());
  EXPECT_LE(ring_.counters().lines, OutputPump::kTailBytes / 7);
  put("quiet\n");
  pump.pump(ours_.get(), ring_, Instant{} + seconds(1));
  EXPECT_EQ(ring_.lines(1)[0].text, "quiet");
}

TEST_F(Pump, RateIsEarnedAgain) {
  OutputPump pump(OutputStream::Out, {.bytes_per_second = 100'000, .burst_bytes = 50'000});
  const std::string piece = std::string(49'999, 'x') + "\n";
  put(piece);
  pump.pump(ours_.get(), ring_, {});
  put(piece);
  pump.pump(ours_.get(), ring_, Instant{} + milliseconds(500));
  EXPECT_EQ(ring_.counters().lines, 2U);
  const auto dropped_at_cut = 2 * (piece.size() - 1 - (4U << 10));
  EXPECT_EQ(ring_.counters().bytes_dropped, dropped_at_cut);
}

TEST_F(Pump, LinesOfSeveralTasksAreToldApartByMarks) {
  pump_.heed_marks();
  pump_.set_unmarked(TaskId{9});
  const std::string seven =
                        "\x1E"
                        "0000000000000007\x1F",
                    eight =
                        "\x1E"
                        "0000000000000008\x1F",
                    nobody =
                        "\x1E"
                        "0000000000000000\x1F";
  put(seven + "one\n" + nobody + eight + "two\n" + nobody + "of a child\n" + seven + "no end");
  while (pump_.pump(ours_.get(), ring_, {}, 5).read != 0) {
  }
  put(nobody + eight + "three\n" + seven + "ends here" + nobody);
  pump_.set_unmarked(TaskId{7});
  put("beside it\n");
  pump_.pump(ours_.get(), ring_, {});
  std::vector<std::pair<std::uint64_t, std::string>> seen;
  for (const auto& line : ring_.lines(10)) seen.emplace_back(line.task.value, line.text);
  EXPECT_EQ(seen, (std::vector<std::pair<std::uint64_t, std::string>>{{7, "one"},
                                                                      {8, "two"},
                                                                      {9, "of a child"},
                                                                      {7, "no end"},
                                                                      {8, "three"},
                                                                      {7, "ends here"},
                                                                      {7, "beside it"}}));
}

TEST_F(Pump, AFloodCutsTheLineOfItsTaskAndItsEndIsNobodys) {
  pump_.heed_marks();
  put("\x1E"
      "0000000000000007\x1F"
      "begun ");
  pump_.pump(ours_.get(), ring_, {});
  const std::string line = std::string(62, 'x') + "\n";
  for (int i = 0; i < 6; ++i) {
    std::string much;
    while (much.size() < (60U << 10)) much += line;
    put(much);
    pump_.pump(ours_.get(), ring_, {});
  }
  const auto lines = ring_.lines(1);
  EXPECT_FALSE(lines.back().task);
  EXPECT_GT(ring_.counters().bytes_dropped, 0U);
  EXPECT_GT(ring_.counters().lines_cut, 0U);
}

TEST_F(Pump, MarksAreOutputWhereNobodyHeedsThem) {
  put("\x1E"
      "0000000000000007\x1Fx\n");
  pump_.pump(ours_.get(), ring_, {});
  EXPECT_FALSE(ring_.lines(1)[0].task);
  EXPECT_TRUE(ring_.lines(1)[0].text.ends_with("x"));
  EXPECT_GT(ring_.lines(1)[0].text.size(), 17U);
}

}  // namespace
}  // namespace warmpool::daemon
