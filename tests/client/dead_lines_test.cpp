// Dead letters out of a file, and what the commands about them say of those that are refused.
#include <chrono>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/client/cli_runner.hpp"
#include "tests/client/fake_daemon.hpp"

namespace warmpool::fake {
namespace {

using ipc::Kind;
using nlohmann::json;

std::string letter_line(std::uint64_t id) {
  return R"({"id":)" + std::to_string(id) +
         R"(,"type":"echo","state":"dead","round":1,"accepted_at":"2026-11-23T07:00:00Z",)"
         R"("payload":{"content":"utf8","bytes":1,"text":"x"}})"
         "\n";
}

Ended import(Daemon& daemon, const std::string& lines, std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"dlq", "import", "--json", "--socket", daemon.socket()});
  return run_cli(more, lines);
}

TEST(DeadLines, ARefusalNamesItsLineAndItsLetter) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    const auto submits = peer.next(Kind::Submit, 3);
    peer.accept(submits[0], 1);
    peer.refuse(submits[1], Refusal::KeyConflict, "task 4711 has this key");
    peer.accept(submits[2], 2, true);
    peer.flush();
    while (peer.next()) {
    }
  });
  const auto ended = import(daemon, letter_line(7) + "\n" + letter_line(8) + letter_line(9));
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(json::parse(ended.err)["error"]["text"],
            "line 3 (dead letter 8): task 4711 has this key");
  const auto report = json::parse(ended.out);
  EXPECT_EQ(report["imported"], 1);
  EXPECT_EQ(report["known"], 1);
  EXPECT_EQ(report["refused"], 1);
}

// Only that it is not quicker: how much slower it is depends on who else wants to run.
TEST(DeadLines, AnImportHasARate) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    std::uint64_t task = 0;
    while (const auto got = peer.next()) {
      if (got->kind() == Kind::Submit) peer.accept(*got, ++task);
    }
  });
  std::string lines;
  for (std::uint64_t id = 1; id <= 5; ++id) lines += letter_line(id);
  const auto begun = std::chrono::steady_clock::now();
  const auto ended = import(daemon, lines, {"--rate", "20"});
  EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(4 * 50));
  EXPECT_EQ(json::parse(ended.out)["imported"], 5) << ended.err;
  EXPECT_EQ(import(daemon, "", {"--rate", "0"}).status, 2);
}

TEST(DeadLines, ARetrySaysWhichWereRefused) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    const auto asked = peer.next(Kind::Request, 1);
    peer.reply(asked[0], R"({"schema":1,"retried":1,"refused":1,"refusals":[)"
                         R"({"id":8,"refusal":"not-dead","text":"task 8: it is alive"}]})");
    peer.flush();
    while (peer.next()) {
    }
  });
  const auto ended = run_cli({"dlq", "retry", "7", "8", "--json", "--socket", daemon.socket()});
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(json::parse(ended.err)["error"]["text"], "task 8: it is alive");
  EXPECT_EQ(json::parse(ended.out)["retried"], 1);
}

TEST(DeadLines, AContentWithoutAPayloadIsNotPassedOver) {
  const auto ended = run_cli({"dlq", "retry", "7", "--content", "json", "--socket", "/none"});
  EXPECT_EQ(ended.status, 2);
  EXPECT_NE(ended.err.find("--payload"), std::string::npos) << ended.err;
}

}  // namespace
}  // namespace warmpool::fake
