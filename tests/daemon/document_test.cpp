// What the verbs answer: the figures add up, and every verb answers or refuses.
#include <algorithm>

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

// Both come in one turn, in which the core is ahead of the store until its end.
TEST(Documents, SayOneThingOfATaskThatEndsInTheSameTurn) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo", 0);
  ipc::SubmitMeta later;
  later.delay = hours(1);
  client.submit("a", 1, 0, later);
  ASSERT_TRUE(test.until(client, [&] { return client.count(Kind::Accepted) == 1; }));
  const auto task = client.find(Kind::Accepted, 1)->header.id;
  client.send({.kind = Kind::Cancel, .id = task, .token = 2});
  client.ask(Verb::Show, {task}, 3);
  client.ask(Verb::Ls, {std::string_view("cancelled")}, 4);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Reply, 4) != nullptr; }));
  const auto shown = Json::parse(client.find(Kind::Reply, 3)->payload);
  EXPECT_EQ(shown["state"], "cancelled");
  EXPECT_FALSE(shown["settled_at"].is_null()) << shown;
  EXPECT_FALSE(shown.contains("payload")) << shown;
  const auto list = Json::parse(client.find(Kind::Reply, 4)->payload);
  ASSERT_EQ(list["tasks"].size(), 1U);
  EXPECT_FALSE(list["tasks"][0]["settled_at"].is_null()) << list;
}

TEST(Documents, AListOverManyTasksHoldsUpNobody) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo", 0);
  ask(test, client, Verb::Pause, {std::string_view("echo")});
  constexpr std::size_t tasks = 40'000, at_once = 2'000;
  for (std::size_t sent = 0; sent < tasks;) {
    for (const auto end = sent + at_once; sent < end; ++sent) client.submit("x", sent + 1, 0);
    ASSERT_TRUE(test.until(client, [&] { return client.count(Kind::Accepted) == sent; }));
  }
  auto other = test.connect();
  client.ask(Verb::Ls, {std::string_view("ready"), {}, std::uint64_t{3}, std::uint64_t{0}},
             100'001);
  other.ask(Verb::Status, {}, 100'002);
  ASSERT_TRUE(test.until(other, [&] { return other.find(Kind::Reply, 100'002) != nullptr; }));
  client.receive();
  EXPECT_EQ(client.find(Kind::Reply, 100'001), nullptr);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Reply, 100'001) != nullptr; }));
  const auto list = Json::parse(client.find(Kind::Reply, 100'001)->payload);
  ASSERT_EQ(list["tasks"].size(), 3U);
  EXPECT_EQ(list["more"], true);
  EXPECT_LT(list["tasks"][0]["id"], list["tasks"][1]["id"]);
  EXPECT_EQ(list["next_after"], list["tasks"][2]["id"]);
  // Who has gone gets nothing, and keeps nobody waiting.
  client.ask(Verb::Ls, {}, 100'003);
  test.daemon.turn({});
  client.vanish();
  EXPECT_EQ(ask(test, other, Verb::Ls, {std::string_view("done")})["tasks"].size(), 0U);
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

// Three dead letters: "x" and "y" of fail, one with a key, and an old one.
void fill_with_dead(TestDaemon& test, RawClient& client) {
  constexpr auto kText = static_cast<std::uint8_t>(ipc::flag::kWait | 1);  // utf8
  client.name_type("fail", 0);
  ipc::SubmitMeta once;
  once.retries = 0;
  once.deadline = seconds(90);
  client.submit("old", 1, kText, once);
  ASSERT_TRUE(test.until(client, [&] { return client.count(Kind::Settled) == 1; }));
  test.time.pass(hours(2));
  once.key = "order-17";
  client.submit("x", 2, kText, once);
  once.key = {};
  once.labels = {"night"};
  client.submit("y", 3, kText, once);
  ASSERT_TRUE(test.until(client, [&] { return client.count(Kind::Settled) == 3; }));
}

// Who has seen it in a list does not hear that it is none.
TEST(Documents, ALetterWhoseRecordIsOnItsWayIsRemovedOnceItIsKept) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("fail");
  ipc::SubmitMeta once;
  once.retries = 0;
  client.submit("c", 1, 0, once);
  ASSERT_TRUE(test.until(client, [&] { return client.count(Kind::Accepted) == 1; }));
  test.store.holds_answers = true;
  ASSERT_TRUE(test.until(client, [&] { return test.daemon.pool().queue().dead_letters == 1; }));
  client.ask(Verb::DeadLs, {}, 2);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Reply, 2) != nullptr; }));
  const auto list = Json::parse(client.find(Kind::Reply, 2)->payload);
  ASSERT_EQ(list["tasks"].size(), 1U);
  client.ask(Verb::DeadRemove, {}, 3);
  for (int i = 0; i < 20; ++i) test.daemon.turn(milliseconds(1));
  client.receive();
  EXPECT_EQ(client.find(Kind::Reply, 3), nullptr);
  EXPECT_EQ(client.find(Kind::Refused, 3), nullptr);
  test.store.holds_answers = false;
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Reply, 3) != nullptr; }));
  EXPECT_EQ(ask(test, client, Verb::DeadLs)["tasks"].size(), 0U);
}

