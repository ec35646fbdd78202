// Where directories of workers lie, and what is told of the way there.
#include "daemon/directory/directory_root.hpp"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/ipc/temporary_directory.hpp"

namespace warmpool::daemon {
namespace {

namespace fs = std::filesystem;

class DirectoryRootTest : public testing::Test {
 protected:
  DirectoryRootTest() : root_(std::move(*DirectoryRoot::open(base_ / "root"))) {}
  static mode_t mode_of(const std::string& path) {
    struct stat found {};
    return ::lstat(path.c_str(), &found) == 0 ? found.st_mode & 07777 : 0;
  }
  void put(const DirectoryName& name, const std::string& file) {
    std::ofstream(root_.path_of(name) + "/" + file) << "text";
  }

  ipc::test::TemporaryDirectory base_;
  DirectoryRoot root_;
  const DirectoryName kept_{"images", DirectoryKind::Kept, "images-0"};
  const DirectoryName fresh_{"images", DirectoryKind::Fresh, "7.1.1"};
  std::atomic<bool> stop_ = false;
};

TEST_F(DirectoryRootTest, LetsOthersPassToWhatIsClosedToThem) {
  ASSERT_TRUE(root_.make(fresh_, nullptr));
  EXPECT_EQ(mode_of(root_.path()), 0711U);
  EXPECT_EQ(mode_of(root_.path() + "/images"), 0711U);
  EXPECT_EQ(mode_of(root_.path() + "/images/fresh"), 0711U);
  EXPECT_EQ(mode_of(root_.path_of(fresh_)), 0700U);
}

TEST_F(DirectoryRootTest, KeepsWhatWasPreparedAndEmptiesWhatWasNot) {
  ASSERT_TRUE(*root_.make(kept_, nullptr));
  put(kept_, "half");
  EXPECT_TRUE(*root_.make(kept_, nullptr));
  EXPECT_TRUE(fs::is_empty(root_.path_of(kept_)));
  put(kept_, "whole");
  ASSERT_TRUE(root_.mark_ready(kept_));
  EXPECT_FALSE(*root_.make(kept_, nullptr));
  EXPECT_TRUE(fs::exists(root_.path_of(kept_) + "/whole"));
}

TEST_F(DirectoryRootTest, MakesAFreshOneEmptyWhateverIsThere) {
  ASSERT_TRUE(root_.make(fresh_, nullptr));
  put(fresh_, "old");
  EXPECT_TRUE(*root_.make(fresh_, nullptr));
  EXPECT_TRUE(fs::is_empty(root_.path_of(fresh_)));
}

TEST_F(DirectoryRootTest, FreesANameAtOnceAndDestroysWhatHadItAfter) {
  ASSERT_TRUE(root_.make(kept_, nullptr));
  ASSERT_TRUE(root_.mark_ready(kept_));
  put(kept_, "file");
  const auto removed = root_.discard(kept_);
  ASSERT_TRUE(removed);
  EXPECT_FALSE(root_.exists(kept_));
  EXPECT_TRUE(*root_.make(kept_, nullptr)) << "its mark has gone too";
  EXPECT_EQ(root_.destroy(*removed, stop_).left, 0U);
  EXPECT_TRUE(root_.leftovers().removed.empty());
  EXPECT_EQ(*root_.discard(fresh_), "") << "there was none";
}

TEST_F(DirectoryRootTest, TellsWhatEarlierLivesLeft) {
  ASSERT_TRUE(root_.make(fresh_, nullptr));
  ASSERT_TRUE(root_.make(kept_, nullptr));
  const DirectoryName other{"other", DirectoryKind::Fresh, "8.1.2"};
  ASSERT_TRUE(root_.make(other, nullptr));
  ASSERT_TRUE(root_.discard(other));
  const auto left = root_.leftovers();
  ASSERT_EQ(left.fresh.size(), 1U);
  EXPECT_EQ(left.fresh.front().name, "7.1.1");
  EXPECT_EQ(left.removed.size(), 1U);
}

TEST_F(DirectoryRootTest, RefusesAKeptDirectoryOfAnotherUserAndSaysWhatToDo) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives directories to others";
  Identity identity;
  identity.uid = identity.gid = 65'534;
  ASSERT_TRUE(root_.make(kept_, &identity));
  ASSERT_TRUE(root_.mark_ready(kept_));
  struct stat found {};
  ASSERT_EQ(::stat(root_.path_of(kept_).c_str(), &found), 0);
  EXPECT_EQ(found.st_uid, 65'534U);
  const auto again = root_.make(kept_, nullptr);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().text, testing::HasSubstr("chown"));
  EXPECT_THAT(again.error().text, testing::HasSubstr(root_.path_of(kept_)));
}

TEST_F(DirectoryRootTest, DoesNotGoThroughASymlinkInThePlaceOfAFolder) {
  ASSERT_TRUE(fs::create_directory(base_ / "elsewhere"));
  fs::create_symlink(base_ / "elsewhere", root_.path() + "/images");
  EXPECT_FALSE(root_.make(fresh_, nullptr));
  EXPECT_TRUE(fs::is_empty(base_ / "elsewhere"));
}

TEST_F(DirectoryRootTest, IsOfOneDaemonAtATime) {
  const auto second = DirectoryRoot::open(base_ / "root");
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().text, testing::HasSubstr("--directory-root"));
}

TEST(DirectoryName, LeadsNowhereElse) {
  EXPECT_EQ(file_name_of("images-0"), "images-0");
  EXPECT_EQ(file_name_of("v1.2"), "v1.2");
  EXPECT_EQ(file_name_of(".."), "%2e.");
  EXPECT_EQ(file_name_of("../a b"), "%2e.%2fa%20b");
  EXPECT_EQ(file_name_of("%"), "%25");
}

}  // namespace
}  // namespace warmpool::daemon
