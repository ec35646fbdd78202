// submit.fifo in a daemon: what is written becomes a task or is told, whoever writes and however.
#include <algorithm>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"
#include "tests/store/finished.hpp"

namespace warmpool::daemon {
namespace {

using Json = nlohmann::json;
using ipc::Verb;

class SubmitFifoTest : public testing::Test {
 protected:
  std::string path(const std::string& name) {
    return test_.processes.fifo_directory().path() + "/" + name;
  }
  ipc::UniqueFd writer() {
    return ipc::UniqueFd(::open(path("submit.fifo").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  }
  void write(const ipc::UniqueFd& fd, std::string_view text) {
    ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  void write(std::string_view text) { write(writer(), text); }
  SubmitFifoFigures figures() { return test_.daemon.submit_fifo()->figures(); }
  bool done(std::uint64_t count) {
    return test_.until([&] { return test_.daemon.pool().counters().settled[0] == count; });
  }
  bool rejected(std::uint64_t count) {
    return test_.until([&] { return figures().rejected == count; });
  }
  std::vector<Json> rejects() {
    std::vector<Json> all;
    std::ifstream file(path("submit.rejected"));
    for (std::string line; std::getline(file, line);) all.push_back(Json::parse(line));
    return all;
  }
  // The next one works: whatever came before has left nothing behind.
  void expect_goes_on() {
    const auto before = test_.daemon.pool().counters().settled[0];
    write("{\"type\":\"echo\"}\n");
    EXPECT_TRUE(done(before + 1));
  }

  TestDaemon test_{small_configuration(), UseSubmitFifo::Yes};
};

TEST_F(SubmitFifoTest, TakesALineAsATask) {
  write("{\"type\":\"echo\",\"payload\":\"hi\",\"priority\":5,\"label\":\"mine\"}\n");
  ASSERT_TRUE(done(1));
  EXPECT_EQ(figures().lines, 1U);
  EXPECT_EQ(figures().accepted, 1U);
  EXPECT_EQ(figures().in_flight, 0U);
  auto client = test_.connect();
  const auto tasks = finished(test_.store, {}, 1);
  ASSERT_EQ(tasks.size(), 1U);
  const auto shown = Json::parse(test_.ask(client, Verb::Show, {tasks[0].value}));
  EXPECT_EQ(shown["result"]["text"], "hi") << shown;
  EXPECT_EQ(shown["labels"][0], "mine") << shown;
  const auto status = Json::parse(test_.ask(client, Verb::Status));
  EXPECT_EQ(status["submit_fifo"]["accepted"], 1) << status;
}

TEST_F(SubmitFifoTest, IsForItsUserAlone) {
  struct stat found {};
  ASSERT_EQ(::stat(path("submit.fifo").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode, S_IFIFO | 0600U);
}

TEST_F(SubmitFifoTest, KeepsWhatBecameNoTaskWithItsReason) {
  write("nonsense\n{\"type\":\"ecko\"}\n{\"type\":\"echo\",\"timeout\":\"0\"}\n");
  ASSERT_TRUE(rejected(3));
  const auto kept = rejects();
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[0]["line"], "nonsense");
  EXPECT_NE(kept[0]["reason"].get<std::string>().find("no JSON"), std::string::npos) << kept[0];
  EXPECT_NE(kept[1]["reason"].get<std::string>().find("echo, fail, hang"), std::string::npos);
  EXPECT_NE(kept[2]["reason"].get<std::string>().find("timeout"), std::string::npos) << kept[2];
  EXPECT_EQ(kept[0]["time"].get<std::string>().size(), 24U);
  struct stat found {};
  ASSERT_EQ(::stat(path("submit.rejected").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode, S_IFREG | 0600U);
  EXPECT_TRUE(test_.log.has("submit.fifo: "));
  EXPECT_EQ(test_.daemon.pool().counters().accepted, 0U);
  expect_goes_on();
}

TEST_F(SubmitFifoTest, KeepsWhatTheCoreRefuses) {
  auto client = test_.connect();
  test_.ask(client, Verb::Drain, {true});
  write("{\"type\":\"echo\"}\n");
  ASSERT_TRUE(rejected(1));
  EXPECT_NE(rejects()[0]["reason"].get<std::string>().find("drained"), std::string::npos);
  EXPECT_EQ(figures().in_flight, 0U);
}

TEST_F(SubmitFifoTest, TheSameKeyIsTheSameTask) {
  for (int i = 0; i < 3; ++i) write("{\"type\":\"echo\",\"key\":\"k\"}\n");
  ASSERT_TRUE(test_.until([&] { return figures().lines == 3 && figures().in_flight == 0; }));
  EXPECT_EQ(figures().accepted, 1U);
  EXPECT_EQ(figures().duplicates, 2U);
  write("{\"type\":\"echo\",\"key\":\"k\",\"payload\":\"other\"}\n");
  EXPECT_TRUE(rejected(1));
}

TEST_F(SubmitFifoTest, LivesWithAMebibyteWithoutALineFeed) {
  const auto fd = writer();
  std::size_t left = 1U << 20;
  const std::string piece(4'096, 'x');
  ASSERT_TRUE(test_.until([&] {
    while (left > 0 && ::write(fd.get(), piece.data(), piece.size()) > 0) left -= piece.size();
    return left == 0;
  }));
  ASSERT_TRUE(rejected(1));
  ASSERT_TRUE(test_.until([&] { return ::write(fd.get(), "\n", 1) == 1; })) << "it is taken";
  expect_goes_on();
  EXPECT_EQ(figures().rejected, 1U);
  EXPECT_EQ(rejects()[0]["line"].get<std::string>().size(), 4'096U);
}

TEST_F(SubmitFifoTest, LivesWithBytesThatAreNoText) {
  using namespace std::string_literals;
  const auto lines = {std::string(300, '\0'),
                      "\xff\xfe{}"s,
                      "{\"type\":\"\xc3\"}"s,
                      std::string(4'000, '['),
                      R"({"type":"echo","type":"echo"})"s,
                      "{\"type\":\"a\\u0000b\"}"s,
                      "{\"type\":\"a\\nb\"}"s};
  for (const auto& line : lines) write(line + "\n");
  ASSERT_TRUE(rejected(lines.size()));
  EXPECT_EQ(rejects()[1]["line"]["base64"], "//57fQ==");
  for (const auto& line : test_.log.lines) {
    EXPECT_EQ(line.find_first_of(std::string_view("\n\0", 2)), std::string::npos) << line;
  }
  expect_goes_on();
}

TEST_F(SubmitFifoTest, BlankLinesAreNothing) {
  write("\n  \n\r\n\t\n");
  expect_goes_on();
  EXPECT_EQ(figures().lines, 1U);
  EXPECT_EQ(figures().rejected, 0U);
}

TEST_F(SubmitFifoTest, AWriterThatNeverWritesHoldsNobodyUp) {
  const auto silent = writer();
  ASSERT_TRUE(silent);
  expect_goes_on();
}

TEST_F(SubmitFifoTest, AWriterThatGoesIsNoEnd) {
  for (int i = 0; i < 3; ++i) {
    { const auto gone = writer(); }
    expect_goes_on();
  }
}

TEST_F(SubmitFifoTest, ALineThatNothingEndsIsTakenAfterASilence) {
  write("{\"type\":\"echo\"}");
  EXPECT_TRUE(done(1));
  write("{\"type\":\"ec");
  ASSERT_TRUE(rejected(1));
  EXPECT_EQ(rejects()[0]["line"], "{\"type\":\"ec");
  expect_goes_on();
}

TEST_F(SubmitFifoTest, ManyWritersAtOnceLoseNothing) {
  constexpr int writers = 200;
  std::vector<ipc::UniqueFd> open;
  for (int i = 0; i < writers; ++i) open.push_back(writer());
  const std::string line = "{\"type\":\"echo\",\"payload\":\"" + std::string(3'000, 'x') + "\"}\n";
  std::vector<bool> sent(writers);
  ASSERT_TRUE(test_.until([&] {
    for (std::size_t i = 0; i < writers; ++i) {
      sent[i] = sent[i] || ::write(open[i].get(), line.data(), line.size()) > 0;
    }
    return test_.daemon.pool().counters().settled[0] == writers;
  }));
  EXPECT_EQ(figures().rejected, 0U);
}

TEST_F(SubmitFifoTest, WritersWaitWhileTheStoreDoesNotAnswer) {
  test_.store.holds_answers = true;
  const auto fd = writer();
  const std::string_view line = "{\"type\":\"echo\"}\n";
  std::uint64_t written = 0;
  const auto fill = [&] {
    while (::write(fd.get(), line.data(), line.size()) > 0) ++written;
  };
  for (int turn = 0; turn < 100; ++turn) {
    fill();
    test_.daemon.turn(milliseconds(1));
    EXPECT_LE(figures().in_flight, SubmitFifo::kInFlightMax);
  }
  const auto stalled = written;
  fill();
  EXPECT_EQ(written, stalled) << "the pipe is full and nobody reads it";
  EXPECT_EQ(figures().in_flight, SubmitFifo::kInFlightMax);
  test_.store.holds_answers = false;
  EXPECT_TRUE(done(written));
  EXPECT_EQ(figures().rejected, 0U);
}

TEST_F(SubmitFifoTest, AFloodLeavesTurnsToOthers) {
  const auto fd = writer();
  std::string flood;
  for (int i = 0; i < 4'000; ++i) flood += "{\"type\":\"\"}\n";
  write(fd, flood);
  test_.daemon.turn(milliseconds(10));
  test_.daemon.turn(milliseconds(10));
  EXPECT_LE(figures().lines, 2 * SubmitFifo::kLinesMax);
  auto client = test_.connect();
  EXPECT_LT(figures().lines, 4'000U) << "a client was welcomed meanwhile";
  EXPECT_TRUE(rejected(4'000));
  const auto told = std::ranges::count_if(
      test_.log.lines, [](const auto& line) { return line.find("is empty") != line.npos; });
  EXPECT_LE(told, 20) << "the log is no second copy";
}

TEST_F(SubmitFifoTest, IsMadeAgainWhenItIsGone) {
  const auto old = writer();
  write(old, "{\"type\":\"echo\"}\n");
  ASSERT_EQ(::unlink(path("submit.fifo").c_str()), 0);
  EXPECT_TRUE(test_.daemon.submit_fifo()->check());
  EXPECT_TRUE(test_.log.has("made again"));
  EXPECT_TRUE(done(1)) << "what was in the old one";
  expect_goes_on();
}

TEST_F(SubmitFifoTest, AFileInItsPlaceIsMovedAsideUnread) {
  ASSERT_EQ(::unlink(path("submit.fifo").c_str()), 0);
  std::ofstream(path("submit.fifo")) << "{\"type\":\"echo\"}\n";
  EXPECT_TRUE(test_.daemon.submit_fifo()->check());
  EXPECT_TRUE(std::filesystem::is_regular_file(path("submit.missed")));
  EXPECT_TRUE(test_.log.has("submit.missed"));
  expect_goes_on();
  EXPECT_EQ(figures().lines, 1U);
}

TEST_F(SubmitFifoTest, WhateverElseIsInItsPlaceIsToldAndLeftAlone) {
  const auto replace = [&](const std::function<void(const std::string&)>& put) {
    const auto place = path("submit.fifo");
    std::filesystem::remove_all(place);
    put(place);
    EXPECT_FALSE(test_.daemon.submit_fifo()->check());
    EXPECT_FALSE(figures().open);
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::symlink_status(place)));
  };
  replace([](const std::string& place) { ::mkdir(place.c_str(), 0700); });
  replace([](const std::string& place) { (void)!::symlink("/dev/null", place.c_str()); });
  replace([&](const std::string& place) {
    ::mkfifo(path("other").c_str(), 0600);
    (void)!::link(path("other").c_str(), place.c_str());
  });
  std::ofstream(path("submit.missed")) << "an earlier one";
  replace([](const std::string& place) { std::ofstream(place) << "x"; });
  auto client = test_.connect();
  const auto status = Json::parse(test_.ask(client, Verb::Status));
  EXPECT_EQ(status["health"]["alerts"][0]["name"], "submit-fifo") << status;
  std::filesystem::remove(path("submit.fifo"));
  EXPECT_TRUE(test_.daemon.submit_fifo()->check());
  expect_goes_on();
}

TEST_F(SubmitFifoTest, IsGoneAfterAStopAndWhatWasInItIsRejected) {
  const auto fd = writer();
  ASSERT_TRUE(test_.until([&] { return test_.daemon.documents().initialized(); }));
  test_.daemon.stop(false);
  ASSERT_TRUE(test_.until([&] { return !test_.daemon.turn(milliseconds(1)); }));
  write(fd, "{\"type\":\"echo\"}\n{\"type\":\"ec");
  test_.daemon.run();
  EXPECT_FALSE(std::filesystem::exists(path("submit.fifo")));
  const auto kept = rejects();
  ASSERT_EQ(kept.size(), 2U);
  EXPECT_NE(kept[0]["reason"].get<std::string>().find("stops"), std::string::npos) << kept[0];
  EXPECT_EQ(kept[1]["line"], "{\"type\":\"ec");
}

TEST(SubmitFifoStart, TakesOverTheOneOfAnEarlierLife) {
  struct stat before {};
  FakeProcesses processes;
  const auto path = processes.fifo_directory().path() + "/submit.fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0644), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  ASSERT_EQ(::stat(path.c_str(), &before), 0);
  RecordingLog log;
  SystemTime time;
  const auto configuration = small_configuration();
  FakeStore store(configuration.pool.values);
  ServiceNotifier notifier{Environment{}};
  Daemon daemon({configuration,
                 {std::nullopt},
                 1,
                 Instant{1},
                 std::nullopt,
                 "",
                 "",
                 &processes.fifo_directory()},
                {log, time, processes, store, notifier});
  struct stat after {};
  ASSERT_EQ(::stat(path.c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino) << "whoever waits in an open for a reader is served";
  EXPECT_EQ(after.st_mode, S_IFIFO | 0600U);
}

TEST(SubmitFifoStart, IsOffWhereTheOptionSaysSo) {
  auto configuration = small_configuration();
  configuration.pool.values.submit_fifo = false;
  TestDaemon test(configuration, UseSubmitFifo::Yes);
  EXPECT_EQ(test.daemon.submit_fifo(), nullptr);
  EXPECT_FALSE(std::filesystem::exists(test.processes.fifo_directory().path() + "/submit.fifo"));
}

}  // namespace
}  // namespace warmpool::daemon