TEST(Documents, OfManyTheFirstThatWereRefusedAreNamed) {
  TestDaemon test;
  auto client = test.connect();
  fill(test, client);
  const auto dead = ask(test, client, Verb::DeadLs)["tasks"][0]["id"].get<std::uint64_t>();
  const auto done = ask(test, client, Verb::Ls, {std::string_view("done")})["tasks"][0]["id"];
  std::vector<std::uint64_t> ids{dead, done.get<std::uint64_t>()};
  for (std::uint64_t none = 1; none <= 20; ++none) ids.push_back(none);
  const auto changed = ask(test, client, Verb::DeadRetry, {ids});
  EXPECT_EQ(changed["retried"], 1);
  EXPECT_EQ(changed["refused"], 21);
  ASSERT_EQ(changed["refusals"].size(), 16U);
  EXPECT_EQ(changed["refusals"][0]["id"], done);
  EXPECT_EQ(changed["refusals"][0]["refusal"], "not-dead");
  EXPECT_EQ(changed["refusals"][1]["refusal"], "no-such-task");
  EXPECT_EQ(changed["refusals"][1]["text"].get<std::string>().find("task 1: "), 0U);
}

TEST(Documents, RefusalsNameWhatTheyAreAbout) {
  TestDaemon test;
  auto client = test.connect();
  const auto said = [&](Verb verb, std::vector<ipc::Argument> arguments) {
    return test.ask(client, verb, std::move(arguments));
  };
  const std::vector<std::uint64_t> one{4711};
  EXPECT_NE(said(Verb::Show, {std::uint64_t{4711}}).find("task 4711"), std::string::npos);
  EXPECT_NE(said(Verb::DeadRetry, {one}).find("task 4711"), std::string::npos);
  EXPECT_NE(said(Verb::DeadRemove, {one}).find("task 4711"), std::string::npos);
  EXPECT_NE(said(Verb::Worker, {std::string_view("nobody")}).find("'nobody'"), std::string::npos);
  EXPECT_NE(said(Verb::Heartbeat, {std::string_view("nobody")}).find("'nobody'"),
            std::string::npos);
  EXPECT_NE(said(Verb::Log, {{}, std::string_view("nobody")}).find("'nobody'"), std::string::npos);
}

TEST(Documents, AKeyConflictNamesTheTaskThatHasTheKey) {
  TestDaemon test;
  auto client = test.connect();
  fill_with_dead(test, client);
  ipc::SubmitMeta again;
  again.key = "order-17";
  client.submit("another payload", 9, 0, again);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Refused, 9) != nullptr; }));
  const auto dead = ask(test, client, Verb::DeadLs, {{}, {}, {}, {}, {}, "order-17"});
  const auto refused =
      ipc::decode<ipc::RefusedMeta>(ipc::bytes_of(client.find(Kind::Refused, 9)->meta));
  ASSERT_TRUE(refused);
  EXPECT_NE(refused->text.find("task " + dead["tasks"][0]["id"].dump()), std::string::npos)
      << refused->text;
}

TEST(Documents, DeadLettersAreFoundByCauseAgeAndText) {
  TestDaemon test;
  auto client = test.connect();
  fill_with_dead(test, client);
  const auto count = [&](ipc::Argument cause, ipc::Argument older, ipc::Argument text) {
    return ask(test, client, Verb::DeadLs, {{}, {}, {}, cause, older, text})["tasks"].size();
  };
  const auto hour = static_cast<std::uint64_t>(hours(1).ns);
  EXPECT_EQ(count({}, {}, {}), 3U);
  EXPECT_EQ(count(std::string_view("failed"), {}, {}), 3U);
  EXPECT_EQ(count(std::string_view("crashed"), {}, {}), 0U);
  EXPECT_EQ(count({}, hour, {}), 1U);
  EXPECT_EQ(count({}, {}, std::string_view("said no")), 3U);
  EXPECT_EQ(count({}, {}, std::string_view("order-1")), 1U);
  EXPECT_EQ(count({}, {}, std::string_view("nigh")), 1U);
  EXPECT_EQ(count({}, hour, std::string_view("nigh")), 0U);
  const auto wrong = test.ask(client, Verb::DeadLs, {{}, {}, {}, std::string_view("bad luck")});
  EXPECT_NE(wrong.find("crashed"), std::string::npos) << "the known ones are named: " << wrong;
}

