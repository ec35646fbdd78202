// Workers as the daemon meets them: wrong tokens, deaths, closed channels, failed spawns.
#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"
#include "tests/support/transport.hpp"

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

// It is ended by the daemon, and for a reason that a person can do something about.
TEST(Worker, ThatCannotBeWatchedHasNotStarted) {
  TestDaemon test;
  test.processes.watchable = false;
  ASSERT_TRUE(test.until([&] { return test.daemon.pool().counters().exits >= 2; }));
  EXPECT_TRUE(test.log.has("raise fs.epoll.max_user_watches"));
  const auto slots = test.daemon.pool().snapshot().slots;
  EXPECT_TRUE(std::ranges::any_of(
      slots, [](const SlotView& slot) { return slot.last_cause == ExitCause::SpawnFailed; }));
  EXPECT_TRUE(std::ranges::none_of(
      slots, [](const SlotView& slot) { return slot.last_cause == ExitCause::Signalled; }));
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

TEST(Worker, HoldsWhatItsTransportCarriesWhateverItClaims) {
  TestDaemon test;
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  test.processes.work();
  EXPECT_EQ(test.processes.alive()->features, test::carried_features());
}

TEST(Worker, IsNotBelievedWhenItDiedInTheMiddleOfItsAnswer) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("hang");
  ipc::SubmitMeta meta;
  meta.crashes_max = 1;
  client.submit("x", 1, ipc::flag::kWait, meta);
  ASSERT_TRUE(test.until(client, [&] { return test.daemon.pool().queue().running == 1; }));
  test.processes.work();
  for (auto& [id, worker] : test.processes.workers) {
    if (worker.exit) continue;
    const std::string half(ipc::kHeaderBytes / 2, '\1');
    ASSERT_EQ(::write(worker.channel->write_fd(), half.data(), half.size()), 16);
    test.processes.die(worker, {ExitCause::Signalled, -SIGKILL, false});
  }
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  EXPECT_NE(client.find(Kind::Settled, 1)->payload.find("SIGKILL"), std::string::npos);
}

class FifoWorker : public testing::Test {
 protected:
  static Configuration configuration() {
    auto made = small_configuration();
    made.classes.front().values.channel = "fifo";
    return made;
  }
  std::size_t files() {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry :
         std::filesystem::directory_iterator(test_.processes.fifo_directory().path())) {
      ++count;
    }
    return count;
  }
  FakeWorker* settled_worker() {
    EXPECT_TRUE(test_.until([&] { return test_.daemon.documents().initialized(); }));
    return test_.processes.alive();
  }
  // That end of its channel is closed, and the number leads to nothing.
  void close_end(int fd) {
    const ipc::UniqueFd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::dup2(nothing.get(), fd), fd);
  }
  bool is_replaced(const FakeWorker& worker) {
    return test_.until([&] { return test_.processes.workers.at(worker.spec.worker.value).reaped; });
  }
  TestDaemon test_{configuration()};
};

TEST_F(FifoWorker, HasNamesUntilItHasSaidHello) {
  test_.processes.answers_hello = false;
  ASSERT_TRUE(test_.until([&] { return test_.processes.workers.size() == 2; }));
  EXPECT_EQ(files(), 4U);
  test_.processes.answers_hello = true;
  settled_worker();
  EXPECT_EQ(files(), 0U);
}

TEST_F(FifoWorker, IsNotTakenForGoneBeforeItHasOpened) {
  test_.processes.answers_hello = false;
  ASSERT_TRUE(test_.until([&] { return test_.processes.workers.size() == 2; }));
  for (int i = 0; i < 150; ++i) test_.daemon.turn(milliseconds(1));
  EXPECT_EQ(test_.processes.alive_count(), 2U);
  EXPECT_EQ(test_.daemon.pool().counters().exits, 0U);
}

TEST_F(FifoWorker, IsReplacedWhenItClosesTheEndThatItWrites) {
  auto* worker = settled_worker();
  close_end(worker->channel->write_fd());
  EXPECT_TRUE(is_replaced(*worker));
}

TEST_F(FifoWorker, IsReplacedWhenItClosesTheEndThatItReads) {
  auto* worker = settled_worker();
  close_end(worker->channel->read_fd());
  EXPECT_TRUE(is_replaced(*worker));
}

