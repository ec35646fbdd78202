// Health as the daemon has it: figures that are measured, what workers say of themselves, checks.
// With processes that are objects of the test.
#include <algorithm>
#include <arpa/inet.h>
#include <csignal>
#include <functional>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/http_probe.hpp"
#include "daemon/process/process_figures.hpp"
#include "daemon/process/process_tree.hpp"
#include "tests/daemon/test_daemon.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

using nlohmann::json;

Configuration with(const std::function<void(ClassOptions&)>& set) {
  auto configuration = small_configuration();
  configuration.pool.values.sample_interval = milliseconds(10);
  auto& options = configuration.classes.front().values;
  options.check_interval = milliseconds(100);
  options.check_timeout = seconds(5);
  options.check_threshold = 2;
  set(options);
  return configuration;
}

class HealthTest : public testing::Test {
 protected:
  void begin(const std::function<void(ClassOptions&)>& set = [](ClassOptions&) {}) {
    test = std::make_unique<TestDaemon>(with(set));
    client = std::make_unique<RawClient>(test->connect());
    ASSERT_TRUE(test->until([&] { return workers().size() == 2; }));
    ASSERT_TRUE(test->until([&] { return shown()["state"] == "ready"; }));
  }

  std::vector<FakeWorker*> workers() {
    std::vector<FakeWorker*> found;
    for (auto& [id, worker] : test->processes.workers) {
      const bool helps = worker.spec.role == SpawnRole::Helper;
      if (!helps && worker.said_hello && !worker.exit) found.push_back(&worker);
    }
    return found;
  }
  FakeWorker* helper() {
    for (auto& [id, worker] : test->processes.workers) {
      if (worker.spec.role == SpawnRole::Helper && !worker.exit) return &worker;
    }
    return nullptr;
  }

  json shown(std::string_view slot = "worker-0") {
    return json::parse(test->ask(*client, ipc::Verb::Worker, {slot}));
  }
  void report(FakeWorker& worker, const ipc::ReportMeta& meta, std::uint8_t flags = 0) {
    std::string bytes;
    ipc::encode(meta, bytes);
    worker.channel->send({.kind = ipc::Kind::Report, .flags = flags}, ipc::bytes_of(bytes));
  }
  bool until(const std::function<bool()>& holds) { return test->until(holds); }

  std::unique_ptr<TestDaemon> test;
  std::unique_ptr<RawClient> client;
};

TEST_F(HealthTest, OfAWorkerIsShownWithItsPartsAndFigures) {
  begin();
  ASSERT_TRUE(until([&] { return shown()["health_score"]["figures"].is_object(); }));
  const auto document = shown();
  EXPECT_EQ(document["coarse"], "healthy");
  EXPECT_EQ(document["band"], "healthy");
  EXPECT_GE(document["score"], 700);
  const auto& health = document["health_score"];
  EXPECT_EQ(health["parts"].size(), 5U);
  EXPECT_EQ(health["parts"]["liveness"]["weight"], 30);
  EXPECT_TRUE(health["parts"]["errors"]["score"].is_null()) << "it has run nothing";
  EXPECT_GE(health["figures"].size(), 16U) << "15 and their time";
  EXPECT_TRUE(health["figures"]["at"].is_string());
}

TEST_F(HealthTest, IsCountedByTheStatus) {
  begin();
  const auto counts = [&] {
    return json::parse(test->ask(*client, ipc::Verb::Status))["workers"]["health"];
  };
  EXPECT_EQ(counts()["healthy"], 2);
  report(*workers().front(), {{}, "slow disk"}, ipc::flag::kDegraded);
  ASSERT_TRUE(until([&] { return counts()["degraded"] == 1; }));
  EXPECT_EQ(counts()["healthy"], 1);
}

