// The board as the daemon publishes it: where it lies, what it says, how often it is written.
#include "daemon/board.hpp"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <linux/magic.h>
#include <optional>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <nlohmann/json.hpp>

#include "ipc/board.hpp"
#include "tests/daemon/test_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::daemon {
namespace {

namespace fs = std::filesystem;

// Owns: an empty directory below `parent`.
class Directory {
 public:
  explicit Directory(const std::string& parent) {
    std::string name = parent + "/warmpool-board.XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  BoardPlace place(const std::string& memory = "/dev/shm") const {
    BoardPlace place;
    place.directory.reset(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    place.path = path;
    place.memory = memory;
    return place;
  }
  std::string board() const { return path + "/board"; }
  std::size_t entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }
  std::string path;
};

// Where this was built; none if that lies in memory.
std::optional<std::string> some_disk() {
  const auto path = test::program_directory();
  struct statfs found {};
  if (::statfs(path.c_str(), &found) != 0 || found.f_type == TMPFS_MAGIC) return std::nullopt;
  return path;
}

ipc::BoardReader reader_of(const std::string& path) {
  const ipc::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  auto reader = ipc::BoardReader::open(fd.get());
  REQUIRE(reader);
  return std::move(*reader);
}

// A daemon that has published a board in memory.
struct Publishing {
  Directory directory{"/dev/shm"};
  TestDaemon test;
  Publishing() {
    test.daemon.publish_in(directory.place());
    EXPECT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  }
  ipc::BoardFigures figures() const {
    auto figures = reader_of(directory.board()).read();
    REQUIRE(figures);
    return std::move(*figures);
  }
};

TEST(Board, SaysWhatTheDocumentsSay) {
  Publishing publishing;
  auto& test = publishing.test;
  auto client = test.connect();
  client.name_type("hang");
  client.submit("x", 1);
  ASSERT_TRUE(test.until(client, [&] { return publishing.figures().pool.running == 1; }));
  const auto figures = publishing.figures();
  const auto document = nlohmann::json::parse(test.ask(client, ipc::Verb::Workers));
  ASSERT_EQ(figures.slots.size(), document["workers"].size());
  for (std::size_t i = 0; i < figures.slots.size(); ++i) {
    const auto& row = figures.slots[i];
    const auto& shown = document["workers"][i];
    EXPECT_EQ(shown["id"], std::string(ipc::text_in(row.name)));
    EXPECT_EQ(shown["state"], std::string(name_of(static_cast<SlotState>(row.state))));
    EXPECT_EQ(shown["tasks_executed"], row.tasks_executed);
    EXPECT_EQ(shown["in_hand"], row.in_hand);
    EXPECT_EQ(shown["pid"], row.pid);
    ASSERT_EQ(shown["score"].is_null(), row.score == 0);
    if (row.score != 0) {
      EXPECT_EQ(shown["score"].get<int>() / 4 * 4, ipc::score_of(row.score));
    }
    if (row.task != 0) {
      EXPECT_EQ(shown["current_task"], row.task);
    }
  }
  EXPECT_EQ(figures.pool.accepted, 1U);
  EXPECT_EQ(figures.classes.at(0).in_flight, 1U);
  EXPECT_EQ(ipc::text_in(figures.classes[0].name), "worker");
  EXPECT_NE(figures.pool.flags & ipc::board_flag::kInitialized, 0U);
  EXPECT_EQ(figures.pool.slots_left_out, 0U);
}

TEST(Board, HasAsManyProcessesForOneTaskEachAsTheStatus) {
  Publishing publishing;
  auto& test = publishing.test;
  auto client = test.connect();
  ASSERT_TRUE(test.until([&] { return test.processes.alive() != nullptr; }));
  // What it had started before its first report may be of another daemon's time.
  for (const char* gauge : {"processes_started=0", "processes_started=30"}) {
    std::string bytes;
    ipc::encode(ipc::ReportMeta{{gauge}, {}}, bytes);
    test.processes.alive()->channel->send({.kind = ipc::Kind::Report}, ipc::bytes_of(bytes));
  }
  ASSERT_TRUE(
      test.until(client, [&] { return publishing.figures().pool.processes_started == 30; }));
  const auto document = nlohmann::json::parse(test.ask(client, ipc::Verb::Status));
  EXPECT_EQ(document["performance"]["processes_started"], 30);
}

TEST(Board, IsWrittenOnceAnIntervalAndOnceMoreAtTheEnd) {
  Publishing publishing;
  auto& test = publishing.test;
  const auto reader = reader_of(publishing.directory.board());
  auto client = test.connect();
  client.name_type("echo");
  const auto first = reader.read();
  ASSERT_TRUE(first);
  constexpr std::uint64_t tasks = 200;
  for (std::uint64_t token = 1; token <= tasks; ++token) {
    client.submit("x", token);
    ASSERT_TRUE(
        test.until(client, [&] { return client.find(ipc::Kind::Settled, token) != nullptr; }));
  }
  ASSERT_TRUE(test.until([&] { return reader.read()->pool.settled[0] == tasks; }));
  const auto last = reader.read();
  const auto copies = static_cast<std::int64_t>(last->pool.generation - first->pool.generation);
  const auto intervals =
      (last->pool.updated_monotonic - first->pool.updated_monotonic) / first->pool.interval;
  EXPECT_LE(copies, intervals + 1);
  EXPECT_GE(copies, 1);
}

TEST(Board, CanBeReadByItsOwnerAndWrittenByNobody) {
  const Publishing publishing;
  struct stat found {};
  ASSERT_EQ(::stat(publishing.directory.board().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0400U);
  EXPECT_EQ(static_cast<std::size_t>(found.st_size),
            reader_of(publishing.directory.board()).header().bytes);
}

TEST(Board, OfADirectoryOnADiskLiesInMemoryBehindALink) {
  const auto parent = some_disk();
  if (!parent) GTEST_SKIP() << "the build lies in memory";
  const Directory disk(*parent);
  const Directory memory("/dev/shm");
  {
    TestDaemon test;
    test.daemon.publish_in(disk.place(memory.path));
    ASSERT_TRUE(fs::is_symlink(disk.board()));
    EXPECT_EQ(fs::read_symlink(disk.board()).parent_path(), memory.path);
    EXPECT_TRUE(reader_of(disk.board()).read());
    EXPECT_EQ(memory.entries(), 1U);
  }
  EXPECT_EQ(disk.entries(), 0U);
  EXPECT_EQ(memory.entries(), 0U) << "what was left is taken away too";
}

TEST(Board, TakesAwayWhatKilledDaemonsLeftInMemoryADayAgo) {
  const auto parent = some_disk();
  if (!parent) GTEST_SKIP() << "the build lies in memory";
  const Directory disk(*parent);
  const Directory memory("/dev/shm");
  const auto prefix = memory.path + "/warmpool-" + std::to_string(::geteuid()) + "-";
  const auto yesterday = fs::file_time_type::clock::now() - std::chrono::hours(25);
  for (const char* name : {"1-1.board", "1-2.board", "1-3.board", "1-4.other"}) {
    std::ofstream(prefix + name) << "left behind";
  }
  for (const char* name : {"1-1.board", "1-2.board", "1-4.other"}) {
    fs::last_write_time(prefix + name, yesterday);
  }
  const ipc::UniqueFd held(::open((prefix + "1-2.board").c_str(), O_RDWR | O_CLOEXEC));
  struct flock whole {};
  whole.l_type = F_WRLCK;
  ASSERT_EQ(::fcntl(held.get(), F_OFD_SETLK, &whole), 0);
  TestDaemon test;
  test.daemon.publish_in(disk.place(memory.path));
  EXPECT_FALSE(fs::exists(prefix + "1-1.board"));
  EXPECT_TRUE(fs::exists(prefix + "1-2.board")) << "its daemon lives";
  EXPECT_TRUE(fs::exists(prefix + "1-3.board")) << "it is young";
  EXPECT_TRUE(fs::exists(prefix + "1-4.other")) << "it is no board";
}

TEST(Board, LiesOnTheDiskWhereThereIsNoMemoryAndTheLogSaysSo) {
  const auto parent = some_disk();
  if (!parent) GTEST_SKIP() << "the build lies in memory";
  const Directory disk(*parent);
  TestDaemon test;
  test.daemon.publish_in(disk.place("/nonexistent"));
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(disk.board())));
  EXPECT_TRUE(test.log.has("lies on a disk"));
}

