// warmpool run: what a command's end becomes.
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/cli/exit_status.hpp"
#include "tests/client/cli_runner.hpp"
#include "tests/client/fake_daemon.hpp"

namespace warmpool::cli {
namespace {

using fake::Daemon;
using fake::Peer;
using ipc::Kind;
using nlohmann::json;

constexpr char kFine[] = R"({"status":0,"signal":null,"stdout":"out\n","stderr":"err\n"})";

fake::Ended run_with(const ipc::SettledMeta& meta, const std::string& payload,
                     std::vector<std::string> arguments, const std::string& input = "",
                     json* asked = nullptr) {
  Daemon daemon([&](Peer& peer) {
    peer.welcome();
    const auto got = peer.next(Kind::Submit, 1).at(0);
    EXPECT_EQ(peer.type_of(got), "exec");
    EXPECT_EQ(peer.submit_meta(got).retries, 0U);
    if (asked != nullptr) *asked = json::parse(got.payload);
    peer.accept(got, 7);
    peer.settle(got, 7, payload, meta, Content::Json);
    peer.next();
  });
  arguments.insert(arguments.begin(), {"run", "--socket", daemon.socket()});
  return fake::run_cli(arguments, input);
}

TEST(Run, PassesTheCommandOnAsItIs) {
  json asked;
  const auto ended = run_with(
      {}, kFine,
      {"--cwd", "/tmp", "--env", "A=b=c", "--env", "GONE", "--", "status", "--json", "-x", "a b"},
      "in", &asked);
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "out\n");
  EXPECT_EQ(ended.err, "err\n");
  EXPECT_EQ(asked["argv"], json({"status", "--json", "-x", "a b"}));
  EXPECT_EQ(asked["stdin"], "in");
  EXPECT_EQ(asked["cwd"], "/tmp");
  EXPECT_EQ(asked["env"], (json{{"A", "b=c"}, {"GONE", nullptr}}));
}

TEST(Run, EndsWithTheStatusOfTheCommand) {
  const ipc::SettledMeta dead{Verdict::Dead, EndCause::Failed, 1, 0};
  const auto failed = run_with(dead,
                               "exited with status 3\n"
                               R"({"status":3,"signal":null,"stdout":"o","stderr":"e"})",
                               {"--", "x"});
  EXPECT_EQ(failed.status, 3);
  EXPECT_EQ(failed.out, "o");
  EXPECT_EQ(failed.err, "e");
  const auto killed = run_with(
      dead,
      "ended by signal 9\n"
      R"({"status":null,"signal":9,"stdout":{"base64":"/w=="},"stderr":"","stdout_truncated":true})",
      {"--", "x"});
  EXPECT_EQ(killed.status, kKilled);
  EXPECT_EQ(killed.out, "\xff");
  EXPECT_NE(killed.err.find("cut"), std::string::npos);
}

TEST(Run, TellsWhyWithoutAStatus) {
  const auto missing = run_with({Verdict::Dead, EndCause::FailedForGood, 1, 0},
                                "cannot run x: No such file or directory", {"--", "x"});
  EXPECT_EQ(missing.status, kFailed);
  EXPECT_NE(missing.err.find("No such file"), std::string::npos);
  EXPECT_EQ(run_with({Verdict::Dead, EndCause::Timeout, 1, 0}, "", {"--", "x"}).status, kTimedOut);
  EXPECT_EQ(run_with({Verdict::Dead, EndCause::Memory, 0, 3}, "", {"--", "x"}).status, kKilled);
  EXPECT_EQ(run_with({Verdict::Expired, EndCause::Expired, 0, 0}, "", {"--", "x"}).status,
            kTimedOut);
}

TEST(Run, HasADocument) {
  const auto document = json::parse(run_with({}, kFine, {"--json", "--", "x"}).out);
  EXPECT_EQ(document["schema"], 1);
  EXPECT_EQ(document["exit_status"], 0);
  EXPECT_EQ(document["result"]["stdout"], "out\n");
}

}  // namespace
}  // namespace warmpool::cli
