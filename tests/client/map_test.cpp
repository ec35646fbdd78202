// warmpool map against a daemon that answers as a test wants it.
#include <algorithm>
#include <csignal>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/cli/command_line.hpp"
#include "tests/client/cli_runner.hpp"
#include "tests/client/fake_daemon.hpp"

namespace warmpool::cli {
namespace {

using fake::Daemon;
using fake::lines_of;
using fake::Peer;
using fake::run_cli;
using ipc::Kind;
using nlohmann::json;

fake::Ended map(const Daemon& daemon, std::vector<std::string> more, const std::string& input) {
  more.insert(more.begin(), {"map", "t", "--socket", daemon.socket()});
  return run_cli(more, input);
}

std::string numbered(int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) {
    text += std::to_string(i) + "\n";
  }
  return text;
}

// Answers in pairs, the second first.
void swap_pairs(Peer& peer) {
  peer.welcome();
  std::uint64_t task = 0;
  while (true) {
    const auto pair = peer.next(Kind::Submit, 2);
    for (const auto& one : pair) {
      peer.accept(one, ++task);
    }
    if (pair.size() < 2) return;
    peer.settle(pair[1], task, pair[1].payload);
    peer.settle(pair[0], task - 1, pair[0].payload);
  }
}

TEST(Map, PrintsALineForEachLine) {
  Daemon daemon(fake::echoing());
  const auto ended = map(daemon, {}, "one\n\ntwo\r\n\xff");
  EXPECT_EQ(ended.status, kOk) << ended.err;
  const auto lines = lines_of(ended.out);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0],
            "{\"line\":1,\"id\":101,\"input\":\"one\",\"verdict\":\"done\",\"result\":\"one\"}");
  EXPECT_EQ(json::parse(lines[1])["result"], "two\r");
  EXPECT_EQ(json::parse(lines[1])["line"], 3);
  EXPECT_EQ(json::parse(lines[2])["input"]["base64"], "/w==");
  EXPECT_EQ(ended.err, "");
}

TEST(Map, KeepsTheOrderWhenAsked) {
  Daemon daemon(swap_pairs);
  const auto mixed = lines_of(map(daemon, {}, numbered(100)).out);
  const auto ordered = lines_of(map(daemon, {"--keep-order"}, numbered(100)).out);
  ASSERT_EQ(mixed.size(), 100U);
  ASSERT_EQ(ordered.size(), 100U);
  EXPECT_EQ(json::parse(mixed[0])["line"], 2);
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    EXPECT_EQ(json::parse(ordered[i])["line"], i + 1);
  }
}

TEST(Map, HasNoMoreInFlightThanAllowed) {
  std::size_t most = 0;
  Daemon daemon([&](Peer& peer) {
    peer.welcome();
    std::vector<fake::Got> open;
    std::uint64_t task = 0;
    while (task < 40) {
      auto got = peer.next();
      if (!got) return;
      if (got->kind() != Kind::Submit) continue;
      peer.accept(*got, ++task);
      open.push_back(std::move(*got));
      most = std::max(most, open.size());
      if (open.size() < 4) continue;
      for (const auto& one : open) {
        peer.settle(one, task, "r");
      }
      open.clear();
    }
    peer.next();
  });
  EXPECT_EQ(map(daemon, {"--in-flight", "4"}, numbered(40)).status, kOk);
  daemon.join();
  EXPECT_EQ(most, 4U);
}

TEST(Map, EndsWithOneIfAnyFailed) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    const auto submits = peer.next(Kind::Submit, 2);
    peer.accept(submits[0], 1);
    peer.accept(submits[1], 2);
    peer.settle(submits[0], 1, "bad", {Verdict::Dead, EndCause::Failed, 4, 0});
    peer.settle(submits[1], 2, "good");
    peer.next();
  });
  const auto ended = map(daemon, {"--keep-order"}, "a\nb\n");
  EXPECT_EQ(ended.status, kFailed);
  const auto first = json::parse(lines_of(ended.out).at(0));
  EXPECT_EQ(first["verdict"], "dead");
  EXPECT_EQ(first["cause"], "failed");
  EXPECT_EQ(first["error"], "bad");
  EXPECT_FALSE(first.contains("result"));
}

TEST(Map, TriesAgainWhatIsRefusedForNow) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    peer.refuse(peer.next(Kind::Submit, 1).at(0), Refusal::QueueFull, "full", milliseconds(1));
    peer.refuse(peer.next(Kind::Submit, 1).at(0), Refusal::InFlightFull, "full", milliseconds(1));
    const auto got = peer.next(Kind::Submit, 1).at(0);
    peer.accept(got, 9);
    peer.settle(got, 9, got.payload);
    peer.next();
  });
  const auto ended = map(daemon, {}, "a\n");
  EXPECT_EQ(ended.status, kOk) << ended.err;
  EXPECT_EQ(json::parse(ended.out)["result"], "a");
}

