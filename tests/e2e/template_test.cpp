// Workers in C++ that a template forks, under a real daemon. Those in Python: sdk/python/tests/.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

using nlohmann::json;

std::string config(const std::string& more) {
  return "backoff_first = \"1ms\"\nbackoff_max = \"1ms\"\nrestart_cooldown = \"1ms\"\n"
         "restart_backoff_max = \"1ms\"\n[[class]]\nname = \"cpp\"\nsize = 2\nsize_min = 1\n"
         "types = [\"*\"]\n" +
         more;
}
std::string stock(const std::string& arguments = "") {
  return config("command = [\"" + program("warmpool-worker") + "\"" + arguments +
                "]\npreload = [\"libm.so.6\"]\n");
}

json workers_of(const RealDaemon& daemon) {
  const auto answer = json::parse(daemon.call("workers --json").output, nullptr, false);
  return answer.is_object() ? answer.at("workers") : json::array();
}

json template_of(const RealDaemon& daemon) {
  const auto answer = json::parse(daemon.call("status --json").output, nullptr, false);
  return answer.is_object() ? answer.at("classes").at(0).at("template") : json();
}

// The pids of all that are ready; none while one is not.
std::set<pid_t> ready_pids(const RealDaemon& daemon) {
  std::set<pid_t> pids;
  const auto rows = workers_of(daemon);
  for (const auto& row : rows) {
    if (row.at("state") != "ready" || !row.at("pid").is_number()) return {};
    pids.insert(row.at("pid").get<pid_t>());
  }
  return pids;
}

bool all_ready(const RealDaemon& daemon) {
  return eventually([&] { return ready_pids(daemon).size() == 2; }, std::chrono::seconds(60));
}

bool is_gone(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const auto end = text.rfind(')');
  return end == std::string::npos || text.at(end + 2) == 'Z' || text.at(end + 2) == 'X';
}

// What each descriptor is, without the numbers of pipes and sockets and the names of FIFOs.
std::map<std::string, int> descriptors_of(pid_t pid) {
  std::map<std::string, int> kinds;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", ignored)) {
    const auto target = std::filesystem::read_symlink(entry, ignored).string();
    const bool fifo = target.find("/fifo.") != std::string::npos;
    ++kinds[fifo ? "fifo" : target.substr(0, target.find('['))];
  }
  return kinds;
}

TEST(Template, ForksWorkersThatAreAsThoseThatAreStarted) {
  const RealDaemon plain({.config = config("command = [\"" + program("warmpool-worker") + "\"]\n"),
                          .arguments = {},
                          .prefix = ""});
  const RealDaemon forked({.config = stock(), .arguments = {}, .prefix = ""});
  ASSERT_TRUE(all_ready(plain) && all_ready(forked)) << forked.log();
  const auto pids = ready_pids(forked);
  EXPECT_EQ(1, workers_of(forked).at(0).at("template"));
  EXPECT_TRUE(workers_of(plain).at(0).at("template").is_null());
  EXPECT_EQ(2, template_of(forked).at("forked"));
  EXPECT_EQ(descriptors_of(*ready_pids(plain).begin()), descriptors_of(*pids.begin()));
  EXPECT_EQ(2U, forked.workers().size()) << "the template has a name of its own";
  EXPECT_EQ("\"x\"\n", forked
                           .call("submit echo x --wait --json | tr -d ' ' | "
                                 "sed 's/.*\"result\":\\(\"x\"\\).*/\\1/'")
                           .output);
}

TEST(Template, AKilledWorkerIsReplacedAndNothingIsLost) {
  const RealDaemon daemon({.config = stock(), .arguments = {}, .prefix = ""});
  ASSERT_TRUE(all_ready(daemon)) << daemon.log();
  const auto before = ready_pids(daemon);
  for (const auto pid : before) ::kill(pid, SIGKILL);
  ASSERT_TRUE(eventually([&] {
    const auto now = ready_pids(daemon);
    return now.size() == 2 && !before.contains(*now.begin()) && !before.contains(*now.rbegin());
  })) << daemon.log();
  EXPECT_EQ(0, daemon.call("submit echo x --wait").status);
  for (const auto& row : workers_of(daemon)) EXPECT_FALSE(row.at("template").is_null());
}

TEST(Template, TheEndOfTheDaemonIsTheEndOfAll) {
  RealDaemon daemon({.config = stock(), .arguments = {}, .prefix = ""});
  ASSERT_TRUE(all_ready(daemon)) << daemon.log();
  auto pids = ready_pids(daemon);
  pids.insert(template_of(daemon).at("pid").get<pid_t>());
  EXPECT_EQ(3U, pids.size());
  daemon.signal(SIGKILL);
  daemon.wait();
  for (const auto pid : pids) EXPECT_TRUE(eventually([&] { return is_gone(pid); })) << pid;
}

TEST(Template, OneThatIsKilledIsMadeAnewAndItsWorkersLiveOn) {
  const RealDaemon daemon({.config = stock(), .arguments = {}, .prefix = ""});
  ASSERT_TRUE(all_ready(daemon)) << daemon.log();
  const auto before = ready_pids(daemon);
  ::kill(template_of(daemon).at("pid").get<pid_t>(), SIGKILL);
  EXPECT_TRUE(eventually([&] {
    const auto now = template_of(daemon);
    return now.at("state") == "ready" && now.at("generation") > 1;
  })) << daemon.log();
  EXPECT_EQ(before, ready_pids(daemon));
}

TEST(Template, APlugInIsLoadedOnceForAll) {
  const auto plugin = program_directory() + "/test-plugin-odd.so";
  const RealDaemon daemon(
      {.config = stock(", \"--plugin\", \"" + plugin + "\""), .arguments = {}, .prefix = ""});
  ASSERT_TRUE(all_ready(daemon)) << daemon.log();
  const auto pid = std::to_string(template_of(daemon).at("pid").get<pid_t>());
  std::ifstream maps("/proc/" + pid + "/maps");
  const std::string text(std::istreambuf_iterator<char>(maps), {});
  EXPECT_NE(std::string::npos, text.find("test-plugin-odd.so"));
  std::set<std::string> forked_in;
  for (int i = 0; i < 4; ++i) forked_in.insert(daemon.call("submit odd.one forked --wait").output);
  EXPECT_EQ(2U, forked_in.size()) << "its hook was called in each worker";
  // It came when the worker had said its hello: what a hook starts has no secret of it.
  EXPECT_NE(std::string::npos, daemon.call("submit odd.one token --wait").output.find("hidden"));
}

TEST(Template, WhatCannotBeForkedIsStartedAndSaid) {
  const RealDaemon daemon(
      {.config = config("command = [\"" + program("warmpool-worker") +
                        "\", \"--wrap\", \"lines\", \"--\", \"/bin/cat\"]\npreload = [\"x\"]\n"),
       .arguments = {},
       .prefix = ""});
  ASSERT_TRUE(all_ready(daemon)) << daemon.log();
  for (const auto& row : workers_of(daemon)) EXPECT_TRUE(row.at("template").is_null());
  EXPECT_NE(std::string::npos, daemon.log().find("cannot be forked")) << daemon.log();
}

}  // namespace
}  // namespace warmpool::test
