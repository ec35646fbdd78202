// The last lines of a worker, whatever it writes.
#include "daemon/output/output_ring.hpp"

#include <string>

#include <gtest/gtest.h>

namespace warmpool::daemon {
namespace {

constexpr auto kOut = OutputStream::Out;
constexpr auto kErr = OutputStream::Err;

std::string last_text(const OutputRing& ring) {
  const auto lines = ring.lines(1);
  return lines.empty() ? "none" : lines.back().text;
}

TEST(OutputRing, KeepsLinesInTheOrderTheyEnded) {
  OutputRing ring;
  ring.append(kOut, "one\ntwo ", {1});
  ring.append(kErr, "error\n", {2});
  ring.append(kOut, "parts\n", {3});
  const auto lines = ring.lines(64);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].text, "one");
  EXPECT_EQ(lines[1].text, "error");
  EXPECT_EQ(lines[1].stream, kErr);
  EXPECT_EQ(lines[2].text, "two parts");
  EXPECT_EQ(lines[2].at, Instant{3});
  EXPECT_FALSE(lines[2].cut);
}

TEST(OutputRing, KeepsTheLast64LinesAndCountsTheRest) {
  OutputRing ring;
  for (int i = 0; i < 100; ++i) ring.append(kOut, std::to_string(i) + "\n", {i});
  const auto lines = ring.lines(1000);
  ASSERT_EQ(lines.size(), 64U);
  EXPECT_EQ(lines.front().text, "36");
  EXPECT_EQ(lines.back().text, "99");
  EXPECT_EQ(ring.counters().lines, 100U);
  EXPECT_EQ(ring.counters().lines_dropped, 36U);
}

TEST(OutputRing, GivesAsManyAsAskedFor) {
  OutputRing ring;
  ring.append(kOut, "a\nb\nc", {1});
  ring.append(kErr, "d", {2});
  EXPECT_TRUE(ring.lines(0).empty());
  EXPECT_EQ(ring.lines(1).front().text, "d");
  ASSERT_EQ(ring.lines(3).size(), 3U);
  EXPECT_EQ(ring.lines(3).front().text, "b");
}

TEST(OutputRing, ShowsALineWithoutEndAsUnfinished) {
  OutputRing ring;
  ring.append(kErr, "Traceback", {5});
  const auto lines = ring.lines(64);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_TRUE(lines[0].unfinished);
  EXPECT_EQ(lines[0].text, "Traceback");
  EXPECT_EQ(ring.counters().lines, 0U);
}

TEST(OutputRing, CutsALongLineAndSaysSo) {
  OutputRing ring;
  ring.append(kOut, std::string(10'000, 'x') + "\nnext\n", {1});
  const auto lines = ring.lines(64);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].text.size(), 4096U);
  EXPECT_TRUE(lines[0].cut);
  EXPECT_FALSE(lines[1].cut);
  EXPECT_EQ(ring.counters().lines_cut, 1U);
  EXPECT_EQ(ring.counters().bytes_dropped, 10'000U - 4096U);
}

TEST(OutputRing, FloodWithoutNewlineStaysWithinItsBound) {
  OutputRing ring;
  const std::string piece(64 << 10, 'x');
  for (int i = 0; i < 16'384; ++i) ring.append(i % 2 == 0 ? kOut : kErr, piece, {i});
  EXPECT_EQ(ring.bytes_kept(), 2U * 4096);
  EXPECT_EQ(ring.counters().bytes, std::uint64_t{1} << 30);
  EXPECT_EQ(ring.counters().bytes_dropped, (std::uint64_t{1} << 30) - 2U * 4096);
  EXPECT_EQ(ring.counters().lines_cut, 2U);
}

TEST(OutputRing, LongLinesStayWithinTheBoundOfBytes) {
  OutputRing ring;
  for (int i = 0; i < 100; ++i) ring.append(kOut, std::string(4000, 'x') + "\n", {i});
  EXPECT_LE(ring.bytes_kept(), 64U << 10);
  EXPECT_EQ(ring.lines(100).size(), (64U << 10) / 4000);
  EXPECT_EQ(ring.counters().bytes_dropped + ring.bytes_kept() + 100, ring.counters().bytes);
}

TEST(OutputRing, SmallBoundHoldsWithTwoUnfinishedLines) {
  OutputRing ring({.bytes_max = 100, .lines_max = 4, .line_bytes_max = 4096});
  ring.append(kOut, std::string(1000, 'a'), {1});
  ring.append(kErr, std::string(1000, 'b'), {1});
  ring.append(kOut, "\n" + std::string(1000, 'c'), {2});
  EXPECT_LE(ring.bytes_kept(), 100U);
}

TEST(OutputRing, SkippedBytesCutTheLinesTheyTouch) {
  OutputRing ring;
  ring.append(kOut, "begin", {1});
  ring.skip(kOut, 1000, {2});
  ring.append(kOut, "end\nwhole\n", {3});
  const auto lines = ring.lines(64);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].text, "begin");
  EXPECT_TRUE(lines[0].cut);
  EXPECT_EQ(lines[1].text, "end");
  EXPECT_TRUE(lines[1].cut);
  EXPECT_FALSE(lines[2].cut);
  EXPECT_EQ(ring.counters().bytes, 5U + 1000 + 10);
  EXPECT_EQ(ring.counters().lines_cut, 2U);
}