TEST(Map, StopsWhereEveryLineWouldBeRefused) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    while (const auto got = peer.next()) {
      peer.refuse(*got, Refusal::UnknownType, "no class serves \"t\"; there are: echo");
    }
  });
  const auto ended = map(daemon, {"--in-flight", "2"}, numbered(1'000));
  EXPECT_EQ(ended.status, kFailed);
  EXPECT_LE(lines_of(ended.out).size(), 4U);
  EXPECT_NE(ended.err.find("there are: echo"), std::string::npos);
  EXPECT_NE(ended.err.find("nothing after line"), std::string::npos);
}

TEST(Map, ADrainingDaemonIsTryAgain) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    while (const auto got = peer.next()) {
      peer.refuse(*got, Refusal::Draining, "drained");
    }
  });
  EXPECT_EQ(map(daemon, {}, "a\n").status, kTryAgain);
}

TEST(Map, ReportsLinesThatAreTooLong) {
  Daemon daemon([](Peer& peer) {
    peer.welcome({.payload_bytes_max = 10});
    while (const auto got = peer.next()) {
      if (got->kind() != Kind::Submit) continue;
      peer.accept(*got, 1);
      peer.settle(*got, 1, got->payload);
    }
  });
  const auto ended = map(daemon, {"--keep-order"}, "1234567890\n12345678901\nok\n");
  EXPECT_EQ(ended.status, kFailed);
  const auto lines = lines_of(ended.out);
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(json::parse(lines[0])["verdict"], "done");
  EXPECT_EQ(json::parse(lines[1])["cause"], "payload-too-large");
  EXPECT_EQ(json::parse(lines[2])["result"], "ok");
}

TEST(Map, FindsADaemonThatRestartsAndPrintsEachLineOnce) {
  Daemon daemon({[](Peer& peer) {
                   peer.welcome();
                   const auto submits = peer.next(Kind::Submit, 8);
                   for (std::size_t i = 0; i < 4; ++i) {
                     peer.accept(submits[i], i + 1);
                     if (i < 2) peer.settle(submits[i], i + 1, submits[i].payload);
                   }
                 },
                 fake::echoing()});
  const auto ended = map(daemon, {"--in-flight", "8"}, numbered(20));
  EXPECT_EQ(ended.status, kOk) << ended.err;
  std::vector<int> numbers;
  for (const auto& line : lines_of(ended.out)) {
    numbers.push_back(json::parse(line)["line"].get<int>());
  }
  std::sort(numbers.begin(), numbers.end());
  ASSERT_EQ(numbers.size(), 20U);
  EXPECT_EQ(std::unique(numbers.begin(), numbers.end()), numbers.end());
  EXPECT_EQ(daemon.connections(), 2);
}

TEST(Map, CancelsWhatIsInFlightAtAnInterrupt) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    const auto submits = peer.next(Kind::Submit, 2);
    peer.accept(submits[0], 1);
    peer.settle(submits[0], 1, "r");
    peer.accept(submits[1], 2);
    // Its acknowledgement shows that the first result was taken.
    EXPECT_EQ(peer.next(Kind::Received, 1).size(), 1U);
    ::kill(::getpid(), SIGINT);
    const auto cancel = peer.next(Kind::Cancel, 1).at(0);
    EXPECT_EQ(cancel.header.id, 2U);
    peer.cancelled(cancel, 2);
    peer.settle(submits[1], 2, "", {Verdict::Cancelled, EndCause::Cancelled, 0, 0});
    peer.next();
  });
  int input[2];
  ASSERT_EQ(::pipe(input), 0);
  ASSERT_EQ(::write(input[1], "a\nb\n", 4), 4);
  int output[2];
  ASSERT_EQ(::pipe(output), 0);
  const int status = cli::run(std::vector<std::string>{"map", "t", "--socket", daemon.socket()},
                              {input[0], output[1], output[1]});
  EXPECT_EQ(status, kInterrupted);
  char text[4'096];
  const auto got = ::read(output[0], text, sizeof text);
  const std::string said(text, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  EXPECT_NE(said.find("1 done, 0 failed, 1 cancelled"), std::string::npos) << said;
  for (const int fd : {input[0], input[1], output[0], output[1]}) {
    ::close(fd);
  }
}

TEST(Map, EndsQuietlyWhenNobodyReads) {
  Daemon daemon(fake::echoing());
  int output[2];
  ASSERT_EQ(::pipe(output), 0);
  ::close(output[0]);
  const std::string path = daemon.directory() + "/in";
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs(numbered(1'000).c_str(), file);
  std::fclose(file);
  std::signal(SIGPIPE, SIG_IGN);
  const int status =
      cli::run(std::vector<std::string>{"map", "t", "--input", path, "--socket", daemon.socket()},
               {0, output[1], 2});
  EXPECT_EQ(status, kBrokenPipe);
  ::close(output[1]);
  std::remove(path.c_str());
}

TEST(Map, DrawsProgressWhenAsked) {
  Daemon daemon(fake::echoing());
  const auto ended = map(daemon, {"--progress", "always"}, numbered(10));
  EXPECT_NE(ended.err.find("10/10"), std::string::npos) << ended.err;
  EXPECT_EQ(map(daemon, {"--progress", "always", "-q"}, numbered(1)).err, "");
}

}  // namespace
}  // namespace warmpool::cli
