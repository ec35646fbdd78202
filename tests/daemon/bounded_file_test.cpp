// Files of lines with a bound, and the one of what submit.fifo rejected.
#include "daemon/bounded_file.hpp"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "daemon/submit/rejects.hpp"
#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

class BoundedFileTest : public testing::Test {
 protected:
  std::string read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  ipc::test::TemporaryDirectory base_;
  std::string path_ = base_ / "file";
};

TEST_F(BoundedFileTest, AppendsLinesForItsUserAlone) {
  BoundedFile file(path_, 1'000);
  EXPECT_TRUE(file.append("one"));
  EXPECT_TRUE(file.append("two"));
  EXPECT_EQ(read(path_), "one\ntwo\n");
  struct stat found {};
  ASSERT_EQ(::stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode, S_IFREG | 0600U);
}

TEST_F(BoundedFileTest, KeepsItsBound) {
  for (int life = 0; life < 2; ++life) {
    BoundedFile file(path_, 100);
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(file.append("123456789"));
      EXPECT_LE(std::filesystem::file_size(path_), 100U);
    }
  }
  EXPECT_EQ(std::filesystem::file_size(path_ + ".1"), 100U);
}

TEST_F(BoundedFileTest, IsMadeAgainWhenSomebodyRemovedIt) {
  BoundedFile file(path_, 1'000);
  EXPECT_TRUE(file.append("one"));
  std::filesystem::remove(path_);
  EXPECT_TRUE(file.append("two"));
  EXPECT_EQ(read(path_), "two\n");
}

// Opening a FIFO for writing waits for a reader, if one lets it.
TEST_F(BoundedFileTest, DoesNotWaitWhateverIsInItsPlace) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(BoundedFile(path_, 1'000).append("x"));
  const ipc::UniqueFd reader(::open(path_.c_str(), O_RDONLY | O_NONBLOCK));
  EXPECT_FALSE(BoundedFile(path_, 1'000).append("x"));
  std::filesystem::remove(path_);
  ASSERT_EQ(::symlink((base_ / "elsewhere").c_str(), path_.c_str()), 0);
  EXPECT_FALSE(BoundedFile(path_, 1'000).append("x"));
  EXPECT_FALSE(std::filesystem::exists(base_ / "elsewhere"));
  EXPECT_FALSE(BoundedFile(base_ / "none/file", 1'000).append("x"));
  EXPECT_FALSE(BoundedFile("", 1'000).append("x"));
}

class RejectsTest : public BoundedFileTest {
 protected:
  SystemTime time_;
  Clock clock_{time_, Instant{1}};
  RecordingLog log_;
  Rejects rejects_{path_, log_, clock_};
};

TEST_F(RejectsTest, LogTellsTenOfTenSecondsAndTheNumberOfTheRest) {
  const Instant begin{seconds(100).ns};
  for (int i = 0; i < 100; ++i) rejects_.add("line", "why", begin + milliseconds(i));
  EXPECT_EQ(log_.lines.size(), Rejects::kLogged);
  rejects_.tell_rest(begin + seconds(9));
  EXPECT_EQ(log_.lines.size(), Rejects::kLogged);
  rejects_.tell_rest(begin + seconds(10));
  EXPECT_EQ(log_.lines.size(), Rejects::kLogged + 1);
  EXPECT_TRUE(log_.has("90 more lines"));
  rejects_.add("line", "why", begin + seconds(11));
  EXPECT_EQ(log_.lines.size(), Rejects::kLogged + 2);
  EXPECT_EQ(rejects_.count(), 101U);
}

TEST_F(RejectsTest, LinesCanBeSentAgain) {
  const std::string odd = "quote \" tab \t and \\ end";
  rejects_.add(odd, "a reason\nof two lines", Instant{1});
  rejects_.add("\xff", "no text", Instant{1});
  std::ifstream file(path_);
  std::string first, second;
  std::getline(file, first);
  std::getline(file, second);
  EXPECT_EQ(nlohmann::json::parse(first)["line"], odd);
  EXPECT_EQ(nlohmann::json::parse(second)["line"]["base64"], "/w==");
  for (const auto& line : log_.lines) EXPECT_EQ(line.find('\n'), line.npos) << line;
}

}  // namespace
}  // namespace warmpool::daemon
