// Workers of an earlier life that somebody else had started: how long this life waits for them.
#include "daemon/outlived.hpp"

#include <csignal>
#include <sys/wait.h>

#include <gtest/gtest.h>

#include "tests/daemon/connector.hpp"
#include "tests/daemon/test_daemon.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

class OutlivedTest : public ::testing::Test {
 protected:
  // An earlier life ended while this process was at a task.
  OutlivedTest() : path_(directory_ / "registered.attempts") {
    auto file = AttemptFile::open(path_);
    REQUIRE(file);
    const auto name = name_of_process(process_.pid());
    REQUIRE(name);
    REQUIRE(file->add(TaskId{7}, *name));
  }
  ~OutlivedTest() override { ::close(process_.ends()[0]), ::close(process_.ends()[1]); }

  std::size_t remembered() const { return AttemptFile::open(path_)->entries().size(); }
  // A request wakes the loop, which else waits for what the clock has passed by.
  static void pass(TestDaemon& test, RawClient& client, Duration time) {
    test.time.pass(time);
    test.ask(client, ipc::Verb::Status);
  }
  static void pass_each_second(TestDaemon& test, RawClient& client, Duration time) {
    for (Duration passed{}; passed < time; passed = passed + seconds(1)) {
      pass(test, client, seconds(1));
    }
  }

  ipc::test::TemporaryDirectory directory_;
  std::string path_;
  Connector process_;
};

TEST_F(OutlivedTest, TimeInWhichNobodyCouldComeIsNoGrace) {
  TestDaemon test(small_configuration(), UseSubmitFifo::No, nullptr, path_);
  const auto grace = small_configuration().pool.values.reconnect_grace;
  test.time.pass(grace + hours(1));  // a long start
  auto client = test.connect();
  pass(test, client, grace + hours(1));  // a stall
  pass_each_second(test, client, grace - seconds(5));
  EXPECT_EQ(::waitpid(process_.pid(), nullptr, WNOHANG), 0);
  EXPECT_FALSE(test.log.has("is killed"));
  EXPECT_EQ(remembered(), 1U);
  pass_each_second(test, client, seconds(10));
  EXPECT_TRUE(test.log.has("does not come back and is killed"));
  EXPECT_TRUE(::warmpool::test::eventually([&] {
    test.ask(client, ipc::Verb::Status);
    return remembered() == 0;
  }));
}

}  // namespace
}  // namespace warmpool::daemon