TEST(Documents, DeadLettersAreRemovedByWhatTheyFit) {
  TestDaemon test;
  auto client = test.connect();
  fill_with_dead(test, client);
  const auto hour = static_cast<std::uint64_t>(hours(1).ns);
  EXPECT_EQ(ask(test, client, Verb::DeadRemove, {{}, {}, {}, hour})["removed"], 1);
  const auto left = ask(test, client, Verb::DeadExport);
  ASSERT_EQ(left["letters"].size(), 2U);
  EXPECT_EQ(left["letters"][0]["payload"]["text"], "x");
}

TEST(Documents, DeadLettersAreExportedWhole) {
  TestDaemon test;
  auto client = test.connect();
  fill_with_dead(test, client);
  const std::string large(100'000, 'z');
  ipc::SubmitMeta once;
  once.retries = 0;
  client.submit(large, 9, ipc::flag::kWait, once);
  ASSERT_TRUE(test.until(client, [&] { return client.count(Kind::Settled) == 4; }));
  const auto first = ask(test, client, Verb::DeadExport, {{}, std::uint64_t{3}});
  ASSERT_EQ(first["letters"].size(), 3U);
  EXPECT_EQ(first["letters"][0]["payload"]["text"], "old");
  EXPECT_EQ(first["letters"][0]["deadline_seconds"], 90.0);
  EXPECT_EQ(first["letters"][0]["attempts"][0]["error"], "the handler said no");
  EXPECT_EQ(first["letters"][1]["key"], "order-17");
  EXPECT_EQ(first["more"], true);
  const auto rest = ask(test, client, Verb::DeadExport,
                        {{}, std::uint64_t{3}, first["next_after"].get<std::uint64_t>()});
  ASSERT_EQ(rest["letters"].size(), 1U);
  EXPECT_EQ(rest["letters"][0]["payload"]["base64"].get<std::string>().size(), 133'336U);
  EXPECT_EQ(rest["more"], false);
}

TEST(Documents, ARetryMayBringAnotherPayload) {
  TestDaemon test;
  auto client = test.connect();
  fill_with_dead(test, client);
  const auto letters = ask(test, client, Verb::DeadLs)["tasks"];
  const auto id = letters[1]["id"].get<std::uint64_t>();
  std::uint64_t token = 100;
  const auto answer = [&](std::vector<ipc::Argument> arguments, std::string_view payload,
                          Verb verb = Verb::DeadRetry) -> const RawClient::Received* {
    client.ask(verb, std::move(arguments), ++token, payload);
    const RawClient::Received* found = nullptr;
    EXPECT_TRUE(test.until(client, [&] {
      found = client.find(Kind::Reply, token);
      if (found == nullptr) found = client.find(Kind::Refused, token);
      return found != nullptr;
    }));
    return found;
  };
  const std::string_view as_before;
  const std::vector<std::uint64_t> one{id}, two{id, id + 1}, none{4711};
  const std::string too_large((1U << 20) + 1, 'x');
  EXPECT_EQ(RawClient::code_of(*answer({two, {}, {}, {}, {}, as_before}, "y")), 208);
  EXPECT_EQ(RawClient::code_of(*answer({{}, {}, {}, {}, {}, as_before}, "y")), 208);
  EXPECT_EQ(RawClient::code_of(*answer({one}, "y")), 208) << "what is it?";
  EXPECT_EQ(RawClient::code_of(*answer({one, {}, {}, {}, {}, std::string_view("xml")}, "y")), 208);
  EXPECT_EQ(RawClient::code_of(*answer({}, "y", Verb::Status)), 208);
  EXPECT_EQ(RawClient::code_of(*answer({none, {}, {}, {}, {}, as_before}, "y")), 301);
  EXPECT_EQ(RawClient::code_of(*answer({one, {}, {}, {}, {}, as_before}, too_large)), 205);
  ask(test, client, Verb::Pause, {std::string_view("fail")});
  const auto* retried = answer({one, {}, {}, {}, {}, as_before}, "other");
  ASSERT_EQ(retried->header.kind, Kind::Reply);
  EXPECT_EQ(Json::parse(retried->payload)["retried"], 1);
  const auto shown = ask(test, client, Verb::Show, {id});
  EXPECT_EQ(shown["round"], 2);
  EXPECT_EQ(shown["key"], "order-17");
  EXPECT_EQ(shown["attempts"].size(), 1U) << "its history stays";
  EXPECT_EQ(shown["payload"]["text"], "other");
  EXPECT_EQ(shown["payload"]["content"], "utf8") << "as it was";
}

// At two a second the third comes half a second late, and the clock stands still until then.
TEST(Documents, NewRoundsHaveARate) {
  auto configuration = small_configuration();
  configuration.pool.values.dead_retry_rate = 2;
  TestDaemon test(configuration);
  auto client = test.connect();
  client.name_type("fail");
  ipc::SubmitMeta once;
  once.retries = 0;
  for (const std::uint64_t token : {1U, 2U, 3U}) client.submit("x", token, ipc::flag::kWait, once);
  ASSERT_TRUE(test.until(client, [&] { return client.count(Kind::Settled) == 3; }));
  test.time.stop();
  const auto rounds = [&] { return test.daemon.pool().counters().accepted; };
  client.ask(Verb::DeadRetry, {}, 77);
  ASSERT_TRUE(test.until(client, [&] { return rounds() == 5; }));
  for (int turn = 0; turn < 50; ++turn) test.daemon.turn({});
  EXPECT_EQ(rounds(), 5U);
  EXPECT_EQ(client.find(Kind::Reply, 77), nullptr);
  test.time.pass(milliseconds(500));
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Reply, 77) != nullptr; }));
  EXPECT_EQ(Json::parse(client.find(Kind::Reply, 77)->payload)["retried"], 3);
}

