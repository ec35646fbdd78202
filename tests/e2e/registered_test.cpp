// Workers that people start themselves, against a real daemon.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_daemon.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

using nlohmann::json;

// A worker whose parent is this test. Whatever the test does, it is gone at the end.
class OwnWorker {
 public:
  OwnWorker(const RealDaemon& daemon, std::vector<std::string> arguments,
            const std::string& name = "one")
      : log_(daemon.directory() + "/own-" + name + ".log") {
    std::vector<std::string> words{program("warmpool-worker"), "--connect",
                                   daemon.directory() + "/warmpool.sock"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    if (std::freopen(log_.c_str(), "w", stderr) == nullptr) ::_exit(126);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ~OwnWorker() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::kill(pid_, SIGCONT);
    ::waitpid(pid_, nullptr, 0);
  }
  OwnWorker(const OwnWorker&) = delete;
  OwnWorker& operator=(const OwnWorker&) = delete;

  pid_t pid() const { return pid_; }
  // Never to -1, which is everybody.
  void signal(int number) const {
    ASSERT_GT(pid_, 0);
    ::kill(pid_, number);
  }
  // Exit status; 128 + signal; -1 when it does not end.
  int wait() {
    int status = 0;
    const bool ended = eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; });
    if (!ended) return -1;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string log() const {
    std::ifstream file(log_);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

 private:
  pid_t pid_ = -1;
  std::string log_;
};

json rows_of(const RealDaemon& daemon) {
  const auto ran = daemon.call("workers --json");
  const auto answer = json::parse(ran.output, nullptr, false);
  return answer.is_object() ? answer.at("workers") : json::array();
}

// Slots of registered workers that have said hello, by name; with the pid.
std::map<std::string, pid_t> registered(const RealDaemon& daemon) {
  std::map<std::string, pid_t> found;
  for (const auto& row : rows_of(daemon)) {
    const bool counts = row.at("registered").get<bool>() && row.at("pid").is_number();
    if (counts) found[row.at("id")] = row.at("pid").get<pid_t>();
  }
  return found;
}

bool has_one(const RealDaemon& daemon, pid_t pid) {
  for (const auto& [name, its] : registered(daemon)) {
    if (its == pid) return true;
  }
  return false;
}

RealDaemon::Setup quick(std::vector<std::string> arguments = {}) {
  arguments.insert(arguments.end(), {"--workers", "0", "--backoff-first", "1ms", "--backoff-max",
                                     "1ms", "--sample-interval", "20ms"});
  return {.config = "", .arguments = std::move(arguments), .prefix = ""};
}

std::string id_of(const RealDaemon& daemon, const std::string& submit) {
  auto id = daemon.call("submit " + submit + " --print-id").output;
  while (!id.empty() && id.back() == '\n') id.pop_back();
  return id;
}

json show(const RealDaemon& daemon, const std::string& id) {
  const auto ran = daemon.call("show " + id + " --json");
  return ran.status == 0 ? json::parse(ran.output) : json();
}

bool runs(const RealDaemon& daemon, const std::string& id) {
  const auto task = show(daemon, id);
  return task.is_object() && task.at("state") == "running";
}

TEST(Registered, ServesTasksAndLeavesAtSigterm) {
  const RealDaemon daemon(quick());
  OwnWorker worker(daemon, {"--class", "own", "--types", "echo,sleep"});
  ASSERT_TRUE(eventually([&] { return has_one(daemon, worker.pid()); })) << daemon.log();
  EXPECT_EQ(registered(daemon).begin()->first, "own-0");
  EXPECT_EQ(daemon.call("submit echo hello --wait").output, "hello");
  EXPECT_NE(daemon.call("events").output.find("worker-registered"), std::string::npos);
  EXPECT_NE(daemon.call("status").output.find("own"), std::string::npos);
  worker.signal(SIGTERM);
  EXPECT_EQ(worker.wait(), 0) << worker.log();
  EXPECT_TRUE(eventually([&] { return registered(daemon).empty(); }));
}

TEST(Registered, ALeaveFinishesWhatItHasAndChargesNothing) {
  const RealDaemon daemon(quick());
  OwnWorker worker(daemon, {"--class", "own"});
  ASSERT_TRUE(eventually([&] { return has_one(daemon, worker.pid()); })) << daemon.log();
  const auto id = id_of(daemon, daemon.gated_task());
  ASSERT_TRUE(eventually([&] { return runs(daemon, id); }));
  worker.signal(SIGTERM);
  // It is on its way out, and has this one.
  ASSERT_TRUE(eventually([&] {
    const auto rows = rows_of(daemon);
    return !rows.empty() && rows.front().at("state") == "draining";
  })) << rows_of(daemon);
  daemon.open_gate();
  EXPECT_EQ(daemon.call("wait " + id).status, 0);
  EXPECT_EQ(worker.wait(), 0) << worker.log();
  const auto task = show(daemon, id);
  EXPECT_EQ(task.at("failures"), 0);
  EXPECT_EQ(task.at("crashes"), 0);
  EXPECT_EQ(task.at("attempt"), 1);
}

TEST(Registered, KilledUnderLoadLosesNothing) {
  const RealDaemon daemon(quick());
  std::vector<std::unique_ptr<OwnWorker>> workers;
  for (int i = 0; i < 3; ++i) {
    workers.push_back(std::make_unique<OwnWorker>(
        daemon, std::vector<std::string>{"--class", "own"}, std::to_string(i)));
  }
  ASSERT_TRUE(eventually([&] { return registered(daemon).size() == 3; })) << daemon.log();
  const auto out = daemon.directory() + "/out", ended = daemon.directory() + "/ended";
  run_shell("(seq 1 3000 | " + daemon.command("map echo --in-flight 64") + " > " + out +
            " 2>&1; echo $? > " + ended + ".new; mv " + ended + ".new " + ended +
            ") > /dev/null 2>&1 &");
  for (const int victim : {0, 1}) {
    ASSERT_TRUE(eventually([&] {
      for (const auto& row : rows_of(daemon)) {
        const bool its = row.at("pid") == workers[static_cast<std::size_t>(victim)]->pid();
        if (its && row.at("tasks_executed").get<int>() > 0) return true;
      }
      return false;
    }));
    workers[static_cast<std::size_t>(victim)]->signal(SIGKILL);
    // Nobody takes its place.
    const auto left = static_cast<std::size_t>(2 - victim);
    EXPECT_TRUE(eventually([&] { return registered(daemon).size() == left; }));
  }
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(ended); })) << daemon.log();
  std::ifstream lines(out);
  std::set<std::string> inputs;
  for (std::string line; std::getline(lines, line);) {
    const json row = json::parse(line, nullptr, false);
    ASSERT_TRUE(row.is_object()) << line;
    EXPECT_EQ(row.at("verdict"), "done") << line;
    inputs.insert(row.at("input"));
  }
  EXPECT_EQ(inputs.size(), 3000U);
}

