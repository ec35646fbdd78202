// What others do to the files of a real daemon while it works: the file system becomes read-only,
// the directory is closed, another program holds the database.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <optional>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"
#include "tests/support/transport.hpp"

namespace warmpool::test {
namespace {

using nlohmann::json;

// Root goes through closed doors: then the daemon is without the right to.
const char* without_override() {
  return ::geteuid() == 0 ? "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all "
                          : "";
}

class StorageOutside : public testing::Test {
 protected:
  // How workers are talked to makes no difference.
  void SetUp() override {
    if (over_fifos()) GTEST_SKIP() << "the same over sockets";
  }
  void begin(RealDaemon::Setup setup) {
    daemon.emplace(std::move(setup));
    ASSERT_TRUE(daemon->running()) << daemon->log();
    ASSERT_EQ(daemon->call("pause echo").status, 0);
    ASSERT_TRUE(takes());
  }
  std::string state() const { return daemon->directory() + "/state"; }
  // One small task that stays. Counted if it was accepted.
  bool takes() {
    const bool taken = daemon->call("submit echo kept").status == 0;
    accepted += taken ? 1U : 0U;
    return taken;
  }
  std::string trouble() const {
    const auto trouble = status_of(*daemon).value("store", json::object()).value("trouble", json());
    return trouble.is_string() ? trouble.get<std::string>() : std::string();
  }
  std::string health() const {
    return status_of(*daemon).value("health", json::object()).value("status", "");
  }
  void expect_all_in_the_next_life() {
    daemon->signal(SIGKILL);
    daemon->wait();
    daemon->set_prefix({});
    ASSERT_TRUE(daemon->start()) << daemon->log();
    EXPECT_EQ(status_of(*daemon).at("tasks").at("waiting"), accepted);
  }

  std::optional<RealDaemon> daemon;
  std::uint64_t accepted = 0;
};

// As after an error for which the kernel makes a file system read-only: what is open stays open,
// and every change is refused from then on. A file that is there says so to the daemon for tests.
TEST_F(StorageOutside, AFileSystemThatBecomesReadOnlyRefusesWorkUntilItIsWritable) {
  const auto program_file = program("warmpoold-failpoints");
  if (!std::filesystem::exists(program_file)) GTEST_SKIP() << "this build has no failpoints";
  char name[] = "/tmp/warmpool-read-only.XXXXXX";
  ASSERT_NE(::mkdtemp(name), nullptr);
  const auto mark = std::string(name) + "/read-only";
  RealDaemon::Setup setup{};
  setup.prefix = "export WARMPOOL_READ_ONLY=" + mark + ";";
  setup.program = "warmpoold-failpoints";
  begin(std::move(setup));
  std::ofstream{mark};
  EXPECT_FALSE(takes());
  EXPECT_EQ(health(), "unhealthy");
  EXPECT_NE(trouble().find("state/warmpool.db"), std::string::npos) << trouble();
  EXPECT_NE(trouble().find("Read-only file system"), std::string::npos) << trouble();
  EXPECT_EQ(daemon->call("workers").status, 0);
  std::filesystem::remove_all(name);
  EXPECT_TRUE(eventually([&] { return takes(); }));
  EXPECT_TRUE(eventually([&] { return trouble().empty(); })) << trouble();
  expect_all_in_the_next_life();
}

// Its files are open, so whether it goes on is its own affair; what it said is kept, and that the
// door is closed is said by the next start.
TEST_F(StorageOutside, ADirectoryThatIsClosedMeanwhileLosesNothingAndIsNamedByTheNextStart) {
  namespace fs = std::filesystem;
  RealDaemon::Setup setup{};
  setup.wrapper = without_override();
  begin(std::move(setup));
  fs::permissions(state(), fs::perms::none);
  const auto ran = run_shell("timeout 2 " + daemon->command("submit echo maybe") + " 2>&1");
  daemon->signal(SIGKILL);
  const auto ended = daemon->wait();
  EXPECT_TRUE(ended == 128 + SIGKILL || ended == 74) << ended << daemon->log();
  EXPECT_FALSE(daemon->start());
  const auto refused = daemon->wait();
  EXPECT_TRUE(refused == 73 || refused == 74) << refused;
  EXPECT_NE(daemon->log().find(state()), std::string::npos) << daemon->log();
  fs::permissions(state(), fs::perms::owner_all);
  ASSERT_TRUE(daemon->start()) << daemon->log();
  // What nobody was told of may be there.
  const auto waiting = status_of(*daemon).at("tasks").at("waiting").get<std::uint64_t>();
  EXPECT_GE(waiting, accepted + (ran.status == 0 ? 1U : 0U)) << ran.output;
  EXPECT_LE(waiting, accepted + 1);
}

TEST_F(StorageOutside, ADatabaseThatAnotherProgramHoldsMakesWorkWaitAndLosesNothing) {
  begin({});
  sqlite3* other = nullptr;
  ASSERT_EQ(::sqlite3_open((state() + "/warmpool.db").c_str(), &other), SQLITE_OK);
  ::sqlite3_busy_timeout(other, 20'000);
  ASSERT_EQ(::sqlite3_exec(other, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK)
      << ::sqlite3_errmsg(other);
  // Some are taken by the journal, and then refused: what is answered is true either way.
  const auto end = patience_ends(std::chrono::seconds(3));
  std::uint64_t answers = 0;
  while (std::chrono::steady_clock::now() < end && daemon->running()) {
    takes();
    answers += health().empty() ? 0U : 1U;
  }
  EXPECT_GT(answers, 0U);
  EXPECT_NE(trouble().find("another program"), std::string::npos) << trouble();
  ASSERT_EQ(::sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
  ::sqlite3_close(other);
  EXPECT_TRUE(eventually([&] { return takes() && trouble().empty(); })) << trouble();
  expect_all_in_the_next_life();
}

}  // namespace
}  // namespace warmpool::test
