// What was accepted outlives the daemon: kills and restarts of real ones.
#include <fstream>
#include <map>
#include <signal.h>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

using nlohmann::json;

std::string config_of_two_workers() {
  return R"(
backoff_first = "1ms"
backoff_max = "1ms"
[[class]]
name = "worker"
command = [")" +
         program("warmpool-worker") + R"("]
types = ["echo", "sleep", "fail", "file.digest"]
size = 2
size_min = 1
)";
}

RealDaemon::Setup durable_pool(std::vector<std::string> arguments = {}) {
  return {.config = config_of_two_workers(), .arguments = std::move(arguments), .prefix = {}};
}

json tasks_of(const RealDaemon& daemon) { return status_of(daemon).at("tasks"); }

std::string id_of(const RealDaemon& daemon, const std::string& submit) {
  auto id = daemon.call("submit " + submit + " --print-id").output;
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

json show(const RealDaemon& daemon, const std::string& id) {
  const auto ran = daemon.call("show " + id + " --json");
  return ran.status == 0 ? json::parse(ran.output) : json();
}

void expect_adds_up(const json& tasks) {
  const auto at = [&](const char* name) { return tasks.at(name).get<std::uint64_t>(); };
  EXPECT_EQ(at("accepted"), at("done") + at("dead") + at("cancelled") + at("expired") +
                                at("skipped") + at("waiting") + at("running"))
      << tasks;
}

// A start is written a little later than its task; the tables are for everyone to read.
bool start_is_kept(const RealDaemon& daemon, const std::string& id) {
  const std::string path = daemon.directory() + "/state/warmpool.db";
  sqlite3* database = nullptr;
  bool kept = false;
  if (::sqlite3_open_v2(path.c_str(), &database, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK) {
    const std::string query = "SELECT 1 FROM progress WHERE attempt > ended AND task = " + id;
    ::sqlite3_exec(
        database, query.c_str(),
        [](void* found, int, char**, char**) {
          *static_cast<bool*>(found) = true;
          return 0;
        },
        &kept, nullptr);
  }
  ::sqlite3_close(database);
  return kept;
}

void kill_and_restart(RealDaemon& daemon) {
  daemon.signal(SIGKILL);
  daemon.wait();
  ASSERT_TRUE(daemon.start()) << daemon.log();
}

TEST(Durable, EachLineOfAMapComesOnceThoughItsDaemonIsKilledSlow) {
  RealDaemon daemon(durable_pool());
  const auto list = daemon.directory() + "/list";
  run_shell("find /usr/share /usr/lib -type f -size -64k -readable 2>/dev/null | head -n 4000 > " +
            list);
  const auto results = daemon.directory() + "/results";
  std::thread mapping([&] {
    run_shell(daemon.command("map file.digest < " + list + " > " + results + " 2>" + results +
                             ".log; echo $? > " + results + ".status"));
  });
  const auto lines = [&] { return run_shell("cat " + results + " 2>/dev/null | wc -l").output; };
  for (const int least : {500, 1'500, 2'500}) {
    EXPECT_TRUE(eventually([&] { return std::stoi(lines()) >= least; }, std::chrono::seconds(60)));
    kill_and_restart(daemon);
  }
  mapping.join();
  EXPECT_EQ(run_shell("cat " + results + ".status").output, "0\n");
  std::ifstream in(results);
  std::map<std::string, int> seen;
  for (std::string line; std::getline(in, line);) {
    const auto row = json::parse(line);
    EXPECT_EQ(row.at("verdict"), "done") << line;
    ++seen[row.at("input").get<std::string>()];
  }
  EXPECT_EQ(seen.size(), 4'000U);
  for (const auto& [input, times] : seen) EXPECT_EQ(times, 1) << input;
  expect_adds_up(tasks_of(daemon));
}

TEST(Durable, SaysOfEachTaskHowItIsKept) {
  RealDaemon daemon(durable_pool());
  const auto submit = [&](const std::string& options) {
    return json::parse(daemon.call("submit echo x --delay 1h --json " + options).output);
  };
  for (const std::string durability : {"full", "relaxed", "none"}) {
    const auto options = "--key " + durability + " --durability " + durability;
    const auto accepted = submit(options);
    EXPECT_EQ(accepted.at("durability"), durability);
    EXPECT_EQ(show(daemon, accepted.at("id").dump()).at("durability"), durability);
    EXPECT_EQ(submit("--key " + durability).at("durability"), durability) << "of a duplicate";
  }
  daemon.call("stop");
  daemon.wait();
  RealDaemon in_memory(durable_pool({"--store volatile"}));
  const auto ran = in_memory.call("submit echo x --json");
  EXPECT_EQ(json::parse(ran.output).at("durability"), "none");
}

TEST(Durable, EverythingComesBackAfterAKill) {
  RealDaemon daemon(durable_pool());
  const auto dead = id_of(daemon, "fail 9 --retries 1");
  ASSERT_TRUE(eventually([&] { return tasks_of(daemon).at("dead") == 1; }));
  const auto done = id_of(daemon, "echo kept");
  ASSERT_TRUE(eventually([&] { return tasks_of(daemon).at("done") == 1; }));
  const auto running = id_of(daemon, "sleep 60000");
  ASSERT_TRUE(eventually([&] { return start_is_kept(daemon, running); }));
  const auto delayed = id_of(daemon, "echo later --delay 1h");
  daemon.call("pause echo");
  const auto paused = id_of(daemon, "echo waits");
  const auto before = tasks_of(daemon);
  kill_and_restart(daemon);
  const auto after = tasks_of(daemon);
  expect_adds_up(after);
  EXPECT_EQ(after.at("accepted"), before.at("accepted"));
  EXPECT_EQ(after.at("done"), 1);
  EXPECT_EQ(after.at("dead"), 1);
  EXPECT_EQ(show(daemon, dead).at("attempts").size(), 2U);
  EXPECT_NE(show(daemon, dead).at("error").get<std::string>().find("as asked"), std::string::npos);
  EXPECT_EQ(show(daemon, done).at("state"), "done");
  EXPECT_EQ(daemon.call("result " + done).output, "kept");
  EXPECT_EQ(show(daemon, delayed).at("state"), "delayed");
  EXPECT_EQ(show(daemon, paused).at("state"), "ready");
  EXPECT_EQ(show(daemon, running).at("attempts").at(0).at("cause"), "interrupted");
  const auto worker = show(daemon, running).at("attempts").at(0).at("worker");
  EXPECT_TRUE(worker.get<std::string>().starts_with("worker-")) << worker;
  EXPECT_EQ(daemon.call("resume echo").status, 0);
  EXPECT_EQ(daemon.call("wait " + paused).status, 0);
  EXPECT_EQ(daemon.call("dlq retry " + dead).status, 0);
  EXPECT_TRUE(eventually([&] { return tasks_of(daemon).at("dead") == 2; }));
  expect_adds_up(tasks_of(daemon));
}

TEST(Durable, ATaskWhoseClientDoesNotComeBackEndsAfterItsGrace) {
  RealDaemon daemon(durable_pool({"--reconnect-grace", "3s"}));
  daemon.call("pause echo");
  const auto kept = id_of(daemon, "echo kept");
  const auto client = daemon.command("submit echo dropped --cancel-on-disconnect --wait");
  const std::string pid = daemon.directory() + "/client.pid";
  run_shell("(exec " + client + ") > /dev/null 2>&1 & echo $! > " + pid);
  // Ready is what is on the disk; what is only waiting a kill may lose.
  ASSERT_TRUE(eventually([&] { return status_of(daemon).at("queue").at("ready") == 2; }));
  // Stopped, it does not see the daemon's end: it stays away.
  run_shell("kill -STOP $(cat " + pid + ")");
  kill_and_restart(daemon);
  EXPECT_EQ(tasks_of(daemon).at("waiting"), 2);
  EXPECT_TRUE(eventually([&] { return tasks_of(daemon).at("cancelled") == 1; }));
  EXPECT_EQ(show(daemon, kept).at("state"), "ready");
  run_shell("kill -KILL $(cat " + pid + ")");
  expect_adds_up(tasks_of(daemon));
}

TEST(Durable, DeadLettersAreEditedExportedAndImported) {
  RealDaemon daemon(durable_pool());
  const auto dead = [&](std::uint64_t count) {
    return eventually([&] { return tasks_of(daemon).at("dlq") == count; });
  };
  for (const char* key : {"one", "two"}) {
    id_of(daemon, std::string("fail 9 --retries 0 --priority 3 --key ") + key);
  }
  const auto plain = id_of(daemon, "fail 9 --retries 0");
  ASSERT_TRUE(dead(3));
  const auto lines = daemon.directory() + "/letters";
  EXPECT_EQ(daemon.call("dlq export --text two > " + lines).status, 0);
  EXPECT_EQ(daemon.call("dlq rm --all --text two").status, 0);
  ASSERT_TRUE(dead(2));
  for (const char* outcome : {"imported", "known"}) {
    const auto ran = daemon.call("dlq import --json " + lines);
    EXPECT_EQ(ran.status, 0);
    EXPECT_EQ(json::parse(ran.output).at(outcome), 1) << ran.output;
  }
  ASSERT_TRUE(dead(3));
  const auto edited = daemon.call("dlq retry " + plain + " --payload 0 --json");
  ASSERT_EQ(edited.status, 0);
  EXPECT_EQ(json::parse(edited.output).at("retried"), 1);
  EXPECT_EQ(daemon.call("wait " + plain).status, 0) << "it is the same task";
  EXPECT_EQ(show(daemon, plain).at("round"), 2);
  EXPECT_EQ(show(daemon, plain).at("attempts").size(), 2U) << "with its history";
  ASSERT_TRUE(dead(2));
  EXPECT_EQ(daemon.call("dlq retry " + plain + " --payload 0").status, 1) << "it is done";
  EXPECT_EQ(daemon.call("dlq retry --all --payload 0").status, 2);
  expect_adds_up(tasks_of(daemon));
}

TEST(Durable, ARetryMayHaveAnEmptyPayload) {
  RealDaemon daemon(durable_pool());
  const auto task = id_of(daemon, "fail 9 --retries 0");
  ASSERT_TRUE(eventually([&] { return tasks_of(daemon).at("dlq") == 1; }));
  daemon.call("pause fail");
  EXPECT_EQ(daemon.call("dlq retry " + task + " --payload ''").status, 0);
  kill_and_restart(daemon);
  const auto shown = show(daemon, task);
  EXPECT_EQ(shown.at("payload_bytes"), 0);
  EXPECT_EQ(shown.at("round"), 2);
}

TEST(Durable, ARetryWithAnotherPayloadOutlivesTheDaemon) {
  RealDaemon daemon(durable_pool());
  const auto task = id_of(daemon, "fail 9 --retries 0 --key k");
  ASSERT_TRUE(eventually([&] { return tasks_of(daemon).at("dlq") == 1; }));
  daemon.call("pause fail");
  const auto large = daemon.directory() + "/large";
  run_shell("printf '%200000s' 0 > " + large);
  EXPECT_EQ(daemon.call("dlq retry " + task + " --payload-file " + large).status, 0);
  kill_and_restart(daemon);
  const auto shown = show(daemon, task);
  EXPECT_EQ(shown.at("payload_bytes"), 200'000);
  EXPECT_EQ(shown.at("round"), 2);
  EXPECT_EQ(id_of(daemon, "fail 9 --key k"), task) << "the key stands for what came first";
  EXPECT_EQ(daemon.call("resume fail").status, 0);
  EXPECT_EQ(daemon.call("wait " + task).status, 0);
  expect_adds_up(tasks_of(daemon));
}

TEST(Durable, DeadLettersOverTheirBoundAreInTheArchiveBesideTheStore) {
  RealDaemon daemon(durable_pool({"--dead-max", "1"}));
  for (int i = 0; i < 3; ++i) id_of(daemon, "fail 9 --retries 0");
  const auto letters = [&] {
    return json::parse(daemon.call("status --json").output).at("dead_letters");
  };
  ASSERT_TRUE(
      eventually([&] { return letters().at("kept") == 1 && letters().at("archived") == 2; }));
  const auto path = letters().at("archive").get<std::string>();
  EXPECT_NE(path.find("/state/dead-letters.jsonl"), std::string::npos) << path;
  kill_and_restart(daemon);
  EXPECT_EQ(letters().at("kept"), 1) << "what the archive has is no letter any more";
  daemon.call("pause fail");
  const auto copied = daemon.directory() + "/copied";
  run_shell("cat " + path + " " + path + " > " + copied);
  const auto ran = daemon.call("dlq import --json " + copied);
  EXPECT_EQ(json::parse(ran.output).at("imported"), 2) << ran.output;
  EXPECT_EQ(json::parse(ran.output).at("known"), 2) << "a line that comes twice is one task";
  expect_adds_up(tasks_of(daemon));
}

TEST(Durable, ABackupUnderLoadBringsAllOfItBack) {
  RealDaemon daemon(durable_pool());
  const auto done = id_of(daemon, "echo kept");
  const auto delayed = id_of(daemon, "echo later --delay 1h");
  ASSERT_EQ(daemon.call("wait " + done).status, 0);
  std::thread load([&] { daemon.call("bench throughput --tasks 20000"); });
  const auto file = daemon.directory() + "/backup.db";
  const auto made = daemon.call("backup --json " + file);
  load.join();
  ASSERT_EQ(made.status, 0) << made.output;
  EXPECT_EQ(daemon.call("backup " + file).status, 73) << "what is there is not replaced";
  EXPECT_EQ(daemon.call("backup " + daemon.directory() + "/none/file").status, 73);
  EXPECT_EQ(daemon.call("backup /dev/full").status, 73);
  EXPECT_EQ(daemon.call("backup").status, 2);
  const auto after = id_of(daemon, "echo after --delay 1h");
  const auto restore = program("warmpoold") + " --config /dev/null --runtime-dir " +
                       daemon.directory() + " --restore " + file + " 2>&1";
  EXPECT_EQ(run_shell(restore).status, 75) << "a daemon runs";
  daemon.signal(SIGTERM);
  daemon.wait();
  const auto restored = run_shell(restore);
  EXPECT_EQ(restored.status, 0) << restored.output;
  ASSERT_TRUE(daemon.start()) << daemon.log();
  EXPECT_EQ(daemon.call("result " + done).output, "kept");
  EXPECT_EQ(show(daemon, delayed).at("state"), "delayed");
  EXPECT_TRUE(show(daemon, after).is_null());
  EXPECT_NE(id_of(daemon, "echo next --delay 1h"), after);
  expect_adds_up(tasks_of(daemon));
}

TEST(Durable, LargeBodiesAreInFilesThatGoWithTheirTasks) {
  RealDaemon daemon(durable_pool());
  const auto large = daemon.directory() + "/large";
  run_shell("head -c 1000000 /dev/zero | tr '\\0' x > " + large);
  const auto files = [&] { return run_shell("ls " + daemon.directory() + "/state/bodies").output; };
  ASSERT_EQ(daemon.call("pause echo").status, 0);
  const auto id = id_of(daemon, "echo --keep-result --payload-file " + large);
  ASSERT_FALSE(id.empty());
  EXPECT_NE(files().find(".payload"), std::string::npos) << files();
  kill_and_restart(daemon);
  ASSERT_EQ(daemon.call("resume echo").status, 0);
  ASSERT_TRUE(eventually([&] { return daemon.call("result " + id).status == 0; }));
  EXPECT_EQ(daemon.call("result " + id).output.substr(0, 1'000'000), std::string(1'000'000, 'x'));
  EXPECT_TRUE(eventually([&] { return files().find(".payload") == std::string::npos; },
                         std::chrono::seconds(20)));
  EXPECT_NE(files().find(".result"), std::string::npos) << files();
  kill_and_restart(daemon);
  EXPECT_EQ(show(daemon, id).at("result").at("bytes"), 1'000'000);
  EXPECT_EQ(daemon.call("clean --older 1ms").status, 0);
  EXPECT_TRUE(eventually([&] { return files().empty(); }, std::chrono::seconds(20))) << files();
}

TEST(Durable, CleanedTasksDoNotComeBack) {
  RealDaemon daemon(durable_pool());
  const auto done = id_of(daemon, "echo kept");
  ASSERT_EQ(daemon.call("wait " + done).status, 0);
  EXPECT_EQ(daemon.call("clean --older 1h").output.find("removed 1"), std::string::npos);
  ASSERT_FALSE(show(daemon, done).is_null());
  ASSERT_TRUE(eventually([&] {
    const auto ran = daemon.call("clean --older 1ms --state done --json");
    return ran.status == 0 && json::parse(ran.output).at("removed") == 1;
  }));
  daemon.signal(SIGTERM);
  daemon.wait();
  ASSERT_TRUE(daemon.start());
  EXPECT_TRUE(show(daemon, done).is_null());
  EXPECT_EQ(tasks_of(daemon).at("done"), 1);
}

TEST(Durable, WhatAStopInterruptsWaitsForTheNextStart) {
  RealDaemon daemon(durable_pool({"--drain-timeout 10ms"}));
  const auto running = id_of(daemon, "sleep 1500");
  const auto waiting = id_of(daemon, "echo after");
  ASSERT_TRUE(eventually([&] { return tasks_of(daemon).at("running") == 1; }));
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.wait(), 0);
  EXPECT_EQ(daemon.log().find("lost"), std::string::npos) << daemon.log();
  EXPECT_NE(run_shell("test -e " + daemon.directory() + "/state/warmpool.db-wal").status, 0);
  ASSERT_TRUE(daemon.start());
  EXPECT_EQ(daemon.call("wait " + running).status, 0);
  EXPECT_EQ(show(daemon, running).at("interruptions"), 0) << "a stop charges nothing";
  EXPECT_EQ(daemon.call("result " + waiting).output, "after");
}

TEST(Durable, AStopTellsApartWhatWaitsAndWhatIsLostWithTheMemory) {
  RealDaemon daemon(durable_pool());
  id_of(daemon, "echo kept --delay 1h");
  const auto lost = id_of(daemon, "echo lost --delay 1h --durability none");
  id_of(daemon, "echo kept --delay 1h --durability relaxed");
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.wait(), 0);
  EXPECT_NE(daemon.log().find("2 tasks wait for the next start"), std::string::npos)
      << daemon.log();
  EXPECT_NE(daemon.log().find("1 accepted task is lost, of durability none"), std::string::npos)
      << daemon.log();
  EXPECT_NE(daemon.log().find("of this daemon: " + lost), std::string::npos) << daemon.log();
  ASSERT_TRUE(daemon.start());
  EXPECT_EQ(tasks_of(daemon).at("waiting"), 2);
}

TEST(Durable, ASubmitSaysWhenItsTaskIsKeptLessSurelyThanAskedFor) {
  RealDaemon in_memory(durable_pool({"--store volatile"}));
  const auto said = [&](const std::string& options) {
    return run_shell(in_memory.command("submit echo x " + options) + " 2>&1 >/dev/null").output;
  };
  EXPECT_EQ(said(""), "durability: none, kept in memory only; asked for was full\n");
  EXPECT_EQ(said("--durability none"), "") << "as asked, and nobody looks";
  EXPECT_EQ(said("--json"), "") << "it is in the document";
  EXPECT_EQ(said("-q"), "");
  EXPECT_EQ(in_memory.call("submit echo x").output.find("accepted "), 0U);
}

TEST(Durable, TwoDaemonsCannotShareAStore) {
  RealDaemon daemon(durable_pool());
  const auto second =
      run_shell("mkdir -m 700 " + daemon.directory() + "/other; " + program("warmpoold") +
                " --config /dev/null --runtime-dir " + daemon.directory() + "/other --state-dir " +
                daemon.directory() + "/state 2>&1");
  EXPECT_EQ(second.status, 75) << second.output;
  EXPECT_NE(second.output.find("--state-dir"), std::string::npos) << second.output;
  EXPECT_EQ(daemon.call("submit echo fine --wait").output, "fine");
}

TEST(Durable, AStateDirectoryThatOthersMayWriteIsRefused) {
  RealDaemon daemon(durable_pool());
  daemon.signal(SIGTERM);
  daemon.wait();
  const auto start = [&](const std::string& state) {
    return run_shell(program("warmpoold") + " --config /dev/null --runtime-dir " +
                     daemon.directory() + " --state-dir " + state + " 2>&1");
  };
  run_shell("mkdir -m 777 " + daemon.directory() + "/open; ln -s state " + daemon.directory() +
            "/link");
  EXPECT_EQ(start(daemon.directory() + "/open").status, 73);
  EXPECT_EQ(start(daemon.directory() + "/link").status, 73);
  EXPECT_NE(start("/nonexistent/state").output.find("--store volatile"), std::string::npos);
}

TEST(Durable, ADamagedStoreStopsTheStartWithItsStatus) {
  RealDaemon daemon(durable_pool());
  daemon.signal(SIGTERM);
  daemon.wait();
  std::ofstream(daemon.directory() + "/state/warmpool.db") << "nonsense";
  EXPECT_FALSE(daemon.start());
  EXPECT_EQ(daemon.wait(), 65);
  EXPECT_NE(daemon.log().find("restore a backup"), std::string::npos) << daemon.log();
}

}  // namespace
}  // namespace warmpool::test
