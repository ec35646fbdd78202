// The archive of dead letters: lines that are there for good, or a letter that stays.
#include "daemon/archive.hpp"

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "ipc/text_forms.hpp"
#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using Json = nlohmann::json;
using ipc::Kind;
using ipc::Verb;

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<Json> lines_of(const std::string& path) {
  std::vector<Json> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) lines.push_back(Json::parse(line));
  return lines;
}

class ArchiveFileTest : public testing::Test {
 protected:
  ArchiveFileTest() { file_.set_bounds(1'000'000, 3); }

  static ArchiveLetter letter(std::uint64_t id, std::string_view payload = "x",
                              Content content = Content::Utf8) {
    return {TaskId{id}, 1, R"({"id":)" + std::to_string(id) + "}", Blob(ipc::bytes_of(payload)),
            content};
  }
  Result<void> append(std::uint64_t id, std::string_view payload = "x") {
    const auto some = letter(id, payload);
    return file_.append(ArchiveLine(some));
  }
  // As the archive does it.
  Result<void> put(std::uint64_t id) {
    const auto some = letter(id);
    const ArchiveLine line(some);
    if (!file_.has_room(line.bytes())) {
      if (auto rotated = file_.rotate(); !rotated) return rotated;
    }
    if (auto appended = file_.append(line); !appended) return appended;
    return file_.sync();
  }
  std::vector<std::uint64_t> ids(const std::string& path) {
    std::vector<std::uint64_t> found;
    for (const auto& line : lines_of(path)) found.push_back(line["id"]);
    return found;
  }

  ipc::test::TemporaryDirectory base_;
  std::string path_ = base_ / "archive";
  ArchiveFile file_{path_};
};

