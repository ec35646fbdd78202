// Circuit breakers as clients and the log see them; the rules themselves are tested in tests/pool.
#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using Json = nlohmann::json;
using ipc::Kind;
using ipc::Verb;

Configuration with_breaker(const std::string& type) {
  auto configuration = small_configuration();
  auto& options = configuration.types.emplace_back().values;
  options.name = type;
  options.breaker = true;
  options.breaker_failures = 3;
  options.breaker_cooldown = seconds(10);
  options.breaker_successes = 1;
  return configuration;
}

class BreakerTest : public testing::Test {
 protected:
  explicit BreakerTest(const Configuration& configuration = with_breaker("fai?"))
      : test(configuration), client(test.connect()) {
    client.name_type("fail", 0);
    client.name_type("echo", 1);
  }
  Json ask(Verb verb, std::vector<ipc::Argument> arguments = {}) {
    const auto text = test.ask(client, verb, std::move(arguments));
    return Json::accept(text) ? Json::parse(text) : Json(text);
  }
  Json breaker() { return ask(Verb::Breakers)["breakers"][0]; }
  void submit(std::uint16_t type = 0) {
    ipc::SubmitMeta once;
    once.retries = 0;
    client.submit("x", ++submitted, ipc::flag::kWait, once, type);
  }
  bool settled(std::size_t count) {
    return test.until(client, [&] { return client.count(Kind::Settled) == count; });
  }
  void trip() {
    for (std::size_t i = 1; i <= 3; ++i) {
      submit();
      ASSERT_TRUE(settled(i));
    }
    ASSERT_EQ(breaker()["state"], "open");
  }

  TestDaemon test;
  RawClient client;
  std::uint64_t submitted = 0;
};

TEST_F(BreakerTest, OneThatOpensIsToldAndShown) {
  trip();
  submit();
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Accepted, 4) != nullptr; }));
  const auto shown = breaker();
  EXPECT_EQ(shown["name"], "fail");
  EXPECT_EQ(shown["why"], "failures-in-a-row");
  EXPECT_EQ(shown["failures_in_a_row"], 3);
  EXPECT_EQ(shown["at_once"], 0);
  EXPECT_EQ(shown["opened"], 1);
  EXPECT_TRUE(shown["next_probe"].is_string());
  EXPECT_TRUE(test.log.has("breaker-opened type=fail failures=3 cooldown_ms="));
  const auto status = ask(Verb::Status);
  EXPECT_EQ(status["breakers"]["open"], 1);
  EXPECT_EQ(status["health"]["alerts"][0]["name"], "breaker");
  EXPECT_EQ(status["health"]["alerts"][0]["text"],
            "fail is open: 1 task waits; see: warmpool breaker ls");
  const auto task = ask(Verb::Ls, {std::string_view("ready")})["tasks"][0];
  EXPECT_EQ(task["holds"][0], "breaker");
  EXPECT_EQ(ask(Verb::Show, {task["id"].get<std::uint64_t>()})["before"], 0);
}

TEST_F(BreakerTest, TriesAgainByItself) {
  trip();
  submit();
  submit();
  test.time.pass(seconds(10));
  ASSERT_TRUE(settled(4));
  EXPECT_EQ(breaker()["state"], "open");
  EXPECT_EQ(breaker()["why"], "probe-failed");
  EXPECT_EQ(breaker()["waiting"], 1);
  EXPECT_TRUE(test.log.has("breaker-half-open type=fail why=cooled-down"));
}

TEST_F(BreakerTest, OthersAreUnaffected) {
  trip();
  submit(1);
  EXPECT_TRUE(settled(4));
}

TEST_F(BreakerTest, IsOpenedAndClosedByHand) {
  const auto hour = static_cast<std::uint64_t>(hours(1).ns);
  const auto opened = ask(Verb::BreakerOpen, {std::string_view("fail"), hour})["breakers"][0];
  EXPECT_EQ(opened["state"], "open");
  EXPECT_EQ(opened["why"], "by-hand");
  submit();
  test.time.pass(minutes(59));
  test.daemon.turn({});
  EXPECT_EQ(breaker()["waiting"], 1);
  const auto closed = ask(Verb::BreakerClose, {std::string_view("fail")})["breakers"][0];
  EXPECT_EQ(closed["state"], "closed");
  EXPECT_TRUE(closed["at_once"].is_null());
  EXPECT_TRUE(settled(1));
}

TEST_F(BreakerTest, WhatCannotBeOpenedIsRefusedWithWhatToDo) {
  EXPECT_NE(test.ask(client, Verb::BreakerOpen, {std::string_view("echo")}).find("warmpool pause"),
            std::string::npos);
  EXPECT_NE(test.ask(client, Verb::BreakerOpen, {std::string_view("nobody's")}).find("no class"),
            std::string::npos);
  EXPECT_NE(
      test.ask(client, Verb::BreakerOpen, {std::string_view("fail"), ~std::uint64_t{0}}).find("10"),
      std::string::npos);
}

TEST_F(BreakerTest, ADrainSaysWhatWaitsForIt) {
  trip();
  submit();
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Accepted, 4) != nullptr; }));
  const auto left = ask(Verb::Drain, {true});
  EXPECT_EQ(left["left"], 1);
  EXPECT_EQ(left["behind_breakers"], 1);
  EXPECT_NE(ask(Verb::Status)["health"]["alerts"][0]["text"].get<std::string>().find(
                "and so does the drain"),
            std::string::npos);
}

TEST_F(BreakerTest, AReloadSwitchesItOffAndOn) {
  trip();
  submit();
  test.daemon.reload(small_configuration());
  ASSERT_TRUE(settled(4));
  EXPECT_TRUE(ask(Verb::Breakers)["breakers"].empty());
  EXPECT_TRUE(test.log.has("breaker-closed type=fail why=switched-off"));
  EXPECT_TRUE(test.log.has("changed type 'fai?' is gone"));
  test.daemon.reload(with_breaker("fail"));
  EXPECT_EQ(breaker()["state"], "closed");
}

TEST_F(BreakerTest, AReloadOfOtherFiguresLeavesItOpen) {
  trip();
  auto configuration = with_breaker("fai?");
  configuration.types.front().values.breaker_probes = 2;
  test.daemon.reload(configuration);
  EXPECT_EQ(breaker()["state"], "open");
  EXPECT_TRUE(test.log.has("changed type 'fai?': breaker_probes: '' -> '2'"));
}

TEST(Breaker, ATypeThatIsFirstSeenHasTheOneOfItsPattern) {
  auto configuration = with_breaker("later.*");
  configuration.classes.front().values.types.push_back("later.*");
  TestDaemon test(configuration);
  auto client = test.connect();
  EXPECT_TRUE(Json::parse(test.ask(client, Verb::Breakers))["breakers"].empty());
  client.name_type("later.now");
  client.submit("x", 1);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Accepted, 1) != nullptr; }));
  EXPECT_EQ(Json::parse(test.ask(client, Verb::Breakers))["breakers"][0]["name"], "later.now");
}

}  // namespace
}  // namespace warmpool::daemon
