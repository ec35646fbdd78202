// Every command of the command line against a real daemon.
#include <csignal>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

using nlohmann::json;

RealDaemon::Setup two_workers() {
  return {.config = "", .arguments = {"--workers", "2"}, .prefix = ""};
}

std::vector<json> json_lines(const std::string& text) {
  std::vector<json> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(json::parse(line));
  }
  return lines;
}

std::string first_word(const std::string& text) {
  return text.substr(0, text.find_first_of(" \n"));
}

TEST(Commands, GiveOneDocumentEach) {
  const RealDaemon daemon(two_workers());
  const std::string id = first_word(daemon.call("submit echo hello --print-id").output);
  ASSERT_EQ(daemon.call("wait " + id + " --timeout 2m").status, 0);
  for (const std::string command : {"status",
                                    "workers",
                                    "status --board",
                                    "workers --board",
                                    "worker worker-0",
                                    "types",
                                    "ls",
                                    "ls --state done",
                                    "dlq ls",
                                    "ping",
                                    "config show --origin",
                                    "pause echo",
                                    "resume echo",
                                    "pause",
                                    "resume",
                                    "pause --class worker",
                                    "resume --all",
                                    "breaker ls",
                                    "scale +1",
                                    "scale -1",
                                    "dlq retry --all",
                                    "dlq rm --all",
                                    "drain",
                                    "drain --undo",
                                    "config check /dev/null",
                                    "version",
                                    "restart worker-1",
                                    "restart --all",
                                    "check worker-0",
                                    "log --slot worker-0",
                                    "heartbeat worker-0 idle"}) {
    const auto ran = daemon.call(command + " --json");
    EXPECT_EQ(ran.status, 0) << command;
    const auto lines = json_lines(ran.output);
    ASSERT_EQ(lines.size(), 1U) << command;
    EXPECT_EQ(lines.front().at("schema"), 1) << command;
    EXPECT_NE(daemon.call(command).output, ran.output) << command;
  }
  for (const std::string command : {"show ", "result ", "wait ", "log "}) {
    const auto ran = daemon.call(command + id + " --json");
    EXPECT_EQ(ran.status, 0) << command;
    EXPECT_EQ(json::parse(ran.output).at("schema"), 1) << command;
  }
  EXPECT_EQ(daemon.call("result " + id).output, "hello");
}

TEST(Commands, RunIsTheCommand) {
  const RealDaemon daemon(two_workers());
  const auto ran = daemon.call("run -n -- sh -c 'echo out; exit 3'");
  EXPECT_EQ(ran.status, 3);
  EXPECT_EQ(ran.output, "out\n");
  const auto piped =
      run_shell("printf 'a\\nb\\n' | " + daemon.command("run --env X=1 -- sh -c 'cat; echo $X'"));
  EXPECT_EQ(piped.output, "a\nb\n1\n");
  EXPECT_EQ(daemon.call("run -n -- sh -c 'kill -9 $$'").status, 137);
  EXPECT_EQ(daemon.call("run -n --timeout 200ms -- sleep 30").status, 124);
  EXPECT_EQ(daemon.call("run -n -- /no/such/program").status, 127);
  EXPECT_EQ(daemon.call("run -n -- /etc/passwd").status, 126);
}

TEST(Commands, RestartKeepsTheCapacityAndTheNames) {
  const RealDaemon daemon(two_workers());
  const std::string id =
      first_word(daemon.call("submit " + daemon.gated_task() + " --print-id").output);
  EXPECT_TRUE(eventually([&] {
    return json::parse(daemon.call("status --json").output).at("tasks").at("running") == 1;
  }));
  const auto before = daemon.workers();
  // One of the two ends only when its task has.
  std::jthread opens([&] {
    EXPECT_TRUE(eventually([&] { return daemon.workers() != before; }));
    daemon.open_gate();
  });
  const auto restarted = daemon.call("restart --all --timeout 60s --json");
  EXPECT_EQ(restarted.status, 0);
  EXPECT_EQ(json::parse(restarted.output).at("restarting"), 2);
  for (const pid_t pid : daemon.workers()) {
    EXPECT_EQ(std::count(before.begin(), before.end(), pid), 0) << pid;
  }
  const auto done = json::parse(daemon.call("wait " + id + " --json").output).at("tasks")[0];
  EXPECT_EQ(done.at("verdict"), "done") << "a running task is not cut short";
  std::set<std::string> names;
  const auto document = json::parse(daemon.call("workers --json").output);
  for (const auto& row : document.at("workers")) {
    names.insert(row.at("id"));
    EXPECT_EQ(row.at("processes_spawned"), 2) << row;
  }
  EXPECT_EQ(names, (std::set<std::string>{"worker-0", "worker-1"}));
  EXPECT_EQ(daemon.call("restart worker-7").status, 1);
  EXPECT_EQ(daemon.call("restart").status, 2);
}

