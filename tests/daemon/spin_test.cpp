// The option spin: a daemon that has just handled tasks looks for more before it sleeps.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Kind;

Configuration spinning() {
  auto configuration = small_configuration();
  configuration.pool.values.spin = microseconds(50);
  return configuration;
}

bool is_ready(TestDaemon& test) {
  return test.until([&] {
    return test.processes.alive_count() == 2 && test.daemon.pool().queue().waiting() == 0;
  });
}

// What it still has to do after its start.
void settle(TestDaemon& test) {
  ASSERT_TRUE(is_ready(test));
  for (int i = 0; i < 20; ++i) {
    test.processes.work();
    test.daemon.turn({});
  }
}

TEST(Spin, IsNotDoneByAnIdleDaemon) {
  TestDaemon test(spinning());
  settle(test);
  const auto before = test.daemon.awake().waits;
  const auto turns = test.daemon.loop().turns;
  for (std::uint64_t round = 1; round <= 3; ++round) {
    test.time.pass(seconds(2));  // chores come up
    EXPECT_TRUE(test.until([&] { return test.daemon.loop().turns >= turns + 20 * round; }));
  }
  EXPECT_EQ(test.daemon.awake().waits, before);
}

TEST(Spin, IsNotDoneForQuestions) {
  TestDaemon test(spinning());
  auto client = test.connect();
  settle(test);
  const auto before = test.daemon.awake().waits;
  test.ask(client, ipc::Verb::Status);
  EXPECT_EQ(test.daemon.awake().waits, before);
}

TEST(Spin, IsDoneOnceAfterEachTurnThatMovedATask) {
  TestDaemon test(spinning());
  auto client = test.connect();
  client.name_type("hang");
  settle(test);
  const auto before = test.daemon.awake().waits;
  client.submit("x", 1);
  const auto given = [&] {
    return std::ranges::any_of(test.processes.workers,
                               [](const auto& one) { return !one.second.assigned.empty(); });
  };
  ASSERT_TRUE(test.until(client, given));
  for (int i = 0; i < 20; ++i) test.daemon.turn({});
  const auto after = test.daemon.awake().waits;
  EXPECT_GT(after, before);
  // It hangs: nothing is to be expected soon.
  for (int i = 0; i < 20; ++i) test.daemon.turn({});
  EXPECT_EQ(test.daemon.awake().waits, after);
}

TEST(Spin, IsOffByDefault) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  client.submit("x", 1);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  EXPECT_EQ(test.daemon.awake().waits, 0U);
}

TEST(Spin, IsShownAndHandedToWorkers) {
  TestDaemon test(spinning());
  auto client = test.connect();
  ASSERT_TRUE(is_ready(test));
  const auto loop = nlohmann::json::parse(test.ask(client, ipc::Verb::Status)).at("loop");
  EXPECT_EQ(loop.at("spins"), test.daemon.awake().waits);
  EXPECT_EQ(loop.at("spins_found"), test.daemon.awake().found);
  const auto& environment = test.processes.alive()->spec.environment;
  EXPECT_NE(std::ranges::find(environment, "WARMPOOL_SPIN=50us"), environment.end());
  TestDaemon plain;
  ASSERT_TRUE(is_ready(plain));
  for (const auto& entry : plain.processes.alive()->spec.environment) {
    EXPECT_FALSE(entry.starts_with("WARMPOOL_SPIN")) << entry;
  }
}

}  // namespace
}  // namespace warmpool::daemon
