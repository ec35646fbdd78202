// Workers that died, as people meet them: commands that run before the next start, new names, the
// breaker of a class, figures, and workers that nobody needs.
#include <algorithm>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using Json = nlohmann::json;
using ipc::Verb;

class RecoveryTest : public testing::Test {
 protected:
  void begin(const std::function<void(ClassOptions&)>& change) {
    auto configuration = small_configuration();
    // Time passes at once here, and workers do not beat in it.
    configuration.pool.values.unresponsive_after = hours(1);
    configuration.pool.values.dead_after = hours(2);
    configuration.classes.front().values.size_min = 0;
    change(configuration.classes.front().values);
    test = std::make_unique<TestDaemon>(configuration);
    client.emplace(test->connect());
    ASSERT_TRUE(until([&] { return ready() == 2; }));
  }
  Json ask(Verb verb, std::vector<ipc::Argument> arguments = {}) {
    return Json::parse(test->ask(*client, verb, std::move(arguments)));
  }
  std::uint64_t ready() { return ask(Verb::Status)["workers"]["ready"]; }
  Json worker(std::string_view name) { return ask(Verb::Worker, {name}); }
  // A request wakes the loop, which else waits for what the clock has passed by.
  bool until(const std::function<bool()>& holds) {
    return test->until([&] {
      ask(Verb::Status);
      return holds();
    });
  }
  FakeWorker* running(SpawnRole role, std::string_view slot = {}) {
    for (auto& [id, process] : test->processes.workers) {
      const bool its_slot = slot.empty() || process.spec.slot == slot;
      if (process.spec.role == role && its_slot && !process.exit) return &process;
    }
    return nullptr;
  }
  void die(FakeWorker* process, Exit exit) {
    ASSERT_NE(process, nullptr);
    test->processes.die(*process, exit);
  }
  void let_worker_0_die() {
    die(running(SpawnRole::Worker, "worker-0"), {ExitCause::Signalled, -11, false});
  }
  bool alerts(const std::string& name) {
    const auto document = ask(Verb::Alerts);
    for (const auto& one : document["alerts"]) {
      if (one["name"] == name) return true;
    }
    return false;
  }
  static void set_custom(ClassOptions& options) {
    options.recovery = "*: custom";
    options.recovery_command = "reset-gpu --all";
  }

  std::unique_ptr<TestDaemon> test;
  std::optional<RawClient> client;
};

TEST_F(RecoveryTest, ACommandRunsBeforeTheStartAndFindsTheFacts) {
  begin(set_custom);
  let_worker_0_die();
  ASSERT_TRUE(until([&] { return running(SpawnRole::Helper) != nullptr; }));
  const auto spec = running(SpawnRole::Helper)->spec;
  EXPECT_EQ(spec.command, (std::vector<std::string>{"/bin/sh", "-c", "reset-gpu --all"}));
  EXPECT_EQ(spec.environment,
            (std::vector<std::string>{
                "WARMPOOL_RECOVERY_CLASS=worker", "WARMPOOL_RECOVERY_WORKER=worker-0",
                "WARMPOOL_RECOVERY_CAUSE=signalled",
                "WARMPOOL_RECOVERY_CODE=", "WARMPOOL_RECOVERY_SIGNAL=11",
                "WARMPOOL_RECOVERY_DEATHS=1", "WARMPOOL_RECOVERY_ATTEMPT=1"}));
  EXPECT_EQ(running(SpawnRole::Worker, "worker-0"), nullptr) << "it is not started yet";
  EXPECT_EQ(worker("worker-0")["recovery"], "custom");
  die(running(SpawnRole::Helper), {ExitCause::Exited, 0, false});
  ASSERT_TRUE(until([&] { return ready() == 2; }));
  EXPECT_TRUE(test->log.has("recovery-succeeded worker=worker-0 class=worker strategy=custom"));
}

TEST_F(RecoveryTest, ACommandThatFailsIsADeathWithItsOwnCause) {
  begin(set_custom);
  let_worker_0_die();
  ASSERT_TRUE(until([&] { return running(SpawnRole::Helper) != nullptr; }));
  die(running(SpawnRole::Helper), {ExitCause::Exited, 4, false});
  ASSERT_TRUE(until([&] { return worker("worker-0")["state"] == "backoff"; }));
  const auto shown = worker("worker-0");
  EXPECT_EQ(shown["last_exit"], "recovery-failed") << shown;
  EXPECT_EQ(shown["unproductive_deaths"], 2);
  EXPECT_TRUE(test->log.has("worker-0: recovery_command ended with status 4"));
  EXPECT_TRUE(alerts("worker-failure"));
  test->time.pass(seconds(6));
  ASSERT_TRUE(until([&] { return running(SpawnRole::Helper) != nullptr; })) << "and runs again";
  EXPECT_EQ(running(SpawnRole::Helper)->spec.environment[3], "WARMPOOL_RECOVERY_CODE=4");
}

TEST_F(RecoveryTest, ACommandHasItsTime) {
  begin(set_custom);
  let_worker_0_die();
  ASSERT_TRUE(until([&] { return running(SpawnRole::Helper) != nullptr; }));
  test->time.pass(seconds(29));
  ask(Verb::Status);
  EXPECT_NE(running(SpawnRole::Helper), nullptr);
  test->time.pass(seconds(2));
  ASSERT_TRUE(until([&] { return worker("worker-0")["last_exit"] == "recovery-failed"; }));
  EXPECT_TRUE(test->log.has("worker-0: recovery_command took longer than 30s (recovery_timeout)"));
}