TEST(Registered, AStoppedOneIsKilledAndItsTaskGoesOn) {
  const RealDaemon daemon(
      quick({"--heartbeat-interval", "200ms", "--unresponsive-after", "1s", "--dead-after", "2s"}));
  OwnWorker worker(daemon, {"--class", "own"});
  ASSERT_TRUE(eventually([&] { return has_one(daemon, worker.pid()); }));
  const auto id = id_of(daemon, daemon.gated_task());
  ASSERT_TRUE(eventually([&] { return runs(daemon, id); }));
  worker.signal(SIGSTOP);
  EXPECT_EQ(worker.wait(), 128 + SIGKILL);
  OwnWorker other(daemon, {"--class", "own"}, "two");
  daemon.open_gate();
  EXPECT_EQ(daemon.call("wait " + id).status, 0) << daemon.log();
  EXPECT_EQ(show(daemon, id).at("crashes"), 1);
}

// Of a process that is not a child here. A zombie has ended.
bool has_ended(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  const auto stat = text.str();
  const auto name_end = stat.rfind(')');
  return name_end == std::string::npos || stat.substr(name_end, 3) == ") Z";
}

// The process that a worker started: it writes its number into a file, and waits.
pid_t started_process(const std::string& path) {
  pid_t pid = 0;
  eventually([&] { return static_cast<bool>(std::ifstream(path) >> pid); });
  return pid;
}