TEST(OutputRing, EmptyLinesAreLines) {
  OutputRing ring;
  ring.append(kOut, "\n\n", {1});
  EXPECT_EQ(ring.lines(64).size(), 2U);
  ring.append(kOut, "", {2});
  EXPECT_EQ(ring.lines(64).size(), 2U);
}

TEST(OutputRing, CarriageReturnBeforeNewlineIsNoPartOfTheLine) {
  OutputRing ring;
  ring.append(kOut, "dos\r\n", {1});
  EXPECT_EQ(last_text(ring), "dos");
}

TEST(OutputRing, CharacterThatComesInTwoPiecesIsWhole) {
  OutputRing ring;
  ring.append(kOut, "gr\xC3", {1});
  EXPECT_EQ(last_text(ring), "gr");
  ring.append(kOut,
              "\xBC\xC3\x9F"
              "e\n",
              {2});
  EXPECT_EQ(last_text(ring),
            "gr\xC3\xBC\xC3\x9F"
            "e");
}

TEST(OutputRing, CutNeverSplitsACharacter) {
  OutputRing ring({.bytes_max = 1000, .lines_max = 4, .line_bytes_max = 10});
  ring.append(kOut, "123456789\xE2\x82\xAC\n", {1});
  EXPECT_EQ(last_text(ring), "123456789");
}

TEST(SafeText, LeavesUtf8AndTabAlone) {
  const std::string text = "a\tb \xC3\xBC \xE2\x82\xAC \xF0\x9F\x98\x80";
  EXPECT_EQ(safe_text(text), text);
}

TEST(SafeText, ShowsControlCharactersAsPictures) {
  EXPECT_EQ(safe_text(std::string_view("\0\x1B\x7F", 3)), "\xE2\x90\x80\xE2\x90\x9B\xE2\x90\xA1");
  EXPECT_EQ(safe_text("\xC2\x9B"), "\xEF\xBF\xBD");  // CSI of C1
}

TEST(SafeText, ReplacesWhatIsNoUtf8) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(safe_text("\xFF"), bad);
  EXPECT_EQ(safe_text("\x80"
                      "a"),
            bad + "a");
  EXPECT_EQ(safe_text("\xC0\xAF"), bad + bad);                      // overlong
  EXPECT_EQ(safe_text("\xE0\x80\xAF"), bad + bad + bad);            // overlong
  EXPECT_EQ(safe_text("\xED\xA0\x80"), bad + bad + bad);            // a surrogate
  EXPECT_EQ(safe_text("\xF4\x90\x80\x80"), bad + bad + bad + bad);  // above U+10FFFF
  EXPECT_EQ(safe_text("\xE2\x82"), bad + bad);                      // ends too soon
}

TEST(SafeText, EveryPairOfBytesBecomesUtf8) {
  for (int first = 0; first < 256; ++first) {
    for (int second = 0; second < 256; ++second) {
      const std::string pair{static_cast<char>(first), static_cast<char>(second)};
      const std::string once = safe_text(pair);
      EXPECT_EQ(safe_text(once), once) << first << " " << second;
    }
  }
}

TEST(OutputRing, ALineIsItsTasksAndEndsWithIt) {
  OutputRing ring;
  ring.append(OutputStream::Out, "begins\n", {});
  ring.set_task(TaskId{7});
  ring.append(OutputStream::Out, "one\nhalf", {});
  ring.append(OutputStream::Err, "\n", {});
  ring.set_task(TaskId{8});
  ring.append(OutputStream::Out, "of another\n", {});
  ring.set_task({});
  ring.append(OutputStream::Out, "idle\n", {});
  std::vector<std::pair<std::uint64_t, std::string>> seen;
  for (const auto& line : ring.lines(64)) seen.emplace_back(line.task.value, line.text);
  EXPECT_EQ(seen,
            (std::vector<std::pair<std::uint64_t, std::string>>{
                {0, "begins"}, {7, "one"}, {7, ""}, {7, "half"}, {8, "of another"}, {0, "idle"}}));
}

TEST(OutputRing, AReaderGoesOnAfterANumber) {
  OutputRing ring({.bytes_max = 1000, .lines_max = 3, .line_bytes_max = 100});
  EXPECT_TRUE(ring.lines_after(0).empty());
  ring.append(OutputStream::Out, "1\n2\n3\n4\n5\nunfinished", {});
  const auto texts = [&](std::uint64_t after) {
    std::string all;
    for (const auto& line : ring.lines_after(after))
      all += std::to_string(line.number) + line.text + ' ';
    return all;
  };
  EXPECT_EQ(texts(0), "33 44 55 ");
  EXPECT_EQ(texts(2), "33 44 55 ");
  EXPECT_EQ(texts(3), "44 55 ");
  EXPECT_EQ(texts(5), "");
  EXPECT_EQ(texts(99), "");
}

}  // namespace
}  // namespace warmpool::daemon
