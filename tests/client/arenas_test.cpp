// Which payload is put into which memory, and that none is overwritten while somebody may read it.
#include "client/arenas.hpp"

#include <set>
#include <string>
#include <sys/stat.h>

#include <gtest/gtest.h>

#include "client/client.hpp"
#include "tests/client/fake_daemon.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::client {
namespace {

using fake::Daemon;
using fake::Got;
using fake::Peer;
using ipc::Kind;
using namespace std::chrono_literals;

constexpr auto kLong = 1h;

ino_t inode_of(const ipc::SharedFd& fd) {
  struct stat found {};
  EXPECT_EQ(::fstat(fd->get(), &found), 0);
  return found.st_ino;
}

Arenas::Lease lend(Arenas& arenas, std::size_t bytes) {
  return arenas.lend(ipc::bytes_of(std::string(bytes, 'x')));
}

// Of a size that was seen before.
Arenas::Lease lend_seen(Arenas& arenas, std::size_t bytes) {
  auto lease = lend(arenas, bytes);
  return lease ? std::move(lease) : lend(arenas, bytes);
}

TEST(Arenas, AreMadeForWhatComesTwice) {
  Arenas arenas(1U << 20, kLong);
  EXPECT_FALSE(lend(arenas, 5'000));
  EXPECT_FALSE(lend(arenas, 6'000));
  EXPECT_TRUE(lend(arenas, 5'000));
}

TEST(Arenas, AreLentAgainOnceTheyWereTakenBack) {
  Arenas arenas(1U << 20, kLong);
  auto first = lend_seen(arenas, 5'000);
  auto second = lend(arenas, 5'000);
  ASSERT_TRUE(first && second);
  const auto inode = inode_of(first.fd());
  EXPECT_NE(inode, inode_of(second.fd())) << "two tasks never share one";
  arenas.take_back(std::move(first));
  EXPECT_EQ(inode_of(lend(arenas, 5'000).fd()), inode);
}

TEST(Arenas, FitOneSizeOnly) {
  Arenas arenas(1U << 20, kLong);
  auto lease = lend_seen(arenas, 5'000);
  const auto inode = inode_of(lease.fd());
  arenas.take_back(std::move(lease));
  EXPECT_NE(inode_of(lend_seen(arenas, 4'999).fd()), inode);
}

TEST(Arenas, AreSoManyAndNoMore) {
  Arenas arenas(1U << 30, kLong);
  std::vector<Arenas::Lease> lent;
  lent.push_back(lend_seen(arenas, 5'000));
  while (lent.size() < Arenas::kCountMax) lent.push_back(lend(arenas, 5'000));
  EXPECT_TRUE(lent.back());
  EXPECT_FALSE(lend(arenas, 5'000));
  lent.pop_back();
  EXPECT_TRUE(lend(arenas, 5'000)) << "one that was dropped counts no more";
}

TEST(Arenas, HaveSoManyBytesAndNoMoreUnlessOneIsAlone) {
  Arenas arenas(9'000, kLong);
  auto first = lend_seen(arenas, 5'000);
  ASSERT_TRUE(first);
  EXPECT_FALSE(lend(arenas, 5'000));
  EXPECT_FALSE(lend_seen(arenas, 10'000));
  first = {};
  EXPECT_TRUE(lend(arenas, 10'000)) << "larger than all may be, and alone";
}

TEST(Arenas, ThatNobodyHasMakeRoomForAnother) {
  Arenas arenas(9'000, kLong);
  arenas.take_back(lend_seen(arenas, 5'000));
  EXPECT_TRUE(lend_seen(arenas, 6'000));
  EXPECT_EQ(arenas.due(), ipc::kNoDeadline) << "the other one is gone";
}

TEST(Arenas, ThatNobodyHasGoAfterAWhile) {
  Arenas arenas(1U << 20, kLong);
  EXPECT_EQ(arenas.due(), ipc::kNoDeadline);
  arenas.take_back(lend_seen(arenas, 5'000));
  EXPECT_NE(arenas.due(), ipc::kNoDeadline);
  arenas.forget_idle();
  EXPECT_NE(arenas.due(), ipc::kNoDeadline) << "an hour has not passed";
  Arenas hasty(1U << 20, 0ms);
  hasty.take_back(lend_seen(hasty, 5'000));
  hasty.forget_idle();
  EXPECT_EQ(hasty.due(), ipc::kNoDeadline);
}

TEST(Arenas, AreNoneWhereNoBytesAreAllowed) {
  Arenas arenas(0, kLong);
  EXPECT_FALSE(lend_seen(arenas, 5'000));
}

// A client over a fake daemon that says of each submit what it came in.
constexpr std::size_t kBytes = 20'000;

struct Came {
  ino_t inode;
  bool arena;
  std::string bytes;
};

Came look(const Got& submit) {
  const int fd = submit.descriptor ? submit.descriptor->get() : -1;
  EXPECT_GE(fd, 0) << "no descriptor came";
  struct stat found {};
  EXPECT_EQ(::fstat(fd, &found), 0);
  const auto view = ipc::LargeView::of(fd, static_cast<std::uint64_t>(found.st_size));
  return {found.st_ino, ipc::is_arena(fd),
          view ? std::string(ipc::text_of(view->bytes())) : view.error().text};
}

fake::Limits large_limits(std::uint64_t features = ipc::feature::kOfClient) {
  return {.payload_bytes_max = 10'000, .features = features, .large_bytes_max = 1U << 20};
}

SubmitOptions payload_of(char letter) {
  return {.type = "t", .payload = std::string(kBytes, letter), .auto_key = true, .wait = true};
}

class ArenasOfAClient : public testing::Test {
 protected:
  // Settles each submit with what `settle` does, in order; the last one goes on.
  using Settle = std::function<void(Peer&, const Got&)>;
  void serve(std::vector<Settle> settle, fake::Limits limits = large_limits()) {
    daemon.emplace([this, settle, limits](Peer& peer) {
      peer.welcome(limits);
      for (std::size_t i = 0; const auto got = peer.next();) {
        if (got->kind() != Kind::Submit) continue;
        came.push_back(look(*got));
        settle[std::min(i++, settle.size() - 1)](peer, *got);
        peer.flush();
      }
    });
    ConnectOptions options;
    options.socket = daemon->socket();
    auto connected = Client::connect(options);
    ASSERT_TRUE(connected) << connected.error().text;
    client.emplace(std::move(*connected));
  }
  static Settle with(ipc::SettledMeta meta, std::uint16_t attempt = 1) {
    return [=](Peer& peer, const Got& got) { peer.settle(got, 7, "r", meta, {}, attempt); };
  }
  // Runs one task after the other, and gives back what they came in.
  std::vector<Came> run(std::size_t count, const SubmitOptions& options = payload_of('a')) {
    for (std::size_t i = 0; i < count; ++i) {
      auto one = options;
      one.payload[0] = static_cast<char>('0' + i);
      client->submit(one);
      while (client->open() > 0) {
        EXPECT_TRUE(client->wait_any(test::patience_ends()));
      }
    }
    client.reset();
    daemon->join();
    return came;
  }

  std::vector<Came> came;
  std::optional<Daemon> daemon;
  std::optional<Client> client;
};

TEST_F(ArenasOfAClient, AreFilledAgainWhenTheirTaskIsDone) {
  serve({with({})});
  const auto seen = run(5);
  ASSERT_EQ(seen.size(), 5U);
  EXPECT_FALSE(seen[0].arena);
  std::set<ino_t> inodes;
  for (std::size_t i = 1; i < seen.size(); ++i) {
    EXPECT_TRUE(seen[i].arena);
    inodes.insert(seen[i].inode);
    EXPECT_EQ(seen[i].bytes[0], static_cast<char>('0' + i));
    EXPECT_EQ(seen[i].bytes.substr(1), std::string(kBytes - 1, 'a'));
  }
  EXPECT_EQ(inodes.size(), 1U);
}

class ArenasNotTakenBack : public ArenasOfAClient {
 protected:
  void expect_another_after(const Settle& settle) {
    serve({with({}), settle, with({})});
    const auto seen = run(3);
    ASSERT_EQ(seen.size(), 3U);
    EXPECT_TRUE(seen[1].arena && seen[2].arena);
    EXPECT_NE(seen[1].inode, seen[2].inode);
  }
};

TEST_F(ArenasNotTakenBack, OfADeadLetter) {
  expect_another_after(with({.verdict = Verdict::Dead, .cause = EndCause::Failed}));
}

TEST_F(ArenasNotTakenBack, OfACancelledTask) {
  expect_another_after(with({.verdict = Verdict::Cancelled, .cause = EndCause::Cancelled}));
}

TEST_F(ArenasNotTakenBack, OfAnExpiredTask) {
  expect_another_after(with({.verdict = Verdict::Expired, .cause = EndCause::Expired}));
}

TEST_F(ArenasNotTakenBack, OfATaskThatNeededASecondAttempt) {
  expect_another_after(with({.charged_failures = 1}, 2));
}

TEST_F(ArenasNotTakenBack, OfARefusedTask) {
  expect_another_after(
      [](Peer& peer, const Got& got) { peer.refuse(got, Refusal::QueueFull, "full"); });
}

TEST_F(ArenasOfAClient, AreForTasksWhoseResultIsAwaited) {
  serve({[](Peer& peer, const Got& got) { peer.accept(got, 7); }});
  auto options = payload_of('a');
  options.wait = false;
  for (const auto& one : run(3, options)) EXPECT_FALSE(one.arena);
}

// Others may ask for what was in it.
TEST_F(ArenasOfAClient, AreNotForTasksWithALastingKey) {
  serve({with({})});
  auto options = payload_of('a');
  options.key = "one";
  for (const auto& one : run(3, options)) EXPECT_FALSE(one.arena);
}

TEST_F(ArenasOfAClient, AreNotForADaemonThatTakesNone) {
  serve({with({})}, large_limits(ipc::feature::kOfClient & ~ipc::feature::kArena));
  for (const auto& one : run(3)) EXPECT_FALSE(one.arena);
}

TEST_F(ArenasOfAClient, AreNeverSharedByTwoTasksInFlight) {
  std::vector<Got> waiting;
  serve({[&waiting](Peer& peer, const Got& got) {
    waiting.push_back(got);
    if (waiting.size() == 5) {
      for (const auto& one : waiting) peer.settle(one, 7, "r");
    }
  }});
  for (const char letter : {'a', 'b', 'c', 'd', 'e'}) client->submit(payload_of(letter));
  while (client->open() > 0) {
    ASSERT_TRUE(client->wait_any(test::patience_ends()));
  }
  client.reset();
  daemon->join();
  ASSERT_EQ(came.size(), 5U);
  std::set<ino_t> inodes;
  for (std::size_t i = 0; i < came.size(); ++i) {
    inodes.insert(came[i].inode);
    EXPECT_EQ(look(waiting[i]).bytes, std::string(kBytes, static_cast<char>('a' + i)));
  }
  EXPECT_EQ(inodes.size(), 5U);
}

// A connection that breaks may leave its task running. The first of three payloads makes the size
// known, the second is sent over two connections, the third comes when that is done.
class ArenasOverAReconnect : public testing::Test {
 protected:
  void run(std::uint64_t features) {
    Daemon daemon({[this](Peer& peer) {
                     peer.welcome(large_limits());
                     settle(peer);
                     take(peer);
                   },
                   [this, features](Peer& peer) {
                     peer.welcome(large_limits(features));
                     settle(peer);
                     settle(peer);
                     while (peer.next()) {
                     }
                   }});
    ConnectOptions options;
    options.socket = daemon.socket();
    options.reconnect.delay_first = 1ms;
    options.reconnect.delay_max = 5ms;
    auto client = Client::connect(options);
    ASSERT_TRUE(client);
    for (const char letter : {'a', 'b', 'c'}) {
      client->submit(payload_of(letter));
      while (client->open() > 0) {
        ASSERT_TRUE(client->wait_any(test::patience_ends()));
      }
    }
    client = Error{};
    daemon.join();
    ASSERT_EQ(came.size(), 4U);
    EXPECT_TRUE(came[1].arena);
    EXPECT_EQ(came[1].bytes, std::string(kBytes, 'b'));
    EXPECT_EQ(came[2].bytes, std::string(kBytes, 'b'));
    EXPECT_EQ(look(kept[1]).bytes, std::string(kBytes, 'b')) << "it was filled again";
  }
  std::vector<Came> came;

 private:
  void take(Peer& peer) {
    auto got = peer.next(Kind::Submit, 1);
    ASSERT_FALSE(got.empty());
    came.push_back(look(got[0]));
    kept.push_back(got[0]);
  }
  void settle(Peer& peer) {
    take(peer);
    peer.settle(kept.back(), 7, "r");
    peer.flush();
  }
  std::vector<Got> kept;
};

TEST_F(ArenasOverAReconnect, AreSentAgainAsTheyWereAndNotTakenBack) {
  run(ipc::feature::kOfClient);
  EXPECT_EQ(came[1].inode, came[2].inode);
  EXPECT_TRUE(came[3].arena);
  EXPECT_NE(came[1].inode, came[3].inode);
}

TEST_F(ArenasOverAReconnect, AreCopiedForADaemonThatTakesNone) {
  run(ipc::feature::kOfClient & ~ipc::feature::kArena);
  EXPECT_FALSE(came[2].arena || came[3].arena);
}

}  // namespace
}  // namespace warmpool::client
