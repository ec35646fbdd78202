// Payloads and results over the limits of frames, from a file to a file: command line, daemon and
// worker are the real ones.
#include <filesystem>
#include <fstream>
#include <memory>
#include <pwd.h>
#include <sstream>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"
#include "tests/support/transport.hpp"

namespace warmpool::test {
namespace {

constexpr std::size_t kBytes = (20U << 20) + 7;

std::string pool_of_one(const std::string& options = {}) {
  return options + R"(
backoff_first = "1ms"
[[class]]
name = "worker"
command = [")" +
         program("warmpool-worker") + R"("]
types = ["echo", "sleep"]
size = 1
size_min = 1
)";
}

// A program of another user, which counts what it is given as a file.
std::string counting_pool() {
  return R"(
[[class]]
name = "worker"
command = [")" +
         program("warmpool-worker") + R"(", "--wrap", "lines", "--", "sh", "-c", '''
while read -r line; do
  file=$${line#*\"payload_file\":\"}
  printf '{"result":%s}\n' $(cat $${file%??} | wc -c)
done''']
types = ["count"]
size = 1
user = "nobody"
)";
}

class LargePayload : public testing::Test {
 protected:
  void SetUp() override {
    if (over_fifos()) GTEST_SKIP() << "no descriptor goes through a FIFO";
    begin();
  }
  void begin(const std::string& options = {}) {
    daemon = std::make_unique<RealDaemon>(
        RealDaemon::Setup{.config = pool_of_one(options), .arguments = {}, .prefix = {}});
    std::ofstream out(in(), std::ios::binary);
    for (std::size_t i = 0; i < kBytes; ++i) out.put(static_cast<char>(i * 31 + i / 977));
  }
  std::string in() const { return daemon->directory() + "/in"; }
  std::string out() const { return daemon->directory() + "/out"; }
  // Whether what came out is what went in.
  bool same() const {
    std::ifstream left(in(), std::ios::binary), right(out(), std::ios::binary);
    std::ostringstream all_left, all_right;
    all_left << left.rdbuf();
    all_right << right.rdbuf();
    return !all_left.str().empty() && all_left.str() == all_right.str();
  }
  std::string files() const {
    std::string found;
    std::error_code none;
    for (const auto& entry :
         std::filesystem::directory_iterator(daemon->directory() + "/state/bodies", none)) {
      found += entry.path().filename().string() + " ";
    }
    return found;
  }

  std::unique_ptr<RealDaemon> daemon;
};

TEST_F(LargePayload, GoesFromAFileToAFile) {
  const auto ran = daemon->call("submit echo --payload-file " + in() + " --wait > " + out());
  EXPECT_EQ(ran.status, 0) << ran.output << daemon->log();
  EXPECT_TRUE(same());
}

TEST_F(LargePayload, GoesFromStandardInput) {
  const auto ran = daemon->call("submit echo - --wait < " + in() + " > " + out());
  EXPECT_EQ(ran.status, 0) << ran.output << daemon->log();
  EXPECT_TRUE(same());
}

TEST_F(LargePayload, IsRefusedBeyondItsLimitWithWhatToDo) {
  begin("large_bytes_max = \"4MiB\"");
  const auto ran =
      run_shell(daemon->command("submit echo --payload-file " + in()) + " --wait 2>&1");
  EXPECT_NE(ran.status, 0);
  EXPECT_NE(ran.output.find("large_bytes_max"), std::string::npos) << ran.output;
}

TEST_F(LargePayload, OutlivesTheDaemonAndSoDoesItsResult) {
  ASSERT_EQ(daemon->call("pause").status, 0);
  auto id = daemon->call("submit echo --payload-file " + in() + " --print-id").output;
  id.erase(id.find_last_not_of('\n') + 1);
  EXPECT_NE(files().find(".payload"), std::string::npos) << files();
  daemon->signal(SIGKILL);
  daemon->wait();
  ASSERT_TRUE(daemon->start()) << daemon->log();
  ASSERT_EQ(daemon->call("resume").status, 0);
  ASSERT_EQ(daemon->call("wait " + id).status, 0) << daemon->log();
  daemon->signal(SIGKILL);
  daemon->wait();
  ASSERT_TRUE(daemon->start()) << daemon->log();
  EXPECT_NE(files().find(".result"), std::string::npos) << files();
  EXPECT_EQ(daemon->call("result " + id + " > " + out()).status, 0) << daemon->log();
  EXPECT_TRUE(same());
}

// Then it is a file of the daemon's user, which theirs may not open by name.
TEST_F(LargePayload, IsReadByAProgramOfAnotherUserAlsoAfterARestart) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root starts workers as somebody else";
  if (::getpwnam("nobody") == nullptr) GTEST_SKIP() << "there is no user nobody";
  daemon = std::make_unique<RealDaemon>(
      RealDaemon::Setup{.config = counting_pool(), .arguments = {}, .prefix = {}});
  std::ofstream(in(), std::ios::binary) << std::string(kBytes, 'x');
  const std::string submit = "submit count --retries 0 --payload-file " + in();
  EXPECT_EQ(daemon->call(submit + " --wait").output, std::to_string(kBytes)) << daemon->log();
  ASSERT_EQ(daemon->call("pause").status, 0);
  auto id = daemon->call(submit + " --print-id").output;
  id.erase(id.find_last_not_of('\n') + 1);
  daemon->signal(SIGKILL);
  daemon->wait();
  ASSERT_TRUE(daemon->start()) << daemon->log();
  ASSERT_EQ(daemon->call("resume").status, 0);
  EXPECT_EQ(daemon->call("wait " + id).status, 0) << daemon->log();
  EXPECT_EQ(daemon->call("result " + id).output, std::to_string(kBytes)) << daemon->log();
}

}  // namespace
}  // namespace warmpool::test
