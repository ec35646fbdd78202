#include "client/cli/line_reader.hpp"

#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "ipc/fd.hpp"

namespace warmpool::cli {
namespace {

std::vector<Line> read(const std::string& text, std::size_t piece, std::uint64_t bytes_max = 100) {
  LineReader reader(bytes_max);
  std::vector<Line> lines;
  const auto take = [&] {
    while (auto line = reader.next()) {
      lines.push_back(*line);
    }
  };
  for (std::size_t at = 0; at < text.size(); at += piece) {
    reader.feed(std::string_view(text).substr(at, piece));
    take();
  }
  reader.finish();
  take();
  EXPECT_TRUE(reader.done());
  return lines;
}

TEST(LineReader, IsTheSameHoweverTheInputIsCut) {
  const std::string text = "one\n\ntwo\r\n\nthree";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const auto lines = read(text, piece);
    ASSERT_EQ(lines.size(), 3U) << piece;
    EXPECT_EQ(lines[0].text, "one");
    EXPECT_EQ(lines[1].text, "two\r");
    EXPECT_EQ(lines[1].number, 3U);
    EXPECT_EQ(lines[2].text, "three");
    EXPECT_EQ(lines[2].number, 5U);
  }
}

TEST(LineReader, KeepsTheBeginningOfALineThatIsTooLong) {
  const auto lines = read(std::string(1'000, 'x') + "\nshort\n", 7, 10);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].text, std::string(10, 'x'));
  EXPECT_EQ(lines[0].bytes, 1'000U);
  EXPECT_EQ(lines[1].text, "short");
}

TEST(LineReader, NothingIsNoLine) {
  EXPECT_TRUE(read("", 1).empty());
  EXPECT_TRUE(read("\n\n\n", 1).empty());
}

TEST(LineReader, CountsLinesOfFilesThatHaveSomethingInThem) {
  const std::string text = "a\n\nb\nc";
  ipc::UniqueFd fd(::memfd_create("lines", MFD_CLOEXEC));
  ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ASSERT_EQ(::lseek(fd.get(), 0, SEEK_SET), 0);
  EXPECT_EQ(count_lines(fd.get(), 100), 3U);
  EXPECT_EQ(::lseek(fd.get(), 0, SEEK_CUR), 0);
  EXPECT_FALSE(count_lines(fd.get(), 3));
}

}  // namespace
}  // namespace warmpool::cli
