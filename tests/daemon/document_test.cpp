// What the verbs answer: the figures add up, and every verb answers or refuses.
#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using Json = nlohmann::json;
using ipc::Kind;
using ipc::Verb;

Json ask(TestDaemon& test, RawClient& client, Verb verb,
         std::vector<ipc::Argument> arguments = {}) {
  const auto text = test.ask(client, verb, std::move(arguments));
  return Json::accept(text) ? Json::parse(text) : Json(text);
}

// Two done, one dead, one running, one delayed.
void fill(TestDaemon& test, RawClient& client) {
  client.name_type("echo", 0);
  client.name_type("fail", 1);
  client.name_type("hang", 2);
  ipc::SubmitMeta once, later;
  once.retries = 0;
  later.delay = hours(1);
  client.submit("a", 1);
  client.submit("b", 2);
  client.submit("c", 3, ipc::flag::kWait, once, 1);
  ASSERT_TRUE(test.until(client, [&] { return client.count(Kind::Settled) == 3; }));
  client.submit("d", 4, 0, {}, 2);
  client.submit("e", 5, 0, later, 0);
  ASSERT_TRUE(test.until(client, [&] { return test.daemon.pool().queue().running == 1; }));
}

TEST(Documents, StatusAddsUp) {
  TestDaemon test;
  auto client = test.connect();
  fill(test, client);
  const auto status = ask(test, client, Verb::Status);
  const auto& tasks = status["tasks"];
  const auto sum = [&](std::initializer_list<const char*> names) {
    std::uint64_t total = 0;
    for (const auto* name : names) total += tasks[name].get<std::uint64_t>();
    return total;
  };
  EXPECT_EQ(tasks["accepted"].get<std::uint64_t>(),
            sum({"done", "dead", "cancelled", "expired", "skipped", "waiting", "running"}));
  EXPECT_EQ(tasks["done"], 2);
  EXPECT_EQ(tasks["dead"], 1);
  EXPECT_EQ(tasks["dlq"], 1);
  EXPECT_EQ(tasks["running"], 1);
  EXPECT_EQ(tasks["waiting"], 1);
  EXPECT_EQ(status["workers"]["total"], 2);
  EXPECT_EQ(status["workers"]["busy"], 1);
  EXPECT_EQ(status["store"]["live"], 2);
  EXPECT_EQ(status["store"]["finished"], 2);
  EXPECT_EQ(status["schema"], 1);
  for (const auto* name : {"pool", "performance", "queue", "health", "classes", "loop"}) {
    EXPECT_TRUE(status.contains(name)) << name;
  }
}

TEST(Documents, ListsTasksInPages) {
  TestDaemon test;
  auto client = test.connect();
  fill(test, client);
  const auto first = ask(test, client, Verb::Ls, {{}, {}, std::uint64_t{3}, std::uint64_t{0}});
  ASSERT_EQ(first["tasks"].size(), 3U);
  EXPECT_EQ(first["more"], true);
  const auto after = first["next_after"].get<std::uint64_t>();
  const auto rest = ask(test, client, Verb::Ls, {{}, {}, std::uint64_t{3}, after});
  EXPECT_EQ(rest["tasks"].size(), 2U);
  EXPECT_EQ(rest["more"], false);
  const auto done =
      ask(test, client, Verb::Ls,
          {std::string_view("done"), std::string_view("echo"), std::uint64_t{9}, std::uint64_t{0}});
  EXPECT_EQ(done["tasks"].size(), 2U);
}

TEST(Documents, RetriesAndRemovesDeadLetters) {
  TestDaemon test;
  auto client = test.connect();
  fill(test, client);
  const auto dead = ask(test, client, Verb::DeadLs, {{}, std::uint64_t{10}, std::uint64_t{0}});
  ASSERT_EQ(dead["tasks"].size(), 1U);
  EXPECT_EQ(dead["tasks"][0]["error"], "the handler said no");
  const auto id = dead["tasks"][0]["id"].get<std::uint64_t>();
  EXPECT_EQ(ask(test, client, Verb::DeadRetry, {{}, {}})["retried"], 1);
  ASSERT_TRUE(test.until([&] { return test.daemon.pool().queue().dead_letters == 1; }));
  EXPECT_EQ(ask(test, client, Verb::DeadRemove, {std::vector<std::uint64_t>{id}, {}})["removed"],
            1);
  EXPECT_NE(test.ask(client, Verb::DeadRemove, {std::vector<std::uint64_t>{id}, {}})
                .find("no task has this id"),
            std::string::npos);
}

TEST(Documents, ShowEveryOptionWithItsOrigin) {
  auto configuration = small_configuration();
  configuration.pool.origins["retries"] = {Layer::File, "/etc/x.toml", 3, 1};
  configuration.classes.front().values.environment = {"SECRET=hidden"};
  TestDaemon test(configuration);
  auto client = test.connect();
  const auto text = test.ask(client, Verb::Config);
  EXPECT_EQ(text.find("hidden"), std::string::npos);
  const auto document = Json::parse(text);
  EXPECT_EQ(document["options"].size(), pool_option_rows().size() + class_option_rows().size());
  for (const auto& option : document["options"]) {
    if (option["name"] == "retries") {
      EXPECT_EQ(option["origin"], "/etc/x.toml:3:1");
    }
  }
}

TEST(Documents, AnswerEveryVerb) {
  TestDaemon test;
  auto client = test.connect();
  fill(test, client);
  EXPECT_EQ(ask(test, client, Verb::Workers)["workers"].size(), 2U);
  EXPECT_EQ(ask(test, client, Verb::Types)["types"].size(), 3U);
  EXPECT_EQ(ask(test, client, Verb::Scale, {{}, std::uint64_t{1}, std::uint64_t{2}})["after"], 4);
  EXPECT_EQ(ask(test, client, Verb::Pause, {std::string_view("echo")})["paused"], 1);
  EXPECT_EQ(ask(test, client, Verb::Resume, {{}})["resumed"], 3);
  EXPECT_EQ(ask(test, client, Verb::Drain, {true})["left"], 2);
  EXPECT_EQ(ask(test, client, Verb::Drain, {false})["left"], 2);
  EXPECT_NE(test.ask(client, Verb::Worker, {std::string_view("nobody")}).find("no slot"),
            std::string::npos);
  EXPECT_NE(test.ask(client, Verb::Show, {std::uint64_t{5}}).find("no task"), std::string::npos);
  EXPECT_NE(test.ask(client, Verb::Release, {std::uint64_t{5}}).find("no task"), std::string::npos);
  EXPECT_EQ(ask(test, client, Verb::Stop, {true})["left"], 2);
}

}  // namespace
}  // namespace warmpool::daemon
