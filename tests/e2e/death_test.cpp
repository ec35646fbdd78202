// Ways to die, each by a real process, and what people are told of it: in show, as an event and as
// an autopsy. And ways that only look like it: whoever works is left alone, however silent.
#include <algorithm>
#include <csignal>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"
#include "tests/support/transport.hpp"

namespace warmpool::test {
namespace {

using nlohmann::json;

// Silence is judged after 1.5 s here, and not after 30 s.
std::string mortals(const std::string& more = {}) {
  return "heartbeat_interval = \"300ms\"\nunresponsive_after = \"900ms\"\ndead_after = \"1500ms\"\n"
         "sample_interval = \"100ms\"\ncrashes_max = 1\ncancel_grace = \"100ms\"\n"
         "term_grace = \"300ms\"\n" +
         more + "[[class]]\nname = \"mortal\"\ncommand = [\"/usr/bin/python3\", \"" +
         source_file("tests/python/dying.py") +
         "\"]\ntypes = [\"die.*\"]\nsize = 1\nsize_min = 1\n";
}

struct Death {
  const char* handler;
  const char* options;
  const char* task_cause;    // of the attempt, in show
  const char* worker_cause;  // of the worker, in the event and the autopsy
  const char* sentence;      // a part of it
  int code;                  // status, or minus the signal
  bool ours;
};

constexpr Death kDeaths[] = {
    {"kill", "", "crashed", "signalled", "signal 9 (SIGKILL), and not by warmpool", -9, false},
    {"segv", "", "crashed", "signalled", "signal 11 (SIGSEGV), and not", -11, false},
    {"abrt", "", "crashed", "signalled", "signal 6 (SIGABRT), and not", -6, false},
    {"bus", "", "crashed", "signalled", "signal 7 (SIGBUS), and not", -7, false},
    {"fpe", "", "crashed", "signalled", "signal 8 (SIGFPE), and not", -8, false},
    {"exit0", "", "crashed", "exited", "ended with status 0, by itself", 0, false},
    {"exit1", "", "crashed", "exited", "ended with status 1, by itself", 1, false},
    {"exit7", "", "crashed", "exited", "ended with status 7, by itself", 7, false},
    {"close", "", "crashed", "channel-closed", "by warmpool: it closed its channel", -9, true},
    {"garbage", "", "crashed", "protocol", "by warmpool: it broke the protocol", -9, true},
    {"stop", "", "hung", "stopped", "by warmpool: it was stopped by a signal", -9, true},
    {"deaf", "--timeout 500ms --retries 0", "timeout", "timeout", "by warmpool: it did not end", -9,
     true},
};

// The one event of this name for the worker that ended so; null if there is none.
json exit_event(const RealDaemon& daemon) {
  json found;
  std::istringstream lines(daemon.call("events --type worker-exited --json").output);
  for (std::string line; std::getline(lines, line);) {
    auto event = json::parse(line, nullptr, false);
    if (event.is_object() && event.value("event", "") == "worker-exited") found = event;
  }
  return found;
}

void expect_told(const RealDaemon& daemon, const std::string& id, const Death& death) {
  const json shown = json::parse(daemon.call("show " + id + " --json").output);
  EXPECT_EQ(shown.at("attempts").back().at("cause"), death.task_cause) << shown;
  const json kept = json::parse(daemon.call("autopsy " + id + " --json").output);
  ASSERT_EQ(kept.at("autopsies").size(), 1U) << kept;
  const json& autopsy = kept.at("autopsies").front();
  EXPECT_EQ(autopsy.at("cause"), death.worker_cause) << autopsy;
  EXPECT_EQ(autopsy.at("by_warmpool"), death.ours) << autopsy;
  EXPECT_NE(autopsy.at("sentence").get<std::string>().find(death.sentence), std::string::npos)
      << autopsy.at("sentence");
  EXPECT_EQ(autopsy.at(death.code < 0 ? "signal" : "code"), std::abs(death.code)) << autopsy;
  EXPECT_FALSE(autopsy.at("advice").get<std::string>().empty());
  EXPECT_EQ(autopsy.contains("before"), death.ours) << "only what we end can be seen before";
  // On a machine that is busy there may be time for a part of it alone, which is said then.
  if (death.ours && !autopsy.at("before").contains("cut")) {
    EXPECT_GE(autopsy.at("before").at("open_descriptors"), 3) << autopsy;
    EXPECT_GE(autopsy.at("before").at("threads"), 2) << autopsy;
  }
  EXPECT_GT(autopsy.at("usage").at("rss_peak_bytes"), 1 << 20) << autopsy;
  // Its interpreter may have said something at its end.
  const json last = death.handler == std::string("deaf") ? "deaf" : "warm";
  EXPECT_TRUE(std::ranges::count(autopsy.at("output"), last) > 0) << autopsy.at("output");
  const auto told = exit_event(daemon);
  ASSERT_TRUE(told.is_object());
  EXPECT_EQ(told.at("cause"), death.worker_cause) << told;
  const auto text = daemon.call("autopsy " + id).output;
  EXPECT_EQ(text.find(autopsy.at("sentence").get<std::string>()), 0U) << text;
}

class Deaths : public ::testing::TestWithParam<Death> {};

TEST_P(Deaths, IsToldWithItsCause) {
  const auto& death = GetParam();
  RealDaemon daemon({.config = mortals(), .arguments = {}, .prefix = {}});
  const auto sent =
      daemon.call("submit die." + std::string(death.handler) + " x --print-id " + death.options);
  ASSERT_EQ(sent.status, 0) << sent.output << daemon.log();
  const auto id = sent.output.substr(0, sent.output.find('\n'));
  daemon.call("wait " + id + " --timeout 30s");
  expect_told(daemon, id, death);
}

INSTANTIATE_TEST_SUITE_P(Each, Deaths, ::testing::ValuesIn(kDeaths),
                         [](const auto& each) { return std::string(each.param.handler); });

// What a slot's processes died of, once there is something to tell.
json deaths_of(const RealDaemon& daemon, const std::string& slot) {
  json kept;
  eventually([&] {
    kept = json::parse(daemon.call("autopsy " + slot + " --json").output, nullptr, false);
    return kept.is_object() && !kept.value("autopsies", json::array()).empty();
  });
  return kept.is_object() ? kept.value("autopsies", json::array()) : json::array();
}

TEST(Death, OfWhatNeverBeganIsToldOfItsSlot) {
  RealDaemon daemon({.config = "start_timeout = \"500ms\"\n[[class]]\nname = \"missing\"\n"
                               "command = [\"/no/such/program\"]\ntypes = [\"a\"]\nsize = 1\n"
                               "size_min = 0\n[[class]]\nname = \"mute\"\ncommand = [\"sleep\", "
                               "\"60\"]\ntypes = [\"b\"]\nsize = 1\nsize_min = 0\n",
                     .arguments = {},
                     .prefix = {}});
  const auto missing = deaths_of(daemon, "missing-0");
  ASSERT_FALSE(missing.empty()) << daemon.log();
  EXPECT_EQ(missing.front().at("cause"), "spawn-failed");
  EXPECT_NE(missing.front().at("sentence").get<std::string>().find("/no/such/program"),
            std::string::npos)
      << missing.front();
  const auto mute = deaths_of(daemon, "mute-0");
  ASSERT_FALSE(mute.empty()) << daemon.log();
  EXPECT_EQ(mute.front().at("cause"), "start-timeout");
  EXPECT_TRUE(mute.front().contains("before")) << mute.front();
}

TEST(Death, AnIdleWorkerThatIsStoppedIsEndedAsStopped) {
  RealDaemon daemon({.config = mortals(), .arguments = {}, .prefix = {}});
  ASSERT_EQ(daemon.call("submit die.echo x --wait").status, 0) << daemon.log();
  const json worker = json::parse(daemon.call("worker mortal-0 --json").output);
  ASSERT_EQ(::kill(worker.at("pid").get<pid_t>(), SIGSTOP), 0) << worker;
  const auto deaths = deaths_of(daemon, "mortal-0");
  ASSERT_FALSE(deaths.empty()) << daemon.log();
  EXPECT_EQ(deaths.back().at("cause"), "stopped");
  EXPECT_EQ(deaths.back().at("before").at("state"), "T");
  EXPECT_FALSE(deaths.back().contains("task"));
}

// The pid of the worker in mortal-0, once its task runs.
pid_t pid_at(const RealDaemon& daemon, const std::string& task) {
  json worker;
  eventually([&] {
    worker = json::parse(daemon.call("worker mortal-0 --json").output, nullptr, false);
    return worker.is_object() && worker.value("current_task", json()) == json::parse(task);
  });
  return worker.at("pid").get<pid_t>();
}

void stop_briefly(const RealDaemon& daemon, pid_t pid) {
  ASSERT_EQ(::kill(pid, SIGSTOP), 0);
  EXPECT_TRUE(eventually([&] { return daemon.log().find("is stopped") != std::string::npos; }));
  ASSERT_EQ(::kill(pid, SIGCONT), 0);
}

// It reports so often that it is never silent, for longer than dead_after.
TEST(Death, WhoWasStoppedBrieflyWhileItWorksIsNoneOfThem) {
  RealDaemon daemon({.config = mortals(), .arguments = {}, .prefix = {}});
  const auto sent = daemon.call("submit die.report x --print-id");
  ASSERT_EQ(sent.status, 0) << sent.output;
  const auto id = sent.output.substr(0, sent.output.find('\n'));
  stop_briefly(daemon, pid_at(daemon, id));
  EXPECT_EQ(daemon.call("wait " + id).status, 0) << daemon.log();
  EXPECT_NE(daemon.log().find("goes on"), std::string::npos) << daemon.log();
  EXPECT_EQ(status_of(daemon).at("performance").at("crashes"), 0) << daemon.log();
}

// Its beats come before each look.
TEST(Death, WhoWasStoppedBrieflyWhileItIsIdleIsNoneOfThem) {
  auto config = mortals();
  config.replace(config.find("\"300ms\""), 7, "\"100ms\"");
  RealDaemon daemon({.config = config, .arguments = {}, .prefix = {}});
  ASSERT_EQ(daemon.call("submit die.echo x --wait").status, 0) << daemon.log();
  const json worker = json::parse(daemon.call("worker mortal-0 --json").output);
  stop_briefly(daemon, worker.at("pid").get<pid_t>());
  EXPECT_TRUE(eventually([&] { return daemon.log().find("goes on") != std::string::npos; }));
  EXPECT_EQ(daemon.call("submit die.echo x --wait").status, 0) << daemon.log();
  EXPECT_EQ(json::parse(daemon.call("worker mortal-0 --json").output).at("pid"), worker.at("pid"));
}

// Longer than dead_after; told as what it is, and not ended.
TEST(Death, WhoHoldsTheInterpretersLockIsNoneOfThem) {
  RealDaemon daemon({.config = mortals(), .arguments = {}, .prefix = {}});
  const auto sent = daemon.call("submit die.hold 4 --print-id");
  ASSERT_EQ(sent.status, 0) << sent.output;
  EXPECT_TRUE(eventually([&] {
    const auto health = daemon.call("workers").output;
    return health.find("computing") != std::string::npos ||
           daemon.call("show " + sent.output).output.find("done") != std::string::npos;
  })) << daemon.call("workers").output;
  const auto result = daemon.call("wait " + sent.output.substr(0, sent.output.find('\n')));
  EXPECT_EQ(result.status, 0) << result.output << daemon.log();
  const json status = json::parse(daemon.call("status --json").output);
  EXPECT_EQ(status.at("performance").at("crashes"), 0) << status;
}

// No ping is answered meanwhile.
TEST(Death, WhoHoldsTheInterpretersLockIsNotEndedForPingsEither) {
  const auto config =
      mortals() + "check = \"ping\"\ncheck_interval = \"200ms\"\ncheck_timeout = \"100ms\"\n";
  RealDaemon daemon({.config = config, .arguments = {}, .prefix = {}});
  ASSERT_EQ(daemon.call("submit die.echo x --wait").status, 0) << daemon.log();
  const json before = json::parse(daemon.call("worker mortal-0 --json").output);
  ASSERT_EQ(daemon.call("submit die.hold 3 --wait").status, 0) << daemon.log();
  EXPECT_NE(daemon.log().find("fails its check, 3 in a row"), std::string::npos) << daemon.log();
  EXPECT_EQ(daemon.call("submit die.echo x --wait").status, 0) << daemon.log();
  const json after = json::parse(daemon.call("worker mortal-0 --json").output);
  EXPECT_EQ(after.at("pid"), before.at("pid")) << daemon.log();
}

TEST(Death, WhoSitsInOneLongCallIsNoneOfThem) {
  RealDaemon daemon({.config = mortals(), .arguments = {}, .prefix = {}});
  const auto sent = daemon.call("submit die.call 4 --print-id");
  ASSERT_EQ(sent.status, 0) << sent.output;
  const auto id = sent.output.substr(0, sent.output.find('\n'));
  EXPECT_TRUE(eventually([&] {
    return daemon.call("worker mortal-0 --json").output.find("\"doing\":\"waiting\"") !=
           std::string::npos;
  })) << daemon.call("worker mortal-0 --json").output;
  EXPECT_EQ(daemon.call("wait " + id).status, 0) << daemon.log();
  const json status = json::parse(daemon.call("status --json").output);
  EXPECT_EQ(status.at("performance").at("crashes"), 0) << status;
}

TEST(Death, ARunThatShowsNoProgressHasHungAndOneThatPrintsHasNot) {
  RealDaemon daemon(
      {.config = mortals() + "progress_timeout = \"1s\"\n", .arguments = {}, .prefix = {}});
  EXPECT_EQ(daemon.call("submit die.print x --wait").status, 0) << daemon.log();
  const auto sent = daemon.call("submit die.silent 20 --print-id");
  const auto id = sent.output.substr(0, sent.output.find('\n'));
  daemon.call("wait " + id + " --timeout 20s");
  const json kept = json::parse(daemon.call("autopsy " + id + " --json").output);
  ASSERT_EQ(kept.at("autopsies").size(), 1U) << kept << daemon.log();
  EXPECT_EQ(kept.at("autopsies").front().at("cause"), "hung") << kept;
  const json shown = json::parse(daemon.call("show " + id + " --json").output);
  EXPECT_EQ(shown.at("attempts").back().at("cause"), "hung") << shown;
  EXPECT_EQ(shown.at("crashes"), 1) << shown;
}

TEST(Death, ItsAutopsyOutlivesTheDaemon) {
  RealDaemon daemon({.config = mortals(), .arguments = {}, .prefix = {}});
  const auto sent = daemon.call("submit die.garbage x --print-id");
  const auto id = sent.output.substr(0, sent.output.find('\n'));
  daemon.call("wait " + id + " --timeout 30s");
  const auto before = json::parse(daemon.call("autopsy " + id + " --json").output);
  ASSERT_EQ(before.at("autopsies").size(), 1U) << before;
  daemon.signal(SIGKILL);
  daemon.wait();
  ASSERT_TRUE(daemon.start()) << daemon.log();
  EXPECT_EQ(json::parse(daemon.call("autopsy " + id + " --json").output), before);
}

// The only autopsy of a task that failed for good.
json autopsy_of_failed(const RealDaemon& daemon, const std::string& what) {
  const auto sent = daemon.call("submit " + what + " --retries 0 --print-id");
  const auto id = sent.output.substr(0, sent.output.find('\n'));
  daemon.call("wait " + id + " --timeout 30s");
  const auto kept = json::parse(daemon.call("autopsy " + id + " --json").output, nullptr, false);
  const auto list = kept.is_object() ? kept.value("autopsies", json::array()) : json::array();
  EXPECT_EQ(list.size(), 1U) << kept << daemon.log();
  return list.empty() ? json::object() : list.front();
}

TEST(Failure, OfACommandHasItsStatusOrSignal) {
  const RealDaemon daemon;
  auto one = autopsy_of_failed(daemon, R"(exec '{"argv":["sh","-c","echo why >&2; exit 3"]}')");
  EXPECT_EQ(one.at("cause"), "failed");
  EXPECT_EQ(one.at("code"), 3) << one;
  EXPECT_TRUE(one.at("signal").is_null()) << one;
  EXPECT_EQ(one.at("by_warmpool"), false);
  EXPECT_NE(one.at("sentence").get<std::string>().find("exited with status 3: why"),
            std::string::npos)
      << one;
  EXPECT_GT(one.at("usage").at("rss_peak_bytes"), 1 << 20) << one;
  one = autopsy_of_failed(daemon, R"(exec '{"argv":["sh","-c","kill -SEGV $$"]}')");
  EXPECT_EQ(one.at("signal"), 11) << one;
  EXPECT_TRUE(one.at("code").is_null()) << one;
  one = autopsy_of_failed(daemon, R"(exec '{"argv":["/no/such/program"]}')");
  EXPECT_EQ(one.at("cause"), "failed-for-good") << one;
  EXPECT_EQ(one.at("code"), 127) << one;
}

TEST(Failure, OfAHandlerHasWhatItSaidAndPrinted) {
  const RealDaemon daemon({.config = mortals(), .arguments = {}, .prefix = {}});
  const auto one = autopsy_of_failed(daemon, "die.raise 'no such thing'");
  EXPECT_EQ(one.at("cause"), "failed");
  EXPECT_NE(one.at("sentence").get<std::string>().find("failed: no such thing"), std::string::npos)
      << one;
  EXPECT_EQ(one.at("output"), json::array({"about to fail"})) << one;
  EXPECT_FALSE(one.contains("code")) << one;
}

TEST(Failure, OfACancelledTaskHasNone) {
  const RealDaemon daemon;
  const auto sent = daemon.call("submit " + daemon.gated_task() + " --print-id");
  const auto id = sent.output.substr(0, sent.output.find('\n'));
  EXPECT_TRUE(eventually([&] {
    return daemon.call("show " + id + " --json").output.find("\"running\"") != std::string::npos;
  }));
  daemon.call("cancel " + id);
  daemon.call("wait " + id + " --timeout 30s");
  const auto kept = json::parse(daemon.call("autopsy " + id + " --json").output, nullptr, false);
  EXPECT_TRUE(kept.is_object() && kept.at("autopsies").empty()) << kept;
}

TEST(Death, WhoAsksForNoneIsTold) {
  RealDaemon daemon({.config = mortals(), .arguments = {}, .prefix = {}});
  ASSERT_EQ(daemon.call("submit die.echo x --wait").status, 0) << daemon.log();
  const auto asked = [&](const std::string& what) {
    return run_shell(daemon.command("autopsy " + what) + " 2>&1");
  };
  const auto of_slot = asked("mortal-0");
  EXPECT_EQ(of_slot.status, 1);
  EXPECT_NE(of_slot.output.find("has ended badly"), std::string::npos) << of_slot.output;
  EXPECT_NE(asked("nobody").output.find("warmpool workers"), std::string::npos);
}

}  // namespace
}  // namespace warmpool::test