TEST(Commands, CheckEndsByTheHealthOfASlot) {
  const RealDaemon daemon(two_workers());
  EXPECT_TRUE(eventually([&] { return daemon.call("check worker-0").status == 0; }));
  EXPECT_EQ(daemon.call("check worker-0").output, "worker-0 is healthy (ready)\n");
  EXPECT_EQ(daemon.call("check worker-9").status, 1);
}

TEST(Commands, WhyNamesWhatATaskWaitsFor) {
  const RealDaemon daemon(two_workers());
  ASSERT_TRUE(eventually([&] { return daemon.call("check worker-1").status == 0; }));
  const std::string runs = first_word(daemon.call("submit sleep 60000 --print-id").output);
  daemon.call("submit sleep 60000");
  ASSERT_TRUE(eventually([&] {
    return json::parse(daemon.call("status --json").output).at("tasks").at("running") == 2;
  }));
  const std::string waits = first_word(daemon.call("submit echo x --print-id").output);
  const auto why = [&](const std::string& id) {
    const auto ran = daemon.call("why " + id + " --json");
    EXPECT_EQ(ran.status, 0) << ran.output;
    return json::parse(ran.output);
  };
  EXPECT_EQ(why(waits).at("reasons").at(0).at("rule"), "busy");
  EXPECT_EQ(why(runs).at("waits"), false);
  daemon.call("pause echo");
  EXPECT_EQ(why(waits).at("reasons").at(0).at("change"), "warmpool resume echo");
  const std::string later = first_word(daemon.call("submit echo x --delay 1h --print-id").output);
  EXPECT_EQ(why(later).at("reasons").at(0).at("rule"), "delayed");
  EXPECT_EQ(daemon.call("why 4711").status, 1);
  EXPECT_EQ(daemon.call("why").status, 2);
}

TEST(Commands, ABreakerHoldsATypeThatFailsAndIsOpenedAndClosedByHand) {
  const RealDaemon daemon(
      {.config = "[[class]]\nname = \"worker\"\nsize = 1\ntypes = [\"echo\", \"fail\"]\n"
                 "command = [\"" +
                 program_directory() +
                 "/warmpool-worker\"]\n[[type]]\nname = \"fail\"\nbreaker = true\n"
                 "breaker_failures = 2\nbreaker_cooldown = \"10m\"\n",
       .arguments = {},
       .prefix = ""});
  for (int i = 0; i < 2; ++i) daemon.call("submit fail 9 --retries 0 --wait");
  const auto breaker = [&] {
    return json::parse(daemon.call("breaker ls --json").output).at("breakers").at(0);
  };
  ASSERT_TRUE(eventually([&] { return breaker().at("state") == "open"; }));
  const std::string waits = first_word(daemon.call("submit fail 9 --retries 0 --print-id").output);
  const auto why = daemon.call("why " + waits).output;
  EXPECT_NE(why.find("breaker: the circuit breaker of fail is open since "), std::string::npos)
      << why;
  EXPECT_NE(why.find("warmpool breaker close fail"), std::string::npos) << why;
  EXPECT_EQ(daemon.call("submit echo x --wait").status, 0) << "others run";
  EXPECT_EQ(daemon.call("breaker close fail").status, 0);
  EXPECT_EQ(daemon.call("wait " + waits).status, 1) << "it ran, and failed";
  EXPECT_EQ(daemon.call("breaker open fail --for 1h").status, 0);
  EXPECT_EQ(breaker().at("why"), "by-hand");
  EXPECT_EQ(daemon.call("breaker open echo").status, 1) << "it has none";
  EXPECT_NE(daemon.log().find("breaker-opened type=fail failures=2"), std::string::npos);
}