TEST_F(HealthTest, GaugesOfAWorkerAreShownUntilItTakesThemAway) {
  begin();
  auto& worker = *workers().front();
  report(worker, {{"queue=17", "temperature=-3"}, {}});
  ASSERT_TRUE(until([&] { return shown()["health_score"]["gauges"].size() == 2; }));
  EXPECT_EQ(shown()["health_score"]["gauges"]["temperature"], -3);
  report(worker, {{"queue=", "temperature=4"}, {}});
  ASSERT_TRUE(until([&] { return shown()["health_score"]["gauges"].size() == 1; }));
  EXPECT_EQ(shown()["health_score"]["gauges"]["temperature"], 4);
}

TEST_F(HealthTest, ProcessesThatAWorkerStartedForAnotherDaemonAreNotCounted) {
  begin();
  auto& worker = *workers().front();
  const auto counted = [&] {
    return json::parse(test->ask(*client, ipc::Verb::Status))["performance"]["processes_started"];
  };
  report(worker, {{"processes_started=700"}, {}});
  ASSERT_TRUE(until([&] { return counted() == 1; }));
  report(worker, {{"processes_started=703"}, {}});
  ASSERT_TRUE(until([&] { return counted() == 4; }));
  report(worker, {{"processes_started=2"}, {}});
  report(worker, {{"processes_started=3"}, {}});
  ASSERT_TRUE(until([&] { return counted() == 5; }));
  report(*workers().back(), {{"processes_started=0"}, {}});
  report(*workers().back(), {{"processes_started=2"}, {}});
  EXPECT_TRUE(until([&] { return counted() == 7; }));
}

TEST_F(HealthTest, WhatIsNoGaugeIsLeftOut) {
  begin();
  auto& worker = *workers().front();
  const std::string long_name(33, 'x');
  report(worker,
         {{"=1", "no number=1", "a=1.5", "b", long_name + "=1", "c=99999999999999999999"}, {}});
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) names.push_back("g" + std::to_string(i) + "=1");
  report(worker, {{names.begin(), names.begin() + 10}, {}});
  report(worker, {{names.begin() + 10, names.end()}, {}});
  ASSERT_TRUE(until([&] { return shown()["health_score"]["gauges"].size() == 16; }));
  EXPECT_FALSE(shown()["health_score"]["gauges"].contains("a"));
}

TEST_F(HealthTest, AWorkerThatSaysThatItIsDegradedIsUntilItSaysOtherwise) {
  begin();
  auto& worker = *workers().front();
  report(worker, {{}, "the small model"}, ipc::flag::kDegraded);
  ASSERT_TRUE(until([&] { return shown()["health"] == "degraded"; }));
  EXPECT_EQ(shown()["health_score"]["degraded"], "the small model");
  EXPECT_EQ(shown()["score_reason"], "said-so");
  EXPECT_EQ(shown()["healthy"], true) << "it works";
  report(worker, {}, ipc::flag::kWell);
  ASSERT_TRUE(until([&] { return shown()["health"] == "healthy"; }));
}

TEST_F(HealthTest, APingThatIsAnsweredPasses) {
  begin([](ClassOptions& options) { options.check = "ping"; });
  ASSERT_TRUE(until([&] { return shown()["health_score"]["check"]["passed"] == true; }));
  EXPECT_EQ(shown()["health_score"]["check"]["text"], "answered a ping");
}

TEST_F(HealthTest, PingsThatAreNotAnsweredEndAnIdleWorker) {
  begin([](ClassOptions& options) {
    options.check = "ping";
    options.check_timeout = milliseconds(20);
  });
  test->processes.answers_pings = false;
  ASSERT_TRUE(until([&] { return test->log.has("gets SIGKILL: check-failed"); }));
  EXPECT_TRUE(test->log.has("fails its check, 2 in a row: no answer within 20ms"));
}

TEST_F(HealthTest, AProcessCheckSeesTheProcess) {
  begin([](ClassOptions& options) { options.check = "process"; });
  ASSERT_TRUE(until([&] { return shown()["health_score"]["check"]["at"].is_string(); }));
  EXPECT_EQ(shown()["health_score"]["check"]["kind"], "process");
}

