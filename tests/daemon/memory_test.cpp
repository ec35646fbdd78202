// Memory of workers as the daemon sees it: measured, told to the core, shown; with processes that
// are objects of the test.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "daemon/process/controller_leaf.hpp"
#include "daemon/process/tree_memory.hpp"
#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Kind;

constexpr std::uint64_t kMiB = 1 << 20;

Configuration with_limits(std::uint64_t soft) {
  auto configuration = small_configuration();
  configuration.pool.values.sample_interval = milliseconds(10);
  auto& options = configuration.classes.front().values;
  options.memory_soft = soft * kMiB;
  options.retry_memory_factor = 2;
  return configuration;
}

FakeWorker* busy_one(TestDaemon& test) {
  for (auto& [id, worker] : test.processes.workers) {
    if (!worker.exit && !worker.assigned.empty()) return &worker;
  }
  return nullptr;
}

TEST(WorkerMemory, IsShownWithItsPeak) {
  TestDaemon test(with_limits(100));
  auto client = test.connect();
  ASSERT_TRUE(test.until([&] { return test.processes.alive_count() == 2; }));
  const auto shown = [&] {
    return nlohmann::json::parse(
        test.ask(client, ipc::Verb::Worker, {std::string_view("worker-0")}));
  };
  auto& worker = test.processes.workers.begin()->second;
  worker.memory.own_bytes = 40 * kMiB;
  ASSERT_TRUE(test.until([&] { return shown().value("memory_bytes", 0U) == 40 * kMiB; }));
  worker.memory.own_bytes = 30 * kMiB;
  ASSERT_TRUE(test.until([&] { return shown().value("memory_bytes", 0U) == 30 * kMiB; }));
  EXPECT_EQ(shown().at("memory_peak_bytes"), 40 * kMiB);
  EXPECT_EQ(shown().at("rss_bytes"), 12 * kMiB);
}

void fail(FakeWorker& worker) {
  const auto answer = ipc::run_header(Kind::Failed, ipc::key_of(worker.assigned.back()));
  worker.channel->send(answer, {}, ipc::bytes_of("ended by signal 9"));
}

TEST(WorkerMemory, AFailureAfterAKillInItsCgroupIsOneForMemory) {
  TestDaemon test(with_limits(100));
  auto client = test.connect();
  client.name_type("hang");
  client.submit("x", 1);
  ASSERT_TRUE(test.until(client, [&] { return busy_one(test) != nullptr; }));
  auto* worker = busy_one(test);
  const std::uint64_t task = worker->assigned.back().id;
  worker->ooms = true;
  fail(*worker);
  const auto shown = [&] {
    return nlohmann::json::parse(test.ask(client, ipc::Verb::Show, {task}));
  };
  ASSERT_TRUE(test.until([&] { return shown().value("crashes", 0) == 1; }));
  EXPECT_EQ(shown().at("attempts").at(0).at("cause"), "memory");
  EXPECT_EQ(shown().at("failures"), 0);
  EXPECT_FALSE(worker->exit) << "the worker did nothing";
}

// One worker, whose answers the test gives while no time passes by itself.
class PastKill : public testing::Test {
 protected:
  static Configuration one_worker() {
    auto configuration = with_limits(100);
    configuration.pool.values.sample_interval = hours(1);
    configuration.classes.front().values.size = configuration.classes.front().values.size_min = 1;
    return configuration;
  }
  void SetUp() override {
    client.name_type("hang");
    ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
    ASSERT_TRUE(test.until([&] { return test.processes.alive() != nullptr; }));
    test.time.stop();
  }
  FakeWorker& worker() { return *test.processes.alive(); }
  void run_one(Kind answer, bool killed = false) {
    ipc::SubmitMeta once;
    once.retries = 0;
    once.crashes_max = 1;
    client.submit("x", ++last_, ipc::flag::kWait, once);
    const auto given = worker().assigned.size();
    ASSERT_TRUE(test.until(client, [&] { return worker().assigned.size() > given; }));
    if (killed) worker().ooms = true;
    worker().channel->send(ipc::run_header(answer, ipc::key_of(worker().assigned.back())));
    ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, last_) != nullptr; }));
  }

  TestDaemon test{one_worker()};
  RawClient client = test.connect();
  std::uint64_t last_ = 0;
};

