// Where the time of a task goes: told to clients that ask for it, measured for nobody else.
#include "ipc/stamps.hpp"

#include <algorithm>

#include "daemon/stamp_book.hpp"
#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Kind;
using ipc::Stamp;

// Says the feature.
RawClient asking(TestDaemon& test) {
  auto client = test.connect_silent();
  client.hello(ipc::feature::kAll);
  EXPECT_TRUE(test.until(client, [&] { return client.find(Kind::Welcome) != nullptr; }));
  client.name_type("echo");
  return client;
}

ipc::PathStamps stamps_of(const RawClient::Received& received) {
  ipc::PathStamps stamps{};
  EXPECT_TRUE(ipc::decode_stamps(ipc::bytes_of(received.payload), stamps));
  return stamps;
}

bool runs(TestDaemon& test, RawClient& client, std::uint64_t token) {
  return test.until(client, [&] { return client.find(Kind::Stamps, token) != nullptr; });
}

std::size_t stamped_assigns(const TestDaemon& test) {
  std::size_t count = 0;
  for (const auto& [id, worker] : test.processes.workers) {
    count += static_cast<std::size_t>(std::ranges::count_if(
        worker.assigned, [](const auto& one) { return (one.flags & ipc::flag::kStamped) != 0; }));
  }
  return count;
}

TEST(StampedTask, ItsClientIsToldWhenItPassedEachPlace) {
  TestDaemon test;
  auto client = asking(test);
  client.submit("x", 7);
  ASSERT_TRUE(runs(test, client, 7));
  EXPECT_EQ(client.find(Kind::Stamps, 7)->header.id, client.find(Kind::Settled, 7)->header.id);
  const auto stamps = stamps_of(*client.find(Kind::Stamps, 7));
  EXPECT_NE(stamps.front(), 0U);
  EXPECT_TRUE(std::ranges::is_sorted(stamps)) << testing::PrintToString(stamps);
  EXPECT_LE(stamps.back(), ipc::stamp_now());
}

TEST(StampedTask, ComesBehindItsResult) {
  TestDaemon test;
  auto client = asking(test);
  client.submit("x", 7);
  ASSERT_TRUE(runs(test, client, 7));
  EXPECT_LT(client.find(Kind::Settled, 7), client.find(Kind::Stamps, 7));
}

TEST(StampedTask, OfAClientThatDoesNotAskThereIsNone) {
  TestDaemon test;
  auto asked = asking(test);
  auto other = test.connect();
  other.name_type("echo");
  other.submit("x", 1);
  ASSERT_TRUE(test.until(other, [&] { return other.find(Kind::Settled, 1) != nullptr; }));
  for (int i = 0; i < 100; ++i) test.daemon.turn({});
  other.receive(), asked.receive();
  EXPECT_EQ(other.count(Kind::Stamps) + asked.count(Kind::Stamps), 0U);
  EXPECT_EQ(stamped_assigns(test), 0U);
}

TEST(StampedTask, OfATaskThatIsNotWaitedForThereIsNone) {
  TestDaemon test;
  auto client = asking(test);
  client.submit("x", 1, 0);
  client.submit("x", 2);
  ASSERT_TRUE(runs(test, client, 2));
  EXPECT_EQ(client.count(Kind::Stamps), 1U);
}

TEST(StampedTask, OfAWorkerThatDoesNotKnowThemItsPartIsNotKnown) {
  TestDaemon test;
  test.processes.features = ipc::feature::kOfWorker & ~ipc::feature::kStamps;
  auto client = asking(test);
  client.submit("x", 7);
  ASSERT_TRUE(runs(test, client, 7));
  const auto stamps = stamps_of(*client.find(Kind::Stamps, 7));
  for (auto place = Stamp::Taken; place <= Stamp::Answered;
       place = static_cast<Stamp>(static_cast<int>(place) + 1)) {
    EXPECT_EQ(stamps[static_cast<std::size_t>(place)], 0U);
  }
  EXPECT_EQ(stamped_assigns(test), 0U);
}

TEST(StampedTask, WaitsForItsWorkersPartAndNotForEver) {
  TestDaemon test;
  test.processes.says_stamps = false;
  auto client = asking(test);
  client.submit("x", 7);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 7) != nullptr; }));
  EXPECT_EQ(client.count(Kind::Stamps), 0U);
  ASSERT_TRUE(runs(test, client, 7));
}

TEST(StampedTask, AWorkerThatSaysTooFewBreaksTheProtocol) {
  TestDaemon test;
  ASSERT_TRUE(test.until([&] { return test.processes.alive_count() == 2; }));
  auto* worker = test.processes.alive();
  ASSERT_TRUE(test.until([&] { return worker->features != 0; }));
  worker->send_bytes(frame_bytes({.kind = Kind::Stamps, .id = 1}, "eight by"));
  EXPECT_TRUE(test.until([&] { return test.log.has("broke the protocol: stamps"); }));
}

constexpr TaskId kTask{5};
constexpr ClientId kClient{3};
constexpr ipc::WorkerStamps kSaid{10, 20, 30, 40};

TEST(StampBook, BelievesOnlyWhoWasGivenTheTask) {
  StampBook book;
  book.begin(kTask, kClient, 7, 1);
  ASSERT_TRUE(book.ask(kTask, WorkerId{9}));
  book.take(kTask, WorkerId{8}, kSaid);
  book.settled(kTask);
  EXPECT_TRUE(book.take_told().empty());
  book.take(kTask, WorkerId{9}, kSaid);
  const auto told = book.take_told();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].token, 7U);
  EXPECT_EQ(told[0].stamps[static_cast<std::size_t>(Stamp::Ended)], 30U);
  EXPECT_TRUE(book.empty());
}

TEST(StampBook, OfATaskThatRunsAgainTellsTheLastRun) {
  StampBook book;
  book.begin(kTask, kClient, 7, 1);
  ASSERT_TRUE(book.ask(kTask, WorkerId{9}));
  book.take(kTask, WorkerId{9}, kSaid);
  ASSERT_TRUE(book.ask(kTask, WorkerId{10}));
  book.take(kTask, WorkerId{10}, {11, 21, 31, 41});
  book.settled(kTask);
  EXPECT_EQ(book.take_told().at(0).stamps[static_cast<std::size_t>(Stamp::Taken)], 11U);
}

TEST(StampBook, HasABound) {
  StampBook book;
  for (std::uint64_t i = 1; i <= StampBook::kTasksMax + 1; ++i) {
    book.begin(TaskId{i}, kClient, i, 1);
  }
  EXPECT_FALSE(book.ask(TaskId{StampBook::kTasksMax + 1}, WorkerId{9}));
  EXPECT_TRUE(book.ask(TaskId{StampBook::kTasksMax}, WorkerId{9}));
}

}  // namespace
}  // namespace warmpool::daemon
