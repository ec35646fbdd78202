// Workers that wait for memory, as people see them: in the documents, and in refusals.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using Json = nlohmann::json;
using ipc::Verb;

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

Configuration with_total(std::uint64_t total) {
  auto configuration = small_configuration();
  configuration.pool.values.memory_total = total;
  configuration.classes.front().values.memory_declared = kGiB;
  return configuration;
}

Json looked_at(TestDaemon& test, RawClient& client, Verb verb) {
  return Json::parse(test.ask(client, verb, {}));
}

Json row_named(const Json& workers, const std::string& id) {
  for (const auto& row : workers["workers"]) {
    if (row["id"] == id) return row;
  }
  return {};
}

TEST(Admission, WhoIsHeldIsShownUntilThereIsRoom) {
  TestDaemon test(with_total(2 * kGiB));
  auto client = test.connect();
  const auto status = [&] { return looked_at(test, client, Verb::Status); };
  ASSERT_TRUE(test.until([&] { return status()["workers"]["ready"] == 2; }));
  EXPECT_EQ(status()["memory"], (Json{{"total_bytes", 2 * kGiB},
                                      {"declared_bytes", 2 * kGiB},
                                      {"held", 0},
                                      {"tasks_total_bytes", 0},
                                      {"tasks_bytes", 0},
                                      {"kept_for", nullptr}}));
  test.ask(client, Verb::Restart, {std::string_view("worker-0")});
  ASSERT_TRUE(test.until([&] { return status()["memory"]["held"] == 1; }));
  EXPECT_EQ(status()["classes"][0]["held"], 1);
  EXPECT_EQ(status()["classes"][0]["memory_declared_bytes"], kGiB);
  const auto held = row_named(looked_at(test, client, Verb::Workers), "worker-0.new");
  EXPECT_EQ(held["state"], "held");
  EXPECT_EQ(held["pid"], nullptr);
  test.daemon.reload(with_total(3 * kGiB));
  ASSERT_TRUE(test.until([&] { return status()["memory"]["held"] == 0; }));
}

TEST(Admission, APlaceHasItsNameBeforeItsFirstWorker) {
  auto configuration = with_total(2 * kGiB);
  configuration.classes.front().values.size = 3;
  TestDaemon test(configuration);
  auto client = test.connect();
  const auto workers = [&] { return looked_at(test, client, Verb::Workers); };
  ASSERT_TRUE(test.until([&] { return row_named(workers(), "worker-1")["state"] == "ready"; }));
  EXPECT_EQ(row_named(workers(), "worker-2")["state"], "held");
}

TEST(Admission, ItIsFoundByThatName) {
  auto configuration = with_total(2 * kGiB);
  configuration.classes.front().values.size = 3;
  TestDaemon test(configuration);
  auto client = test.connect();
  EXPECT_FALSE(
      test.ask(client, Verb::Restart, {std::string_view("worker-2")}).starts_with("refused"));
  EXPECT_TRUE(
      test.ask(client, Verb::Restart, {std::string_view("worker-3")}).starts_with("refused"));
}

TEST(Admission, CriticalClassesComeFirstWhereverTheyStandInTheFile) {
  auto configuration = with_total(2 * kGiB);
  auto critical = configuration.classes.front();
  critical.values.name = "urgent";
  critical.values.critical = true;
  critical.values.size = critical.values.size_min = 1;
  configuration.classes.push_back(critical);
  TestDaemon test(configuration);
  auto client = test.connect();
  const auto workers = [&] { return looked_at(test, client, Verb::Workers); };
  ASSERT_TRUE(test.until([&] { return row_named(workers(), "worker-0")["state"] == "ready"; }));
  EXPECT_EQ(row_named(workers(), "urgent-0")["state"], "ready");
  EXPECT_EQ(row_named(workers(), "worker-1")["state"], "held");
}

TEST(Admission, ASizeThatCanNeverFitIsRefusedWithTheFigures) {
  TestDaemon test(with_total(2 * kGiB));
  auto client = test.connect();
  EXPECT_EQ(test.ask(client, Verb::Scale, {{}, std::uint64_t{0}, std::uint64_t{3}}),
            "refused: 3 workers of class 'worker' declare 3GiB (memory_declared 1GiB), and "
            "memory_total is 2GiB; give a smaller size, or change one of them");
}

TEST(Admission, WhoIsHeldForLongIsAnAlert) {
  auto configuration = with_total(2 * kGiB);
  configuration.classes.front().values.size = 3;
  // Time passes at once here, and workers do not beat in it.
  configuration.pool.values.unresponsive_after = hours(1);
  configuration.pool.values.dead_after = hours(2);
  TestDaemon test(configuration);
  auto client = test.connect();
  const auto alert = [&] {
    const auto document = Json::parse(test.ask(client, Verb::Alerts, {false}));
    for (const auto& one : document["alerts"]) {
      if (one["name"] == "memory-held") return one;
    }
    return Json();
  };
  ASSERT_TRUE(
      test.until([&] { return looked_at(test, client, Verb::Status)["memory"]["held"] == 1; }));
  EXPECT_TRUE(alert().is_null()) << "not at once";
  test.time.pass(configuration.pool.values.memory_pass_max);
  ASSERT_TRUE(test.until([&] { return !alert().is_null(); }));
  EXPECT_EQ(alert()["subject"], "worker");
  EXPECT_EQ(alert()["text"],
            "1 start of class worker held for memory: a worker declares 1GiB, and those that live "
            "have 2GiB of 2GiB (memory_total); see: warmpool workers");
  auto more = configuration;
  more.pool.values.memory_total = 3 * kGiB;
  test.daemon.reload(more);
  ASSERT_TRUE(test.until([&] { return alert().is_null() || alert()["state"] != "active"; }));
}

}  // namespace
}  // namespace warmpool::daemon