TEST_F(RecoveryTest, ACommandThatCannotRunIsADeathToo) {
  begin(set_custom);
  test->processes.spawn_error = ENOMEM;
  let_worker_0_die();
  ASSERT_TRUE(until([&] { return worker("worker-0")["last_exit"] == "recovery-failed"; }));
  test->processes.spawn_error = 0;
  test->time.pass(seconds(6));
  EXPECT_TRUE(until([&] { return running(SpawnRole::Helper) != nullptr; }));
}

TEST_F(RecoveryTest, WhoIsWantedNoMoreNeedsNoCommand) {
  begin(set_custom);
  let_worker_0_die();
  ASSERT_TRUE(until([&] { return running(SpawnRole::Helper) != nullptr; }));
  ask(Verb::Scale, {std::string_view("worker"), std::uint64_t{0}, std::uint64_t{1}});
  ASSERT_TRUE(until([&] { return running(SpawnRole::Helper) == nullptr; })) << "it is killed";
  EXPECT_TRUE(until([&] { return ask(Verb::Status)["workers"]["total"] == 1; }));
}

TEST_F(RecoveryTest, ARecreatedPlaceSaysWhichItWas) {
  begin([](ClassOptions& options) { options.recovery = "*: recreate"; });
  let_worker_0_die();
  ASSERT_TRUE(until([&] { return test->log.has("recovery-succeeded"); }));
  EXPECT_EQ(worker("worker-2")["former_id"], "worker-0");
  EXPECT_EQ(worker("worker-2")["processes_spawned"], 1);
  const auto told = std::ranges::find_if(test->log.lines, [](const std::string& line) {
    return line.starts_with("recovery-attempted");
  });
  ASSERT_NE(told, test->log.lines.end());
  EXPECT_EQ(*told,
            "recovery-attempted worker=worker-2 class=worker strategy=recreate attempt=1 "
            "cause=signalled former_worker=worker-0");
}

TEST_F(RecoveryTest, ABreakerThatIsNotClosedIsShownEverywhere) {
  begin([](ClassOptions& options) { options.recovery_deaths = 1; });
  test->processes.answers_hello = false;
  let_worker_0_die();
  ASSERT_TRUE(until([&] { return running(SpawnRole::Worker, "worker-0") != nullptr; }));
  let_worker_0_die();
  const auto breaker = [&] { return ask(Verb::Status)["classes"][0]["recovery"]; };
  ASSERT_TRUE(until([&] { return breaker()["state"] == "open"; }));
  EXPECT_EQ(breaker()["why"], "replacements-died");
  EXPECT_EQ(breaker()["waiting"], 1);
  EXPECT_TRUE(breaker()["next_probe"].is_string());
  EXPECT_TRUE(alerts("recovery"));
  EXPECT_TRUE(test->log.has("recovery-opened class=worker deaths=1"));
  test->time.pass(seconds(6));
  ASSERT_TRUE(until([&] { return breaker()["state"] == "half-open"; }));
  test->processes.answers_hello = true;
  ASSERT_TRUE(until([&] { return ready() == 2; }));
  test->time.pass(seconds(6));
  ASSERT_TRUE(until([&] { return breaker()["state"] == "closed"; }));
  EXPECT_EQ(breaker()["why"], "probe-works");
  const auto figures = ask(Verb::Status)["recovery"];
  EXPECT_EQ(figures["attempts"], 2) << figures;
  EXPECT_EQ(figures["succeeded"], 1);
  EXPECT_EQ(figures["failed"], 1);
  EXPECT_EQ(figures["success_rate"], 0.5);
  EXPECT_GT(figures["max_ms"], 3'000);
  EXPECT_LT(figures["worker_uptime"], 1);
}

TEST_F(RecoveryTest, PlacesThatABreakerHoldsSaySo) {
  begin([](ClassOptions& options) {
    options.recovery_deaths = 1;
    options.recovery_cooldown = options.recovery_cooldown_max = minutes(10);
  });
  test->processes.answers_hello = false;
  let_worker_0_die();
  ASSERT_TRUE(until([&] { return running(SpawnRole::Worker, "worker-0") != nullptr; }));
  let_worker_0_die();
  ASSERT_TRUE(until([&] { return worker("worker-0")["state"] == "backoff"; }));
  EXPECT_TRUE(worker("worker-0")["next_start_seconds"].is_number());
  test->time.pass(seconds(6));
  ASSERT_TRUE(until([&] { return worker("worker-0")["held_back"] == true; }));
  EXPECT_TRUE(worker("worker-0")["next_start_seconds"].is_null());
}

TEST_F(RecoveryTest, WorkersThatNobodyNeedsAreNoLack) {
  begin([](ClassOptions& options) {
    options.size_min = 1;
    options.max_idle = seconds(60);
  });
  test->time.pass(seconds(61));
  ask(Verb::Status);
  test->time.pass(seconds(6));  // nobody is judged right after so long a turn
  ASSERT_TRUE(until([&] { return ready() == 1; }));
  const auto status = ask(Verb::Status);
  EXPECT_EQ(status["workers"]["parked"], 1);
  EXPECT_EQ(status["classes"][0]["parked"], 1);
  EXPECT_EQ(status["classes"][0]["target"], 2);
  EXPECT_EQ(status["performance"]["workers_parked"], 1);
  EXPECT_EQ(status["health"]["status"], "healthy") << status["health"];
  EXPECT_TRUE(test->log.has("worker-parked"));
  client->name_type("hang");
  client->submit("x", 1);
  client->submit("x", 2);
  ASSERT_TRUE(until([&] { return test->daemon.pool().queue().running == 2; }));
  EXPECT_EQ(ask(Verb::Status)["workers"]["parked"], 0);
}

}  // namespace
}  // namespace warmpool::daemon