TEST(Registered, WhatItRanEndsWithItBeforeItsTaskIsStartedAgain) {
  const RealDaemon daemon(quick());
  OwnWorker worker(daemon, {"--class", "own"});
  OwnWorker other(daemon, {"--class", "own"}, "two");
  ASSERT_TRUE(eventually([&] { return registered(daemon).size() == 2; }));
  // The second attempt says what is left of the first.
  const std::string script =
      "if mkdir once; then echo $$ > first.new; mv first.new first; exec sleep 600; fi; "
      "cat /proc/$(cat first)/stat 2>/dev/null || echo gone";
  const json request{{"argv", {"/bin/sh", "-c", script}}, {"cwd", daemon.directory()}};
  std::ofstream(daemon.directory() + "/request") << request.dump();
  const auto id = id_of(daemon, "exec --payload-file " + daemon.directory() + "/request");
  const auto first = started_process(daemon.directory() + "/first");
  ASSERT_GT(first, 0) << daemon.log();
  const auto its = show(daemon, id).at("worker").get<std::string>();
  const bool is_first = registered(daemon).at(its) == worker.pid();
  (is_first ? worker : other).signal(SIGKILL);
  EXPECT_EQ(daemon.call("wait " + id).status, 0) << daemon.log();
  const auto said = json::parse(daemon.call("result " + id).output).at("stdout").get<std::string>();
  EXPECT_TRUE(said == "gone\n" || said.find(") Z") != std::string::npos) << said;
  EXPECT_TRUE(has_ended(first));
  EXPECT_EQ(show(daemon, id).at("crashes"), 1);
}

TEST(Registered, AProgramThatItKeepsEndsWithIt) {
  const RealDaemon daemon(quick());
  const auto path = daemon.directory() + "/kept";
  OwnWorker worker(daemon, {"--class", "own", "--types", "line", "--wrap", "lines", "--", "/bin/sh",
                            "-c", "echo $$ > " + path + "; exec sleep 600"});
  const auto kept = started_process(path);
  ASSERT_GT(kept, 0) << worker.log();
  worker.signal(SIGKILL);
  EXPECT_EQ(worker.wait(), 128 + SIGKILL);
  EXPECT_TRUE(eventually([&] { return has_ended(kept); }));
}

TEST(Registered, WhereItMayNotBeKilledItsConnectionEndsAndItsTaskWaitsForIt) {
  const RealDaemon daemon(quick({"--heartbeat-interval", "200ms", "--unresponsive-after", "1s",
                                 "--dead-after", "2s", "--registered-kill", "false"}));
  OwnWorker worker(daemon, {"--class", "own"});
  ASSERT_TRUE(eventually([&] { return has_one(daemon, worker.pid()); }));
  const auto id = id_of(daemon, daemon.gated_task());
  ASSERT_TRUE(eventually([&] { return runs(daemon, id); }));
  worker.signal(SIGSTOP);
  ASSERT_TRUE(eventually([&] {
    const auto rows = rows_of(daemon);
    return !rows.empty() && rows.front().at("state") == "recovery";
  })) << rows_of(daemon);
  EXPECT_TRUE(runs(daemon, id));
  worker.signal(SIGCONT);
  daemon.open_gate();
  // It finds its connection closed, lets go, and joins again: a new life in a new slot.
  EXPECT_EQ(daemon.call("wait " + id).status, 0) << daemon.log();
  EXPECT_TRUE(has_one(daemon, worker.pid())) << daemon.log() << worker.log();
}

