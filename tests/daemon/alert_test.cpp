// Alerts as people meet them: in status, by their verbs, as events, in a file, and told to
// programs.
#include <fstream>

#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using Json = nlohmann::json;
using ipc::Verb;

class AlertTest : public testing::Test {
 protected:
  void begin(const std::function<void(Options&)>& change = {}, bool lonely = false) {
    auto configuration = small_configuration();
    if (lonely) {
      auto& empty = configuration.classes.emplace_back(configuration.classes.front()).values;
      empty.name = "empty";
      empty.types = {"lonely"};
      empty.size = empty.size_min = 0;
    }
    // Time passes at once here, and workers do not beat in it.
    configuration.pool.values.unresponsive_after = hours(1);
    configuration.pool.values.dead_after = hours(2);
    if (change) change(configuration.pool.values);
    test = std::make_unique<TestDaemon>(configuration);
    client.emplace(test->connect());
    ASSERT_TRUE(test->until([&] { return test->daemon.documents().initialized(); }));
  }

  Json ask(Verb verb, std::vector<ipc::Argument> arguments = {}) {
    const auto text = test->ask(*client, verb, std::move(arguments));
    return Json::accept(text) ? Json::parse(text) : Json(text);
  }
  Json alert(const std::string& name, bool past = false) {
    const auto document = ask(Verb::Alerts, {past});
    for (const auto& one : document["alerts"]) {
      if (one["name"] == name) return one;
    }
    return {};
  }
  void let_a_worker_die() {
    auto* worker = test->processes.alive();
    ASSERT_NE(worker, nullptr);
    test->processes.die(*worker, {ExitCause::Signalled, -11, false});
    ASSERT_TRUE(test->until([&] { return test->log.has("worker-error"); }));
  }
  // A program that was started to tell alerts, and still runs.
  FakeWorker* teller() {
    for (auto& [id, worker] : test->processes.workers) {
      if (worker.spec.role == SpawnRole::Helper && !worker.exit) return &worker;
    }
    return nullptr;
  }
  static Json told_to(const FakeWorker& teller) {
    const auto& entry = teller.spec.environment.at(0);
    EXPECT_TRUE(entry.starts_with("WARMPOOL_ALERTS="));
    return Json::parse(entry.substr(entry.find('=') + 1))["alerts"];
  }
  // A request wakes the loop, which else waits for what the clock has passed by.
  bool until(const std::function<bool()>& holds) {
    return test->until([&] {
      ask(Verb::Status);
      return holds();
    });
  }

  std::unique_ptr<TestDaemon> test;
  std::optional<RawClient> client;
};

TEST_F(AlertTest, ADeathIsToldWithItsCauseAndTheLastBeat) {
  begin();
  EXPECT_TRUE(ask(Verb::Alerts)["alerts"].empty());
  let_a_worker_die();
  const auto failure = alert("worker-failure");
  EXPECT_EQ(failure["level"], "warning") << failure;
  EXPECT_TRUE(failure["worker"].get<std::string>().starts_with("worker-"));
  EXPECT_NE(failure["text"].get<std::string>().find("signal 11 (SIGSEGV)"), std::string::npos);
  EXPECT_EQ(failure["metadata"]["cause"], "signalled");
  EXPECT_EQ(failure["metadata"]["code"], -11);
  EXPECT_TRUE(failure["metadata"]["last_heartbeat"].is_string());
  EXPECT_EQ(failure["state"], "active");
  EXPECT_TRUE(test->log.has("alert-raised alert=worker-failure"));
  test->time.pass(minutes(11));
  EXPECT_TRUE(alert("worker-failure").is_null());
  const auto past = alert("worker-failure", true);
  EXPECT_EQ(past["state"], "resolved");
  EXPECT_TRUE(past["resolved_at"].is_string());
  ASSERT_TRUE(until([&] { return test->log.has("alert-resolved alert=worker-failure"); }));
}

TEST_F(AlertTest, AnEndThatWasOrderedIsToldAsWhatItWasFor) {
  begin([](Options& options) {
    options.unresponsive_after = seconds(15);
    options.dead_after = seconds(30);
  });
  ASSERT_TRUE(until([&] {
    test->time.pass(seconds(1));  // in steps: after a stall everybody is taken as heard
    return !alert("worker-failure").is_null();
  }));
  const auto text = alert("worker-failure")["text"].get<std::string>();
  EXPECT_NE(text.find(" was idle and silent for longer than dead_after"), std::string::npos)
      << text;
  EXPECT_FALSE(alert("zombie").is_null());
}