TEST_F(ArchiveFileTest, ALineIsWholeWhateverThePayloadIs) {
  const std::string text = "quote \" and\nline", large(500'001, 'z'), bytes("\x00\xff\xfe", 3);
  for (const auto& [payload, content] : {std::pair{text, Content::Utf8},
                                         {large, Content::Utf8},
                                         {bytes, Content::Utf8},
                                         {text, Content::Bytes},
                                         {std::string(), Content::Bytes}}) {
    const auto some = letter(7, payload, content);
    const ArchiveLine line(some);
    const auto before = std::filesystem::exists(path_) ? std::filesystem::file_size(path_) : 0;
    ASSERT_TRUE(file_.append(line));
    EXPECT_EQ(std::filesystem::file_size(path_) - before, line.bytes());
  }
  EXPECT_TRUE(file_.sync());
  const auto lines = lines_of(path_);
  ASSERT_EQ(lines.size(), 5U);
  const auto base64 = [&](std::size_t at) {
    return ipc::from_base64(lines[at]["payload"]["base64"].get<std::string>());
  };
  EXPECT_EQ(lines[0]["payload"]["text"], text);
  EXPECT_EQ(base64(1), large);
  EXPECT_EQ(base64(2), bytes);
  EXPECT_EQ(base64(3), text);
  EXPECT_EQ(base64(4), "");
  EXPECT_EQ(lines[1]["payload"]["bytes"], large.size());
  EXPECT_EQ(lines[1]["id"], 7);
  struct stat found {};
  ASSERT_EQ(::stat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode, S_IFREG | 0600U);
}

TEST_F(ArchiveFileTest, ALetterWhosePayloadIsLostSaysSoAndTheOthersFollow) {
  ipc::UniqueFd made(::memfd_create("body", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(made.get(), 100), 0);  // of the 4,096 that there were
  auto lost = letter(7);
  lost.payload = Blob(std::make_shared<const ipc::UniqueFd>(std::move(made)), 4096);
  RecordingLog log;
  Archive archive(path_, log);
  Options bounds;
  bounds.dead_archive_bytes_max = 1'000'000;
  bounds.dead_archive_files_max = 3;
  archive.set_bounds(bounds);
  archive.describe_by([&](const command::Archive& asked) -> std::optional<ArchiveLetter> {
    if (asked.task != lost.task) return letter(asked.task.value);
    return ArchiveLetter{lost.task, lost.round, lost.head, lost.payload.share(), lost.content};
  });
  archive.carry({TaskId{7}, 1});
  archive.carry({TaskId{8}, 1});
  std::vector<event::Archived> answers;
  while (answers.size() < 2) {
    pollfd waits{archive.fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&waits, 1, 10'000), 1);
    std::uint64_t count = 0;
    ASSERT_EQ(::read(archive.fd(), &count, sizeof count), 8);
    const auto some = archive.take_answers(Instant{1});
    answers.insert(answers.end(), some.begin(), some.end());
  }
  EXPECT_TRUE(answers[0].kept && answers[1].kept);
  const auto lines = lines_of(path_);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0]["payload"]["bytes"], 4096);
  EXPECT_FALSE(lines[0]["payload"]["unreadable"].get<std::string>().empty());
  EXPECT_FALSE(lines[0]["payload"].contains("base64"));
  EXPECT_EQ(lines[1]["id"], 8);
}

// A line has 58 bytes: two to a file.
TEST_F(ArchiveFileTest, WhatTheOldestFileHeldIsCounted) {
  file_.set_bounds(120, 3);
  for (std::uint64_t id = 1; id <= 7; ++id) ASSERT_TRUE(put(id));
  EXPECT_EQ(ids(path_ + ".2"), (std::vector<std::uint64_t>{3, 4}));
  EXPECT_EQ(ids(path_ + ".1"), (std::vector<std::uint64_t>{5, 6}));
  EXPECT_EQ(ids(path_), (std::vector<std::uint64_t>{7}));
  EXPECT_EQ(file_.take_lost(), 2U);
  file_.set_bounds(60, 1);
  ASSERT_TRUE(put(8));
  EXPECT_EQ(file_.take_lost(), 5U) << "and so what a larger bound had kept";
  EXPECT_FALSE(std::filesystem::exists(path_ + ".1"));
}

TEST_F(ArchiveFileTest, IsMadeAgainWhenSomebodyMovedOrRemovedIt) {
  ASSERT_TRUE(put(1));
  std::filesystem::rename(path_, path_ + ".mine");
  ASSERT_TRUE(put(2));
  EXPECT_EQ(ids(path_), (std::vector<std::uint64_t>{2}));
  std::filesystem::remove(path_);
  ASSERT_TRUE(put(3));
  EXPECT_EQ(ids(path_), (std::vector<std::uint64_t>{3}));
}

TEST_F(ArchiveFileTest, ALineThatWasCutShortIsEndedByTheNext) {
  std::ofstream(path_) << R"({"id":1,)";
  ASSERT_TRUE(put(2));
  std::ifstream file(path_);
  std::string first, second;
  std::getline(file, first);
  std::getline(file, second);
  EXPECT_EQ(first, R"({"id":1,)");
  EXPECT_EQ(Json::parse(second)["id"], 2);
}

// Opening a FIFO for writing waits for a reader, if one lets it.
TEST_F(ArchiveFileTest, DoesNotWaitWhateverIsInItsPlace) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_FALSE(append(1));
  const ipc::UniqueFd reader(::open(path_.c_str(), O_RDONLY | O_NONBLOCK));
  EXPECT_FALSE(append(1));
  std::filesystem::remove(path_);
  ASSERT_EQ(::symlink((base_ / "elsewhere").c_str(), path_.c_str()), 0);
  EXPECT_FALSE(append(1));
  EXPECT_FALSE(std::filesystem::exists(base_ / "elsewhere"));
}

// What a file may be long stands for a disk that is full in the middle of a line.
TEST_F(ArchiveFileTest, ALineThatDoesNotFitLeavesNothingBehind) {
  ASSERT_TRUE(put(1));
  const auto before = read(path_);
  rlimit was{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &was), 0);
  const auto handled = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = was;
  small.rlim_cur = 100'000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto appended = append(2, std::string(1'000'000, 'z'));
  EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &was), 0);
  std::signal(SIGXFSZ, handled);
  ASSERT_FALSE(appended);
  EXPECT_NE(appended.error().text.find(path_), std::string::npos) << appended.error().text;
  EXPECT_EQ(read(path_), before);
  ASSERT_TRUE(put(3));
  EXPECT_EQ(ids(path_), (std::vector<std::uint64_t>{1, 3}));
}

// --- with the daemon -----------------------------------------------------------------------------

