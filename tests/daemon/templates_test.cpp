// Templates as the daemon meets them: what it asks of one, and that workers start whatever one
// does.
#include <array>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "ipc/descriptor_passing.hpp"
#include "ipc/template_frames.hpp"
#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using AnswerKind = ipc::TemplateAnswer::Kind;

Configuration with_preload() {
  auto configuration = small_configuration();
  configuration.classes.front().values.preload = {"heavy"};
  configuration.classes.front().values.size = 1;
  configuration.classes.front().values.size_min = 1;
  configuration.pool.values.backoff_first = configuration.pool.values.backoff_max = seconds(1);
  return configuration;
}

class TemplateTest : public testing::Test {
 protected:
  // The youngest that lives; null if none.
  FakeWorker* the_template() {
    FakeWorker* found = nullptr;
    for (auto& [id, worker] : test_.processes.workers) {
      if (worker.spec.role == SpawnRole::Template && !worker.exit) found = &worker;
    }
    return found;
  }
  std::size_t workers() const {
    std::size_t count = 0;
    for (const auto& [id, worker] : test_.processes.workers) {
      count += worker.spec.role == SpawnRole::Worker && !worker.exit ? 1U : 0U;
    }
    return count;
  }
  FakeWorker* wait_for_template() {
    EXPECT_TRUE(test_.until([&] { return the_template() != nullptr; }));
    return the_template();
  }
  static void say(FakeWorker& fake, const ipc::TemplateAnswer& answer, int fd = -1) {
    auto packet = ipc::encode(answer);
    iovec piece{packet.data(), packet.size()};
    REQUIRE(ipc::send_with_descriptor(fake.packets.get(), {&piece, 1}, 0, fd) > 0);
  }
  // The number that it is asked to fork; 0: nothing yet.
  static std::uint64_t asked(FakeWorker& fake) {
    std::string packet(ipc::kTemplateBytesMax, '\0');
    const auto bytes = ::recv(fake.packets.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (bytes <= 0) return 0;
    return ipc::parse_fork_request({packet.data(), static_cast<std::size_t>(bytes)})->number;
  }
  std::uint64_t wait_for_request(FakeWorker& fake) {
    std::uint64_t number = 0;
    EXPECT_TRUE(test_.until([&] { return (number = asked(fake)) != 0; }));
    return number;
  }
  static void fork(FakeWorker& fake, std::uint64_t number) {
    say(fake, {AnswerKind::Forked, number, 99}, STDIN_FILENO);
    say(fake, {AnswerKind::Done, number});
  }
  // From its start to its first worker.
  FakeWorker* begin() {
    auto* fake = wait_for_template();
    say(*fake, {AnswerKind::Ready, ipc::kTemplateVersion});
    fork(*fake, wait_for_request(*fake));
    EXPECT_TRUE(test_.until([&] { return test_.processes.alive() != nullptr; }));
    return fake;
  }
  void kill_worker() {
    auto* worker = test_.processes.alive();
    ASSERT_NE(nullptr, worker);
    test_.processes.die(*worker, {ExitCause::Signalled, -SIGKILL, false});
  }
  nlohmann::json shown() {
    auto client = test_.connect();
    return nlohmann::json::parse(test_.ask(client, ipc::Verb::Status))["classes"][0]["template"];
  }

  TestDaemon test_{with_preload()};
};

TEST_F(TemplateTest, WorkersWaitForItAndAreForked) {
  auto* fake = wait_for_template();
  EXPECT_EQ(std::vector<std::string>{"heavy"}, fake->spec.preload);
  EXPECT_EQ(0U, workers());
  EXPECT_EQ("starting", shown()["state"]);
  say(*fake, {AnswerKind::Ready, ipc::kTemplateVersion});
  const auto number = wait_for_request(*fake);
  EXPECT_TRUE(test_.processes.ordered.contains(number));
  EXPECT_EQ(0U, workers());
  fork(*fake, number);
  ASSERT_TRUE(test_.until([&] { return test_.processes.alive() != nullptr; }));
  EXPECT_EQ(number, test_.processes.alive()->spec.worker.value);
  ASSERT_TRUE(test_.until([&] { return shown()["forked"] == 1; }));
  EXPECT_EQ("ready", shown()["state"]);
  auto client = test_.connect();
  const auto row = nlohmann::json::parse(test_.ask(client, ipc::Verb::Workers))["workers"][0];
  EXPECT_EQ(1, row["template"]);
  EXPECT_TRUE(row["start_ms"].is_number());
}

TEST_F(TemplateTest, ADeadWorkerIsReplacedFromIt) {
  auto* fake = begin();
  kill_worker();
  test_.time.pass(minutes(1));
  fork(*fake, wait_for_request(*fake));
  ASSERT_TRUE(test_.until([&] { return workers() == 1; }));
  EXPECT_EQ(0U, test_.processes.abandoned.size());
}

TEST_F(TemplateTest, OneThatDiesCostsNoSlotAnything) {
  auto* fake = wait_for_template();
  ASSERT_EQ(19, ::write(fake->errors.get(), "No module named x\n\n", 19));
  test_.processes.die(*fake, {ExitCause::Exited, 1, false});
  ASSERT_TRUE(test_.until([&] { return test_.processes.alive() != nullptr; }));
  EXPECT_EQ("resting", shown()["state"]);
  EXPECT_EQ("ended with status 1 (No module named x)", shown()["reason"]);
  EXPECT_TRUE(test_.log.has("No module named x"));
  EXPECT_EQ(0U, test_.daemon.pool().counters().exits);
  test_.time.pass(seconds(2));
  ASSERT_TRUE(test_.until([&] { return the_template() != nullptr; })) << "it is tried again";
  EXPECT_EQ(2, shown()["generation"]);
}

TEST_F(TemplateTest, OneThatDiesWhileItForksLeavesItsWorkerToAStartWithout) {
  auto* fake = wait_for_template();
  say(*fake, {AnswerKind::Ready, ipc::kTemplateVersion});
  const auto number = wait_for_request(*fake);
  say(*fake, {AnswerKind::Forked, number, 99}, STDIN_FILENO);
  test_.processes.die(*fake, {ExitCause::Signalled, -SIGKILL, false});
  ASSERT_TRUE(test_.until([&] { return test_.processes.alive() != nullptr; }));
  EXPECT_EQ(number, test_.processes.alive()->spec.worker.value);
  EXPECT_EQ(std::vector<WorkerId>{WorkerId{number}}, test_.processes.abandoned);
}

TEST_F(TemplateTest, OneThatDoesNotAnswerIsGivenUp) {
  auto* fake = wait_for_template();
  say(*fake, {AnswerKind::Ready, ipc::kTemplateVersion});
  const auto number = wait_for_request(*fake);
  test_.time.pass(seconds(6));
  ASSERT_TRUE(test_.until([&] { return test_.processes.alive() != nullptr; }));
  EXPECT_EQ(number, test_.processes.alive()->spec.worker.value);
  EXPECT_TRUE(fake->exit) << "it was killed";
  EXPECT_TRUE(test_.log.has("has not answered for 5s"));
}

TEST_F(TemplateTest, OneThatLoadsForEverIsGivenUpInTime) {
  auto* fake = wait_for_template();
  test_.time.pass(seconds(31));
  ASSERT_TRUE(test_.until([&] { return test_.processes.alive() != nullptr; }));
  EXPECT_TRUE(fake->exit);
  EXPECT_TRUE(test_.log.has("has not loaded its modules within 30s"));
}

TEST_F(TemplateTest, OneThatIsUnfitIsNotTriedAgainByItself) {
  auto* fake = wait_for_template();
  say(*fake, {AnswerKind::Unfit, 0, 0, "it has 3 threads"});
  ASSERT_TRUE(test_.until([&] { return test_.processes.alive() != nullptr; }));
  EXPECT_EQ("unfit", shown()["state"]);
  EXPECT_EQ("cannot fork: it has 3 threads", shown()["reason"]);
  test_.time.pass(hours(1));
  kill_worker();
  test_.time.pass(minutes(1));
  ASSERT_TRUE(test_.until([&] { return workers() == 1; }));
  EXPECT_EQ(nullptr, the_template());
}

TEST_F(TemplateTest, AProgramThatMakesNoneIsNotTriedAgainByItself) {
  auto* fake = wait_for_template();
  test_.processes.die(*fake, {ExitCause::Exited, 2, false});
  ASSERT_TRUE(test_.until([&] { return test_.processes.alive() != nullptr; }));
  EXPECT_EQ("unfit", shown()["state"]);
  EXPECT_NE(std::string::npos, shown()["reason"].get<std::string>().find("take preload out"));
  test_.time.pass(hours(1));
  kill_worker();
  test_.time.pass(minutes(1));
  ASSERT_TRUE(test_.until([&] { return workers() == 1; }));
  EXPECT_EQ(nullptr, the_template());
}

TEST_F(TemplateTest, TheSameEndOfOneThatWasReadyIsAFailure) {
  auto* fake = wait_for_template();
  say(*fake, {AnswerKind::Ready, ipc::kTemplateVersion});
  wait_for_request(*fake);
  test_.processes.die(*fake, {ExitCause::Exited, 2, false});
  ASSERT_TRUE(test_.until([&] { return test_.processes.alive() != nullptr; }));
  EXPECT_EQ("resting", shown()["state"]);
}

TEST_F(TemplateTest, AForkThatFailedIsOneStartWithout) {
  auto* fake = wait_for_template();
  say(*fake, {AnswerKind::Ready, ipc::kTemplateVersion});
  const auto number = wait_for_request(*fake);
  say(*fake, {AnswerKind::Failed, number, 0, "fork: no memory"});
  ASSERT_TRUE(test_.until([&] { return test_.processes.alive() != nullptr; }));
  EXPECT_EQ(1U, test_.processes.abandoned.size());
  EXPECT_EQ("ready", shown()["state"]);
  EXPECT_FALSE(fake->exit);
}

using Lie = void (*)(FakeWorker&, std::uint64_t);
class LyingTemplateTest : public TemplateTest, public testing::WithParamInterface<Lie> {
 public:
  using TemplateTest::fork, TemplateTest::say;
};

TEST_P(LyingTemplateTest, IsEndedAndItsWorkerStartsWithout) {
  auto* fake = wait_for_template();
  say(*fake, {AnswerKind::Ready, ipc::kTemplateVersion});
  const auto number = wait_for_request(*fake);
  GetParam()(*fake, number);
  say(*fake, {AnswerKind::Done, number});
  ASSERT_TRUE(test_.until([&] { return test_.processes.alive() != nullptr; }));
  EXPECT_TRUE(fake->exit);
  EXPECT_EQ(number, test_.processes.alive()->spec.worker.value);
}

INSTANTIATE_TEST_SUITE_P(
    Each, LyingTemplateTest,
    testing::Values(
        [](FakeWorker&, std::uint64_t) {},  // done, though it never forked
        [](FakeWorker& fake, std::uint64_t number) {
          LyingTemplateTest::say(fake, {AnswerKind::Forked, number, 9});  // without a pidfd
        },
        [](FakeWorker& fake, std::uint64_t number) { LyingTemplateTest::fork(fake, number + 1); },
        [](FakeWorker& fake, std::uint64_t) {
          LyingTemplateTest::say(fake, {AnswerKind::Ready, ipc::kTemplateVersion});
        },
        [](FakeWorker& fake, std::uint64_t) {
          REQUIRE(::send(fake.packets.get(), "what", 5, 0) == 5);
        }));

TEST_F(TemplateTest, WhatIsNoWorkerOfItsIsNotAdopted) {
  test_.processes.adopts = false;
  auto* fake = wait_for_template();
  say(*fake, {AnswerKind::Ready, ipc::kTemplateVersion});
  fork(*fake, wait_for_request(*fake));
  ASSERT_TRUE(test_.until([&] { return test_.processes.alive() != nullptr; }));
  EXPECT_TRUE(fake->exit);
  EXPECT_TRUE(test_.log.has("is not to be trusted"));
}

TEST_F(TemplateTest, ARestartMakesANewGeneration) {
  auto* old = begin();
  auto client = test_.connect();
  test_.ask(client, ipc::Verb::Restart);
  ASSERT_TRUE(test_.until([&] { return old->exit && the_template() != nullptr; }));
  auto* fresh = the_template();
  EXPECT_EQ(2, shown()["generation"]);
  say(*fresh, {AnswerKind::Ready, ipc::kTemplateVersion});
  fork(*fresh, wait_for_request(*fresh));
  ASSERT_TRUE(test_.until([&] { return workers() == 1 && shown()["forked"] == 2; }));
}

TEST_F(TemplateTest, AReloadMakesANewGenerationAndLetsWorkersLive) {
  auto* old = begin();
  test_.daemon.reload(with_preload());
  ASSERT_TRUE(test_.until([&] { return old->exit && the_template() != nullptr; }));
  EXPECT_EQ(1U, workers());
  auto without = with_preload();
  without.classes.front().values.preload.clear();
  auto* fresh = the_template();
  test_.daemon.reload(without);
  ASSERT_TRUE(test_.until([&] { return fresh->exit.has_value(); }));
  kill_worker();
  test_.time.pass(minutes(1));
  ASSERT_TRUE(test_.until([&] { return workers() == 1; }));
  EXPECT_EQ(nullptr, the_template());
}

TEST_F(TemplateTest, AStopDoesNotWaitForWhatWaits) {
  auto* fake = wait_for_template();
  test_.daemon.stop(true);
  EXPECT_TRUE(test_.until([&] { return test_.daemon.pool().counters().exits == 1; }));
  EXPECT_FALSE(fake->exit);
  while (test_.daemon.turn(milliseconds(10))) {
  }
}

TEST_F(TemplateTest, AWorkerThatIsToEndBeforeItIsThereEndsWhenItIs) {
  auto* fake = wait_for_template();
  say(*fake, {AnswerKind::Ready, ipc::kTemplateVersion});
  const auto number = wait_for_request(*fake);
  test_.daemon.stop(true);
  fork(*fake, number);
  ASSERT_TRUE(test_.until([&] { return test_.processes.workers.contains(number); }));
  ASSERT_TRUE(test_.until([&] { return test_.processes.workers.at(number).reaped; }));
}

}  // namespace
}  // namespace warmpool::daemon
