// What a daemon of one program removes when that program has ended: its own, and nothing else.
#include "daemon/private_place.hpp"

#include <filesystem>
#include <fstream>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/ipc/temporary_directory.hpp"

namespace warmpool::daemon {
namespace {

namespace fs = std::filesystem;

// No parent of this process, so that whoever is named so has ended.
pid_t nobody() { return ::getpid(); }

class PrivatePlaceTest : public testing::Test {
 protected:
  PrivatePlaceTest() {
    fs::create_directory(path);
    put("settings.toml");
    put("warmpool.lock");
  }
  void put(const std::string& name) const { std::ofstream(path + "/" + name) << "x"; }
  Result<PrivatePlace> take() const {
    return PrivatePlace::take(path, nobody(), {path + "/settings.toml"});
  }

  ipc::test::TemporaryDirectory around;
  std::string path = around / "run";
};

TEST_F(PrivatePlaceTest, GoesWithAllThatWasMadeThere) {
  {
    const auto place = take();
    ASSERT_TRUE(place) << place.error().text;
    put("warmpool.sock");
    fs::create_directories(path + "/directories/0");
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(PrivatePlaceTest, LeavesWhatSomebodyElsePutThere) {
  {
    const auto place = take();
    ASSERT_TRUE(place) << place.error().text;
    put("warmpool.sock");
    put("results.csv");
  }
  EXPECT_TRUE(fs::exists(path + "/results.csv"));
  EXPECT_FALSE(fs::exists(path + "/warmpool.sock"));
  EXPECT_FALSE(fs::exists(path + "/settings.toml"));
}

TEST_F(PrivatePlaceTest, IsNoDirectoryWithOtherFiles) {
  put("thesis.txt");
  {
    const auto place = take();
    ASSERT_FALSE(place);
    EXPECT_NE(place.error().text.find("holds the file thesis.txt"), std::string::npos);
  }
  EXPECT_TRUE(fs::exists(path + "/thesis.txt"));
  EXPECT_TRUE(fs::exists(path + "/settings.toml"));
}

}  // namespace
}  // namespace warmpool::daemon
