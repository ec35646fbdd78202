// The memory that tasks need, as people see it: in the documents, from the configuration on.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "daemon/new_types.hpp"
#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using Json = nlohmann::json;
using ipc::Kind;
using ipc::Verb;

constexpr std::uint64_t kMega = 1 << 20;

Configuration with_need(const std::string& memory) {
  auto configuration = small_configuration();
  configuration.pool.values.sample_interval = milliseconds(10);
  configuration.pool.values.memory_tasks_total = 100 * kMega;
  auto& options = configuration.types.emplace_back().values;
  options.name = "han?";
  options.memory = memory;
  return configuration;
}

class TaskMemoryTest : public testing::Test {
 protected:
  explicit TaskMemoryTest(const Configuration& configuration = with_need("60MiB"))
      : test(configuration), client(test.connect()) {
    client.name_type("hang");
  }
  Json ask(Verb verb, std::vector<ipc::Argument> arguments = {}) {
    return Json::parse(test.ask(client, verb, std::move(arguments)));
  }
  Json row(const std::string& type) {
    const Json types = ask(Verb::Types);
    for (const auto& each : types["types"]) {
      if (each["name"] == type) return each;
    }
    return {};
  }
  std::size_t running() {
    const Json tasks = ask(Verb::Ls);
    return static_cast<std::size_t>(std::ranges::count_if(
        tasks["tasks"], [](const Json& task) { return task["state"] == "running"; }));
  }

  TestDaemon test;
  RawClient client;
};

TEST_F(TaskMemoryTest, OneThatDoesNotFitIsShownWithWhatItNeeds) {
  ASSERT_TRUE(test.until([&] { return ask(Verb::Status)["workers"]["ready"] == 2; }));
  client.submit("x", 1);
  client.submit("x", 2);
  ASSERT_TRUE(test.until(client, [&] { return client.count(Kind::Accepted) == 2; }));
  ASSERT_TRUE(test.until([&] { return running() == 1; }));
  const Json tasks = ask(Verb::Ls);
  const auto held = std::ranges::find_if(tasks["tasks"],
                                         [](const Json& task) { return task["state"] == "ready"; });
  ASSERT_NE(held, tasks["tasks"].end());
  EXPECT_EQ((*held)["holds"], Json({"memory"}));
  EXPECT_EQ(row("hang")["memory"], "60MiB");
  EXPECT_EQ(row("hang")["memory_need_bytes"], 60 * kMega);
  EXPECT_TRUE(row("hang")["memory_waits_since"].is_string());
  EXPECT_EQ(row("echo")["memory"], nullptr);
  EXPECT_EQ(row("echo")["memory_need_bytes"], nullptr);
  const Json memory = ask(Verb::Status)["memory"];
  EXPECT_EQ(memory["tasks_total_bytes"], 100 * kMega);
  EXPECT_EQ(memory["tasks_bytes"], 60 * kMega);
  test.daemon.reload(with_need("40MiB"));  // what runs counts with what it began with
  EXPECT_TRUE(test.until([&] { return running() == 2; }));
}

class LearnedMemoryTest : public TaskMemoryTest {
 protected:
  LearnedMemoryTest() : TaskMemoryTest(learned()) {}
  static Configuration learned() {
    auto configuration = with_need("learned");
    configuration.classes.front().values.memory_soft = 100 * kMega;
    return configuration;
  }
};

TEST_F(LearnedMemoryTest, WhatARunHadIsLearned) {
  client.submit("x", 1);
  const auto busy = [&] {
    auto& workers = test.processes.workers;
    const auto found = std::ranges::find_if(
        workers, [](const auto& each) { return !each.second.assigned.empty(); });
    return found == workers.end() ? nullptr : &found->second;
  };
  ASSERT_TRUE(test.until(client, [&] { return busy() != nullptr; }));
  EXPECT_EQ(row("hang")["memory_runs"], 0);
  EXPECT_EQ(row("hang")["memory_p95_bytes"], nullptr);
  EXPECT_EQ(row("hang")["memory_need_bytes"], nullptr) << "it is not known yet";
  busy()->memory.own_bytes = 201 * kMega;
  ASSERT_TRUE(test.until([&] { return row("hang")["memory_runs"] == 1; })) << "it was killed";
  EXPECT_EQ(row("hang")["memory_p95_bytes"], 201 * kMega);
  EXPECT_EQ(row("hang")["memory_most_bytes"], 201 * kMega);
  EXPECT_EQ(row("hang")["memory_need_bytes"], 201 * kMega);
}

TEST(TypesWithMemory, AreNoMoreOfAPatternThanMayBe) {
  auto configuration = with_need("1MiB");
  configuration.types.front().values.name = "*";
  configuration.classes.front().values.types = {"*"};
  TestDaemon test(configuration);
  auto client = test.connect();
  std::uint16_t number = 0;
  for (; number < kMemoryTypesMax; ++number) {
    client.name_type("n-" + std::to_string(number), number);
    client.submit("x", number + 1U, ipc::flag::kWait, {}, number);
    const bool look = number % 16 == 15;
    ASSERT_TRUE(!look || test.until(client, [&] {
      return client.find(Kind::Settled, number + 1U) != nullptr;
    })) << number;
  }
  client.name_type("one-more", number);
  client.submit("x", number + 1U, ipc::flag::kWait, {}, number);
  ASSERT_TRUE(test.until(client, [&] { return client.count(Kind::Refused) == 1; }));
  const auto& refused = *client.find(Kind::Refused);
  EXPECT_EQ(RawClient::code_of(refused), static_cast<std::uint16_t>(Refusal::UnknownType));
  EXPECT_NE(RawClient::text_of(refused).find("there are 1024 types with `memory` already"),
            std::string::npos);
}

// Its worker has the same figure all the time, which is said of each run.
TEST(LearnedMemory, OfARunThatWasGivenAheadIsMeasuredToo) {
  auto configuration = with_need("learned");
  auto& options = configuration.classes.front().values;
  options.channel = "socket";
  options.size = options.size_min = 1;
  options.credits = 16;
  TestDaemon test(configuration);
  test.processes.credits = 16;
  auto client = test.connect();
  client.name_type("echo");
  std::uint64_t token = 0;
  const auto settled = [&](std::uint64_t number) {
    return test.until(client, [&] { return client.find(Kind::Settled, number) != nullptr; });
  };
  const auto runs = [&] {
    const Json types = Json::parse(test.ask(client, Verb::Types));
    const auto its = std::ranges::find_if(types["types"],
                                          [](const Json& each) { return each["name"] == "echo"; });
    return (*its)["memory_runs"].get<int>();
  };
  while (token < 8) {  // from now on its time is known
    client.submit("x", ++token);
    ASSERT_TRUE(settled(token));
  }
  const int before = runs();
  test.processes.answers_tasks = false;
  for (int i = 0; i < 2; ++i) client.submit("x", ++token);
  auto* worker = test.processes.alive();
  ASSERT_TRUE(test.until(client, [&] { return worker->assigned.size() == 10; }));
  for (const std::uint64_t number : {9U, 10U}) {
    const std::size_t looks = worker->looks.size();
    ASSERT_TRUE(test.until(client, [&] { return worker->looks.size() >= looks + 2; }));
    const auto key = ipc::key_of(worker->assigned[number - 1]);
    worker->channel->send(ipc::run_header(Kind::Done, key));
    ASSERT_TRUE(settled(number));
  }
  EXPECT_EQ(runs(), before + 2);
}

}  // namespace
}  // namespace warmpool::daemon
