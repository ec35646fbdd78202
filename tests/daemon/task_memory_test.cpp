// The memory that tasks need, as people see it: in the documents, from the configuration on.
#include <algorithm>

#include <nlohmann/json.hpp>

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

}  // namespace
}  // namespace warmpool::daemon