TEST_F(FifoWorker, HasItsAnswerCountedThoughItReadsNoMore) {
  auto client = test_.connect();
  client.name_type("echo");
  settled_worker();
  client.submit("x", 1);
  while (test_.daemon.pool().queue().running == 0) test_.daemon.turn(milliseconds(1));
  test_.processes.work();  // answers
  for (auto& [id, worker] : test_.processes.workers) close_end(worker.channel->read_fd());
  ASSERT_TRUE(test_.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  EXPECT_EQ(client.find(Kind::Settled, 1)->payload, "x");
}

TEST_F(FifoWorker, LeavesNoNameWhenItDiesBeforeItsHello) {
  test_.processes.answers_hello = false;
  ASSERT_TRUE(test_.until([&] { return test_.processes.workers.size() == 2; }));
  test_.processes.spawn_error = EAGAIN;
  for (auto& [id, worker] : test_.processes.workers) {
    test_.processes.die(worker, {ExitCause::Exited, 1, false});
  }
  EXPECT_TRUE(test_.until([&] { return test_.daemon.pool().counters().exits >= 2; }));
  EXPECT_EQ(files(), 0U);
}

TEST(Worker, IsRetiredWhenTheDaemonStops) {
  TestDaemon test;
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  test.daemon.stop(false);
  EXPECT_TRUE(test.until([&] { return !test.daemon.turn(milliseconds(1)); }));
  EXPECT_EQ(test.processes.alive_count(), 0U);
}

// A pool in which deaths cost no waiting.
Configuration patient_configuration() {
  auto configuration = small_configuration();
  configuration.pool.values.restart_cooldown = milliseconds(1);
  configuration.classes.front().values.recovery_deaths = 0;  // it is killed on purpose
  configuration.pool.values.restart_backoff_max = milliseconds(1);
  return configuration;
}

// The worker that has something in hand; null if none has.
FakeWorker* busy(TestDaemon& test) {
  for (auto& [id, worker] : test.processes.workers) {
    if (!worker.exit && !worker.assigned.empty()) return &worker;
  }
  return nullptr;
}

std::string done_bytes(const ipc::Header& assigned, std::string_view result) {
  return frame_bytes(ipc::run_header(Kind::Done, ipc::key_of(assigned)), result);
}

TEST(Worker, ThatDiesInsideItsResultHasNoneAtEveryOffset) {
  TestDaemon test(patient_configuration());
  auto client = test.connect();
  client.name_type("hang");
  ipc::SubmitMeta meta;
  meta.crashes_max = 1000;
  client.submit("x", 1, ipc::flag::kWait, meta);
  const std::size_t length = ipc::kHeaderBytes + 6;
  for (std::size_t offset = 0; offset < length; ++offset) {
    FakeWorker* worker = nullptr;
    ASSERT_TRUE(test.until([&] { return (worker = busy(test)) != nullptr; })) << offset;
    const auto bytes = done_bytes(worker->assigned.back(), "result");
    ASSERT_EQ(bytes.size(), length);
    worker->send_bytes(std::string_view(bytes).substr(0, offset));
    test.processes.die(*worker, {ExitCause::Signalled, -SIGKILL, false});
    ASSERT_TRUE(test.until([&] { return worker->reaped; })) << offset;
    ASSERT_EQ(test.daemon.pool().counters().settled[0], 0U) << offset;
  }
  FakeWorker* last = nullptr;
  ASSERT_TRUE(test.until([&] { return (last = busy(test)) != nullptr; }));
  last->send_bytes(done_bytes(last->assigned.back(), "result"));
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  EXPECT_EQ(client.find(Kind::Settled, 1)->payload, "result");
  EXPECT_EQ(test.daemon.pool().counters().crashes, length) << "each death is charged once";
}

TEST(Worker, MayNotAnswerForAnotherNorTwice) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("hang");
  client.submit("a", 1);
  client.submit("b", 2);
  ASSERT_TRUE(test.until([&] { return test.daemon.pool().queue().running == 2; }));
  std::vector<FakeWorker*> workers;
  ASSERT_TRUE(test.until([&] {
    workers.clear();
    for (auto& [id, worker] : test.processes.workers) {
      if (!worker.assigned.empty()) workers.push_back(&worker);
    }
    return workers.size() == 2;
  }));
  const auto own = workers[0]->assigned.back(), others = workers[1]->assigned.back();
  auto forged = own;
  forged.token ^= 1;
  workers[0]->send_bytes(done_bytes(others, "not mine"));
  workers[0]->send_bytes(done_bytes(forged, "a guess"));
  ASSERT_TRUE(test.until([&] { return test.daemon.pool().counters().refused_results == 2; }));
  EXPECT_EQ(test.daemon.pool().queue().running, 2U) << "neither is touched";
  workers[0]->send_bytes(done_bytes(own, "mine"));
  workers[0]->send_bytes(done_bytes(own, "mine again"));
  ASSERT_TRUE(test.until([&] { return test.daemon.pool().counters().refused_results == 3; }));
  ASSERT_TRUE(test.until(client, [&] { return client.count(Kind::Settled) == 1; }));
  EXPECT_EQ(client.find(Kind::Settled)->payload, "mine");
  EXPECT_EQ(test.daemon.pool().counters().exits, 0U) << "a late answer is no crime";
  EXPECT_TRUE(test.log.has("result-refused"));
}

struct BadFrames {
  const char* name;
  std::string bytes;
};

class WorkerFrames : public testing::TestWithParam<BadFrames> {};

