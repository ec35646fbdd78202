// The whole, as its users run it: real binaries, real files, real kills.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <signal.h>
#include <sstream>
#include <thread>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"
#include "tests/support/transport.hpp"

namespace warmpool::test {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

const std::string kFourWorkers = R"(
[[class]]
name = "worker"
command = [")" + program("warmpool-worker") +
                                 R"("]
types = ["echo", "sleep", "fail", "crash", "file.digest", "exec"]
size = 4
size_min = 1
)";

void expect_adds_up(const json& status) {
  const auto& tasks = status.at("tasks");
  const auto at = [&](const char* name) { return tasks.at(name).get<std::uint64_t>(); };
  EXPECT_EQ(at("accepted"), at("done") + at("dead") + at("cancelled") + at("expired") +
                                at("skipped") + at("waiting") + at("running"))
      << tasks;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// `files` real files, each named as often as needed to make `tasks` lines.
std::string write_list(const RealDaemon& daemon, std::size_t tasks) {
  const auto files = lines_of(run_shell("find /usr/share /usr/lib -type f -size -64k -readable "
                                        "2>/dev/null | head -n 2000")
                                  .output);
  const std::string list = daemon.directory() + "/list";
  std::ofstream out(list);
  for (std::size_t i = 0; i < tasks; ++i) out << files.at(i % files.size()) << '\n';
  return list;
}

TEST(EndToEnd, DigestsEqualThoseOfTheTools) {
  RealDaemon daemon({.config = kFourWorkers, .arguments = {}, .prefix = {}});
  const std::string list = write_list(daemon, 300);
  const auto mapped = daemon.call("map file.digest --keep-order --input " + list);
  ASSERT_EQ(mapped.status, 0) << mapped.output;
  const auto sums = lines_of(run_shell("xargs -d '\\n' sha256sum < " + list).output);
  const auto counts = lines_of(run_shell("xargs -d '\\n' -n1 wc -lwc < " + list).output);
  const auto results = lines_of(mapped.output);
  ASSERT_EQ(results.size(), 300U);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const json result = json::parse(results[i]).at("result");
    EXPECT_EQ(result.at("sha256").get<std::string>(), sums.at(i).substr(0, 64)) << sums[i];
    std::istringstream count(counts.at(i));
    std::uint64_t newlines = 0, words = 0, bytes = 0;
    count >> newlines >> words >> bytes;
    EXPECT_EQ(result.at("lines"), newlines) << sums[i];
    EXPECT_EQ(result.at("bytes"), bytes) << sums[i];
  }
}

TEST(EndToEnd, NothingIsLostWhileWorkersAreKilledSlow) {
  RealDaemon daemon({.config = kFourWorkers, .arguments = {"--log-level warn"}, .prefix = {}});
  constexpr std::size_t tasks = 10'000;
  const std::string list = write_list(daemon, tasks);
  Ran mapped;
  std::atomic<bool> over = false;
  std::jthread client([&] {
    mapped = daemon.call("map file.digest --in-flight 10000 --input " + list);
    over = true;
  });
  int kills = 0;
  while (!over) {
    std::this_thread::sleep_for(50ms);
    const auto workers = daemon.workers();
    if (over || workers.empty()) continue;
    ::kill(workers[static_cast<std::size_t>(kills) % workers.size()], SIGKILL);
    ++kills;
  }
  client.join();
  EXPECT_EQ(mapped.status, 0);
  std::map<int, int> settled;
  for (const auto& line : lines_of(mapped.output)) {
    const json result = json::parse(line);
    EXPECT_EQ(result.at("verdict"), "done") << line;
    ++settled[result.at("line").get<int>()];
  }
  EXPECT_EQ(settled.size(), tasks);
  for (const auto& [line, times] : settled) EXPECT_EQ(times, 1) << line;
  const json status = status_of(daemon);
  expect_adds_up(status);
  EXPECT_EQ(status.at("tasks").at("done"), tasks);
  EXPECT_EQ(status.at("tasks").at("dead"), 0);
  EXPECT_GT(kills, 5);
  RecordProperty("kills", kills);
}