TEST(Registered, JoinsTheNextDaemonUnderLoadAndNothingRunsTwiceAtOnce) {
  RealDaemon daemon(quick());
  OwnWorker worker(daemon, {"--class", "own"});
  ASSERT_TRUE(eventually([&] { return has_one(daemon, worker.pid()); }));
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(id_of(daemon, "sleep 5"));
  const auto gated = id_of(daemon, daemon.gated_task());
  ASSERT_TRUE(eventually([&] { return runs(daemon, gated); }));
  const auto later = id_of(daemon, "echo later");
  daemon.signal(SIGKILL);
  daemon.wait();
  EXPECT_EQ(::kill(worker.pid(), 0), 0);
  ASSERT_TRUE(daemon.start()) << daemon.log();
  // A second one is free at once, and is not given what the first still runs.
  OwnWorker other(daemon, {"--class", "other", "--types", "exec,echo"}, "two");
  ASSERT_TRUE(eventually([&] { return has_one(daemon, other.pid()); })) << daemon.log();
  EXPECT_EQ(daemon.call("wait " + later).status, 0);
  const auto task = show(daemon, gated);
  EXPECT_NE(task.at("state"), "done");
  daemon.open_gate();
  for (const auto& id : ids) EXPECT_EQ(daemon.call("wait " + id).status, 0) << daemon.log();
  EXPECT_EQ(daemon.call("wait " + gated).status, 0) << daemon.log();
  EXPECT_TRUE(eventually([&] { return has_one(daemon, worker.pid()); })) << daemon.log();
  worker.signal(SIGTERM);
  EXPECT_EQ(worker.wait(), 0) << worker.log();
}

// A stopped process can let go of nothing: what it had waits, though another could run it.
TEST(Registered, WhatItWasAtWaitsUntilItHasLetGo) {
  RealDaemon daemon(quick());
  OwnWorker worker(daemon, {"--class", "own"});
  ASSERT_TRUE(eventually([&] { return has_one(daemon, worker.pid()); }));
  const auto gated = id_of(daemon, daemon.gated_task());
  ASSERT_TRUE(eventually([&] { return runs(daemon, gated); }));
  worker.signal(SIGSTOP);
  daemon.signal(SIGKILL);
  daemon.wait();
  daemon.open_gate();
  ASSERT_TRUE(daemon.start()) << daemon.log();
  OwnWorker other(daemon, {"--class", "other", "--types", "exec,echo"}, "two");
  ASSERT_TRUE(eventually([&] { return has_one(daemon, other.pid()); })) << daemon.log();
  EXPECT_EQ(daemon.call("submit echo x --wait").output, "x");
  EXPECT_EQ(show(daemon, gated).at("state"), "recording") << daemon.log();
  const auto why = daemon.call("why " + gated).output;
  EXPECT_NE(why.find("process " + std::to_string(worker.pid())), std::string::npos) << why;
  worker.signal(SIGKILL);
  worker.signal(SIGCONT);
  EXPECT_EQ(daemon.call("wait " + gated).status, 0) << daemon.log();
  EXPECT_EQ(show(daemon, gated).at("attempts").back().at("worker"), "other-0");
}

TEST(Registered, WaitsForTheDaemonThatStopsAndEndsWithItIfItShall) {
  RealDaemon daemon(quick());
  OwnWorker stays(daemon, {"--class", "stays"});
  OwnWorker once(daemon, {"--class", "once", "--once"}, "two");
  ASSERT_TRUE(eventually([&] { return registered(daemon).size() == 2; })) << daemon.log();
  EXPECT_EQ(daemon.call("stop").status, 0);
  EXPECT_EQ(daemon.wait(), 0) << daemon.log();
  EXPECT_EQ(once.wait(), 0) << once.log();
  ASSERT_TRUE(daemon.start()) << daemon.log();
  EXPECT_TRUE(eventually([&] { return has_one(daemon, stays.pid()); })) << stays.log();
}