TEST_P(WorkerFrames, ThatBreakTheProtocolEndIt) {
  auto configuration = patient_configuration();
  configuration.pool.values.frame_timeout = milliseconds(50);
  TestDaemon test(configuration);
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  auto* worker = test.processes.alive();
  worker->send_bytes(GetParam().bytes);
  EXPECT_TRUE(test.until([&] { return worker->reaped; }));
  EXPECT_TRUE(test.log.has("broke the protocol"));
  EXPECT_TRUE(test.until([&] { return test.processes.alive_count() == 2; })) << "and is replaced";
}

INSTANTIATE_TEST_SUITE_P(
    All, WorkerFrames,
    testing::Values(BadFrames{"garbage", std::string(64, '\xa5')},
                    BadFrames{"half_a_frame_then_silence", std::string(10, '\0')},
                    BadFrames{"of_a_client", frame_bytes({.kind = Kind::Submit, .token = 1}, "x")},
                    BadFrames{"too_long",
                              frame_bytes({.kind = Kind::Beat}).replace(0, 4, "\xff\xff\xff\x3f")},
                    BadFrames{"a_second_hello", frame_bytes({.kind = Kind::Hello, .credits = 1})}),
    [](const auto& one) { return one.param.name; });

TEST(Worker, ThatNeverSaysHelloIsReplaced) {
  auto configuration = patient_configuration();
  configuration.pool.values.start_timeout = milliseconds(30);
  TestDaemon test(configuration);
  test.processes.answers_hello = false;
  EXPECT_TRUE(test.until([&] { return test.daemon.pool().counters().exits >= 2; }));
  EXPECT_TRUE(test.log.has("start-timeout"));
  test.processes.answers_hello = true;
  EXPECT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
}

TEST(Worker, ThatEndsBeforeHelloMakesItsSlotFailedAndIsShown) {
  auto configuration = small_configuration();
  configuration.pool.values.restart_cooldown = milliseconds(1);
  configuration.pool.values.restart_backoff_max = hours(1);
  configuration.pool.values.restart_multiplier = 10;
  TestDaemon test(configuration);
  test.processes.answers_hello = false;
  auto client = test.connect();
  const auto failed = [&] {
    for (auto& [id, worker] : test.processes.workers) {
      if (!worker.exit) test.processes.die(worker, {ExitCause::Exited, 3, false});
    }
    const auto snapshot = test.daemon.pool().snapshot();
    const auto tired = [](const SlotView& slot) { return slot.unproductive_deaths >= 6; };
    return std::ranges::all_of(snapshot.slots, tired) && snapshot.classes[0].failed == 2;
  };
  ASSERT_TRUE(test.until(failed));
  const auto worker =
      nlohmann::json::parse(test.ask(client, ipc::Verb::Worker, {std::string_view("worker-0")}));
  EXPECT_EQ(worker["health"], "dead");
  EXPECT_EQ(worker["last_exit"], "exited");
  const auto status = nlohmann::json::parse(test.ask(client, ipc::Verb::Status));
  const auto& alerts = status["health"]["alerts"];
  const auto count = [&](std::string_view name) {
    return std::ranges::count_if(alerts, [&](const auto& one) { return one["name"] == name; });
  };
  EXPECT_EQ(count("slot-failed"), 2) << alerts;
  EXPECT_EQ(count("worker-failure"), 2) << alerts;
  EXPECT_EQ(count("restart-storm"), 1) << alerts;
  EXPECT_EQ(alerts[0]["level"], "critical") << alerts;
}

TEST(Daemon, AStopThatAClientAskedForIsTheFirstOfTwo) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("hang");
  client.submit("x", 1);
  ASSERT_TRUE(test.until(client, [&] { return test.daemon.pool().queue().running == 1; }));
  EXPECT_NE(test.ask(client, ipc::Verb::Stop, {false}).find("\"left\":1"), std::string::npos);
  EXPECT_TRUE(test.daemon.stopping());
  test.daemon.stop(false);
  EXPECT_TRUE(test.log.has("stopping at once"));
}

// The core's own deadline was two seconds ago, less than a heartbeat: it alone would see no stall.
TEST(Worker, NobodyIsJudgedForTheTimeInWhichTheLoopWasHeld) {
  auto configuration = small_configuration();
  configuration.pool.values.unresponsive_after = seconds(15);
  configuration.pool.values.dead_after = seconds(16);
  TestDaemon test(configuration);
  ASSERT_TRUE(test.until([&] { return test.processes.alive_count() == 2; }));
  auto client = test.connect();
  test.time.pass(seconds(17));
  EXPECT_NE(test.ask(client, ipc::Verb::Workers), "");
  EXPECT_FALSE(test.log.has("gets SIGKILL"));
  test.time.pass(seconds(2));
  EXPECT_NE(test.ask(client, ipc::Verb::Workers), "");
  EXPECT_FALSE(test.log.has("gets SIGKILL")) << "its beats are awaited anew";
}

}  // namespace
}  // namespace warmpool::daemon
