// Pages of workers as the daemon reads them: beats without a frame, what they say at a death, and
// nothing that they hold can hurt.
#include <random>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Kind;

constexpr std::size_t kBeats = offsetof(ipc::WorkerPage, beats);
constexpr std::size_t kRunning = offsetof(ipc::WorkerPage, running);

// FIFOs cannot hand over a page.
Configuration over_sockets() {
  auto configuration = small_configuration();
  configuration.classes.front().values.channel = "socket";
  return configuration;
}

Configuration impatient() {
  auto configuration = over_sockets();
  auto& options = configuration.pool.values;
  options.heartbeat_interval = milliseconds(20);
  options.unresponsive_after = milliseconds(100);
  options.dead_after = milliseconds(200);
  return configuration;
}

// As many as is the default.
Configuration one_with_credits() {
  auto configuration = over_sockets();
  auto& worker_class = configuration.classes.front().values;
  worker_class.size = worker_class.size_min = 1;
  configuration.pool.values.prefetch_budget = seconds(1);
  configuration.pool.values.recall_after = seconds(60);
  return configuration;
}

template <class Act>
void each_with_page(TestDaemon& test, Act act) {
  for (auto& [id, worker] : test.processes.workers) {
    if (!worker.exit && worker.page) act(worker);
  }
}

// Time passes while `act` is done again and again.
void for_a_while(TestDaemon& test, std::chrono::milliseconds while_,
                 const std::function<void()>& act) {
  const auto end = test::patience_ends(while_);
  EXPECT_TRUE(test.until([&] {
    act();
    return std::chrono::steady_clock::now() >= end;
  }));
}

// From here on what is submitted is given ahead, and not answered. Returns the last token.
std::uint64_t give_ahead(TestDaemon& test, RawClient& client) {
  client.name_type("echo");
  std::uint64_t token = 0;
  for (int i = 0; i < 8; ++i) {  // so its time is known
    client.submit("x", ++token);
    EXPECT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, token) != nullptr; }));
  }
  test.processes.answers_tasks = false;
  return token;
}

TEST(Page, IsGivenToWhoTakesDescriptorsAlone) {
  for (const bool takes : {true, false}) {
    TestDaemon test(over_sockets());
    if (!takes) test.processes.features = ipc::feature::kCredits | ipc::feature::kPage;
    ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
    std::size_t pages = 0;
    each_with_page(test, [&](FakeWorker&) { ++pages; });
    EXPECT_EQ(pages, takes ? 2U : 0U);
  }
}

TEST(Page, IsNotGivenOverFifos) {
  auto configuration = small_configuration();
  configuration.classes.front().values.channel = "fifo";
  TestDaemon test(configuration);
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  each_with_page(test, [](FakeWorker& worker) { ADD_FAILURE() << worker.spec.slot; });
  EXPECT_EQ(test.processes.alive()->features & ipc::feature::kByDescriptor, 0U);
}

TEST(Page, KeepsAnIdleWorkerAliveByItsBeats) {
  TestDaemon test(impatient());
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  for_a_while(test, std::chrono::milliseconds(600), [&] {
    each_with_page(test, [](FakeWorker& worker) { ++worker.page_word(kBeats); });
  });
  EXPECT_EQ(test.daemon.pool().counters().exits, 0U);
}

TEST(Page, ThatStandsStillIsSilence) {
  TestDaemon test(impatient());
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  EXPECT_TRUE(test.until([&] { return test.daemon.pool().counters().zombies >= 2; }));
}

TEST(Page, IsShownWithItsWorker) {
  TestDaemon test(over_sockets());
  auto client = test.connect();
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  each_with_page(test, [](FakeWorker& worker) {
    worker.page_word(kBeats) = 3;
    worker.page_word(offsetof(ipc::WorkerPage, ended)) = 12;
  });
  const auto shown = [&] {
    return nlohmann::json::parse(
        test.ask(client, ipc::Verb::Worker, {std::string_view("worker-0")}));
  };
  EXPECT_EQ(shown()["page"]["beats"], 3);
  EXPECT_EQ(shown()["page"]["ended"], 12);
}