void bury(TestDaemon& test, RawClient& client, int letters, const std::string& payload = "x") {
  client.name_type("fail", 0);
  ipc::SubmitMeta once;
  once.retries = 0;
  const auto before = client.count(Kind::Settled);
  for (int i = 0; i < letters; ++i) {
    client.submit(payload, before + static_cast<std::uint64_t>(i) + 1, ipc::flag::kWait, once);
  }
  ASSERT_TRUE(test.until(client, [&] {
    return client.count(Kind::Settled) == before + static_cast<std::size_t>(letters);
  }));
}

Configuration keeping(std::uint64_t dead_max) {
  auto configuration = small_configuration();
  configuration.pool.values.dead_max = dead_max;
  return configuration;
}

Json status(TestDaemon& test, RawClient& client) {
  return Json::parse(test.ask(client, Verb::Status));
}

bool alerts(const Json& status, const std::string& name) {
  return std::ranges::any_of(status["health"]["alerts"],
                             [&](const Json& alert) { return alert["name"] == name; });
}

TEST(Archive, TakesWhatIsOverTheBoundsAndTellsSo) {
  TestDaemon test(keeping(2));
  auto client = test.connect();
  bury(test, client, 5, std::string(100'000, 'z'));
  ASSERT_TRUE(test.until([&] { return test.daemon.pool().queue().dead_letters == 2; }));
  const auto lines = lines_of(test.directory / "dead-letters.jsonl");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0]["state"], "dead");
  EXPECT_EQ(lines[0]["attempts"][0]["error"], "the handler said no");
  EXPECT_EQ(lines[0]["payload"]["bytes"], 100'000);
  const auto told = status(test, client);
  EXPECT_EQ(told["dead_letters"]["archived"], 3);
  EXPECT_EQ(told["dead_letters"]["archive_failures"], 0);
  EXPECT_TRUE(told["dead_letters"]["trouble"].is_null());
  EXPECT_TRUE(alerts(told, "dead-letters"));
  EXPECT_TRUE(test.log.has("dead-letters.jsonl")) << "and in the log";
  test.time.pass(hours(1));
  EXPECT_FALSE(alerts(status(test, client), "dead-letters"));
}

TEST(Archive, WhatItCannotTakeStaysIsToldAndIsTriedAgain) {
  TestDaemon test(keeping(1));
  auto client = test.connect();
  const auto path = test.directory / "dead-letters.jsonl";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  bury(test, client, 4);
  ASSERT_TRUE(test.until(
      [&] { return status(test, client)["dead_letters"]["archive_failures"].get<int>() >= 3; }));
  auto told = status(test, client);
  EXPECT_EQ(told["dead_letters"]["kept"], 4);
  EXPECT_EQ(told["dead_letters"]["archived"], 0);
  EXPECT_TRUE(alerts(told, "dead-archive"));
  EXPECT_TRUE(test.log.has("takes none"));
  std::filesystem::remove(path);
  test.time.pass(minutes(2));
  // A request wakes the loop, which else waits for what the clock has passed by.
  ASSERT_TRUE(test.until([&] { return status(test, client)["dead_letters"]["kept"] == 1; }));
  EXPECT_EQ(lines_of(path).size(), 3U);
  told = status(test, client);
  EXPECT_FALSE(alerts(told, "dead-archive"));
  EXPECT_TRUE(told["dead_letters"]["trouble"].is_null());
}

TEST(Archive, WhatFallsOutOfItIsCountedAndTold) {
  auto configuration = keeping(0);
  configuration.pool.values.dead_archive_bytes_max = 64 * 1024;
  configuration.pool.values.dead_archive_files_max = 1;
  TestDaemon test(configuration);
  auto client = test.connect();
  for (int i = 1; i <= 3; ++i) {
    bury(test, client, 1, std::string(40'000, 'z'));
    ASSERT_TRUE(test.until([&] { return test.daemon.pool().queue().dead_letters == 0; }));
  }
  const auto told = status(test, client);
  EXPECT_EQ(told["dead_letters"]["archived"], 3);
  EXPECT_EQ(told["dead_letters"]["archive_lost"], 2);
  EXPECT_TRUE(alerts(told, "dead-archive-full"));
  EXPECT_EQ(lines_of(test.directory / "dead-letters.jsonl").size(), 1U);
  test.time.pass(minutes(2));
  ASSERT_TRUE(test.until([&] {
    status(test, client);
    return test.log.has("gone with the oldest file");
  }));
}

}  // namespace
}  // namespace warmpool::daemon
