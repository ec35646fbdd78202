// A daemon over a store whose disk is slow, or full: who asks is answered meanwhile, nobody is told
// what does not hold, and what is refused is in no later life.
#include <fcntl.h>
#include <optional>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include "daemon/store/journal_recovery.hpp"
#include "ipc/board.hpp"
#include "tests/daemon/test_daemon.hpp"
#include "tests/store/fault_vfs.hpp"
#include "tests/store/store_fixture.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Kind;
using nlohmann::json;

Configuration impatient() {
  auto configuration = small_configuration();
  configuration.classes.front().values.channel = "socket";
  auto& options = configuration.pool.values;
  options.heartbeat_interval = milliseconds(50);
  options.unresponsive_after = milliseconds(500);
  options.dead_after = seconds(1);
  options.sample_interval = milliseconds(50);
  return configuration;
}

// With a journal before the tables, and without.
class StorageFault : public testing::TestWithParam<std::uint64_t> {
 protected:
  StorageFault() {
    lives.place.vfs = vfs.name();
    lives.place.journal_bytes = GetParam();
    lives.place.refused_wait = lives.place.busy_wait = milliseconds(5);
    test.emplace(impatient(), UseSubmitFifo::No, lives.open());
    client.emplace(test->connect());
    client->name_type("echo");
    client->name_type("hang", 1);
    EXPECT_TRUE(test->until([&] { return test->daemon.documents().initialized(); }));
  }
  ~StorageFault() override {
    vfs.let_syncs_go();
    vfs.clear_faults();
  }

  // What passes at once is no time for the system, which the daemon waits for.
  void turn() {
    test->daemon.turn(milliseconds(1) - passed);
    test->processes.work();
    client->receive();
  }
  void let_pass(Duration duration) {
    test->time.pass(duration);
    lives.time.pass(duration);
    passed = passed + duration;
  }
  bool until(const std::function<bool()>& holds) {
    const auto end = test::patience_ends();
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end) return false;
      turn();
    }
    return true;
  }
  bool comes(Kind kind, std::uint64_t token) {
    return until([&, kind, token] { return client->find(kind, token) != nullptr; });
  }
  // Accepted, and does not begin.
  std::uint64_t submit_waiting(std::uint64_t token) {
    client->submit("waits", token, 0, {.delay = hours(1)});
    EXPECT_TRUE(comes(Kind::Accepted, token));
    return client->find(Kind::Accepted, token)->header.id;
  }
  void cancel(std::uint64_t task, std::uint64_t token) {
    client->send({.kind = Kind::Cancel, .id = task, .token = token});
  }
  json status() { return json::parse(test->ask(*client, ipc::Verb::Status)); }
  std::string state_of(std::uint64_t task) {
    const auto shown = json::parse(test->ask(*client, ipc::Verb::Show, {task}));
    return shown.at("state");
  }
  // Workers beat, and time goes on by steps that are no stall.
  void pass(Duration duration) {
    for (const auto end = passed + duration; passed < end; turn()) {
      for (auto& [id, worker] : test->processes.workers) {
        if (worker.page) ++worker.page_word(offsetof(ipc::WorkerPage, beats));
      }
      let_pass(milliseconds(20));
    }
  }
  // Tasks that a start would find in these files.
  std::uint64_t tasks_in(const FaultVfs::Moment& moment, const std::string& where) {
    ipc::test::TemporaryDirectory directory;
    const auto path = directory / "db";
    FaultVfs::make_files(moment, Torn::All, 1, path);
    auto raw = Database::open(path, OpenMode::ReadWrite, "");
    SchemaPlace place;
    place.path = path;
    const auto taken = take_journal(*raw, place, disk_bounds_of(default_options()));
    EXPECT_TRUE(taken) << taken.error().text;
    const auto count = raw->integer("SELECT count(*) FROM tasks WHERE " + where);
    EXPECT_TRUE(count) << count.error().text;
    return count ? static_cast<std::uint64_t>(*count) : 0;
  }
  void fill_disk() { vfs.set_fault({DiskCall::Write, std::nullopt, 1, true, SQLITE_FULL}); }
  bool takes_again() {
    return until([&] { return test->daemon.pool().overview().store_accepting; });
  }

  Duration passed;
  FaultVfs vfs;
  SqliteLives lives;
  std::optional<TestDaemon> test;
  std::optional<RawClient> client;
};