TEST_F(AlertTest, ManyDeathsOfAClassAreAStorm) {
  begin([](Options& options) { options.alert_restarts = 2; });
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(until([&] { return test->processes.alive() != nullptr; }));
    EXPECT_TRUE(alert("restart-storm").is_null());
    const auto before = ask(Verb::Status)["performance"]["workers_exited"];
    test->processes.die(*test->processes.alive(), {ExitCause::Exited, 1, false});
    ASSERT_TRUE(
        until([&] { return ask(Verb::Status)["performance"]["workers_exited"] != before; }));
  }
  const auto storm = alert("restart-storm");
  EXPECT_EQ(storm["level"], "critical");
  EXPECT_EQ(storm["subject"], "worker");
  EXPECT_TRUE(storm["worker"].is_null()) << "it is a class";
}

TEST_F(AlertTest, NewDeadLettersAreToldFromTheBoundOn) {
  begin([](Options& options) { options.alert_dead = 1; });
  client->name_type("fail");
  ipc::SubmitMeta once;
  once.retries = 0;
  for (std::uint64_t token = 1; token <= 2; ++token) {
    EXPECT_TRUE(alert("dead-growing").is_null());
    client->submit("x", token, ipc::flag::kWait, once);
    ASSERT_TRUE(test->until(*client, [&] { return client->count(ipc::Kind::Settled) == token; }));
  }
  EXPECT_FALSE(alert("dead-growing").is_null());
}

TEST_F(AlertTest, TasksThatNobodyWillRunAreTold) {
  begin({}, true);
  ASSERT_EQ(ask(Verb::Alerts)["alerts"].size(), 0U);
  client->name_type("hang", 0);
  for (std::uint64_t token = 1; token <= 3; ++token) client->submit("x", token, 0);
  ASSERT_TRUE(test->until(*client, [&] { return test->daemon.pool().queue().ready == 1; }));
  EXPECT_TRUE(alert("no-worker").is_null()) << "its class is busy, and not without workers";
  client->name_type("lonely", 1);
  client->submit("x", 9, 0, {}, 1);
  ASSERT_TRUE(test->until(*client, [&] { return test->daemon.pool().queue().ready == 2; }));
  EXPECT_EQ(alert("no-worker")["subject"], "lonely");
  EXPECT_EQ(alert("no-worker")["text"], "1 task of type lonely waits and its class has no worker");
}

TEST_F(AlertTest, AcknowledgedOnesStayAndOnesThatAreNotThereAreRefused) {
  begin();
  let_a_worker_die();
  const auto slot = alert("worker-failure")["subject"].get<std::string>();
  const auto refused = ask(Verb::AlertsAck, {std::string_view("slow")});
  EXPECT_EQ(refused, "refused: there is no alert 'slow' now; see: warmpool alerts ls");
  EXPECT_EQ(
      ask(Verb::AlertsAck, {std::string_view("worker-failure"), std::string_view("worker-9")}),
      "refused: there is no alert 'worker-failure' of 'worker-9' now; see: warmpool alerts ls");
  EXPECT_FALSE(alert("worker-failure")["acknowledged"].get<bool>());
  EXPECT_EQ(ask(Verb::AlertsAck,
                {std::string_view("worker-failure"), std::string_view(slot)})["acknowledged"],
            1);
  EXPECT_TRUE(alert("worker-failure")["acknowledged"].get<bool>());
  EXPECT_EQ(ask(Verb::AlertsAck)["acknowledged"], 1) << "all there are";
}

TEST_F(AlertTest, OnesThatAreNotWantedAreNone) {
  begin([](Options& options) { options.alerts_off = "slow, worker-failure"; });
  let_a_worker_die();
  EXPECT_TRUE(alert("worker-failure").is_null());
}