TEST_F(PastKill, IsChargedOnce) {
  run_one(Kind::Done);
  run_one(Kind::Failed, true);
  EXPECT_EQ(test.daemon.pool().counters().crashes, 1U);
  run_one(Kind::Failed);
  EXPECT_EQ(test.daemon.pool().counters().crashes, 1U);
  EXPECT_EQ(test.daemon.pool().counters().failures, 1U);
}

TEST_F(PastKill, IsNotLookedForAfterEachShortTask) {
  run_one(Kind::Done);
  const auto before = worker().ooms_forgotten;
  for (int i = 0; i < 9; ++i) {
    run_one(Kind::Done);
    test.time.pass(milliseconds(20));
  }
  EXPECT_LE(worker().ooms_forgotten, before + 2) << "in 180 ms";
}

TEST(WorkerMemory, OneOverItsHardLimitIsKilledWithItsTaskAndTheNextMayHaveMore) {
  TestDaemon test(with_limits(100));
  auto client = test.connect();
  client.name_type("hang");
  client.submit("x", 1);
  ASSERT_TRUE(test.until(client, [&] { return busy_one(test) != nullptr; }));
  auto* worker = busy_one(test);
  EXPECT_EQ(worker->memory_max, 200 * kMiB) << "twice the soft limit";
  const auto id = worker->spec.worker.value;
  worker->memory.own_bytes = 201 * kMiB;
  ASSERT_TRUE(test.until(client, [&] { return test.processes.workers.at(id).reaped; }));
  EXPECT_TRUE(test.log.has("has 201 MiB of its own in 1 process, 200 MiB are allowed"));
  EXPECT_TRUE(test.log.has("gets SIGKILL: memory"));
  EXPECT_EQ(test.daemon.pool().counters().crashes, 1U);
  ASSERT_TRUE(test.until(client, [&] { return busy_one(test) != nullptr; }));
  EXPECT_EQ(busy_one(test)->memory_max, 400 * kMiB);
}

TEST(WorkerMemory, WhoDiedForItGoesToTheClassThatItsClassNames) {
  auto configuration = with_limits(100);
  configuration.classes.front().values.retry_memory_class = "big";
  configuration.classes.push_back(configuration.classes.front());
  auto& big = configuration.classes.back().values;
  big.name = "big";
  big.memory_soft = 300 * kMiB;
  big.retry_memory_factor = 1;
  big.retry_memory_class.clear();
  TestDaemon test(configuration);
  auto client = test.connect();
  client.name_type("hang");
  client.submit("x", 1);
  ASSERT_TRUE(test.until(client, [&] {
    return busy_one(test) != nullptr && client.find(Kind::Accepted, 1) != nullptr;
  }));
  ASSERT_TRUE(busy_one(test)->spec.slot.starts_with("worker-"));
  const auto task = client.find(Kind::Accepted, 1)->header.id;
  busy_one(test)->memory.own_bytes = 201 * kMiB;
  ASSERT_TRUE(test.until(client, [&] {
    return test.daemon.pool().counters().crashes == 1 && busy_one(test) != nullptr;
  }));
  EXPECT_TRUE(busy_one(test)->spec.slot.starts_with("big-"));
  EXPECT_EQ(busy_one(test)->memory_max, 600 * kMiB);
  const auto shown = nlohmann::json::parse(test.ask(client, ipc::Verb::Show, {task}));
  const auto& bound = shown.at("bound");
  EXPECT_EQ(bound.at("class"), "big");
  EXPECT_EQ(bound.at("memory_max_bytes"), 600 * kMiB);
  EXPECT_EQ(bound.at("after").at("attempt"), 1);
  EXPECT_EQ(bound.at("after").at("cause"), "memory");
  EXPECT_EQ(bound.at("after").at("class"), "worker");
  EXPECT_EQ(bound.at("after").at("memory_max_bytes"), 200 * kMiB);
  const auto kept = nlohmann::json::parse(test.ask(client, ipc::Verb::Autopsy, {task}));
  EXPECT_EQ(kept.at("autopsies").at(0).at("next"),
            "if it is tried again, in class big (retry_memory_class of worker), where it may have "
            "600MiB instead of 200MiB");
}

