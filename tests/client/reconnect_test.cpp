// What a client does when its connection breaks in the middle of something.
#include <set>

#include <gtest/gtest.h>

#include "client/client.hpp"
#include "tests/client/fake_daemon.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::client {
namespace {

using fake::Daemon;
using fake::Peer;
using ipc::Kind;
using namespace std::chrono_literals;

Result<Client> dial(const Daemon& daemon) {
  ConnectOptions options;
  options.socket = daemon.socket();
  options.reconnect.delay_first = 1ms;
  options.reconnect.delay_max = 5ms;
  return Client::connect(options);
}

template <class Wanted>
Wanted next(Client& client) {
  auto event = client.wait_any(test::patience_ends());
  EXPECT_TRUE(event) << event.error().text;
  if (!event || !*event || !std::holds_alternative<Wanted>(**event)) {
    ADD_FAILURE() << "another event, or none";
    return {};
  }
  return std::get<Wanted>(**event);
}

TEST(Reconnect, SendsKeyedSubmitsAgainExactlyOnce) {
  std::multiset<std::string> first, second;
  Daemon daemon({[&](Peer& peer) {
                   peer.welcome();
                   const auto submits = peer.next(Kind::Submit, 10);
                   for (const auto& submit : submits) {
                     first.emplace(*peer.submit_meta(submit).key);
                   }
                   for (std::size_t i = 0; i < 4; ++i) {
                     peer.accept(submits[i], i + 1);
                   }
                 },
                 [&](Peer& peer) {
                   peer.welcome();
                   std::uint64_t task = 4;
                   while (const auto got = peer.next()) {
                     if (got->kind() != Kind::Submit) continue;
                     second.emplace(*peer.submit_meta(*got).key);
                     EXPECT_EQ(got->payload, "p");
                     peer.accept(*got, ++task, true);
                   }
                 }});
  auto client = dial(daemon);
  ASSERT_TRUE(client);
  std::vector<Ticket> tickets;
  for (int i = 0; i < 10; ++i) {
    tickets.push_back(client->submit({.type = "t", .payload = "p", .auto_key = true}));
  }
  std::set<std::uint64_t> tasks;
  for (const Ticket ticket : tickets) {
    const auto task = client->accepted(ticket, test::patience_ends());
    ASSERT_TRUE(task) << task.error().text;
    tasks.insert(task->value);
  }
  EXPECT_EQ(tasks.size(), 10U);
  client = Error{};  // the client goes, and so the second script ends
  daemon.join();
  EXPECT_EQ(std::set<std::string>(first.begin(), first.end()).size(), 10U);
  EXPECT_EQ(second.size(), 6U);  // the four that were answered are not sent again
  for (const auto& key : second) {
    EXPECT_EQ(first.count(key), 1U);
    EXPECT_EQ(second.count(key), 1U);
  }
}

TEST(Reconnect, ReportsSubmitsWithoutKeyAsUnknownAndNeverSendsThemAgain) {
  Daemon daemon({[](Peer& peer) {
                   peer.welcome();
                   peer.next(Kind::Submit, 2);
                 },
                 [](Peer& peer) {
                   peer.welcome();
                   while (const auto got = peer.next()) {
                     EXPECT_EQ(peer.submit_meta(*got).key, "k");
                     peer.accept(*got, 1);
                   }
                 }});
  auto client = dial(daemon);
  ASSERT_TRUE(client);
  const Ticket bare = client->submit({.type = "t"});
  const Ticket keyed = client->submit({.type = "t", .key = "k"});
  const auto unknown = next<Unknown>(*client);
  EXPECT_EQ(unknown.ticket, bare);
  EXPECT_FALSE(unknown.task);
  EXPECT_EQ(next<Accepted>(*client).ticket, keyed);
}

// The daemon missed us for a moment and cancelled what was to end with us.
TEST(Reconnect, SubmitsAnewWhatWasDroppedAlthoughItIsHere) {
  Daemon daemon({[](Peer& peer) {
                   peer.welcome();
                   peer.accept(peer.next(Kind::Submit, 1).at(0), 1);
                 },
                 [](Peer& peer) {
                   peer.welcome();
                   const auto again = peer.next(Kind::Submit, 1).at(0);
                   peer.accept(again, 1, true);
                   peer.settle(again, 1, "", {Verdict::Cancelled, EndCause::Dropped});
                   const auto anew = peer.next(Kind::Submit, 1).at(0);
                   EXPECT_EQ(anew.meta, again.meta);
                   peer.accept(anew, 2);
                   peer.settle(anew, 2, "done after all");
                   peer.next();
                 }});
  auto client = dial(daemon);
  ASSERT_TRUE(client);
  client->submit({.type = "t", .auto_key = true, .wait = true, .cancel_on_disconnect = true});
  EXPECT_EQ(next<Accepted>(*client).task, TaskId{1});
  EXPECT_EQ(next<Accepted>(*client).task, TaskId{2});
  EXPECT_EQ(next<Settled>(*client).result, "done after all");
}

TEST(Reconnect, AwaitsAcceptedTasksWithoutKeyById) {
  Daemon daemon({[](Peer& peer) {
                   peer.welcome();
                   peer.accept(peer.next(Kind::Submit, 1).at(0), 77);
                 },
                 [](Peer& peer) {
                   peer.welcome();
                   const auto got = peer.next();
                   ASSERT_TRUE(got);
                   EXPECT_EQ(got->kind(), Kind::Await);
                   EXPECT_EQ(got->header.id, 77U);
                   peer.settle(*got, 77, "late");
                   peer.next();
                 }});
  auto client = dial(daemon);
  ASSERT_TRUE(client);
  const Ticket ticket = client->submit({.type = "t", .wait = true});
  EXPECT_EQ(next<Accepted>(*client).task, TaskId{77});
  const auto settled = next<Settled>(*client);
  EXPECT_EQ(settled.ticket, ticket);
  EXPECT_EQ(settled.result, "late");
}

TEST(Reconnect, OwnsItsKeyedTasksAgain) {
  Daemon daemon({[](Peer& peer) {
                   peer.welcome();
                   peer.accept(peer.next(Kind::Submit, 1).at(0), 77);
                 },
                 [](Peer& peer) {
                   peer.welcome();
                   const auto got = peer.next(Kind::Submit, 1).at(0);
                   EXPECT_EQ(peer.submit_meta(got).key, "k");
                   peer.accept(got, 77, true);
                   peer.settle(got, 77, "done");
                   peer.next();
                 }});
  auto client = dial(daemon);
  ASSERT_TRUE(client);
  client->submit({.type = "t", .key = "k", .wait = true, .cancel_on_disconnect = true});
  EXPECT_EQ(next<Accepted>(*client).task, TaskId{77});
  EXPECT_EQ(next<Settled>(*client).result, "done");  // its second acceptance is no event
}

TEST(Reconnect, AsksAgainOnlyForWhatReads) {
  Daemon daemon({[](Peer& peer) {
                   peer.welcome();
                   peer.next(Kind::Request, 1);
                 },
                 [](Peer& peer) {
                   peer.welcome();
                   peer.reply(peer.next(Kind::Request, 1).at(0), "{}");
                   peer.next(Kind::Request, 1);
                 },
                 [](Peer& peer) {
                   peer.welcome();
                   peer.next();
                 }});
  auto client = dial(daemon);
  ASSERT_TRUE(client);
  EXPECT_EQ(client->status(test::patience_ends()).value(), "{}");
  const auto stop = client->stop(false, test::patience_ends());
  ASSERT_FALSE(stop);
  EXPECT_EQ(stop.error().code, static_cast<int>(Fault::Lost));
}

TEST(Reconnect, EventsGoOnWhereTheyWere) {
  std::vector<ipc::RequestMeta> asked;
  const auto ask = [&](Peer& peer) {
    peer.welcome();
    const auto got = peer.next(Kind::Request, 1);
    asked.push_back(*ipc::decode<ipc::RequestMeta>(ipc::bytes_of(got[0].meta)));
    return got[0];
  };
  Daemon daemon({[&](Peer& peer) {
                   const auto request = ask(peer);
                   peer.event(request, 5, "first");
                 },
                 [&](Peer& peer) {
                   const auto request = ask(peer);
                   peer.event(request, 8, "lost", true);
                   peer.event(request, 9, "second");
                   peer.next();
                 }});
  auto client = dial(daemon);
  ASSERT_TRUE(client);
  client->events({.follow = true, .after = {}, .types = "task-*"});
  EXPECT_EQ(next<Happened>(*client).document, "first");
  const auto gap = next<Happened>(*client);
  EXPECT_TRUE(gap.gap);
  const auto second = next<Happened>(*client);
  EXPECT_EQ(second.document, "second");
  EXPECT_EQ(second.number, 9U);
  EXPECT_FALSE(second.gap);
  client = Error{0, "closed"};
  daemon.join();
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].arguments[1], ipc::Argument());
  EXPECT_EQ(asked[1].arguments[1], ipc::Argument(std::uint64_t{5}));
}