// To /proc a process whose first thread has ended is a zombie, whatever its others do.
TEST_F(HealthTest, AProcessWithoutItsFirstThreadIsThere) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    std::thread([] { ::pause(); }).detach();
    ::syscall(SYS_exit, 0);  // of this thread alone
  }
  EXPECT_TRUE(test::eventually([&] { return kinship_of(pid).state == 'Z'; }));
  test =
      std::make_unique<TestDaemon>(with([](ClassOptions& options) { options.check = "process"; }));
  test->processes.pid_of_new = pid;
  client = std::make_unique<RawClient>(test->connect());
  ASSERT_TRUE(until([&] { return shown()["health_score"]["check"]["at"].is_string(); }));
  EXPECT_EQ(shown()["health_score"]["check"]["passed"], true);
  EXPECT_EQ(shown()["health_score"]["check"]["text"],
            "its process is there, without its first thread");
  test.reset();
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

TEST_F(HealthTest, ACommandIsToldWhomItIsAbout) {
  begin([](ClassOptions& options) {
    options.check = "command";
    options.check_command = {"/srv/check", "-q"};
  });
  ASSERT_TRUE(until([&] { return helper() != nullptr; }));
  const auto spec = helper()->spec;
  EXPECT_EQ(spec.command, (std::vector<std::string>{"/srv/check", "-q"}));
  const auto has = [&](std::string_view text) {
    return std::ranges::any_of(spec.environment,
                               [&](const auto& one) { return one.substr(0, text.size()) == text; });
  };
  EXPECT_TRUE(has("WORKER_PID=") && has("WORKER_CLASS=worker") && has("WORKER_BUSY=0"));
  test->processes.die(*helper(), {ExitCause::Exited, 0, false});
  ASSERT_TRUE(until([&] {
    return shown()["health_score"]["check"]["passed"] == true ||
           shown("worker-1")["health_score"]["check"]["passed"] == true;
  }));
}

TEST_F(HealthTest, ACommandThatFailsTellsWhy) {
  begin([](ClassOptions& options) {
    options.check = "command";
    options.check_command = {"/srv/check"};
  });
  ASSERT_TRUE(until([&] {
    if (auto* one = helper()) {
      const std::string_view words = "no database\n";
      EXPECT_EQ(::write(one->errors.get(), words.data(), words.size()),
                static_cast<ssize_t>(words.size()));
      test->processes.die(*one, {ExitCause::Exited, 3, false});
    }
    return test->log.has("gets SIGKILL: check-failed");
  }));
  EXPECT_TRUE(test->log.has("check_command ended with status 3: no database"));
}

TEST_F(HealthTest, ABusyWorkerThatFailsItsCheckIsMarked) {
  begin([](ClassOptions& options) {
    options.check = "ping";
    options.check_timeout = milliseconds(20);
    options.size = options.size_min = 2;
  });
  client->name_type("hang");
  client->submit("x", 1);
  client->submit("y", 2);
  ASSERT_TRUE(test->until(*client, [&] {
    const auto all = workers();
    return std::ranges::all_of(all, [](const auto* one) { return !one->assigned.empty(); });
  }));
  test->processes.answers_pings = false;
  ASSERT_TRUE(until([&] { return shown()["health"] == "unhealthy"; }));
  EXPECT_EQ(shown()["score_reason"], "check-fails");
  EXPECT_FALSE(test->log.has("gets SIGKILL"));
  test->processes.answers_pings = true;
  ASSERT_TRUE(until([&] { return shown()["health"] == "working"; }));
}

// --- parts ---------------------------------------------------------------------------------------

