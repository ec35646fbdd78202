// Checkpoints on their way from one attempt's worker to the next one's.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Kind;

class CheckpointsTest : public testing::Test {
 protected:
  void begin(std::uint64_t features = ipc::feature::kOfWorker) {
    auto configuration = small_configuration();
    auto& options = configuration.classes.front().values;
    options.size = options.size_min = 1;
    // Time passes at once here, and workers do not beat in it.
    configuration.pool.values.unresponsive_after = hours(1);
    configuration.pool.values.dead_after = hours(2);
    test_ = std::make_unique<TestDaemon>(configuration);
    test_->processes.features = features;
    ASSERT_TRUE(test_->until([&] { return test_->processes.alive() != nullptr; }));
    client_.emplace(test_->connect());
    client_->name_type("hang");
  }
  bool until(const std::function<bool()>& holds) { return test_->until(*client_, holds); }

  // The worker that the task "payload" was given to for the attempt of this number.
  FakeWorker* given(std::uint16_t attempt) {
    FakeWorker* found = nullptr;
    EXPECT_TRUE(until([&] {
      for (auto& [id, worker] : test_->processes.workers) {
        const auto& all = worker.assigned;
        if (std::ranges::count(all, attempt, &ipc::Header::attempt) != 0) found = &worker;
      }
      return found != nullptr;
    }));
    return found;
  }
  FakeWorker* submit() {
    client_->submit("payload", 1);
    return given(1);
  }
  static void send(FakeWorker& worker, std::string_view bytes, Content content = Content::Json) {
    auto header = ipc::run_header(Kind::Checkpoint, ipc::key_of(worker.assigned.back()));
    header.flags = ipc::content_flags(content);
    worker.channel->send(header, {}, ipc::bytes_of(bytes));
    worker.channel->push();  // it may die of what comes next
  }
  void die(FakeWorker& worker) {
    test_->processes.die(worker, {ExitCause::Signalled, -SIGKILL, false});
  }
  nlohmann::json shown(const FakeWorker& worker) {
    return nlohmann::json::parse(
        test_->ask(*client_, ipc::Verb::Show, {worker.assigned.front().id}));
  }

  std::unique_ptr<TestDaemon> test_;
  std::optional<RawClient> client_;
};

TEST_F(CheckpointsTest, TheLastOneReachesTheNextAttemptBehindItsPayload) {
  begin();
  auto* first = submit();
  EXPECT_EQ(first->payloads.back(), "payload");
  EXPECT_EQ(first->checkpoints.back(), 0U);
  send(*first, R"({"at":1})");
  ASSERT_TRUE(until([&] { return shown(*first).contains("checkpoint"); }));
  EXPECT_EQ(shown(*first)["checkpoint"]["bytes"], 8);
  EXPECT_EQ(shown(*first)["checkpoint"]["attempt"], 1);
  EXPECT_EQ(shown(*first)["checkpoint"]["content"], "json");
  send(*first, R"({"at":22})");  // within the second: it is kept when the run ends
  die(*first);
  auto* second = given(2);
  EXPECT_EQ(second->checkpoints.back(), 9U);
  EXPECT_EQ(second->payloads.back(), R"(payload{"at":22})");
  die(*second);
  EXPECT_EQ(given(3)->payloads.back(), R"(payload{"at":22})") << "until there is another";
}

TEST_F(CheckpointsTest, AFailureKeepsItsLastOneAndASuccessNone) {
  begin();
  auto* worker = submit();
  send(*worker, "one");
  send(*worker, "two");
  worker->channel->send(ipc::run_header(Kind::Failed, ipc::key_of(worker->assigned.back())));
  test_->time.pass(minutes(1));
  worker = given(2);
  EXPECT_EQ(worker->payloads.back(), "payloadtwo");
  worker->channel->send(ipc::run_header(Kind::Done, ipc::key_of(worker->assigned.back())));
  ASSERT_TRUE(until([&] { return client_->find(Kind::Settled, 1) != nullptr; }));
  EXPECT_FALSE(shown(*worker).contains("checkpoint"));
  EXPECT_EQ(test_->store.figures().checkpoint_bytes, 0U);
}

TEST_F(CheckpointsTest, OneThatIsTooLargeIsLeftOutAndItsWorkerGoesOn) {
  begin();
  auto* worker = submit();
  send(*worker, "good");
  send(*worker, std::string(ipc::kCheckpointBytesMax + 1, 'x'));
  ASSERT_TRUE(until([&] { return test_->log.has("sent a checkpoint of 262145 bytes"); }));
  EXPECT_EQ(shown(*worker)["checkpoint"]["bytes"], 4);
  EXPECT_FALSE(worker->exit);
  test_->time.pass(seconds(2));
  send(*worker, std::string(ipc::kCheckpointBytesMax, 'x'));
  EXPECT_TRUE(until([&] { return shown(*worker)["checkpoint"]["bytes"] == 262'144; }));
}

TEST_F(CheckpointsTest, OneOfAnotherAttemptIsRefused) {
  begin();
  auto* worker = submit();
  auto header = ipc::run_header(Kind::Checkpoint, ipc::key_of(worker->assigned.back()));
  ++header.token;
  worker->channel->send(header, {}, ipc::bytes_of(std::string_view("stale")));
  ASSERT_TRUE(until([&] { return test_->log.has("result-refused"); }));
  EXPECT_FALSE(shown(*worker).contains("checkpoint"));
  EXPECT_FALSE(worker->exit);
}

TEST_F(CheckpointsTest, AreAskedForWhileARunGoesOn) {
  begin();
  auto* worker = submit();
  test_->time.pass(seconds(61));
  ASSERT_TRUE(until([&] { return worker->asked.size() == 1; }));
  EXPECT_EQ(ipc::key_of(worker->asked.front()), ipc::key_of(worker->assigned.front()));
}

TEST_F(CheckpointsTest, AWorkerThatDoesNotKnowThemIsNeitherAskedNorGivenOne) {
  begin();
  auto* first = submit();
  send(*first, "state");
  test_->processes.features = ipc::feature::kOfWorker & ~ipc::feature::kCheckpoint;
  die(*first);
  auto* second = given(2);
  EXPECT_EQ(second->payloads.back(), "payload");
  EXPECT_EQ(second->checkpoints.back(), 0U);
  test_->time.pass(minutes(3));
  ASSERT_TRUE(until([&] { return shown(*first).contains("checkpoint"); }));
  EXPECT_TRUE(second->asked.empty());
  test_->processes.features = ipc::feature::kOfWorker;
  die(*second);
  EXPECT_EQ(given(3)->payloads.back(), "payloadstate") << "it is not lost by that";
}

}  // namespace
}  // namespace warmpool::daemon