TEST(Commands, LogShowsWhatAWorkerAndATaskWrote) {
  const RealDaemon daemon(
      {.config = "[[class]]\nname = \"worker\"\nsize = 1\ntypes = [\"sleep\"]\ncommand = [\"sh\", "
                 "\"-c\", \"echo begins >&2; while sleep 0.05; do echo tick; done & "
                 "exec " +
                 program_directory() + "/warmpool-worker\"]\n",
       .arguments = {},
       .prefix = ""});
  EXPECT_TRUE(eventually(
      [&] { return daemon.call("log --slot worker-0 -n 64").output.starts_with("begins\n"); }));
  const std::string id = first_word(daemon.call("submit sleep 300 --print-id").output);
  EXPECT_EQ(daemon.call("wait " + id).status, 0);
  const auto log = daemon.call("log " + id + " -n 2");
  EXPECT_EQ(log.status, 0);
  EXPECT_EQ(log.output, "tick\ntick\n");
  EXPECT_EQ(daemon.call("log").status, 2);
  const auto unknown = run_shell(daemon.command("log 12345") + " 2>&1");
  EXPECT_EQ(unknown.status, 1);
  EXPECT_TRUE(unknown.output.starts_with("warmpool: task 12345: no task")) << unknown.output;
}

TEST(Commands, LogFollowsATaskToItsEnd) {
  const RealDaemon daemon(
      {.config = "[[class]]\nname = \"worker\"\nsize = 1\ntypes = [\"talk\"]\ncommand = [\"" +
                 program_directory() +
                 "/warmpool-worker\", \"--wrap\", \"lines\", \"--\", \"sh\", \"-c\", \"while read "
                 "-r line; do for i in 1 2 3 4 5 6 7 8 9; do sleep 0.05; echo line $i; done; echo "
                 "'{\\\"result\\\":1}'; done\"]\n",
       .arguments = {},
       .prefix = ""});
  const std::string id = first_word(daemon.call("submit talk x --print-id").output);
  std::string said;
  for (int i = 1; i <= 9; ++i) said += "line " + std::to_string(i) + '\n';
  const auto log = daemon.call("log " + id + " -f -n 1000");
  EXPECT_EQ(log.status, 0);
  EXPECT_EQ(log.output, said);
  EXPECT_EQ(daemon.call("log " + id + " -f -n 2").output, "line 8\nline 9\n");
  EXPECT_EQ(daemon.call("log 12345 -f").status, 1);
}

TEST(Commands, DeadLettersGetAnotherRound) {
  const RealDaemon daemon(two_workers());
  const auto failed = daemon.call("submit fail 1 --retries 0 --wait");
  EXPECT_EQ(failed.status, 1);
  const auto dead = json::parse(daemon.call("dlq ls --json").output).at("tasks");
  ASSERT_EQ(dead.size(), 1U);
  const auto id = std::to_string(dead[0].at("id").get<std::uint64_t>());
  EXPECT_EQ(daemon.call("dlq retry " + id).status, 0);
  EXPECT_EQ(daemon.call("wait " + id + " --timeout 2m").status, 1);
  EXPECT_EQ(json::parse(daemon.call("dlq show " + id + " --json").output).at("round"), 2);
  EXPECT_EQ(daemon.call("dlq retry 12345").status, 1);
}

TEST(Commands, CancelAndWaitAgree) {
  const RealDaemon daemon(two_workers());
  const std::string id = first_word(daemon.call("submit sleep 60000 --print-id").output);
  EXPECT_EQ(daemon.call("result " + id).status, 1);
  EXPECT_EQ(daemon.call("wait " + id + " --timeout 50ms").status, 124);
  EXPECT_EQ(daemon.call("cancel " + id).status, 0);
  EXPECT_EQ(daemon.call("wait " + id).status, 1);
  EXPECT_EQ(daemon.call("cancel " + id).status, 1);
}