TEST(Documents, CleanRemovesWhatSettledLongerAgo) {
  TestDaemon test;
  auto client = test.connect();
  fill_with_dead(test, client);
  client.name_type("echo", 1);
  client.submit("a", 11, ipc::flag::kWait, {}, 1);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 11) != nullptr; }));
  test.time.pass(hours(1));
  client.submit("b", 12, ipc::flag::kWait, {}, 1);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 12) != nullptr; }));
  const auto half = static_cast<std::uint64_t>(minutes(30).ns);
  EXPECT_EQ(ask(test, client, Verb::Clean, {half, std::string_view("cancelled")})["removed"], 0);
  EXPECT_EQ(ask(test, client, Verb::Clean, {half})["removed"], 1);
  EXPECT_EQ(test.store.figures().finished, 1U);
  EXPECT_EQ(test.store.figures().dead, 3U) << "only when they are named";
  EXPECT_EQ(ask(test, client, Verb::Clean, {half, std::string_view("dead")})["removed"], 3);
  EXPECT_NE(test.ask(client, Verb::Clean, {half, std::string_view("ready")}).find("done"),
            std::string::npos);
}

TEST(Documents, ABackupOfAStoreInMemoryIsRefused) {
  TestDaemon test;
  auto client = test.connect();
  EXPECT_NE(test.ask(client, Verb::Backup, {std::string_view("/tmp/x")}).find("memory"),
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
  EXPECT_EQ(ask(test, client, Verb::Pause, {std::string_view("echo")})["paused"]["types"][0],
            "echo");
  EXPECT_EQ(ask(test, client, Verb::Resume, {std::string_view("echo")})["paused"]["types"].size(),
            0U);
  EXPECT_EQ(ask(test, client, Verb::Drain, {true})["left"], 2);
  EXPECT_EQ(ask(test, client, Verb::Drain, {false})["left"], 2);
  EXPECT_NE(test.ask(client, Verb::Worker, {std::string_view("nobody")}).find("no slot"),
            std::string::npos);
  EXPECT_NE(test.ask(client, Verb::Show, {std::uint64_t{5}}).find("no task"), std::string::npos);
  EXPECT_NE(test.ask(client, Verb::Release, {std::uint64_t{5}}).find("no task"), std::string::npos);
  EXPECT_EQ(ask(test, client, Verb::Stop, {true})["left"], 2);
}

TEST(Pause, OfThePoolCoversTypesThatAreSeenLater) {
  auto configuration = small_configuration();
  configuration.classes.front().values.types.push_back("later.*");
  TestDaemon test(configuration);
  auto client = test.connect();
  EXPECT_EQ(ask(test, client, Verb::Pause)["paused"]["pool"], true);
  client.name_type("later.now");
  client.submit("x", 1);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Accepted, 1) != nullptr; }));
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  EXPECT_EQ(test.daemon.pool().queue().ready, 1U);
  const auto status = ask(test, client, Verb::Status);
  EXPECT_EQ(status["pool"]["paused"], true);
  EXPECT_EQ(status["health"]["alerts"][0]["name"], "paused");
  const auto listed = ask(test, client, Verb::Ls)["tasks"][0];
  EXPECT_EQ(listed["holds"][0], "paused");
  EXPECT_EQ(ask(test, client, Verb::Resume)["paused"]["pool"], false);
  EXPECT_TRUE(test.until([&] { return test.daemon.pool().queue().running == 1; }));
}

