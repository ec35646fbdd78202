// Workers as the daemon meets them: wrong tokens, deaths, closed channels, failed spawns.
#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Kind;

TEST(Worker, IsSentAwayWhenItsTokenIsWrong) {
  TestDaemon test;
  test.processes.token_offset = 1;
  EXPECT_TRUE(test.until([&] { return test.log.has("broke the protocol"); }));
  EXPECT_TRUE(test.until([&] { return test.daemon.pool().counters().exits >= 2; }));
}

TEST(Worker, ReportsASpawnThatFailed) {
  TestDaemon test;
  test.processes.spawn_error = ENOENT;
  EXPECT_TRUE(test.until([&] { return test.daemon.pool().counters().exits >= 2; }));
  EXPECT_TRUE(test.log.has("the test lets no process start"));
}

TEST(Worker, HasItsTaskRunAgainAfterItsDeath) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("hang");
  ipc::SubmitMeta meta;
  meta.crashes_max = 1;
  client.submit("x", 1, ipc::flag::kWait, meta);
  ASSERT_TRUE(test.until(client, [&] { return test.daemon.pool().queue().running == 1; }));
  for (auto& [id, worker] : test.processes.workers) {
    if (!worker.exit) test.processes.die(worker, {ExitCause::Signalled, -SIGSEGV, false});
  }
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  EXPECT_NE(client.find(Kind::Settled, 1)->payload.find("SIGSEGV"), std::string::npos);
}

TEST(Worker, HasItsCompleteResultCountedThoughItDiedRightAfter) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  ASSERT_TRUE(test.until([&] { return test.processes.alive() != nullptr; }));
  client.submit("x", 1);
  while (test.daemon.pool().queue().running == 0) test.daemon.turn(milliseconds(1));
  test.processes.work();  // answers
  for (auto& [id, worker] : test.processes.workers) {
    if (!worker.exit) test.processes.die(worker, {ExitCause::Exited, 1, false});
  }
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  EXPECT_EQ(client.find(Kind::Settled, 1)->payload, "x");
}

TEST(Worker, IsReplacedWhenItClosesItsChannelAndLivesOn) {
  TestDaemon test;
  ASSERT_TRUE(test.until([&] { return test.processes.alive() != nullptr; }));
  auto* worker = test.processes.alive();
  const auto id = worker->spec.worker;
  worker->channel.reset();
  EXPECT_TRUE(test.until([&] { return test.processes.workers.at(id.value).reaped; }));
}

TEST(Worker, ShowsItsOutputWithItsFailures) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("fail");
  ASSERT_TRUE(test.until([&] { return test.processes.alive_count() == 2; }));
  ipc::SubmitMeta meta;
  meta.retries = 0;
  client.submit("x", 1, ipc::flag::kWait, meta);
  while (test.daemon.pool().queue().running == 0) test.daemon.turn(milliseconds(1));
  for (auto& [id, worker] : test.processes.workers) {
    ASSERT_EQ(::write(worker.errors.get(), "about to fail\n", 14), 14);
  }
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  const auto task = client.find(Kind::Settled, 1)->header.id;
  const auto shown = nlohmann::json::parse(test.ask(client, ipc::Verb::Show, {task}));
  EXPECT_EQ(shown["attempts"][0]["output"][0], "about to fail");
  EXPECT_EQ(shown["error"], "the handler said no");
  const auto worker =
      nlohmann::json::parse(test.ask(client, ipc::Verb::Worker, {std::string_view("worker-0")}));
  EXPECT_EQ(worker["output"][0]["text"], "about to fail");
}

TEST(Worker, IsRetiredWhenTheDaemonStops) {
  TestDaemon test;
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  test.daemon.stop(false);
  EXPECT_TRUE(test.until([&] { return !test.daemon.turn(milliseconds(1)); }));
  EXPECT_EQ(test.processes.alive_count(), 0U);
}

}  // namespace
}  // namespace warmpool::daemon