TEST(Commands, RefusalsAreSaidAndHaveTheirStatus) {
  const RealDaemon daemon(two_workers());
  const auto unknown = run_shell(daemon.command("submit nosuch x") + " 2>&1");
  EXPECT_EQ(unknown.status, 1);
  EXPECT_NE(unknown.output.find("file.digest"), std::string::npos) << unknown.output;
  EXPECT_EQ(daemon.call("drain").status, 0);
  EXPECT_EQ(daemon.call("submit echo x").status, 75);
  EXPECT_EQ(run_shell("echo x | " + daemon.command("map echo")).status, 75);
  EXPECT_EQ(daemon.call("drain --undo").status, 0);
  EXPECT_EQ(daemon.call("submit echo x --wait").status, 0);
}

TEST(Commands, StopReturnsWhenTheDaemonIsGone) {
  RealDaemon daemon(two_workers());
  EXPECT_EQ(daemon.call("stop").status, 0);
  EXPECT_NE(::access((daemon.directory() + "/warmpool.sock").c_str(), F_OK), 0);
  EXPECT_EQ(daemon.wait(), 0);
  EXPECT_EQ(daemon.call("status").status, 69);
}

TEST(Commands, MapLivesThroughTheEndOfItsDaemon) {
  RealDaemon daemon(two_workers());
  const std::string results = daemon.directory() + "/results";
  const std::string map = "seq 300 | sed 's/.*/10/' | " +
                          daemon.command("map sleep --in-flight 20") + " > " + results +
                          "; echo $? > " + results + ".status";
  std::thread running([&] { run_shell(map); });
  const auto lines = [&] {
    std::ifstream file(results);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  };
  EXPECT_TRUE(eventually([&] { return lines().size() > 1'000; }));
  daemon.signal(SIGKILL);
  daemon.wait();
  EXPECT_TRUE(daemon.start());
  running.join();
  std::ifstream status(results + ".status");
  int code = -1;
  status >> code;
  EXPECT_EQ(code, 0);
  std::multiset<int> numbers;
  for (const auto& line : json_lines(lines())) {
    EXPECT_EQ(line.at("verdict"), "done") << line;
    numbers.insert(line.at("line").get<int>());
  }
  EXPECT_EQ(numbers.size(), 300U);
  EXPECT_EQ(std::set<int>(numbers.begin(), numbers.end()).size(), 300U);
}

// With one task in a worker's hand none is taken back: of who was, the history stays.
TEST(Commands, AutomaticKeysLeaveNoTrace) {
  const RealDaemon daemon({.config = "[[class]]\nname = \"worker\"\ncommand = [\"" +
                                     program("warmpool-worker") +
                                     "\"]\ntypes = [\"echo\", \"exec\"]\nsize = 2\ncredits = 1\n",
                           .arguments = {},
                           .prefix = ""});
  const auto figure = [&](const char* group, const char* name) {
    return json::parse(daemon.call("status --json").output).at(group).at(name);
  };
  const auto keys = [&](int wanted) {
    return eventually([&] { return figure("queue", "keys") == wanted; });
  };
  EXPECT_EQ(run_shell("seq 2000 | " + daemon.command("map echo >/dev/null")).status, 0);
  EXPECT_TRUE(keys(0));
  EXPECT_EQ(daemon.call("submit echo x").status, 0);
  EXPECT_EQ(daemon.call("run -n -- true").status, 0);
  EXPECT_TRUE(keys(0));
  EXPECT_EQ(daemon.call("submit echo x --key mine").status, 0);
  EXPECT_TRUE(keys(1));
  EXPECT_TRUE(eventually([&] { return figure("store", "finished") == 2; }))
      << "results that were printed are gone, those to be fetched are there";
}

TEST(Commands, AnInterruptedMapLeavesNothingRunning) {
  const RealDaemon daemon(two_workers());
  const auto ran =
      run_shell("seq 100 | sed 's/.*/200/' | timeout --foreground --preserve-status -s INT 1 " +
                daemon.command("map sleep --in-flight 10") + " 2>&1 >/dev/null");
  EXPECT_EQ(ran.status, 130);
  EXPECT_NE(ran.output.find("cancelled"), std::string::npos) << ran.output;
  const auto tasks = json::parse(daemon.call("status --json").output).at("tasks");
  EXPECT_EQ(tasks.at("running"), 0);
  EXPECT_EQ(tasks.at("waiting"), 0);
}

TEST(Commands, EventsTellWhatHappensAndWhatHappened) {
  const RealDaemon daemon(two_workers());
  const std::string file = daemon.directory() + "/events";
  std::thread following([&] {
    run_shell("echo $$ > " + file + ".pid; exec " + daemon.command("events -f") + " > " + file);
  });
  EXPECT_TRUE(eventually([&] {
    return json::parse(daemon.call("status --json").output).at("events").at("followers") == 1;
  }));
  EXPECT_EQ(daemon.call("submit echo x --wait").status, 0);
  ::kill(daemon.workers().front(), SIGKILL);
  const auto text = [&] {
    std::ifstream lines(file);
    std::stringstream all;
    all << lines.rdbuf();
    return all.str();
  };
  for (const std::string name : {"task-submitted", "task-started", "task-completed",
                                 "worker-exited", "worker-started", "worker-ready"}) {
    EXPECT_TRUE(eventually([&] { return text().find(name) != std::string::npos; })) << name;
  }
  EXPECT_EQ(daemon.call("stop").status, 0);
  EXPECT_TRUE(eventually([&] { return text().find("pool-shutdown") != std::string::npos; }));
  pid_t follower = 0;
  std::ifstream(file + ".pid") >> follower;
  ASSERT_GT(follower, 0);
  ::kill(follower, SIGINT);
  following.join();
  std::uint64_t last = 0;
  for (const auto& line : json_lines(text())) {
    EXPECT_GT(line.at("number").get<std::uint64_t>(), last);
    last = line.at("number").get<std::uint64_t>();
    if (line.at("event") != "worker-exited" || line.at("signal") != SIGKILL) continue;
    EXPECT_TRUE(line.at("code").is_null()) << line;
  }
}

TEST(Commands, AReaderThatGoesAwayEndsMap) {
  const RealDaemon daemon(two_workers());
  const auto ran = run_shell("bash -c 'seq 100000 | " + daemon.command("map echo") +
                             " | head -n 1 >/dev/null; echo ${PIPESTATUS[1]}'");
  EXPECT_EQ(ran.output, "141\n");
  EXPECT_EQ(run_shell(daemon.command("status >/dev/full 2>/dev/null")).status, 1);
}

TEST(Commands, BenchReuseTellsWhatReuseIsWorthSlow) {
  const auto ran =
      run_shell(program_directory() + "/warmpool bench reuse --tasks 2000 --workers 2 --json");
  ASSERT_EQ(ran.status, 0) << ran.output;
  const auto document = json::parse(ran.output);
  EXPECT_GE(document.at("reuse_rate"), 0.99);
  EXPECT_GT(document.at("overhead_gain"), 1)
      << "machines of tests are busy: the bench itself says more";
  EXPECT_EQ(document.at("zombies"), 0);
  EXPECT_EQ(document.at("processes_before"), document.at("processes_after"));
  EXPECT_EQ(document.at("spawns"), document.at("processes_after"));
  if (!document.at("interpreted").is_null()) {
    EXPECT_GT(document.at("interpreted").at("gain"), 1);
    EXPECT_GT(document.at("interpreted").at("memory_gain"), 1);
  }
}

TEST(Commands, BenchDurableTellsWhatDurableCostsSlow) {
  // Servers that are not installed are named and left out.
  const auto ran = run_shell("PATH=/nonexistent " + program_directory() +
                             "/warmpool bench durable --tasks 1000 --rounds 1 --json");
  ASSERT_EQ(ran.status, 0) << ran.output;
  const auto document = json::parse(ran.output);
  ASSERT_EQ(document.at("cases").size(), 4U);
  for (const auto& row : document.at("cases")) {
    EXPECT_GT(row.at("tasks_per_second"), 0) << row;
    EXPECT_GT(row.at("syncs_per_task"), 0) << row;
    EXPECT_LE(row.at("syncs_per_task"), 2) << row;
  }
  for (const auto& [name, said] : document.at("peers").items()) {
    EXPECT_TRUE(said.get<std::string>().starts_with("not measured: cannot run " + name)) << said;
  }
  EXPECT_EQ(document.at("peers").size(), 2U);
}

}  // namespace
}  // namespace warmpool::test
