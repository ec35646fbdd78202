// Large bodies are written before their records: who waits for that, and who does not.
#include <algorithm>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Kind;

const std::string kLarge(kBodyInRowMax + 1, 'x');

class LargeBody : public testing::Test {
 protected:
  LargeBody() {
    test.store.writes_bodies = true;
    client.name_type("echo");
  }
  bool until(const std::function<bool()>& holds) { return test.until(client, holds); }
  bool begun(std::size_t bodies) {
    return until([&, bodies] { return test.store.begun.size() == bodies; });
  }
  bool settled(std::uint64_t token) {
    return until([&, token] { return client.find(Kind::Settled, token) != nullptr; });
  }

  TestDaemon test;
  RawClient client = test.connect();
};

TEST_F(LargeBody, IsAcceptedWhenItIsOnTheDiskAndHoldsUpItsConnectionAlone) {
  auto other = test.connect();
  other.name_type("echo");
  client.submit(kLarge, 1);
  client.submit("small", 2);
  ASSERT_TRUE(begun(1));
  other.submit("other", 3);
  ASSERT_TRUE(test.until(other, [&] { return other.find(Kind::Settled, 3) != nullptr; }));
  client.receive();
  EXPECT_EQ(client.find(Kind::Accepted, 1), nullptr);
  EXPECT_EQ(client.find(Kind::Accepted, 2), nullptr) << "frames of one client keep their order";
  test.store.end_bodies();
  ASSERT_TRUE(until([&] { return client.find(Kind::Accepted, 2) != nullptr; }));
  ASSERT_NE(client.find(Kind::Accepted, 1), nullptr);
  EXPECT_LT(client.find(Kind::Accepted, 1)->header.id, client.find(Kind::Accepted, 2)->header.id);
  ASSERT_TRUE(begun(2)) << "the result";
  test.store.end_bodies();
  ASSERT_TRUE(settled(1));
  EXPECT_EQ(client.find(Kind::Settled, 1)->payload, kLarge);
  EXPECT_EQ(test.store.kept, test.store.begun);
  EXPECT_TRUE(test.store.dropped.empty());
}

// A dead letter, and then what retries it with another payload.
class LargeRetry : public LargeBody {
 protected:
  LargeRetry() {
    client.name_type("fail", 1);
    ipc::SubmitMeta once;
    once.retries = 0;
    client.submit("small", 1, ipc::flag::kWait, once, 1);
    EXPECT_TRUE(settled(1));
    task = client.find(Kind::Settled, 1)->header.id;
  }
  void retry(std::string_view payload, std::uint64_t token = 9) {
    client.ask(ipc::Verb::DeadRetry, {std::vector{task}, {}, {}, {}, {}, std::string_view("json")},
               token, payload);
  }
  std::uint64_t task = 0;
};

TEST_F(LargeRetry, IsAnsweredWhenItsPayloadIsOnTheDisk) {
  retry(kLarge);
  ASSERT_TRUE(begun(1));
  client.receive();
  EXPECT_EQ(client.find(Kind::Reply, 9), nullptr);
  test.store.end_bodies();
  ASSERT_TRUE(until([&] { return client.find(Kind::Reply, 9) != nullptr; }));
  EXPECT_EQ(test.store.kept, test.store.begun);
  const auto stored = test.store.find(TaskId{task});
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->round, 2);
  EXPECT_EQ(stored->content, Content::Json);
  EXPECT_EQ(ipc::text_of(stored->body->bytes()), kLarge);
}

TEST_F(LargeRetry, ThatIsRefusedLeavesNoFile) {
  retry(kLarge);
  ASSERT_TRUE(begun(1));
  test.store.set_accepting(false);
  test.daemon.turn(milliseconds(1));
  test.store.end_bodies();
  ASSERT_TRUE(until([&] { return client.find(Kind::Refused, 9) != nullptr; }));
  EXPECT_EQ(test.store.dropped, test.store.begun);
  EXPECT_EQ(test.store.find(TaskId{task})->payload_bytes, 5U) << "it is what it was";
}

TEST_F(LargeBody, WithoutAFileGoesOnWithoutOne) {
  client.submit(kLarge, 1);
  ASSERT_TRUE(begun(1));
  test.store.end_bodies("no space");
  ASSERT_TRUE(begun(2));
  test.store.end_bodies("no space");
  ASSERT_TRUE(settled(1));
  EXPECT_EQ(client.find(Kind::Settled, 1)->payload, kLarge);
  EXPECT_TRUE(test.store.kept.empty());
  EXPECT_TRUE(test.log.has("no space"));
}

TEST_F(LargeBody, OfARefusedSubmitIsDropped) {
  client.submit(kLarge, 1);
  ASSERT_TRUE(begun(1));
  test.store.set_accepting(false);
  test.daemon.turn(milliseconds(1));
  test.store.end_bodies();
  ASSERT_TRUE(until([&] { return client.find(Kind::Refused, 1) != nullptr; }));
  EXPECT_EQ(test.store.dropped, test.store.begun);
}

TEST_F(LargeBody, OfAClientThatVanishedIsDropped) {
  {
    auto leaving = test.connect();
    leaving.name_type("echo");
    leaving.submit(kLarge, 1);
    ASSERT_TRUE(test.until(leaving, [&] { return test.store.begun.size() == 1; }));
  }
  test.store.end_bodies();
  // What it sent whole is taken; it is gone only when its end is read.
  EXPECT_TRUE(until([&] { return test.store.kept.size() + test.store.dropped.size() == 1; }));
}

TEST_F(LargeBody, OfAWorkerThatDiesMeanwhileIsCountedAllTheSame) {
  client.submit(kLarge, 1);
  ASSERT_TRUE(begun(1));
  test.store.end_bodies();
  ASSERT_TRUE(begun(2)) << "the result";
  for (auto& [id, worker] : test.processes.workers) {
    if (!worker.exit) test.processes.die(worker, {ExitCause::Exited, 1, false});
  }
  ASSERT_TRUE(settled(1));
  EXPECT_EQ(client.find(Kind::Settled, 1)->payload, kLarge);
  test.store.end_bodies();
  EXPECT_TRUE(until([&] { return test.store.dropped == std::vector{test.store.begun.back()}; }));
}

TEST_F(LargeBody, OfATaskThatIsCancelledMeanwhileIsNotWaitedFor) {
  client.submit(kLarge, 1);
  ASSERT_TRUE(begun(1));
  test.store.end_bodies();
  ASSERT_TRUE(begun(2)) << "the result";
  ASSERT_TRUE(until([&] { return client.find(Kind::Accepted, 1) != nullptr; }));
  client.send({.kind = Kind::Cancel, .id = client.find(Kind::Accepted, 1)->header.id, .token = 2});
  ASSERT_TRUE(settled(1));
  test.store.end_bodies();
  EXPECT_TRUE(until([&] { return !test.store.dropped.empty(); }));
}

}  // namespace
}  // namespace warmpool::daemon
