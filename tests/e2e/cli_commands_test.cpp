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
  for (const std::string command :
       {"status", "workers", "worker worker-0", "types", "ls", "ls --state done", "dlq ls", "ping",
        "config show --origin", "pause echo", "resume", "scale +1", "scale -1", "dlq retry --all",
        "dlq rm --all", "drain", "drain --undo", "version"}) {
    const auto ran = daemon.call(command + " --json");
    EXPECT_EQ(ran.status, 0) << command;
    const auto lines = json_lines(ran.output);
    ASSERT_EQ(lines.size(), 1U) << command;
    EXPECT_EQ(lines.front().at("schema"), 1) << command;
    EXPECT_NE(daemon.call(command).output, ran.output) << command;
  }
  for (const std::string command : {"show ", "result ", "wait "}) {
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
  EXPECT_EQ(daemon.call("run -n -- /no/such/program").status, 1);
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

TEST(Commands, AnInterruptedMapLeavesNothingRunning) {
  const RealDaemon daemon(two_workers());
  const auto ran = run_shell("seq 100 | sed 's/.*/200/' | timeout --preserve-status -s INT 1 " +
                             daemon.command("map sleep --in-flight 10") + " 2>&1 >/dev/null");
  EXPECT_EQ(ran.status, 130);
  EXPECT_NE(ran.output.find("cancelled"), std::string::npos) << ran.output;
  const auto tasks = json::parse(daemon.call("status --json").output).at("tasks");
  EXPECT_EQ(tasks.at("running"), 0);
  EXPECT_EQ(tasks.at("waiting"), 0);
}

TEST(Commands, AReaderThatGoesAwayEndsMap) {
  const RealDaemon daemon(two_workers());
  const auto ran = run_shell("bash -c 'seq 100000 | " + daemon.command("map echo") +
                             " | head -n 1 >/dev/null; echo ${PIPESTATUS[1]}'");
  EXPECT_EQ(ran.output, "141\n");
  EXPECT_EQ(run_shell(daemon.command("status >/dev/full 2>/dev/null")).status, 1);
}

}  // namespace
}  // namespace warmpool::test