std::size_t count_of(const std::string& text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

// The first two attempts are 100 ms apart, then twice as long each.
TEST(Registered, WhoIsRefusedForNowSaysWhyOnceAndWaits) {
  RealDaemon daemon(quick({"--registered-max", "1"}));
  OwnWorker first(daemon, {"--class", "own"});
  ASSERT_TRUE(eventually([&] { return has_one(daemon, first.pid()); }));
  OwnWorker second(daemon, {"--class", "own"}, "two");
  const auto refusals = [&] { return count_of(daemon.log(), "is turned away"); };
  ASSERT_TRUE(eventually([&] { return refusals() >= 3; })) << daemon.log();
  EXPECT_EQ(count_of(second.log(), "(108)"), 1U) << second.log();
  first.signal(SIGTERM);
  EXPECT_EQ(first.wait(), 0);
  ASSERT_TRUE(eventually([&] { return has_one(daemon, second.pid()); })) << second.log();
  EXPECT_EQ(daemon.call("stop").status, 0);
  EXPECT_EQ(daemon.wait(), 0);
  EXPECT_TRUE(eventually([&] {
    return count_of(second.log(), "the daemon has ended; waiting for the next") == 1;
  })) << second.log();
}

TEST(Registered, APauseOfItsClassOutlivesTheDaemon) {
  RealDaemon daemon(quick());
  OwnWorker worker(daemon, {"--class", "own"});
  ASSERT_TRUE(eventually([&] { return has_one(daemon, worker.pid()); }));
  ASSERT_EQ(daemon.call("pause --class own").status, 0);
  daemon.signal(SIGKILL);
  daemon.wait();
  ASSERT_TRUE(daemon.start()) << daemon.log();
  ASSERT_TRUE(eventually([&] { return has_one(daemon, worker.pid()); })) << worker.log();
  const auto id = id_of(daemon, "echo held");
  bool paused = false;
  const auto status = json::parse(daemon.call("status --json").output);
  for (const auto& row : status.at("classes")) {
    paused = paused || (row.at("name") == "own" && row.at("paused") == true);
  }
  EXPECT_TRUE(paused) << daemon.log();
  EXPECT_EQ(daemon.call("resume --class own").status, 0);
  EXPECT_EQ(daemon.call("wait " + id).status, 0) << daemon.log();
}

TEST(Registered, RestartOfAllLeavesThemOutAndSaysSo) {
  const RealDaemon daemon(quick());
  OwnWorker worker(daemon, {"--class", "own"});
  ASSERT_TRUE(eventually([&] { return has_one(daemon, worker.pid()); }));
  const auto said = run_shell(daemon.command("restart --all") + " 2>&1").output;
  EXPECT_NE(said.find("1 that were not started by the daemon"), std::string::npos) << said;
  EXPECT_TRUE(has_one(daemon, worker.pid()));
  EXPECT_EQ(daemon.call("restart own-0").status, 0);
  EXPECT_EQ(worker.wait(), 0) << worker.log();
}

TEST(Registered, IsRefusedWithAReason) {
  const RealDaemon daemon({.config = R"([[class]]
name = "closed"
command = [")" + program("warmpool-worker") +
                                     R"("]
types = ["closed.*"]
size = 0
size_min = 0
[[class]]
name = "open"
command = [")" + program("warmpool-worker") +
                                     R"("]
types = ["echo"]
size = 0
size_min = 0
registered_max = 1
)",
                           .arguments = {"--registered-max", "3"},
                           .prefix = ""});
  const auto refusal = [&](std::vector<std::string> arguments) {
    arguments.emplace_back("--once");
    OwnWorker worker(daemon, std::move(arguments), "refused");
    EXPECT_NE(worker.wait(), 0);
    return worker.log();
  };
  const auto says = [](const std::string& text, const char* code) {
    EXPECT_NE(text.find(code), std::string::npos) << text;
  };
  says(refusal({"--class", "closed"}), "(211)");
  says(refusal({"--class", "no such name"}), "(208)");
  says(refusal({"--class", "open", "--types", "echo,sleep"}), "(212)");
  const OwnWorker first(daemon, {"--class", "open", "--types", "echo"}, "first");
  ASSERT_TRUE(eventually([&] { return has_one(daemon, first.pid()); })) << daemon.log();
  says(refusal({"--class", "open", "--types", "echo"}), "(108)");
  const OwnWorker second(daemon, {"--class", "own", "--types", "echo"}, "second");
  const OwnWorker third(daemon, {"--class", "own", "--types", "echo"}, "third");
  ASSERT_TRUE(eventually([&] { return registered(daemon).size() == 3; })) << daemon.log();
  says(refusal({"--class", "own", "--types", "sleep"}), "(212)");
  says(refusal({"--class", "own", "--types", "echo"}), "(108)");
  EXPECT_EQ(registered(daemon).size(), 3U);
}

}  // namespace
}  // namespace warmpool::test
