// How much goes through the daemon at once.
#include "daemon/flow.hpp"

#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Kind;
using nlohmann::json;

TEST(Histogram, CountsByPowersOfTwo) {
  Histogram histogram;
  for (const unsigned value : {0U, 1U, 2U, 3U, 4U, 7U, 8U}) histogram.add(value);
  const auto& counts = histogram.counts();
  EXPECT_EQ(counts[0], 1U);
  EXPECT_EQ(counts[1], 1U);
  EXPECT_EQ(counts[2], 2U);
  EXPECT_EQ(counts[3], 2U);
  EXPECT_EQ(counts[4], 1U);
  EXPECT_EQ(Histogram::largest_of(3), 7U);
}

TEST(Histogram, HasRoomForEveryValue) {
  Histogram histogram;
  histogram.add(~std::uint64_t{0});
  histogram.add(Histogram::kLargest);
  EXPECT_EQ(histogram.counts().back(), 2U);
}

std::uint64_t sum_of(const json& histogram) {
  std::uint64_t sum = 0;
  for (const auto& [largest, count] : histogram.items()) sum += count.get<std::uint64_t>();
  return sum;
}

TEST(Flow, IsShownInTheStatus) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  ASSERT_TRUE(test.until([&] { return test.processes.alive_count() == 2; }));
  for (std::uint64_t token = 1; token <= 4; ++token) client.submit("x", token);
  const auto all = [&] { return client.count(Kind::Settled) == 4; };
  ASSERT_TRUE(test.until(client, all));
  const auto loop = json::parse(test.ask(client, ipc::Verb::Status)).at("loop");
  EXPECT_EQ(sum_of(loop.at("in_hand")), 4U) << loop;
  EXPECT_GE(sum_of(loop.at("turns_us")), 1U) << loop;
  EXPECT_GE(sum_of(loop.at("frames_read")), 3U) << loop;
  EXPECT_GE(sum_of(loop.at("frames_written")), 3U) << loop;
}

}  // namespace
}  // namespace warmpool::daemon
