// Where the time of a task goes, through real programs.
#include <algorithm>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/client.hpp"
#include "tests/e2e/real_daemon.hpp"

namespace warmpool::test {
namespace {

using nlohmann::json;

std::vector<client::TaskStamps> stamps_of(const RealDaemon& daemon, bool asked, int tasks) {
  client::ConnectOptions options;
  options.socket = daemon.directory() + "/warmpool.sock";
  options.stamps = asked;
  auto client = client::Client::connect(options);
  EXPECT_TRUE(client) << client.error().text;
  for (int i = 0; i < tasks; ++i) {
    client->submit({.type = "echo", .payload = "x", .wait = true});
  }
  for (int settled = 0; settled < tasks;) {
    const auto event = client->wait_any(patience_ends());
    EXPECT_TRUE(event && *event);
    if (!event || !*event) break;
    if (std::holds_alternative<client::Settled>(**event)) ++settled;
  }
  EXPECT_TRUE(client->ping(patience_ends()));
  return client->take_stamps();
}

TEST(Stamps, RiseAlongTheWayOfATask) {
  const RealDaemon daemon({.config = "", .arguments = {"--workers", "2"}, .prefix = {}});
  const auto all = stamps_of(daemon, true, 100);
  EXPECT_EQ(all.size(), 100U);
  for (const auto& one : all) {
    std::vector<std::uint64_t> way{one.submitted, one.written};
    way.insert(way.end(), one.path.begin(), one.path.end());
    way.push_back(one.came);
    EXPECT_NE(way.front(), 0U);
    EXPECT_TRUE(std::ranges::is_sorted(way)) << testing::PrintToString(way);
  }
}

TEST(Stamps, AreNotThereForWhoDoesNotAsk) {
  const RealDaemon daemon({.config = "", .arguments = {"--workers", "1"}, .prefix = {}});
  EXPECT_TRUE(stamps_of(daemon, false, 3).empty());
}

TEST(Stamps, AreWhatABenchTells) {
  const RealDaemon daemon({.config = "", .arguments = {"--workers", "2"}, .prefix = {}});
  const auto ran = daemon.call("bench throughput --tasks 200 --in-flight 16 --where --json");
  ASSERT_EQ(ran.status, 0) << ran.output;
  const auto where = json::parse(ran.output).at("where");
  ASSERT_EQ(where.size(), 2U);
  EXPECT_EQ(where[0].at("in_flight"), 1);
  EXPECT_EQ(where[1].at("in_flight"), 16);
  for (const auto& load : where) {
    EXPECT_EQ(load.at("hops").size(), 13U);
    for (const auto& hop : load.at("hops")) EXPECT_EQ(hop.at("tasks"), 200) << hop;
  }
  const auto table = daemon.call("bench latency --tasks 20 --where");
  EXPECT_NE(table.output.find("daemon to worker"), std::string::npos) << table.output;
  const auto plain = daemon.call("bench latency --tasks 20 --json");
  EXPECT_FALSE(json::parse(plain.output).contains("where"));
}

}  // namespace
}  // namespace warmpool::test
