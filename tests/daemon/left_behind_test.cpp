// What tasks leave running, as the daemon looks for it: how often, and what it counts. With workers
// that are objects of the test. Of real processes: tests/e2e/left_behind_test.cpp.
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Kind;

Configuration one_that_counts() {
  auto configuration = small_configuration();
  auto& options = configuration.classes.front().values;
  options.size = options.size_min = 1;
  options.descendants = "count";
  return configuration;
}

pid_t number_of_a_dead_one() {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  ::waitpid(pid, nullptr, 0);
  return pid;
}

class LeftBehindLook : public testing::Test {
 protected:
  void SetUp() override {
    client.name_type("hang");
    ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
    ASSERT_TRUE(test.until([&] { return test.processes.alive() != nullptr; }));
  }
  FakeWorker& worker() { return *test.processes.alive(); }
  void begin_task() {
    client.submit("x", 1);
    ASSERT_TRUE(test.until(client, [&] { return worker().assigned.size() == 1; }));
  }
  void end_task() {
    worker().channel->send(ipc::run_header(Kind::Done, ipc::key_of(worker().assigned.back())));
    ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  }
  // The daemon has adopted these of it.
  void adopt(const std::vector<pid_t>& pids) {
    auto& living = test.processes.orphans.living;
    living.clear();
    for (const pid_t pid : pids) living.push_back({worker().spec.worker, pid});
  }
  void look() {
    const auto before = test.processes.reaped;
    test.time.pass(seconds(1));
    ASSERT_TRUE(test.until([&] { return test.processes.reaped > before; }));
  }
  std::uint64_t left_behind() {
    const auto text = test.ask(client, ipc::Verb::Workers);
    return nlohmann::json::parse(text).at("workers").at(0).at("left_behind");
  }

  TestDaemon test{one_that_counts()};
  RawClient client = test.connect();
};

TEST_F(LeftBehindLook, AtABusyWorkerWalksOnlyForWhatItDoesNotKnow) {
  begin_task();
  adopt({::getpid()});
  worker().descendants = {::getpid()};
  look();
  EXPECT_EQ(left_behind(), 1U);
  const auto walks = worker().walks;
  for (int i = 0; i < 5; ++i) look();
  EXPECT_EQ(worker().walks, walks);
  EXPECT_EQ(left_behind(), 1U);
}

TEST_F(LeftBehindLook, CountsWhatATaskLeftAfterOneThatCameWhileItRan) {
  look();
  begin_task();
  adopt({::getpid()});
  look();  // it is younger than the task
  EXPECT_EQ(left_behind(), 0U);
  end_task();
  worker().descendants = {::getpid()};
  look();
  EXPECT_EQ(left_behind(), 1U);
}

TEST_F(LeftBehindLook, CountsANumberAgainThatIsAnothersByNow) {
  const pid_t number = number_of_a_dead_one();
  begin_task();
  adopt({number});
  worker().descendants = {number};
  look();
  EXPECT_EQ(left_behind(), 1U);
  adopt({::getpid()});
  worker().descendants = {::getpid()};
  look();
  EXPECT_EQ(left_behind(), 2U);
  adopt({::getpid(), number});
  worker().descendants = {::getpid(), number};
  look();
  EXPECT_EQ(left_behind(), 3U);
}

Configuration one_that_kills() {
  auto configuration = one_that_counts();
  configuration.classes.front().values.descendants = "kill";
  return configuration;
}

// Its number may be that of a process which a task left.
TEST(LeftBehind, WhatEndedOfItsOwnIsSparedNoMore) {
  TestDaemon test(one_that_kills());
  const pid_t number = number_of_a_dead_one();
  test.processes.descendants_of_new = {::getpid(), number};
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  auto* worker = test.processes.alive();
  ASSERT_NE(worker, nullptr);
  const auto id = worker->spec.worker;
  worker->memory.processes = 5;
  ASSERT_TRUE(test.until([&] {
    test.time.pass(seconds(1));
    return test.processes.spared.contains(id);
  }));
  EXPECT_EQ(test.processes.spared.at(id), std::vector<pid_t>{::getpid()});
}

}  // namespace
}  // namespace warmpool::daemon