TEST(Reconnect, GivesUpWithEveryTicketEnded) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    peer.next(Kind::Submit, 2);
    peer.unlink_socket();
  });
  ConnectOptions options;
  options.socket = daemon.socket();
  options.reconnect = {.delay_first = 1ms, .delay_max = 5ms, .give_up_after = 50ms};
  auto client = Client::connect(options);
  ASSERT_TRUE(client);
  client->submit({.type = "t", .key = "k"});
  client->submit({.type = "t"});
  next<Unknown>(*client);
  next<Unknown>(*client);
  const auto end = client->wait_any(test::patience_ends());
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, static_cast<int>(Fault::Unreachable));
}

TEST(Reconnect, StopsWhenADaemonWelcomesAndEndsForEver) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    peer.next(Kind::Submit, 1);
  });
  ConnectOptions options;
  options.socket = daemon.socket();
  options.reconnect = {.delay_first = 5ms, .delay_max = 1'000ms, .give_up_after = 100ms};
  auto client = Client::connect(options);
  ASSERT_TRUE(client);
  client->submit({.type = "poison", .key = "k"});
  next<Unknown>(*client);
  EXPECT_FALSE(client->wait_any(test::patience_ends()));
  EXPECT_GT(daemon.connections(), 1);
}

TEST(Reconnect, GarbageEndsIt) {
  const std::string noise(100, '\x7f');
  Daemon daemon([&](Peer& peer) {
    peer.welcome();
    peer.next(Kind::Submit, 1);
    peer.raw(noise);
    peer.next();
  });
  auto client = dial(daemon);
  ASSERT_TRUE(client);
  client->submit({.type = "t", .key = "k"});
  next<Unknown>(*client);
  const auto end = client->wait_any(test::patience_ends());
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, static_cast<int>(Fault::Protocol));
  EXPECT_EQ(daemon.connections(), 1);
}

TEST(Reconnect, SomethingElseBehindTheSocketIsSaid) {
  Daemon daemon([](Peer& peer) {
    peer.raw("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    peer.next();
  });
  const auto client = dial(daemon);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, static_cast<int>(Fault::Protocol));
  EXPECT_NE(client.error().text.find("warmpoold"), std::string::npos);
}

}  // namespace
}  // namespace warmpool::client
