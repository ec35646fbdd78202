// status and workers from a board: no daemon is there to be asked.
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <optional>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/board.hpp"
#include "client/fault.hpp"
#include "pool/worker_words.hpp"
#include "tests/client/cli_runner.hpp"

namespace warmpool::cli {
namespace {

using fake::run_cli;
using nlohmann::json;

constexpr ipc::BoardShape kShape{1, 4};

std::int64_t now_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

ipc::BoardSlot slot_row(const std::string& name, SlotState state, std::uint64_t task) {
  ipc::BoardSlot row{};
  ipc::put_text(row.name, name);
  row.state = static_cast<std::uint8_t>(state);
  row.worker = 1;
  row.pid = 4712;
  row.task = task;
  row.in_hand = task == 0 ? 0 : 1;
  row.tasks_executed = 12;
  row.processes_spawned = 1;
  row.spawned_at = now_ns(CLOCK_REALTIME) - 60'000'000'000;
  return row;
}

// A directory with the board of a daemon that lives for as long as this test wants.
class Published {
 public:
  explicit Published(std::int64_t age_ns = 0) {
    std::string pattern = "/tmp/warmpool-client.XXXXXX";
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    file_.reset(::open(board().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(::ftruncate(file_.get(), static_cast<off_t>(kShape.bytes())), 0);
    struct flock whole {};
    whole.l_type = F_WRLCK;
    EXPECT_EQ(::fcntl(file_.get(), F_OFD_SETLK, &whole), 0);
    auto mapping = ipc::Mapping::of(file_.get(), kShape.bytes(), ipc::Mapping::Access::ReadWrite);
    EXPECT_TRUE(mapping);
    writer_.emplace(std::move(*mapping), kShape, 4711, 17, "warmpoold/test");
    write(age_ns);
  }
  ~Published() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  std::string board() const { return directory_ + "/board"; }
  std::string socket() const { return directory_ + "/warmpool.sock"; }
  fake::Ended run(std::vector<std::string> words) const {
    words.insert(words.begin(), {"--socket", socket()});
    return run_cli(words);
  }
  // The mapping alone keeps the lock, as it does of a real daemon.
  void kill() {
    writer_.reset();
    file_.reset();
  }

 private:
  void write(std::int64_t age_ns) {
    ipc::BoardPool pool{};
    pool.updated_at = now_ns(CLOCK_REALTIME) - age_ns;
    pool.updated_monotonic = now_ns(CLOCK_MONOTONIC) - age_ns;
    pool.interval = 100'000'000;
    pool.uptime = 120'000'000'000;
    pool.flags = ipc::board_flag::kInitialized;
    pool.accepted = 30;
    pool.settled = {20, 1, 2, 3, 0};
    pool.ready = 3;
    pool.running = 1;
    pool.attempts = 100;
    pool.spawns = 2;
    pool.processes_started = 30;
    writer_->begin();
    ipc::BoardClass row{};
    ipc::put_text(row.name, "images");
    row.target = 2;
    writer_->put(pool.classes++, row);
    writer_->put(pool.slots++, slot_row("images-0", SlotState::Running, 815));
    auto second = slot_row("images-1", SlotState::Ready, 0);
    second.flags = ipc::slot_flag::kUnresponsive;
    second.score = ipc::board_score(730);
    writer_->put(pool.slots++, second);
    writer_->commit(pool);
  }

  std::string directory_;
  ipc::UniqueFd file_;
  std::optional<ipc::BoardWriter> writer_;
};

TEST(BoardCommand, WorkersHaveTheMembersOfTheDaemonsDocument) {
  const Published published;
  const auto ended = published.run({"workers", "--board", "--json"});
  ASSERT_EQ(ended.status, 0) << ended.err;
  const auto document = json::parse(ended.out);
  EXPECT_EQ(document["schema"], 1);
  EXPECT_EQ(document["board"]["pid"], 4711);
  EXPECT_EQ(document["board"]["alive"], true);
  ASSERT_EQ(document["workers"].size(), 2U);
  const auto& busy = document["workers"][0];
  EXPECT_EQ(busy["id"], "images-0");
  EXPECT_EQ(busy["class"], "images");
  EXPECT_EQ(busy["state"], "running");
  EXPECT_EQ(busy["health"], "working");
  EXPECT_EQ(busy["current_task"], 815);
  EXPECT_NEAR(busy["uptime_seconds"].get<double>(), 60, 1);
  EXPECT_EQ(document["workers"][1]["health"], "unresponsive");
  EXPECT_EQ(document["workers"][1]["current_task"], nullptr);
  EXPECT_EQ(busy["score"], nullptr);
  EXPECT_EQ(document["workers"][1]["score"], 728) << "in fours";
}

TEST(BoardCommand, StatusAddsUp) {
  const Published published;
  const auto ended = published.run({"status", "--board", "--json"});
  ASSERT_EQ(ended.status, 0) << ended.err;
  const auto document = json::parse(ended.out);
  const auto& tasks = document["tasks"];
  EXPECT_EQ(tasks["accepted"], tasks["done"].get<int>() + tasks["dead"].get<int>() +
                                   tasks["cancelled"].get<int>() + tasks["expired"].get<int>() +
                                   tasks["skipped"].get<int>() + tasks["waiting"].get<int>() +
                                   tasks["running"].get<int>());
  EXPECT_EQ(document["performance"]["worker_reuse_rate"], 0.68) << "of 100 attempts";
  EXPECT_EQ(document["performance"]["processes_started"], 30);
  EXPECT_EQ(document["workers"]["total"], 2);
  EXPECT_EQ(document["workers"]["unhealthy"], 1);
  EXPECT_EQ(document["pool"]["size"], 2);
  EXPECT_EQ(document["classes"][0]["name"], "images");
}

TEST(BoardCommand, SaysHowOldTheFiguresAre) {
  const Published fresh;
  const auto good = fresh.run({"workers", "--board"});
  EXPECT_EQ(good.status, 0);
  EXPECT_NE(good.out.find("images-0"), std::string::npos) << good.out;
  EXPECT_NE(good.err.find("daemon (pid 4711) are"), std::string::npos) << good.err;
  EXPECT_EQ(good.err.find("stopped"), std::string::npos) << good.err;
  const Published late(90'000'000'000);
  const auto stuck = late.run({"status", "--board"});
  EXPECT_EQ(stuck.status, 0);
  EXPECT_NE(stuck.err.find("1m30s old: it is stopped, or stuck"), std::string::npos) << stuck.err;
}

TEST(BoardCommand, OfADeadDaemonSaysSoAndShowsThemAllTheSame) {
  Published published(5'000'000'000);
  published.kill();
  const auto ended = published.run({"workers", "--board"});
  EXPECT_EQ(ended.status, 69);
  EXPECT_NE(ended.out.find("images-0"), std::string::npos) << ended.out;
  EXPECT_NE(ended.err.find("are 5s old, and the daemon (pid 4711) that wrote them is gone"),
            std::string::npos)
      << ended.err;
  const auto document = published.run({"status", "--board", "--json"});
  EXPECT_EQ(document.status, 69);
  const auto error = json::parse(document.err)["error"];
  EXPECT_EQ(error["status"], 69);
  EXPECT_EQ(error["hint"], "start a daemon, or name the socket of another with --socket");
}

TEST(BoardCommand, WithoutABoardSaysWhatToDo) {
  const Published published;
  std::filesystem::remove(published.board());
  const auto ended = published.run({"workers", "--board"});
  EXPECT_EQ(ended.status, 69);
  EXPECT_NE(ended.err.find("warmpool status"), std::string::npos) << ended.err;
  std::ofstream(published.board()) << "no board at all, and rather short for one";
  const auto strange = published.run({"status", "--board"});
  EXPECT_EQ(strange.status, 69);
  EXPECT_NE(strange.err.find("no board"), std::string::npos) << strange.err;
}

TEST(Board, IsOpenedAgainWhereALargerOneHasTakenItsPlace) {
  Published published;
  auto board = client::Board::open(published.socket());
  ASSERT_TRUE(board) << board.error().text;
  const Published larger;
  {
    const ipc::UniqueFd old(::open(published.board().c_str(), O_RDWR | O_CLOEXEC));
    const std::uint64_t replaced = 2;
    ASSERT_EQ(::pwrite(old.get(), &replaced, 8, offsetof(ipc::BoardHeader, retired)), 8);
  }
  std::filesystem::copy_file(larger.board(), published.board() + ".new");
  std::filesystem::rename(published.board() + ".new", published.board());
  const auto view = board->read();
  ASSERT_TRUE(view) << view.error().text;
  EXPECT_EQ(view->figures.slots.size(), 2U);
  EXPECT_FALSE(view->alive) << "nobody holds the copy";
}

}  // namespace
}  // namespace warmpool::cli