TEST(StatusLine, IsWellWithTwoHundred) {
  EXPECT_EQ(status_line("HTTP/1.1 200 OK\r\n").status, 200U);
  EXPECT_TRUE(status_line("HTTP/1.0 204 No Content\r\n").http);
  EXPECT_FALSE(status_line("HTTP/1.1 200").whole);
  EXPECT_FALSE(status_line("SSH-2.0-OpenSSH\r\n").http);
  EXPECT_FALSE(status_line("HTTP/1.1 abc\r\n").http);
  EXPECT_TRUE(status_line(std::string(300, 'x')).whole) << "no line without end";
  EXPECT_FALSE(status_line("").whole);
}

// A server of one connection over loopback.
class Server {
 public:
  Server() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
  }
  std::uint16_t port() const { return port_; }
  void answer(std::string_view text) {
    if (!peer_) peer_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    char bytes[1024];
    const bool asked = peer_ && ::recv(peer_.get(), bytes, sizeof bytes, MSG_DONTWAIT) > 0;
    if (!asked) return;
    EXPECT_GE(::send(peer_.get(), text.data(), text.size(), MSG_NOSIGNAL), 0);
    if (text.empty()) peer_.reset();
  }
  void close() { listener_.reset(); }

 private:
  ipc::UniqueFd listener_, peer_;
  std::uint16_t port_ = 0;
};

std::optional<HttpProbe::Answer> probe(Server& server, std::string_view answer) {
  Reactor reactor;
  HttpProbe probe(reactor, {"127.0.0.1", server.port(), "/health"}, [] {});
  for (int i = 0; i < 1'000 && !probe.answer(); ++i) {
    reactor.run(test::patience_ends(), 16, [] { return false; });
    server.answer(answer);
  }
  return probe.answer();
}

TEST(HttpProbe, PassesWhereTheStatusIsWell) {
  Server server;
  const auto answer = probe(server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->well) << answer->text;
}

TEST(HttpProbe, FailsWithTheStatus) {
  Server server;
  const auto answer = probe(server, "HTTP/1.1 503 No\r\n\r\n");
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->well);
  EXPECT_EQ(answer->text, "status 503");
}

TEST(HttpProbe, FailsWhereNobodyListens) {
  Server server;
  server.close();
  const auto answer = probe(server, "");
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->well);
  EXPECT_NE(answer->text.find("cannot connect"), std::string::npos) << answer->text;
}

TEST(ProcessFigures, OfThisProcess) {
  const auto figures = process_figures(::getpid(), "");
  ASSERT_TRUE(figures);
  EXPECT_GE(figures->threads, 1U);
  EXPECT_GE(figures->descriptors, 3U);
  EXPECT_GT(figures->descriptors_max, figures->descriptors);
  EXPECT_GT(figures->read_bytes, 0U);
  EXPECT_FALSE(process_figures(0x7ffffff0, "")) << "no such process";
}

TEST(ProcessFigures, AreReadFromTheTextsOfTheKernel) {
  ProcessFigures figures;
  EXPECT_TRUE(parse_figures_stat(
      "7 (a ) b) S 1 7 7 0 -1 4194560 900 0 3 0 250 50 0 0 20 0 12 0 100 1000 10 "
      "18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 0 0 0 4 0 0 0 0 0 0 0 0 0 0\n",
      figures));
  EXPECT_EQ(figures.threads, 12U);
  EXPECT_EQ(figures.minor_faults, 900U);
  EXPECT_EQ(figures.major_faults, 3U);
  EXPECT_EQ(figures.cpu_time, seconds(3));
  EXPECT_EQ(figures.disk_wait, milliseconds(40));
  parse_figures_io("rchar: 10\nwchar: 20\nsyscr: 1\nread_bytes: 30\nwrite_bytes: 40\n", figures);
  EXPECT_EQ(figures.read_bytes, 10U);
  EXPECT_EQ(figures.write_bytes, 20U);
  EXPECT_EQ(figures.disk_read_bytes, 30U);
  EXPECT_EQ(figures.disk_write_bytes, 40U);
  EXPECT_FALSE(parse_figures_stat("", figures));
}

}  // namespace
}  // namespace warmpool::daemon
