// The stock type exec.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/patience.hpp"
#include "tests/worker/call.hpp"
#include "worker/stock/exec_request.hpp"
#include "worker/stock/stock.hpp"

namespace warmpool::worker::testing {
namespace {

using nlohmann::json;

json shell(const std::string& script) { return {{"argv", {"/bin/sh", "-c", script}}}; }

Answer exec(const json& request) { return call(stock::exec, request.dump()); }

json result_of(const Answer& answer) {
  EXPECT_EQ(Outcome::Done, answer.outcome) << answer.body;
  EXPECT_EQ(Content::Json, answer.content);
  return json::parse(answer.body, nullptr, false);
}

// The second line of a failed run's error.
json report_of(const Answer& answer) {
  EXPECT_EQ(Outcome::Failed, answer.outcome) << answer.body;
  return json::parse(answer.body.substr(answer.body.find('\n') + 1), nullptr, false);
}

TEST(Exec, GivesStatusAndOutput) {
  const json result = result_of(exec(shell("echo out; echo err >&2")));
  EXPECT_EQ(0, result["status"]);
  EXPECT_TRUE(result["signal"].is_null());
  EXPECT_EQ("out\n", result["stdout"]);
  EXPECT_EQ("err\n", result["stderr"]);
  EXPECT_FALSE(result["stdout_truncated"]);
  EXPECT_FALSE(result["stderr_truncated"]);
  EXPECT_GT(result["seconds"], 0.0);
  EXPECT_LT(result["seconds"], 20.0);
}

TEST(Exec, StartsInTheDirectoryOfItsAttemptUnlessTheTaskNamesAnother) {
  const Scratch scratch;
  const auto directory = scratch.path("own");
  ASSERT_EQ(0, ::mkdir(directory.c_str(), 0700));
  const auto run_in = [&](const json& request) {
    Call call(request.dump());
    call.directory = directory;
    return result_of(call.run(stock::exec))["stdout"];
  };
  json request = shell("pwd; echo $WARMPOOL_DIRECTORY");
  EXPECT_EQ(directory + "\n" + directory + "\n", run_in(request));
  request["cwd"] = "/";
  request["env"] = {{"WARMPOOL_DIRECTORY", "mine"}};
  EXPECT_EQ("/\nmine\n", run_in(request));
}

// What it says of a program does not depend on how it is started.
TEST(Exec, TiedToItsWorkerItDoesTheSame) {
  const auto tied = [](const json& request) { return call(stock::exec_tied, request.dump()); };
  json request = shell("cat; pwd; echo err >&2; echo $WP_ADDED; ls /proc/self/fd | wc -l; exit 3");
  request["stdin"] = "in ";
  request["cwd"] = "/";
  request["env"] = {{"WP_ADDED", "added"}};
  request["ok_status"] = 3;
  auto with = result_of(tied(request)), without = result_of(exec(request));
  EXPECT_EQ("in /\nadded\n4\n", with["stdout"]);
  for (auto* result : {&with, &without}) result->erase("seconds");
  EXPECT_EQ(without, with);
  for (const char* const program : {"/no/such/program", "no-such-program", "/etc/passwd"}) {
    auto failed = tied({{"argv", {program}}}), known = exec({{"argv", {program}}});
    EXPECT_EQ(Outcome::FailedForGood, failed.outcome) << program;
    EXPECT_EQ(known.body.substr(0, known.body.find('\n')),
              failed.body.substr(0, failed.body.find('\n')));
  }
  // Its own group, no signal blocked or ignored. The shell reads its masks itself, because it
  // blocks signals while it starts a program.
  const char* const state =
      "cut -d' ' -f1,5 /proc/$$/stat; while read -r name mask; do case $name in "
      "SigBlk:|SigIgn:) echo $name $mask;; esac; done </proc/$$/status";
  std::stringstream lines(result_of(tied(shell(state)))["stdout"].get<std::string>());
  std::string pid, group, blocked, ignored, name;
  lines >> pid >> group >> name >> blocked >> name >> ignored;
  EXPECT_EQ(pid, group);
  EXPECT_EQ("0000000000000000", blocked);
  EXPECT_EQ("0000000000000000", ignored);
}

TEST(Exec, FindsItsProgramByPathAndHasNoInputUnlessGiven) {
  EXPECT_EQ("", result_of(exec({{"argv", {"cat"}}}))["stdout"]);
}

TEST(Exec, FeedsAndReadsMoreThanAPipeHoldsBothWays) {
  json request{{"argv", {"cat"}}, {"output_bytes_max", 600'000}};
  const std::string large(600'000, 'x');
  request["stdin"] = large;
  Call calling(request.dump());
  calling.result_bytes = 16U << 20;
  EXPECT_EQ(large, result_of(calling.run(stock::exec))["stdout"]);
}

TEST(Exec, LivesWithAProgramThatDoesNotReadItsInput) {
  json request = shell("exec <&-; echo done");
  request["stdin"] = std::string(500'000, 'x');
  EXPECT_EQ("done\n", result_of(exec(request))["stdout"]);
}

TEST(Exec, KeepsTheFirstBytesOfALongOutputAndSaysSo) {
  json request = shell("head -c 5000000 /dev/zero | tr '\\0' x; echo small >&2");
  request["output_bytes_max"] = 1000;
  const json result = result_of(exec(request));
  EXPECT_EQ(std::string(1000, 'x'), result["stdout"]);
  EXPECT_TRUE(result["stdout_truncated"]);
  EXPECT_EQ("small\n", result["stderr"]);
  EXPECT_FALSE(result["stderr_truncated"]);
}

TEST(Exec, DoesNotCutACharacterInHalf) {
  json request = shell("printf 'aaa\\303\\251'");
  request["output_bytes_max"] = 4;
  EXPECT_EQ("aaa", result_of(exec(request))["stdout"]);
}

TEST(Exec, MakesTheResultFitWhatTheDaemonTakes) {
  Call calling(shell("head -c 200000 /dev/zero").dump());
  calling.result_bytes = 10'000;
  const Answer answer = calling.run(stock::exec);
  EXPECT_LE(answer.body.size(), 10'000U);
  EXPECT_TRUE(result_of(answer)["stdout_truncated"]);
}

TEST(Exec, GivesOutputThatIsNoTextAsBase64) {
  const json result = result_of(exec(shell("printf '\\377\\000\\001'")));
  EXPECT_EQ("/wAB", result["stdout"]["base64"]);
  json request{{"argv", {"od", "-An", "-tx1"}}, {"stdin", {{"base64", "/wAB"}}}};
  EXPECT_EQ(" ff 00 01\n", result_of(exec(request))["stdout"]);
}

TEST(Exec, SetsEnvironmentAndDirectory) {
  const Scratch scratch;
  ::setenv("WARMPOOL_TEST_GONE", "1", 1);
  json request = shell("echo $ADDED-$WARMPOOL_TEST_GONE-$PWD; test -n \"$PATH\"");
  request["env"] = {{"ADDED", "a=b c"}, {"WARMPOOL_TEST_GONE", nullptr}};
  const std::string directory = scratch.write("file", "").substr(0, scratch.path("").size() - 1);
  request["cwd"] = directory;
  const std::string output = result_of(exec(request))["stdout"];
  EXPECT_TRUE(output.starts_with("a=b c--/")) << output;
  EXPECT_TRUE(output.ends_with(directory + '\n')) << output;
}

TEST(Exec, StatusOtherThanZeroIsAFailureWithItsReport) {
  const Answer answer = exec(shell("echo partial; echo 'first\nno such thing' >&2; exit 3"));
  EXPECT_TRUE(answer.body.starts_with("exited with status 3: no such thing\n")) << answer.body;
  EXPECT_EQ(3, report_of(answer)["status"]);
  EXPECT_EQ("partial\n", report_of(answer)["stdout"]);
}

TEST(Exec, TakesOtherStatusesForDoneWhenAsked) {
  json request = shell("exit 3");
  request["ok_status"] = 3;
  EXPECT_EQ(3, result_of(exec(request))["status"]);
  request["ok_status"] = {0, 1, 3};
  EXPECT_EQ(3, result_of(exec(request))["status"]);
  request["ok_status"] = {0, 1};
  EXPECT_EQ(Outcome::Failed, exec(request).outcome);
}

TEST(Exec, TellsTheSignalThatEndedIt) {
  const Answer answer = exec(shell("kill -9 $$"));
  EXPECT_TRUE(answer.body.starts_with("ended by signal 9")) << answer.body;
  EXPECT_EQ(9, report_of(answer)["signal"]);
  EXPECT_TRUE(report_of(answer)["status"].is_null());
}

TEST(Exec, FailureReportsFitAnErrorText) {
  const Answer answer = exec(shell("head -c 200000 /dev/zero; exit 1"));
  EXPECT_LE(answer.body.size(), kErrorBytesMax);
  EXPECT_TRUE(report_of(answer)["stdout_truncated"]);
}

// Cancels when the program has made the file.
Answer cancelled_run(const Scratch& scratch, const std::string& script) {
  Call calling(
      shell(script + "; : > " + scratch.path("up") + "; while :; do sleep 1; done").dump());
  std::thread canceller([&] {
    test::eventually([&] { return ::access(scratch.path("up").c_str(), F_OK) == 0; });
    calling.cancel();
  });
  Answer answer = calling.run(stock::exec);
  canceller.join();
  return answer;
}

// Gone, or a zombie that waits for whoever adopted it.
bool is_gone(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string line;
  if (!std::getline(file, line)) return true;
  const char state = line[line.rfind(')') + 2];
  return state == 'Z' || state == 'X';
}

TEST(Exec, CancelTerminatesTheWholeGroup) {
  const Scratch scratch;
  const Answer answer = cancelled_run(scratch, "sleep 1000 & echo $!");
  EXPECT_TRUE(answer.body.starts_with("cancelled, and ended by signal 15")) << answer.body;
  std::string pid = report_of(answer)["stdout"];
  pid.pop_back();
  EXPECT_TRUE(test::eventually([&] { return is_gone(pid); })) << pid;
}

TEST(Exec, CancelKillsWhoIgnoresIt) {
  const Scratch scratch;
  const Answer answer = cancelled_run(scratch, "trap '' TERM");
  EXPECT_TRUE(answer.body.starts_with("cancelled, and ended by signal 9")) << answer.body;
  EXPECT_GE(report_of(answer)["seconds"], 1.0);
}

TEST(Exec, CancelBeforeTheStartStartsNothing) {
  Call calling(shell("exit 0").dump());
  calling.cancel();
  EXPECT_EQ("cancelled before the program was started", calling.run(stock::exec).body);
}

TEST(Exec, EndsWithItsProgramAndKillsWhoIsLeftInTheGroup) {
  const json result = result_of(exec(shell("sleep 1000 & echo $!")));
  EXPECT_LT(result["seconds"], 10.0);
  std::string pid = result["stdout"];
  pid.pop_back();
  EXPECT_TRUE(test::eventually([&] { return is_gone(pid); }));
}

TEST(Exec, DoesNotWaitForAGrandchildThatKeepsTheOutput) {
  const json result = result_of(exec(shell("setsid sleep 1000 & echo $!")));
  EXPECT_LT(result["seconds"], 100.0);
  ::kill(std::stoi(result["stdout"].get<std::string>()), SIGKILL);
}

TEST(Exec, ProgramHasThreeDescriptorsAndNoSignalBlocked) {
  const std::string fds = result_of(exec({{"argv", {"ls", "/proc/self/fd"}}}))["stdout"];
  EXPECT_EQ("0\n1\n2\n3\n", fds);  // the last is the directory that it lists
  for (const char* set : {"SigBlk", "SigIgn"}) {
    const std::string line =
        result_of(exec({{"argv", {"grep", set, "/proc/self/status"}}}))["stdout"];
    // Signals 32 and 33 belong to glibc, which ignores them in what it spawns.
    EXPECT_EQ(0U, std::stoull(line.substr(7), nullptr, 16) & ~0x180000000ULL) << line;
  }
}

TEST(Exec, RefusesProgramsThatCannotRun) {
  const Scratch scratch;
  ::setenv("PATH", "/usr/bin:/bin", 1);  // a place in it that nobody may enter is another error
  const auto expect_for_good = [](const json& request, std::string_view text) {
    const Answer answer = exec(request);
    EXPECT_EQ(Outcome::FailedForGood, answer.outcome) << answer.body;
    EXPECT_NE(std::string::npos, answer.body.find(text)) << answer.body;
  };
  expect_for_good({{"argv", {"no-such-program-here"}}}, "no-such-program-here: No such file");
  expect_for_good({{"argv", {scratch.write("plain", "x")}}}, "Permission denied");
  const std::string text = scratch.write("text", "neither script nor program");
  ASSERT_EQ("", output_of("chmod +x " + text));
  expect_for_good({{"argv", {text}}}, "Exec format error");
  json elsewhere = shell("exit 0");
  elsewhere["cwd"] = "/no/such/place";
  expect_for_good(elsewhere, "directory /no/such/place");
  elsewhere["cwd"] = text;
  expect_for_good(elsewhere, "Not a directory");
}

TEST(Exec, SaysTheStatusOfAShellWhereNoProgramWasStarted) {
  const Scratch scratch;
  ::setenv("PATH", "/usr/bin:/bin", 1);
  const auto ending_of = [](const json& request) {
    std::istringstream body(exec(request).body);
    std::string for_people, document;
    std::getline(body, for_people);
    std::getline(body, document);
    return json::parse(document);
  };
  const json missing = ending_of({{"argv", {"no-such-program-here"}}});
  EXPECT_EQ(127, missing["status"]);
  EXPECT_EQ(false, missing["started"]);
  EXPECT_EQ(126, ending_of({{"argv", {scratch.write("plain", "x")}}})["status"]);
  EXPECT_FALSE(result_of(exec({{"argv", {"true"}}})).contains("started"));
}

TEST(Exec, RefusesListsNestedDeeperThanItsStack) {
  constexpr std::size_t depth = 500'000;
  const std::string deep = std::string(depth, '[') + std::string(depth, ']');
  for (const char* member : {"argv", "env", "stdin", "cwd", "output_bytes_max", "ok_status"}) {
    const Answer answer = call(stock::exec, "{\"" + std::string(member) + "\":" + deep + "}");
    EXPECT_EQ(Outcome::FailedForGood, answer.outcome) << member;
    EXPECT_NE(std::string::npos, answer.body.find("\"" + std::string(member) + "\"")) << member;
  }
}

TEST(Exec, RefusesBadRequestsByName) {
  const std::pair<const char*, const char*> bad[] = {
      {"", "JSON object"},
      {"[]", "JSON object"},
      {"{\"argv\":", "JSON object"},
      {"{}", "\"argv\""},
      {R"({"argv":[]})", "\"argv\""},
      {R"({"argv":[""]})", "\"argv\""},
      {R"({"argv":"ls"})", "\"argv\""},
      {R"({"argv":["ls",1]})", "\"argv\""},
      {R"({"argv":["l\u0000s"]})", "\"argv\""},
      {R"({"argv":["ls"],"env":["A=b"]})", "\"env\""},
      {R"({"argv":["ls"],"env":{"A=b":"c"}})", "\"env\""},
      {R"({"argv":["ls"],"env":{"A":1}})", "\"env\""},
      {R"({"argv":["ls"],"stdin":1})", "\"stdin\""},
      {R"({"argv":["ls"],"stdin":{"base64":"a"}})", "\"stdin\""},
      {R"({"argv":["ls"],"stdin":{"base64":"a==b"}})", "\"stdin\""},
      {R"({"argv":["ls"],"cwd":""})", "\"cwd\""},
      {R"({"argv":["ls"],"cwd":1})", "\"cwd\""},
      {R"({"argv":["ls"],"output_bytes_max":-1})", "\"output_bytes_max\""},
      {R"({"argv":["ls"],"output_bytes_max":16777217})", "\"output_bytes_max\""},
      {R"({"argv":["ls"],"ok_status":256})", "\"ok_status\""},
      {R"({"argv":["ls"],"ok_status":[0,"1"]})", "\"ok_status\""},
      {R"({"argv":["ls"],"ok_staus":1})", "\"ok_staus\""},
  };
  for (const auto& [payload, text] : bad) {
    const Answer answer = call(stock::exec, payload);
    EXPECT_EQ(Outcome::FailedForGood, answer.outcome) << payload;
    EXPECT_NE(std::string::npos, answer.body.find(text)) << payload << ": " << answer.body;
  }
}

}  // namespace
}  // namespace warmpool::worker::testing