TEST_P(StorageFault, ASyncOfFiveSecondsHoldsUpNothingThatItNeedNot) {
  ipc::test::TemporaryDirectory directory;
  BoardPlace place;
  place.path = directory / "";
  place.directory.reset(::open(place.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  test->daemon.publish_in(std::move(place));
  client->submit("runs", 1, ipc::flag::kWait, {}, 1);
  const auto waiting = submit_waiting(2);
  ASSERT_TRUE(until([&] { return test->daemon.pool().overview().queue.running == 1; }));
  const auto exits = test->daemon.pool().counters().exits;
  vfs.hold_syncs();
  client->submit("late", 3);
  ASSERT_TRUE(until([&] { return vfs.sync_waits(); }));
  pass(seconds(5));
  EXPECT_GE(status().at("store").at("stalled_ms").get<double>(), 5'000.0);
  EXPECT_EQ(status().at("tasks").at("accepted"), 3);
  EXPECT_EQ(json::parse(test->ask(*client, ipc::Verb::Workers)).at("workers").size(), 2U);
  EXPECT_EQ(json::parse(test->ask(*client, ipc::Verb::Ls, {{}, {}, std::uint64_t{10}})).size(), 3U);
  cancel(waiting, 4);
  pass(seconds(2));
  client->receive();
  const auto* cancelled = client->find(Kind::Cancelled, 4);
  ASSERT_NE(cancelled, nullptr) << "it waits for the disk";
  EXPECT_EQ(cancelled->header.flags, ipc::flag::kMemoryOnly);
  const ipc::UniqueFd fd(::open((directory / "board").c_str(), O_RDONLY | O_CLOEXEC));
  const auto board = ipc::BoardReader::open(fd.get());
  ASSERT_TRUE(board);
  EXPECT_EQ(board->read()->pool.accepted, 3U);
  EXPECT_EQ(client->find(Kind::Accepted, 3), nullptr) << "it is not on the disk";
  vfs.let_syncs_go();
  ASSERT_TRUE(comes(Kind::Settled, 3));
  EXPECT_EQ(client->find(Kind::Settled, 3)->payload, "late");
  EXPECT_EQ(test->daemon.pool().counters().exits, exits) << "a worker was judged by the disk";
  EXPECT_EQ(test->daemon.pool().counters().zombies, 0U);
  EXPECT_EQ(state_of(waiting), "cancelled");
}

TEST_P(StorageFault, WhatAFullDiskDoesNotTakeIsRefusedForGood) {
  const auto before = submit_waiting(1);
  std::atomic<std::uint64_t> refused_and_there{0};
  vfs.on_sync([&](const FaultVfs::Moment& moment) {
    refused_and_there += tasks_in(moment, "payload = CAST('refused' AS BLOB)");
  });
  fill_disk();
  const std::string key = "key";
  client->submit("refused", 2, ipc::flag::kWait, {.key = key});
  client->submit("refused", 3, ipc::flag::kWait, {.delay = hours(1)});
  client->submit("refused", 4, ipc::flag::kWait, {.key = key});
  ASSERT_TRUE(comes(Kind::Refused, 2));
  ASSERT_TRUE(comes(Kind::Refused, 3));
  ASSERT_TRUE(comes(Kind::Refused, 4));
  client->submit("later", 5);
  ASSERT_TRUE(comes(Kind::Refused, 5));
  for (std::uint64_t token = 2; token <= 5; ++token) {
    const auto& refused = *client->find(Kind::Refused, token);
    const auto meta = ipc::decode<ipc::RefusedMeta>(ipc::bytes_of(refused.meta));
    EXPECT_EQ(meta->code, static_cast<std::uint16_t>(Refusal::StoreUnavailable)) << meta->text;
    EXPECT_GT(meta->retry_after, Duration{});
  }
  EXPECT_EQ(status().at("health").at("status"), "unhealthy");
  EXPECT_FALSE(status().at("store").at("trouble").is_null());
  EXPECT_EQ(tasks_in(vfs.moment(), "1"), 1U) << "only what was acknowledged";
  vfs.clear_faults();
  ASSERT_TRUE(takes_again());
  client->submit("accepted", 6, ipc::flag::kWait, {.key = key});
  ASSERT_TRUE(comes(Kind::Settled, 6));
  EXPECT_EQ(client->find(Kind::Settled, 6)->payload, "accepted");
  EXPECT_EQ(refused_and_there, 0U) << "a daemon that is killed there would run what it refused";
  EXPECT_EQ(state_of(before), "delayed");
  const auto tasks = status().at("tasks");
  EXPECT_EQ(tasks.at("accepted"), 4);
  EXPECT_EQ(tasks.at("cancelled"), 2) << "the first two";
  EXPECT_EQ(tasks.at("done"), 1);
  vfs.on_sync({});
}

TEST_P(StorageFault, ACancelThatAFullDiskDoesNotTakeIsAnsweredAndSaysSo) {
  const auto first = submit_waiting(1), second = submit_waiting(2);
  fill_disk();
  cancel(first, 3);  // on its way when the disk is found full
  ASSERT_TRUE(comes(Kind::Cancelled, 3));
  cancel(second, 4);  // later
  ASSERT_TRUE(comes(Kind::Cancelled, 4));
  for (std::uint64_t token = 3; token <= 4; ++token) {
    EXPECT_EQ(client->find(Kind::Cancelled, token)->header.flags, ipc::flag::kMemoryOnly);
  }
  EXPECT_EQ(tasks_in(vfs.moment(), "1"), 2U) << "that is what it says: they would come back";
  vfs.clear_faults();
  ASSERT_TRUE(takes_again());
  cancel(submit_waiting(5), 6);
  ASSERT_TRUE(comes(Kind::Cancelled, 6));
  EXPECT_EQ(client->find(Kind::Cancelled, 6)->header.flags, 0U);
  EXPECT_EQ(tasks_in(vfs.moment(), "1"), 0U);
}

TEST_P(StorageFault, WhatRunsEndsAndIsKeptOnceThereIsRoom) {
  client->submit("runs", 1, ipc::flag::kWait, {}, 1);
  ASSERT_TRUE(comes(Kind::Accepted, 1));
  const auto running = client->find(Kind::Accepted, 1)->header.id;
  ASSERT_TRUE(until([&] { return test->daemon.pool().overview().queue.running == 1; }));
  fill_disk();
  client->submit("refused", 2);
  ASSERT_TRUE(comes(Kind::Refused, 2));
  cancel(running, 3);
  ASSERT_TRUE(until([&] {
    let_pass(milliseconds(20));
    return client->find(Kind::Cancelled, 3) != nullptr;
  }));
  EXPECT_EQ(client->find(Kind::Settled, 1), nullptr) << "its end is not kept";
  vfs.clear_faults();
  ASSERT_TRUE(comes(Kind::Settled, 1));
  EXPECT_EQ(state_of(running), "cancelled");
}

INSTANTIATE_TEST_SUITE_P(Journal, StorageFault, testing::Values(0U, 1U << 20));

}  // namespace
}  // namespace warmpool::daemon
