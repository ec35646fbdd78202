// Trees that are removed or measured, whatever somebody has put into them.
#include "daemon/directory/tree.hpp"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ipc/fd.hpp"
#include "tests/ipc/temporary_directory.hpp"

namespace warmpool::daemon {
namespace {

namespace fs = std::filesystem;

class TreeTest : public testing::Test {
 protected:
  TreeRemoval remove(const std::string& name) {
    const ipc::UniqueFd parent(::open((base_ / ".").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return remove_tree(parent.get(), base_ / ".", name, stop_);
  }
  std::string file(const std::string& name, const std::string& text = "text") {
    const auto path = base_ / name;
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << text;
    return path;
  }

  ipc::test::TemporaryDirectory base_;
  std::atomic<bool> stop_ = false;
};

TEST_F(TreeTest, RemovesAllOfATreeAndNothingBesideIt) {
  file("tree/a/b/c");
  file("tree/.hidden");
  ASSERT_EQ(::mkfifo((base_ / "tree/fifo").c_str(), 0600), 0);
  const auto beside = file("tree.txt");
  const auto removal = remove("tree");
  EXPECT_EQ(removal.left, 0U) << removal.fault;
  EXPECT_EQ(removal.removed, 6U);
  EXPECT_FALSE(fs::exists(base_ / "tree"));
  EXPECT_TRUE(fs::exists(beside));
}

TEST_F(TreeTest, FollowsNoSymlink) {
  const auto kept = file("outside/kept");
  file("tree/own");
  fs::create_symlink(base_ / "outside", base_ / "tree/to_directory");
  fs::create_symlink(kept, base_ / "tree/to_file");
  fs::create_symlink("/", base_ / "tree/to_root");
  EXPECT_EQ(remove("tree").left, 0U);
  EXPECT_FALSE(fs::exists(base_ / "tree"));
  EXPECT_TRUE(fs::exists(kept));
}

TEST_F(TreeTest, RemovesASymlinkThatStandsInThePlaceOfTheTree) {
  const auto kept = file("outside/kept");
  fs::create_symlink(base_ / "outside", base_ / "tree");
  EXPECT_EQ(remove("tree").left, 0U);
  EXPECT_FALSE(fs::is_symlink(base_ / "tree"));
  EXPECT_TRUE(fs::exists(kept));
}

TEST_F(TreeTest, RemovesWhatIsNestedDeeperThanItsDescriptorsReach) {
  std::string deep = "tree";
  for (int i = 0; i < 200; ++i) deep += "/d";
  file(deep + "/leaf");
  const auto removal = remove("tree");
  EXPECT_EQ(removal.left, 0U) << removal.fault;
  EXPECT_TRUE(fs::is_empty(base_ / "."));
}

TEST_F(TreeTest, RemovesManyFilesInOneDirectory) {
  for (int i = 0; i < 3'000; ++i) file("tree/" + std::to_string(i), "");
  EXPECT_EQ(remove("tree").removed, 3'001U);
  EXPECT_FALSE(fs::exists(base_ / "tree"));
}

TEST_F(TreeTest, HasNothingToDoWhereThereIsNothing) {
  const auto removal = remove("missing");
  EXPECT_EQ(removal.removed + removal.left, 0U);
  EXPECT_TRUE(removal.fault.empty());
}

TEST_F(TreeTest, EndsWhenItIsAskedTo) {
  file("tree/a");
  stop_ = true;
  EXPECT_EQ(remove("tree").removed, 0U);
  EXPECT_TRUE(fs::exists(base_ / "tree/a"));
}

// In a process of its own, which takes the mount with it.
TEST_F(TreeTest, EntersNothingThatIsMountedThereAndSaysSo) {
  const auto kept = file("outside/kept");
  file("tree/mounted/hidden");
  file("tree/plain");
  constexpr int cannot = 77;
  const pid_t child = ::fork();
  if (child == 0) {
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount((base_ / "outside").c_str(), (base_ / "tree/mounted").c_str(),
                                 nullptr, MS_BIND, nullptr) == 0;
    if (!mounted) ::_exit(cannot);
    const auto removal = remove("tree");
    const bool told =
        removal.fault.find("tree/mounted: something is mounted") != removal.fault.npos;
    ::_exit(told && removal.left > 0 && fs::exists(kept) && !fs::exists(base_ / "tree/plain") ? 0
                                                                                              : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == cannot) GTEST_SKIP() << "nothing can be mounted here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(fs::exists(kept));
}

TEST_F(TreeTest, MeasuresWhatATreeTakesOfTheDiskAndNothingElse) {
  file("tree/a/large", std::string(1 << 20, 'x'));
  fs::create_symlink(base_ / "outside", base_ / "tree/link");
  file("outside/larger", std::string(4 << 20, 'x'));
  const auto bytes = tree_bytes(base_ / "tree", stop_);
  ASSERT_TRUE(bytes) << bytes.error().text;
  EXPECT_GE(*bytes, 1U << 20);
  EXPECT_LT(*bytes, 2U << 20);
  EXPECT_NE(tree_bytes(base_ / "missing", stop_).error().text.find("missing"), std::string::npos);
}

}  // namespace
}  // namespace warmpool::daemon