TEST(Board, ReplacesOneThatWasLeftBehind) {
  const Directory directory("/dev/shm");
  std::ofstream(directory.board()) << "old";
  std::ofstream(directory.board() + ".new") << "half made";
  TestDaemon test;
  test.daemon.publish_in(directory.place());
  EXPECT_TRUE(reader_of(directory.board()).read());
  EXPECT_EQ(directory.entries(), 1U);
}

TEST(Board, ThatCannotBeMadeIsALineInTheLog) {
  const Directory directory("/dev/shm");
  fs::create_directory(directory.board());
  TestDaemon test;
  test.daemon.publish_in(directory.place());
  EXPECT_TRUE(test.log.has("no board is published"));
  EXPECT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
}

TEST(Board, IsTakenAwayAtTheEnd) {
  const Directory directory("/dev/shm");
  std::optional<ipc::BoardReader> reader;
  {
    TestDaemon test;
    test.daemon.publish_in(directory.place());
    reader = reader_of(directory.board());
  }
  EXPECT_EQ(reader->end(), ipc::BoardEnd::Stopped);
  EXPECT_EQ(directory.entries(), 0U);
}

TEST(Board, GrowsWithThePool) {
  auto configuration = small_configuration();
  configuration.classes.front().values.size_max = 1000;
  configuration.classes.front().values.size_min = 0;
  const Directory directory("/dev/shm");
  std::uint64_t rows = 0;
  {
    TestDaemon test(configuration);
    test.daemon.publish_in(directory.place());
    rows = reader_of(directory.board()).header().slots_max;
  }
  EXPECT_EQ(rows, 1000U) << "there is room for as many as a scale may ask for";
  configuration.classes.front().values.size_max = 64;
  TestDaemon test(configuration);
  test.daemon.publish_in(directory.place());
  const auto before = reader_of(directory.board());
  EXPECT_EQ(before.header().slots_max, 64U);
  auto larger = configuration;
  larger.classes.front().values.size_max = 200;
  test.daemon.reload(larger);
  auto client = test.connect();
  test.ask(client, ipc::Verb::Scale,
           {std::string_view("worker"), std::uint64_t{0}, std::uint64_t{100}});
  EXPECT_TRUE(test.until([&] { return before.end() == ipc::BoardEnd::Replaced; }));
  const auto figures = reader_of(directory.board()).read();
  ASSERT_TRUE(figures);
  EXPECT_EQ(figures->slots.size(), 100U);
  EXPECT_EQ(figures->pool.slots_left_out, 0U);
}

TEST(Board, IsMadeAgainWhenItWasTakenAway) {
  const Directory directory("/dev/shm");
  TestDaemon test;
  test.daemon.publish_in(directory.place());
  fs::remove(directory.board());
  test.daemon.look_after_board();
  EXPECT_TRUE(reader_of(directory.board()).read());
  EXPECT_TRUE(test.log.has("made again"));
}

}  // namespace
}  // namespace warmpool::daemon