TEST(WorkerMemory, IsKnownBeforeAWorkerThatHasAnsweredIsGivenMore) {
  auto configuration = with_limits(100);
  configuration.pool.values.sample_interval = hours(1);
  TestDaemon test(configuration);
  auto client = test.connect();
  client.name_type("echo");
  ASSERT_TRUE(test.until([&] { return test.processes.alive_count() == 2; }));
  for (auto& [id, worker] : test.processes.workers) worker.memory.own_bytes = 150 * kMiB;
  client.submit("x", 1);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  EXPECT_TRUE(test.log.has("worker-oversized")) << "its baseline is over the soft limit";
}

TEST(WorkerMemory, WhatSeveralProcessesShareIsCountedOnceBeforeAnyoneIsEnded) {
  TestDaemon test(with_limits(100));
  ASSERT_TRUE(test.until([&] { return test.processes.alive_count() == 2; }));
  auto& worker = test.processes.workers.begin()->second;
  worker.memory = {.own_bytes = 150 * kMiB, .rss_bytes = 90 * kMiB, .processes = 3};
  const auto looked = [&](MemoryLook look) {
    return std::ranges::find(worker.looks, look) != worker.looks.end();
  };
  EXPECT_TRUE(test.until([&] { return looked(MemoryLook::Exact) && looked(MemoryLook::Deep); }));
}

TEST(WorkerMemory, FilesOfTheKernelAreReadAsTheyAre) {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto figure = parse_statm("765 432 404 5 0 123 0\n");
  ASSERT_TRUE(figure);
  EXPECT_EQ(figure->own_bytes, 28 * page);
  EXPECT_EQ(figure->rss_bytes, 432 * page);
  EXPECT_EQ(parse_statm("765 100 404 5 0 123 0\n")->own_bytes, 0U);
  EXPECT_FALSE(parse_statm(""));
  EXPECT_FALSE(parse_statm("765 4"));
  EXPECT_FALSE(parse_statm("100"));
  EXPECT_FALSE(parse_statm("100 x"));
  EXPECT_EQ(parse_rollup("x\nPss:  9 kB\nPss_Anon:          1234 kB\nPss_File: 1 kB\n"),
            1234U * 1024);
  EXPECT_FALSE(parse_rollup("Pss:  9 kB\n"));
}

TEST(WorkerMemory, OfARealProcessIsWhatItTook) {
  TreeMemory memory(::getpid(), true);
  const auto before = memory.measure(MemoryLook::Quick);
  ASSERT_TRUE(before);
  std::vector<char> taken(64 * kMiB, 'x');
  const auto after = memory.measure(MemoryLook::Quick);
  EXPECT_GE(after->own_bytes, before->own_bytes + 60 * kMiB);
  memory.forgive_inherited();
  EXPECT_LT(memory.measure(MemoryLook::Quick)->own_bytes, 8 * kMiB);
  EXPECT_EQ(taken.back(), 'x');
}

TEST(WorkerMemory, TheKernelsLimitIsALittleOverOurs) {
  EXPECT_EQ(kernel_limit(1024 * kMiB), 1152 * kMiB);
  EXPECT_EQ(kernel_limit(8 * kMiB), 24 * kMiB);
  EXPECT_EQ(kernel_limit(kUnlimited), kUnlimited);
}

}  // namespace
}  // namespace warmpool::daemon