TEST(EndToEnd, ABusySilentWorkerLivesAndAStoppedIdleOneIsReplacedSlow) {
  const auto ms = [](int usual) { return std::to_string(usual * kSlowness); };
  RealDaemon daemon({.config = "heartbeat_interval = \"" + ms(200) + "ms\"\n" +
                               "unresponsive_after = \"" + ms(600) + "ms\"\n" + "dead_after = \"" +
                               ms(1'200) + "ms\"\n" + kFourWorkers,
                     .arguments = {},
                     .prefix = {}});
  std::jthread busy(
      [&] { EXPECT_EQ(daemon.call("submit sleep " + ms(6'000) + " --wait").status, 0); });
  ASSERT_TRUE(eventually([&] { return status_of(daemon).at("tasks").at("running") == 1; }));
  pid_t stopped = 0;
  const json workers_now = json::parse(daemon.call("workers --json").output);
  for (const auto& worker : workers_now.at("workers")) {
    if (worker.at("state") == "ready") stopped = worker.at("pid");
  }
  ASSERT_NE(stopped, 0) << workers_now << daemon.log();
  ::kill(stopped, SIGSTOP);
  EXPECT_TRUE(eventually([&] {
    const auto workers = daemon.workers();
    return workers.size() == 4 && std::ranges::find(workers, stopped) == workers.end();
  }));
  busy.join();
  const json status = status_of(daemon);
  EXPECT_EQ(status.at("performance").at("workers_spawned"), 5) << "the busy one was left alone";
  expect_adds_up(status);
}

TEST(EndToEnd, TheBoardIsReadWhileTheDaemonIsStopped) {
  RealDaemon daemon({.config = kFourWorkers, .arguments = {}, .prefix = {}});
  daemon.call("submit sleep 60000");
  const auto board = [&](const std::string& what) {
    return json::parse(daemon.call(what + " --board --json").output);
  };
  ASSERT_TRUE(eventually([&] { return board("status").at("tasks").at("running") == 1; }));
  const json asked = json::parse(daemon.call("workers --json").output).at("workers");
  daemon.signal(SIGSTOP);
  const json stopped = board("workers");
  EXPECT_EQ(stopped.at("board").at("alive"), true);
  const json& rows = stopped.at("workers");
  ASSERT_EQ(rows.size(), asked.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const char* name : {"id", "pid", "class", "state", "health", "current_task", "in_hand",
                             "tasks_executed", "processes_spawned"}) {
      EXPECT_EQ(rows[i].at(name), asked[i].at(name)) << name;
    }
  }
  EXPECT_TRUE(eventually([&] {
    const auto ran = run_shell(daemon.command("status --board 2>&1"));
    return ran.status == 0 && ran.output.find("stopped, or stuck") != std::string::npos;
  }));
  daemon.signal(SIGCONT);
  EXPECT_EQ(daemon.call("submit echo awake --wait").output, "awake");
  EXPECT_TRUE(eventually([&] { return board("status").at("tasks").at("done") == 1; }));
}

TEST(EndToEnd, TheBoardOfADeadDaemonIsKnownAndReplaced) {
  RealDaemon daemon({.config = kFourWorkers, .arguments = {}, .prefix = {}});
  ASSERT_TRUE(eventually([&] { return daemon.call("workers --board").status == 0; }));
  daemon.signal(SIGKILL);
  daemon.wait();
  const auto dead = run_shell(daemon.command("workers --board 2>&1"));
  EXPECT_EQ(dead.status, 69) << dead.output;
  EXPECT_NE(dead.output.find("worker-3"), std::string::npos) << dead.output;
  EXPECT_NE(dead.output.find("is gone"), std::string::npos) << dead.output;
  ASSERT_TRUE(daemon.start()) << daemon.log();
  EXPECT_TRUE(eventually([&] { return daemon.call("workers --board").status == 0; }));
  daemon.signal(SIGTERM);
  EXPECT_EQ(daemon.wait(), 0);
  const auto none = run_shell("test -e " + daemon.directory() + "/board || test -L " +
                              daemon.directory() + "/board");
  EXPECT_NE(none.status, 0) << "a clean stop takes it away";
}

// Beats in pages only: no frame has come for longer than the threshold, and nobody is silent.
TEST(EndToEnd, IdleWorkersLiveByTheBeatsInTheirPagesSlow) {
  if (over_fifos()) GTEST_SKIP() << "no page passes a FIFO; beats are frames there";
  RealDaemon daemon({.config = "heartbeat_interval = \"100ms\"\nunresponsive_after = \"400ms\"\n"
                               "dead_after = \"800ms\"\n" +
                               std::string(kFourWorkers),
                     .arguments = {},
                     .prefix = {}});
  ASSERT_TRUE(eventually([&] { return daemon.workers().size() == 4; }));
  const auto beats = [&] {
    const json worker = json::parse(daemon.call("worker worker-0 --json").output);
    return worker.at("page").at("beats").get<int>();
  };
  ASSERT_TRUE(eventually([&] { return beats() >= 25; }));
  EXPECT_EQ(status_of(daemon).at("performance").at("workers_spawned"), 4);
}

TEST(EndToEnd, APoisonTaskBecomesADeadLetterWithItsHistory) {
  RealDaemon daemon(
      {.config = "restart_cooldown = \"10ms\"\nbackoff_first = \"10ms\"\n" + kFourWorkers,
       .arguments = {},
       .prefix = {}});
  const auto submitted = daemon.call("submit crash SEGV --wait --json");
  EXPECT_EQ(submitted.status, 1);
  const json letters = json::parse(daemon.call("dlq ls --json").output);
  ASSERT_EQ(letters.at("tasks").size(), 1U) << letters;
  const auto& id = letters.at("tasks")[0].at("id");
  const std::string name =
      id.is_string() ? id.get<std::string>() : std::to_string(id.get<std::uint64_t>());
  const json letter = json::parse(daemon.call("dlq show " + name + " --json").output);
  EXPECT_EQ(letter.at("attempts").size(), 3U) << letter;
  EXPECT_EQ(daemon.call("submit echo still-fine --wait").output, "still-fine");
  EXPECT_EQ(daemon.call("dlq rm " + name).status, 0);
  EXPECT_TRUE(json::parse(daemon.call("dlq ls --json").output).at("tasks").empty());
}

TEST(EndToEnd, TermDrainsWhatRunsAndLeavesNothing) {
  RealDaemon daemon({.config = kFourWorkers, .arguments = {}, .prefix = {}});
  std::jthread running(
      [&] { EXPECT_EQ(daemon.call("submit " + daemon.gated_task() + " --wait").status, 0); });
  ASSERT_TRUE(eventually([&] { return status_of(daemon).at("tasks").at("running") == 1; }));
  daemon.signal(SIGTERM);
  daemon.open_gate();
  EXPECT_EQ(daemon.wait(), 0);
  running.join();
  EXPECT_NE(run_shell("test -e " + daemon.directory() + "/warmpool.sock").status, 0);
}

TEST(EndToEnd, ASecondTermEndsAtOnce) {
  RealDaemon daemon(
      {.config = "drain_timeout = \"1h\"\n" + kFourWorkers, .arguments = {}, .prefix = {}});
  daemon.call("submit sleep 3600000");
  ASSERT_TRUE(eventually([&] { return status_of(daemon).at("tasks").at("running") == 1; }));
  daemon.signal(SIGTERM);
  std::this_thread::sleep_for(100ms);
  daemon.signal(SIGTERM);
  EXPECT_GE(daemon.wait(), 0);
  EXPECT_NE(daemon.log().find("1 task waits for the next start"), std::string::npos)
      << daemon.log();
}

TEST(EndToEnd, TheVolatileStoreNamesWhatIsLost) {
  RealDaemon daemon({.config = kFourWorkers, .arguments = {"--store volatile"}, .prefix = {}});
  daemon.call("submit sleep 60000");
  ASSERT_TRUE(eventually([&] { return status_of(daemon).at("tasks").at("running") == 1; }));
  daemon.signal(SIGQUIT);
  EXPECT_GE(daemon.wait(), 0);
  EXPECT_NE(daemon.log().find("lost"), std::string::npos) << daemon.log();
  EXPECT_NE(run_shell("test -e " + daemon.directory() + "/state").status, 0);
}

TEST(EndToEnd, WorkersDieWithAKilledDaemonAndTheNextOneStarts) {
  RealDaemon daemon({.config = kFourWorkers, .arguments = {}, .prefix = {}});
  daemon.call("submit sleep 60000");
  ASSERT_TRUE(eventually([&] { return daemon.workers().size() == 4; }));
  const auto workers = daemon.workers();
  daemon.signal(SIGKILL);
  daemon.wait();
  EXPECT_TRUE(eventually([&] {
    return std::ranges::none_of(workers, [](pid_t pid) { return ::kill(pid, 0) == 0; });
  }));
  EXPECT_TRUE(daemon.start()) << "stale socket and lock are no obstacle: " << daemon.log();
  EXPECT_EQ(daemon.call("submit echo again --wait").output, "again");
}

TEST(EndToEnd, ASecondDaemonInOneDirectoryIsRefused) {
  RealDaemon daemon({.config = kFourWorkers, .arguments = {}, .prefix = {}});
  const auto second = run_shell(program("warmpoold") + " --config /dev/null --runtime-dir " +
                                daemon.directory() + " 2>&1");
  EXPECT_EQ(second.status, 75) << second.output;
  EXPECT_NE(second.output.find(daemon.directory()), std::string::npos) << second.output;
  EXPECT_EQ(daemon.call("ping").status, 0);
}

TEST(EndToEnd, ALongRuntimeDirectoryWorks) {
  const std::string deep(120, 'd');
  char base[] = "/tmp/warmpool-deep.XXXXXX";
  ASSERT_NE(::mkdtemp(base), nullptr);
  const std::string directory = std::string(base) + "/" + deep;
  RealDaemon daemon({.config = kFourWorkers, .arguments = {}, .prefix = {}});
  const auto ran =
      run_shell("mkdir -m 700 " + directory + "; " + program("warmpoold") +
                " --config /dev/null --workers 1 --runtime-dir " + directory +
                " >/dev/null 2>&1 & for i in $(seq 100); do " + program("warmpool") + " --socket " +
                directory +
                "/warmpool.sock submit echo deep --wait 2>/dev/null && break; sleep 0.1; "
                "done; " +
                program("warmpool") + " --socket " + directory +
                "/warmpool.sock stop >/dev/null 2>&1; wait; rm -rf " + base);
  EXPECT_EQ(ran.output, "deep");
}

TEST(EndToEnd, UnknownTypesAreRefusedNamingTheKnown) {
  RealDaemon daemon({.config = kFourWorkers, .arguments = {}, .prefix = {}});
  const auto refused = run_shell(daemon.command("submit nosuch x 2>&1"));
  EXPECT_NE(refused.status, 0);
  EXPECT_NE(refused.output.find("file.digest"), std::string::npos) << refused.output;
}

TEST(EndToEnd, SizesThatDoNotFitTheDescriptorsAreRefused) {
  const auto refused = run_shell("ulimit -n 128; " + program("warmpoold") +
                                 " --config /dev/null --runtime-dir /nonexistent 2>&1");
  EXPECT_NE(refused.status, 0);
  EXPECT_NE(refused.output.find("ulimit"), std::string::npos) << refused.output;
}

TEST(EndToEnd, MoreClientsThanAllowedAreToldAndTheOthersServed) {
  RealDaemon daemon({.config = kFourWorkers + "size_max = 4\n",
                     .arguments = {"--connections-max 100"},
                     .prefix = "ulimit -n 216;"});
  ASSERT_TRUE(daemon.running()) << daemon.log();
  EXPECT_NE(daemon.log().find("large_held_max is lowered to "), std::string::npos) << daemon.log();
  EXPECT_NE(daemon.log().find("registered_max is lowered to "), std::string::npos)
      << "workers that nobody has started keep none from starting\n"
      << daemon.log();
  run_shell("for i in $(seq 160); do " +
            daemon.command("submit sleep 300 --wait >/dev/null 2>&1 &") + " done; wait");
  EXPECT_EQ(daemon.call("submit echo served --wait").output, "served");
  EXPECT_TRUE(daemon.running());
  expect_adds_up(status_of(daemon));
}

TEST(EndToEnd, ScalingDrainsTheBusy) {
  RealDaemon daemon({.config = kFourWorkers, .arguments = {}, .prefix = {}});
  std::jthread running(
      [&] { EXPECT_EQ(daemon.call("submit " + daemon.gated_task() + " --wait").status, 0); });
  ASSERT_TRUE(eventually([&] { return status_of(daemon).at("tasks").at("running") == 1; }));
  EXPECT_EQ(daemon.call("scale 1").status, 0);
  EXPECT_TRUE(eventually([&] { return daemon.workers().size() == 1; }));
  daemon.open_gate();
  running.join();
  EXPECT_TRUE(eventually([&] { return daemon.workers().size() == 1; }));
  EXPECT_EQ(daemon.call("scale +2").status, 0);
  EXPECT_TRUE(eventually([&] { return daemon.workers().size() == 3; }));
  EXPECT_EQ(daemon.call("scale 0").status, 1) << "below size_min";
}

TEST(EndToEnd, CancelOfARunningTaskHitsItAlone) {
  RealDaemon daemon({.config = kFourWorkers, .arguments = {}, .prefix = {}});
  std::string id = daemon.call("submit sleep 60000 --print-id").output;
  id.erase(id.find_last_not_of("\n") + 1);
  ASSERT_TRUE(eventually([&] { return status_of(daemon).at("tasks").at("running") == 1; }));
  EXPECT_EQ(daemon.call("cancel " + id).status, 0);
  const json status = status_of(daemon);
  EXPECT_EQ(status.at("tasks").at("cancelled"), 1);
  EXPECT_EQ(status.at("performance").at("workers_spawned"), 4)
      << "a handler that heeds keeps its worker";
}

}  // namespace
}  // namespace warmpool::test