TEST_F(AlertTest, AreWrittenToAFileLineByLine) {
  ipc::test::TemporaryDirectory place;
  const auto path = place / "alerts.jsonl";
  begin([&](Options& options) { options.alert_file = path; });
  let_a_worker_die();
  test->time.pass(minutes(11));
  ASSERT_TRUE(until([&] { return test->log.has("alert-resolved"); }));
  std::ifstream file(path);
  std::string raised, resolved, none;
  ASSERT_TRUE(std::getline(file, raised) && std::getline(file, resolved));
  EXPECT_EQ(Json::parse(raised)["change"], "raised");
  EXPECT_EQ(Json::parse(raised)["name"], "worker-failure");
  EXPECT_EQ(Json::parse(resolved)["change"], "resolved");
  EXPECT_FALSE(std::getline(file, none));
}

TEST_F(AlertTest, AFileThatCannotBeWrittenIsAnAlertItself) {
  begin([](Options& options) { options.alert_file = "/dev/null/alerts"; });
  let_a_worker_die();
  ASSERT_TRUE(until([&] { return !alert("alert-channel").is_null(); }));
  const auto channel = alert("alert-channel");
  EXPECT_EQ(channel["subject"], "alert_file");
  EXPECT_NE(channel["text"].get<std::string>().find("/dev/null/alerts"), std::string::npos);
}

TEST_F(AlertTest, ACommandIsToldAllThatCameMeanwhileInOneRun) {
  begin([](Options& options) { options.alert_command = "page somebody"; });
  let_a_worker_die();
  ASSERT_TRUE(until([&] { return teller() != nullptr; }));
  EXPECT_EQ(teller()->spec.command, (std::vector<std::string>{"/bin/sh", "-c", "page somebody"}));
  ASSERT_EQ(told_to(*teller()).size(), 1U);
  EXPECT_EQ(told_to(*teller())[0]["name"], "worker-failure");
  EXPECT_EQ(told_to(*teller())[0]["change"], "raised");
  ask(Verb::Pause);
  client->name_type("echo");
  client->submit("x", 1, 0);
  ASSERT_TRUE(until([&] { return !alert("paused").is_null(); }));
  test->time.pass(minutes(11));
  ASSERT_TRUE(until([&] { return test->log.has("alert-resolved alert=worker-failure"); }));
  // The run has had its time by then.
  ASSERT_TRUE(until([&] { return test->log.has("alert_command took more than 30s"); }));
  test->time.pass(seconds(6));
  ASSERT_TRUE(until([&] { return teller() != nullptr; }));
  const auto told = told_to(*teller());
  ASSERT_EQ(told.size(), 3U) << "what was not told comes again, with the rest";
  EXPECT_EQ(told[1]["name"], "paused");
  EXPECT_EQ(told[2]["change"], "resolved");
  test->processes.die(*teller(), {ExitCause::Exited, 0, false});
  ASSERT_TRUE(until([&] { return ask(Verb::Alerts)["channels"]["command"]["told"] == 3; }));
}

TEST_F(AlertTest, ACommandThatFailsIsTriedThriceAndItsTroubleIsShown) {
  begin([](Options& options) { options.alert_command = "false"; });
  let_a_worker_die();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(until([&] { return teller() != nullptr; })) << i;
    test->processes.die(*teller(), {ExitCause::Exited, 1, false});
    ASSERT_TRUE(until([&] { return teller() == nullptr; }));
    test->time.pass(seconds(6));
  }
  ASSERT_TRUE(until([&] { return ask(Verb::Alerts)["channels"]["command"]["dropped"] != 0; }));
  EXPECT_EQ(ask(Verb::Alerts)["channels"]["command"]["dropped"], 1);
  EXPECT_EQ(alert("alert-channel")["subject"], "alert_command");
  EXPECT_EQ(teller(), nullptr) << "of its own trouble it is not told";
  EXPECT_TRUE(test->log.has("alert_command ended with status 1; 1 alert was not told by it"));
}

TEST_F(AlertTest, AWebhookIsPostedTo) {
  begin([](Options& options) { options.alert_webhook = "http://127.0.0.1:9/alerts"; });
  let_a_worker_die();
  ASSERT_TRUE(until([&] { return teller() != nullptr; }));
  const auto& command = teller()->spec.command;
  EXPECT_EQ(command.front(), "curl");
  EXPECT_EQ(command.back(), "http://127.0.0.1:9/alerts");
  const auto body = std::ranges::find(command, "--data-raw");
  ASSERT_NE(body, command.end());
  EXPECT_EQ(Json::parse(*(body + 1))["alerts"][0]["name"], "worker-failure");
}

}  // namespace
}  // namespace warmpool::daemon
