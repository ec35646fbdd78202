// Programs that are kept and spoken to in lines of JSON.
#include "worker/stock/lines.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <set>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/worker/call.hpp"

namespace warmpool::worker::testing {
namespace {

using nlohmann::json;
using stock::Lines;

Lines lines_of(const std::string& script) { return Lines({"/bin/sh", "-c", script}); }

// Answers each line by what `reply` makes of it: a command that reads $line.
Lines loop(const std::string& reply) {
  return lines_of("while read -r line; do " + reply + "; done");
}

Answer run(Lines& lines, Call&& call) {
  return call.run([&lines](Context& context) { return lines.run(context); });
}

Answer run(Lines& lines, std::string_view payload = "x", Content content = Content::Bytes) {
  return run(lines, Call(payload, content));
}

void expect(const Answer& answer, Outcome outcome, std::string_view body, Content content) {
  EXPECT_EQ(outcome, answer.outcome) << answer.body;
  EXPECT_EQ(body, answer.body);
  EXPECT_EQ(content, answer.content);
}

TEST(Lines, OneProgramServesManyTasks) {
  auto lines =
      lines_of("n=0; while read -r line; do n=$((n+1)); echo \"{\\\"result\\\":$n}\"; done");
  for (int i = 1; i <= 50; ++i) {
    expect(run(lines), Outcome::Done, std::to_string(i), Content::Json);
  }
}

TEST(Lines, TheProgramIsToldOfItsTaskAndThePayloadComesLast) {
  auto lines =
      loop("printf '{\"result\":{\"base64\":\"%s\"}}\\n' \"$(printf %s \"$line\" | base64 -w0)\"");
  Call call("a \"b\"\n");
  const Answer answer = run(lines, std::move(call));
  EXPECT_TRUE(answer.body.ends_with(R"("payload":"a \"b\"\n"})")) << answer.body;
  const json line = json::parse(answer.body);
  EXPECT_EQ(1, line["task"]);
  EXPECT_EQ(1, line["round"]);
  EXPECT_EQ(1, line["attempt"]);
  EXPECT_EQ("t", line["type"]);
  EXPECT_TRUE(line["timeout"].is_null());
}

TEST(Lines, TheProgramIsToldOfTheDirectoryOfItsAttemptWhereThereIsOne) {
  auto lines = loop("printf '{\"result\":%s}\n' \"$line\"");
  Call with("x"), without("x");
  with.directory = "/some/where";
  EXPECT_EQ("/some/where", json::parse(run(lines, std::move(with)).body)["directory"]);
  EXPECT_FALSE(json::parse(run(lines, std::move(without)).body).contains("directory"));
}

TEST(Lines, PayloadsKeepTheirKind) {
  auto lines = loop("printf '{\"result\":%s}\n' \"$line\"");
  const auto seen = [&](std::string_view payload, Content content) {
    return json::parse(run(lines, payload, content).body)["payload"];
  };
  EXPECT_EQ(json({{"a", {1, nullptr}}}), seen("{\"a\":[1,null]}", Content::Json));
  EXPECT_EQ("{\"a\"", seen("{\"a\"", Content::Json));  // no JSON after all
  EXPECT_EQ("", seen("", Content::Bytes));
  EXPECT_EQ(json({{"base64", "/wA="}}), seen(std::string_view("\xff\0", 2), Content::Bytes));
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_EQ(deep, seen(deep, Content::Json));
}

TEST(Lines, RepliesAreOutcomes) {
  const auto reply = [](const std::string& line) {
    auto lines = loop("echo '" + line + "'");
    return run(lines);
  };
  expect(reply(R"({"result":"text"})"), Outcome::Done, "text", Content::Utf8);
  expect(reply(R"({"result":{"a":1}})"), Outcome::Done, R"({"a":1})", Content::Json);
  expect(reply(R"({"result":{"base64":"AAE="}})"), Outcome::Done, std::string("\0\1", 2),
         Content::Bytes);
  expect(reply(R"({"result":{"base64":"?"}})"), Outcome::FailedForGood,
         "the program's result is no base64", Content::Utf8);
  expect(reply(R"({"error":"why"})"), Outcome::Failed, "why", Content::Utf8);
  expect(reply(R"({"error":"why","final":true})"), Outcome::FailedForGood, "why", Content::Utf8);
  expect(reply(R"({"held":"look"})"), Outcome::Held, "look", Content::Utf8);
  const Answer later = reply(R"({"error":"busy","retry_after":1.5})");
  expect(later, Outcome::RetryAfter, "busy", Content::Utf8);
  EXPECT_EQ(std::chrono::milliseconds(1500), later.retry_after);
}

TEST(Lines, WhatIsNoMessageDisturbsNothing) {
  auto lines = loop(
      "echo reading; echo '{\"result\"'; echo '[1]'; echo '{}'; echo '{\"progress\":0.5}';"
      "echo '" +
      std::string(5'000, '{') + "'; echo '{\"progress\":\"x\"}'; echo '{\"result\":\"r\"}'");
  for (int i = 0; i < 3; ++i) expect(run(lines), Outcome::Done, "r", Content::Utf8);
}

TEST(Lines, AnAnswerToAnotherTaskIsNone) {
  auto lines = loop(R"(echo '{"task":7,"result":"other"}'; echo '{"task":1,"result":"own"}')");
  for (int i = 0; i < 3; ++i) expect(run(lines), Outcome::Done, "own", Content::Utf8);
}

TEST(Lines, WhoAnswersTwiceIsStartedAnew) {
  auto lines = lines_of(
      R"(n=0; while read -r line; do n=$((n+1)); printf '{"result":%s}\n{"result":99}\n' $n; done)");
  for (int i = 0; i < 3; ++i) expect(run(lines), Outcome::Done, "1", Content::Json);
}

TEST(Lines, WhoNamesItsTaskMayAnswerTwice) {
  auto lines = loop(R"(t=${line#*:}; t=${t%%,*}; )"
                    R"(printf '{"task":%s,"result":%s}\n{"task":%s,"result":%s}\n' $t $$ $t $$)");
  std::set<std::string> processes;
  for (std::uint64_t task = 1; task <= 20; ++task) {
    Call call("x");
    call.key.task = TaskId{task};
    const Answer answer = run(lines, std::move(call));
    EXPECT_EQ(Outcome::Done, answer.outcome) << answer.body;
    processes.insert(answer.body);
  }
  EXPECT_EQ(1U, processes.size());
}

TEST(Lines, WhoIsStillStartingIsNotAskedForACheckpoint) {
  auto lines = Lines({"/bin/sh", "-c",
                      "sleep 0.3; asked=; trap 'asked=1' USR1; read -r line; "
                      "until [ \"$asked\" ]; do sleep 0.02; done; echo '{\"result\":\"asked\"}'"},
                     stock::SpawnTie::None, SIGUSR1);
  Call call("x");
  call.checkpoint_wanted = true;
  expect(run(lines, std::move(call)), Outcome::Done, "asked", Content::Utf8);
}

// The second attempt of the first task's third round, over FIFOs on which all that the program will
// say is there before.
Answer over_fifos(const std::string& said, int* progress = nullptr) {
  const Scratch scratch;
  const stock::FifoPaths paths{scratch.path("to"), scratch.path("from")};
  Lines lines(paths);
  EXPECT_TRUE(lines.start());
  const ipc::UniqueFd program(::open(paths.from.c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_EQ(static_cast<ssize_t>(said.size()), ::write(program.get(), said.data(), said.size()));
  Call call("x");
  call.key = {TaskId{1}, 3, 2, 1};
  call.on_progress = [progress] { ++*progress; };
  return call.run([&lines](Context& context) { return lines.run(context); });
}

constexpr const char* kOwn = R"({"task":1,"round":3,"attempt":2,"result":"own"})"
                             "\n";

TEST(Lines, OverFifosAnAnswerOfAnEarlierAttemptIsNone) {
  for (const char* early : {R"({"task":7,"round":3,"attempt":2,"result":"early"})",
                            R"({"task":1,"round":2,"attempt":2,"result":"early"})",
                            R"({"task":1,"round":3,"attempt":1,"error":"early","final":true})"}) {
    expect(over_fifos(early + std::string("\n") + kOwn), Outcome::Done, "own", Content::Utf8);
  }
}

TEST(Lines, OverFifosAnAnswerThatDoesNotNameItsAttemptFailsForGood) {
  for (const char* nameless :
       {R"({"result":"r"})", R"({"task":1,"result":"r"})", R"({"task":1,"round":3,"result":"r"})",
        R"({"task":"1","round":3,"attempt":2,"result":"r"})",
        R"({"task":1.0,"round":3,"attempt":2,"result":"r"})",
        R"({"task":null,"round":3,"attempt":2,"result":"r"})",
        R"({"task":1,"round":3,"attempt":"2","result":"r"})"}) {
    const Answer answer = over_fifos(nameless + std::string("\n") + kOwn);
    expect(answer, Outcome::FailedForGood,
           "an answer over FIFOs names its task, round and attempt, as in "
           R"({"task":1,"round":3,"attempt":2,"result":...})",
           Content::Utf8);
  }
}

TEST(Lines, OverFifosProgressThatDoesNotNameItsAttemptIsOutput) {
  const auto told = [](const std::string& line) {
    int progress = 0;
    expect(over_fifos(line + '\n' + kOwn, &progress), Outcome::Done, "own", Content::Utf8);
    return progress;
  };
  EXPECT_EQ(0, told(R"({"progress":0.1})"));
  EXPECT_EQ(0, told(R"({"task":1,"round":3,"progress":0.1})"));
  EXPECT_EQ(1, told(R"({"task":1,"round":3,"attempt":2,"progress":0.1})"));
}

TEST(Lines, WhoLeavesAPartOfItsLineUnreadIsStartedAnew) {
  auto lines = lines_of(
      R"(dd bs=1 count=1 of=/dev/null status=none; printf '{"result":%s}\n' $$; exec sleep 60)");
  const std::string large(700'000, 'y');
  const auto first = run(lines, large), second = run(lines, large);
  EXPECT_EQ(Outcome::Done, first.outcome);
  EXPECT_EQ(Outcome::Done, second.outcome);
  EXPECT_NE(first.body, second.body);
}

TEST(Lines, PayloadsAndResultsLargerThanAPipe) {
  auto lines = loop("p=${line#*'\"payload\":'}; printf '{\"result\":%s\\n' \"$p\"");
  const std::string large(700'000, 'y');
  Call call(large);
  call.result_bytes = 1U << 20;
  expect(run(lines, std::move(call)), Outcome::Done, large, Content::Utf8);
}

TEST(Lines, ALineWithoutEndIsCutOffAndTheNextTaskHasANewProgram) {
  auto lines = lines_of(
      "read -r line; case $line in *endless*) yes | tr -d '\\n';; *) echo '{\"result\":\"r\"}';; "
      "esac");
  Call call("endless");
  call.result_bytes = 1'000;
  const Answer answer = run(lines, std::move(call));
  EXPECT_EQ(Outcome::FailedForGood, answer.outcome);
  EXPECT_NE(std::string::npos, answer.body.find("a line of the program")) << answer.body;
  expect(run(lines), Outcome::Done, "r", Content::Utf8);
}

// Cancels when the program has spoken, so that its traps are there.
Answer run_cancelled(Lines& lines, std::string_view payload) {
  Call call(payload);
  call.on_progress = [&call] { call.cancel(); };
  return call.run([&lines](Context& context) { return lines.run(context); });
}

TEST(Lines, ACancelledProgramMayAnswer) {
  auto lines = lines_of(
      "trap 'echo \"{\\\"error\\\":\\\"stopped\\\"}\"' TERM; while read -r line || true; do"
      " echo '{\"progress\":0}'; sleep 60 & wait; kill $!; done");
  expect(run_cancelled(lines, "x"), Outcome::Failed, "stopped", Content::Utf8);
}

TEST(Lines, AProgramThatHeedsNoCancelIsKilled) {
  auto lines = lines_of(
      "trap '' TERM; while read -r line; do case $line in"
      " *stuck*) echo '{\"progress\":0}'; exec sleep 600;; *) echo '{\"result\":\"r\"}';; esac; "
      "done");
  expect(run(lines), Outcome::Done, "r", Content::Utf8);
  const Answer answer = run_cancelled(lines, "stuck");
  EXPECT_EQ(Outcome::Failed, answer.outcome);
  EXPECT_NE(std::string::npos, answer.body.find("was killed")) << answer.body;
  expect(run(lines), Outcome::Done, "r", Content::Utf8);
}

TEST(LinesDeathTest, TheWorkerEndsAsItsProgramDid) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const auto served = [](const std::string& script) {
    auto lines = loop(script);
    run(lines);
  };
  EXPECT_EXIT(served("exit 3"), ::testing::ExitedWithCode(3), "status 3 within a task");
  EXPECT_EXIT(served("exit 0"), ::testing::ExitedWithCode(70), "within a task");
  EXPECT_EXIT(served("kill -9 $$"), ::testing::KilledBySignal(SIGKILL), "signal 9");
}

TEST(Lines, AProgramThatIsNotThereIsSaid) {
  Lines lines(std::vector<std::string>{"/no/such/program"});
  const auto started = lines.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(ENOENT, started.error().code);
  EXPECT_EQ("cannot run /no/such/program: No such file or directory", started.error().text);
}

}  // namespace
}  // namespace warmpool::worker::testing
