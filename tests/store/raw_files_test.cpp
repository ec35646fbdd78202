// Whether a file is the one that is written to.
#include "daemon/store/raw_files.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/ipc/temporary_directory.hpp"

namespace warmpool::daemon {
namespace {

TEST(StillThere, TellsGoneAndReplacedFromWhatCannotBeSeen) {
  namespace fs = std::filesystem;
  const ipc::test::TemporaryDirectory directory;
  const std::string path = directory / "file", other = directory / "other",
                    loop = directory / "loop";
  std::ofstream(path).close();
  std::ofstream(other).close();
  const auto inode = inode_of(path);
  ASSERT_NE(inode, 0U);
  EXPECT_TRUE(still_there(path, inode));
  fs::rename(other, path);
  EXPECT_EQ(still_there(path, inode).error().code, SQLITE_IOERR);
  fs::remove(path);
  EXPECT_EQ(still_there(path, inode).error().code, SQLITE_IOERR);
  fs::create_symlink(loop, loop);
  EXPECT_EQ(still_there(loop + "/file", inode).error().code, SQLITE_CANTOPEN);
}

}  // namespace
}  // namespace warmpool::daemon