TEST(Pause, OfATypeMayComeBeforeItsFirstTask) {
  auto configuration = small_configuration();
  configuration.classes.front().values.types.push_back("later.*");
  TestDaemon test(configuration);
  auto client = test.connect();
  EXPECT_EQ(ask(test, client, Verb::Pause, {std::string_view("later.now")})["paused"]["types"][0],
            "later.now");
  EXPECT_NE(test.ask(client, Verb::Pause, {std::string_view("nobody's")}).find("no class serves"),
            std::string::npos);
}

TEST(Pause, ResumeLiftsWhatItNamesAndAllWhenAsked) {
  TestDaemon test;
  auto client = test.connect();
  ask(test, client, Verb::Pause, {std::string_view("echo")});
  ask(test, client, Verb::Pause, {{}, std::string_view("worker")});
  ask(test, client, Verb::Pause);
  const auto left = ask(test, client, Verb::Resume)["paused"];
  EXPECT_EQ(left["pool"], false);
  EXPECT_EQ(left["classes"][0], "worker") << "by name it was paused";
  EXPECT_EQ(left["types"][0], "echo");
  const auto types = ask(test, client, Verb::Types)["types"];
  EXPECT_EQ(types[0]["paused_by"], "type");
  EXPECT_EQ(types[1]["paused_by"], "class");
  const auto none = ask(test, client, Verb::Resume, {{}, {}, true})["paused"];
  EXPECT_TRUE(none["classes"].empty() && none["types"].empty()) << none;
  EXPECT_EQ(ask(test, client, Verb::Resume, {{}, {}, true})["paused"], none) << "nothing is left";
}

TEST(Pause, NamesWhatIsWrong) {
  TestDaemon test;
  auto client = test.connect();
  EXPECT_NE(test.ask(client, Verb::Pause, {std::string_view("echo"), std::string_view("worker")})
                .find("not both"),
            std::string::npos);
  EXPECT_NE(test.ask(client, Verb::Pause, {{}, std::string_view("nobody")}).find("one of: worker"),
            std::string::npos);
}

TEST(Scale, NamesTheLimitsThatItWouldBreak) {
  TestDaemon test;
  auto client = test.connect();
  EXPECT_EQ(test.ask(client, Verb::Scale, {{}, std::uint64_t{2}, std::uint64_t{2}}),
            "refused: class 'worker' has 2 workers and may have 2 to 50 (size_min, size_max); 0 is "
            "outside of that");
}

TEST(SlowWorker, IsShownAndTold) {
  auto configuration = small_configuration();
  configuration.pool.values.slow_after = milliseconds(20);
  TestDaemon test(configuration);
  auto client = test.connect();
  client.name_type("hang");
  client.submit("x", 1);
  ASSERT_TRUE(test.until([&] { return test.log.has("task-slow"); }));
  EXPECT_TRUE(test.log.has("worker-health-changed"));
  EXPECT_TRUE(test.log.has("from=working to=slow"));
  const auto status = ask(test, client, Verb::Status);
  EXPECT_EQ(status["workers"]["slow"], 1);
  EXPECT_EQ(status["health"]["alerts"][0]["name"], "slow");
  const auto workers = ask(test, client, Verb::Workers)["workers"];
  const auto slow =
      std::ranges::count_if(workers, [](const auto& worker) { return worker["health"] == "slow"; });
  EXPECT_EQ(slow, 1);
}

}  // namespace
}  // namespace warmpool::daemon