TEST(Page, SaysAtADeathWhatWasNotBegun) {
  TestDaemon test(one_with_credits());
  test.processes.credits = 16;
  auto client = test.connect();
  auto token = give_ahead(test, client);
  for (int i = 0; i < 3; ++i) client.submit("x", ++token);
  auto* worker = test.processes.alive();
  ASSERT_TRUE(test.until(client, [&] { return worker->assigned.size() == 11; }));
  worker->page_word(kRunning) = worker->assigned[8].token;
  test.processes.answers_tasks = true;
  test.processes.die(*worker, {ExitCause::Signalled, -SIGSEGV, false});
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, token) != nullptr; }));
  const auto counters = test.daemon.pool().counters();
  EXPECT_EQ(counters.suspects, 1U);
  EXPECT_EQ(counters.crashes, 0U);
}

// In documents, and in the autopsy of one that fails at once after it waited behind another.
TEST(Hands, WhatWaitsInAHandHasNotBegun) {
  TestDaemon test(one_with_credits());
  test.processes.credits = 16;
  auto client = test.connect();
  auto token = give_ahead(test, client);
  ipc::SubmitMeta once;
  once.retries = 0;
  for (int i = 0; i < 2; ++i) client.submit("x", ++token, ipc::flag::kWait, once);
  auto* worker = test.processes.alive();
  ASSERT_TRUE(test.until(client, [&] { return worker->assigned.size() == 10; }));
  for_a_while(test, std::chrono::milliseconds(300), [] {});
  const auto shown = [&] {
    return nlohmann::json::parse(
        test.ask(client, ipc::Verb::Worker, {std::string_view("worker-0")}));
  };
  auto document = shown();
  EXPECT_GE(document["current_seconds"], 0.3);
  EXPECT_GE(document["attempts"][0]["for_seconds"], 0.3);
  EXPECT_EQ(document["attempts"][1]["for_seconds"], nullptr);
  const auto before = std::chrono::steady_clock::now();
  for (std::size_t at = 8; at < 10; ++at) {
    worker->channel->send(ipc::run_header(Kind::Failed, ipc::key_of(worker->assigned[at])));
    ASSERT_TRUE(
        test.until(client, [&] { return client.find(Kind::Settled, token - 9 + at) != nullptr; }));
  }
  const auto since =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - before);
  const auto task = client.find(Kind::Settled, token)->header.id;
  const auto all = nlohmann::json::parse(test.ask(client, ipc::Verb::Autopsy, {task}));
  EXPECT_LE(all.at("autopsies").at(0).at("ran_ms"), since.count());
}

TEST(Page, FullOfNoiseHurtsNobody) {
  TestDaemon test(one_with_credits());
  test.processes.credits = 16;
  auto client = test.connect();
  client.name_type("echo");
  std::mt19937_64 random(4711);
  std::uint64_t token = 0;
  std::size_t deaths = 0;
  while (token < 400) {
    for (int i = 0; i < 4; ++i) client.submit("x", ++token);
    each_with_page(test, [&](FakeWorker& worker) {
      for (std::size_t at = 0; at < ipc::kPageBytes; at += 8) worker.page_word(at) = random();
    });
    test.daemon.turn(milliseconds(1));
    auto* worker = test.processes.alive();
    const bool dies = worker != nullptr && token % 40 == 0;
    if (dies) test.processes.die(*worker, {ExitCause::Signalled, -SIGSEGV, false});
    deaths += dies;
    ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, token) != nullptr; }));
  }
  ASSERT_TRUE(test.until(client, [&] { return client.count(Kind::Settled) == token; }));
  EXPECT_EQ(test.daemon.pool().counters().settled[0], token) << "each of them is done";
  EXPECT_EQ(test.daemon.pool().counters().exits, deaths);
  EXPECT_GT(deaths, 5U);
}

}  // namespace
}  // namespace warmpool::daemon
