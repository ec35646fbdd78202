#include "client/client.hpp"

#include <map>

#include <gtest/gtest.h>

#include "tests/client/fake_daemon.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::client {
namespace {

using fake::Daemon;
using fake::Peer;
using ipc::Kind;
using namespace std::chrono_literals;

Client connected(const Daemon& daemon, ConnectOptions options = {}) {
  options.socket = daemon.socket();
  auto client = Client::connect(options);
  EXPECT_TRUE(client) << client.error().text;
  return std::move(*client);
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

TEST(Client, SubmitsWithoutWaitingForAnswers) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    // Nothing is answered before all 500 are here.
    const auto submits = peer.next(Kind::Submit, 500);
    EXPECT_EQ(submits.size(), 500U);
    std::uint64_t task = 0;
    for (const auto& submit : submits) {
      EXPECT_EQ(peer.type_of(submit), ++task % 2 == 0 ? "even" : "odd");
      peer.accept(submit, task);
    }
    peer.next();
  });
  Client client = connected(daemon);
  std::vector<SubmitOptions> many;
  for (int i = 1; i <= 500; ++i) {
    many.push_back({.type = i % 2 == 0 ? "even" : "odd", .payload = "x"});
  }
  const auto tickets = client.submit_many(many);
  ASSERT_EQ(tickets.size(), 500U);
  for (std::size_t i = 0; i < tickets.size(); ++i) {
    const auto task = client.accepted(tickets[i], test::patience_ends());
    ASSERT_TRUE(task) << task.error().text;
    EXPECT_EQ(task->value, i + 1);
  }
  EXPECT_EQ(client.open(), 0U);
}

TEST(Client, MatchesAnswersThatComeInAnotherOrder) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    const auto submits = peer.next(Kind::Submit, 3);
    for (std::size_t i = 3; i-- > 0;) {
      peer.accept(submits[i], i + 1);
      peer.settle(submits[i], i + 1, "result of " + submits[i].payload);
    }
    peer.next();
  });
  Client client = connected(daemon);
  std::vector<Ticket> tickets;
  for (const char* payload : {"a", "b", "c"}) {
    tickets.push_back(client.submit({.type = "t", .payload = payload, .wait = true}));
  }
  const auto first = client.accepted(tickets[0], test::patience_ends());
  ASSERT_TRUE(first);
  EXPECT_EQ(first->value, 1U);
  const TaskId all[] = {TaskId{1}, TaskId{2}, TaskId{3}};
  const auto settled = client.await_all(all, test::patience_ends());
  ASSERT_TRUE(settled) << settled.error().text;
  EXPECT_EQ((*settled)[0].result, "result of a");
  EXPECT_EQ((*settled)[1].result, "result of b");
  EXPECT_EQ((*settled)[2].result, "result of c");
  EXPECT_EQ((*settled)[2].ticket, tickets[2]);
}

TEST(Client, AnAutomaticKeyIsGivenUpAsSoonAsAllIsHere) {
  std::vector<fake::Got> received;
  Daemon daemon([&](Peer& peer) {
    peer.welcome();
    const auto submits = peer.next(Kind::Submit, 4);
    for (const auto& submit : submits) {
      const bool automatic = submit.payload != "own key";
      EXPECT_EQ(peer.submit_meta(submit).key_use, automatic ? KeyUse::Reconnect : KeyUse::Lasting);
    }
    for (std::size_t i = 0; i < 4; ++i) peer.accept(submits[i], i + 1);
    peer.settle(submits[1], 2, "b");
    peer.settle(submits[2], 3, "c");
    while (auto got = peer.next()) received.push_back(std::move(*got));
  });
  {
    Client client = connected(daemon);
    client.submit({.type = "t", .payload = "accepted", .auto_key = true});
    client.submit({.type = "t", .payload = "waited for", .auto_key = true, .wait = true});
    client.submit(
        {.type = "t", .payload = "kept", .auto_key = true, .wait = true, .keep_result = true});
    client.submit({.type = "t", .payload = "own key", .key = "k"});
    for (int events = 0; events < 6; ++events) ASSERT_TRUE(*client.wait_any(in(10s)));
  }
  daemon.join();
  std::multimap<int, std::uint64_t> told;
  for (const auto& got : received) {
    ASSERT_EQ(got.kind(), Kind::Received);
    const auto tasks = ipc::decode_received(ipc::bytes_of(got.payload));
    for (const auto task : *tasks) told.emplace(got.header.flags, task);
  }
  EXPECT_EQ(told, (std::multimap<int, std::uint64_t>{
                      {0, 2}, {ipc::flag::kKeysOnly, 1}, {ipc::flag::kKeysOnly, 3}}));
}

TEST(Client, SendsWhatATaskAsksFor) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    const auto submit = peer.next(Kind::Submit, 1).at(0);
    const auto meta = peer.submit_meta(submit);
    EXPECT_EQ(meta.priority, 3U);
    EXPECT_EQ(meta.timeout, seconds(5));
    EXPECT_EQ(meta.retries, 0U);
    EXPECT_EQ(meta.key, "k");
    EXPECT_EQ(meta.tenant, "me");
    EXPECT_EQ(meta.labels.size(), 2U);
    EXPECT_EQ(meta.durability, Durability::None);
    EXPECT_EQ(submit.header.flags, ipc::flag::kWait | ipc::flag::kCancelOnDisconnect |
                                       ipc::flag::kProgress | ipc::flag::kKeepResult |
                                       ipc::content_flags(Content::Json));
    peer.accept(submit, 7, true);
    peer.progress(submit, 7, 500);
    peer.settle(submit, 7, "no", {Verdict::Dead, EndCause::Crashed, 1, 3});
    peer.next();
  });
  Client client = connected(daemon);
  client.submit({.type = "t",
                 .payload = "{}",
                 .content = Content::Json,
                 .priority = 3,
                 .timeout = seconds(5),
                 .retries = 0,
                 .key = "k",
                 .tenant = "me",
                 .labels = {"a", "b"},
                 .durability = Durability::None,
                 .wait = true,
                 .progress = true,
                 .keep_result = true,
                 .cancel_on_disconnect = true});
  EXPECT_TRUE(next<Accepted>(client).duplicate);
  EXPECT_EQ(next<Progressed>(client).permille, 500);
  const auto settled = next<Settled>(client);
  EXPECT_EQ(settled.verdict, Verdict::Dead);
  EXPECT_EQ(settled.cause, EndCause::Crashed);
  EXPECT_EQ(settled.crashes, 3);
  EXPECT_EQ(settled.result, "no");
}

TEST(Client, AcknowledgesResultsThatNeedNotBeKept) {
  std::vector<std::uint64_t> received;
  Daemon daemon([&](Peer& peer) {
    peer.welcome();
    const auto submits = peer.next(Kind::Submit, 3);
    for (std::size_t i = 0; i < 3; ++i) {
      peer.accept(submits[i], i + 1);
      peer.settle(submits[i], i + 1, "r");
    }
    while (const auto got = peer.next()) {
      if (got->kind() != Kind::Received) continue;
      const auto tasks = ipc::decode_received(ipc::bytes_of(got->payload));
      ASSERT_TRUE(tasks);
      received.insert(received.end(), tasks->begin(), tasks->end());
    }
  });
  {
    Client client = connected(daemon);
    client.submit({.type = "t", .wait = true});
    client.submit({.type = "t", .wait = true, .keep_result = true});
    client.submit({.type = "t", .wait = true});
    for (int i = 0; i < 3; ++i) {
      next<Accepted>(client);
      next<Settled>(client);
    }
  }
  daemon.join();
  EXPECT_EQ(received, (std::vector<std::uint64_t>{1, 3}));
}

TEST(Client, RefusesHereWhatCannotBeSent) {
  Daemon daemon([](Peer& peer) {
    peer.welcome({.payload_bytes_max = 10});
    EXPECT_FALSE(peer.next());
  });
  Client client = connected(daemon);
  const auto code_of = [&](SubmitOptions options) {
    const auto task = client.accepted(client.submit(std::move(options)), test::patience_ends());
    EXPECT_FALSE(task);
    return task ? 0 : task.error().code;
  };
  EXPECT_EQ(code_of({.type = "t", .payload = "12345678901"}),
            static_cast<int>(Refusal::PayloadTooLarge));
  EXPECT_EQ(code_of({.type = ""}), static_cast<int>(Refusal::UnknownType));
  EXPECT_EQ(code_of({.type = std::string(256, 'x')}), static_cast<int>(Refusal::BadArgument));
  EXPECT_EQ(code_of({.type = "\xff"}), static_cast<int>(Refusal::BadUtf8));
  EXPECT_EQ(code_of({.type = "t", .priority = 101}), static_cast<int>(Refusal::BadPriority));
  EXPECT_EQ(code_of({.type = "t", .key = ""}), static_cast<int>(Refusal::BadKey));
  EXPECT_EQ(code_of({.type = "t", .timeout = Duration{}}), static_cast<int>(Refusal::BadTime));
  EXPECT_EQ(code_of({.type = "t", .labels = std::vector<std::string>(33, "l")}),
            static_cast<int>(Refusal::BadArgument));
}

TEST(Client, TellsARefusalWithItsTime) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    peer.refuse(peer.next(Kind::Submit, 1).at(0), Refusal::QueueFull, "full", seconds(2));
    peer.next();
  });
  Client client = connected(daemon);
  client.submit({.type = "t"});
  const auto refused = next<Refused>(client);
  EXPECT_EQ(refused.code, static_cast<int>(Refusal::QueueFull));
  EXPECT_EQ(refused.retry_after, seconds(2));
  EXPECT_EQ(refused.text, "full");
}

TEST(Client, CancelsAndAsks) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    while (const auto got = peer.next()) {
      if (got->kind() == Kind::Cancel && got->header.id == 5) peer.cancelled(*got, 5);
      if (got->kind() == Kind::Cancel && got->header.id == 6) {
        peer.refuse(*got, Refusal::AlreadySettled, "it is done");
      }
      if (got->kind() == Kind::Request) {
        const auto meta = ipc::decode<ipc::RequestMeta>(ipc::bytes_of(got->meta));
        ASSERT_TRUE(meta);
        peer.reply(*got, "\"" + std::string(ipc::name_of(meta->verb)) + "\"");
      }
    }
  });
  Client client = connected(daemon);
  EXPECT_TRUE(client.cancel(TaskId{5}, test::patience_ends()));
  const auto refused = client.cancel(TaskId{6}, test::patience_ends());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, static_cast<int>(Refusal::AlreadySettled));
  EXPECT_EQ(client.status(test::patience_ends()).value(), "\"status\"");
  EXPECT_EQ(client.scale("", Client::Scale::Up, 2, test::patience_ends()).value(), "\"scale\"");
  EXPECT_EQ(client.stop(true, test::patience_ends()).value(), "\"stop\"");
  EXPECT_TRUE(client.ping(test::patience_ends()));
  EXPECT_EQ(client.open(), 0U);
}

// A loop over open() gets every event, also those that came while another call waited.
TEST(Client, ATicketIsOpenUntilItsLastEventIsTaken) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    const auto submits = peer.next(Kind::Submit, 2);
    ASSERT_EQ(submits.size(), 2U);
    peer.accept(submits[0], 7);
    peer.accept(submits[1], 8);
    peer.settle(submits[0], 7, "");
    peer.next();  // answers the ping
  });
  Client client = connected(daemon);
  client.submit({.type = "any", .wait = true});
  client.submit({.type = "any"});
  ASSERT_TRUE(client.ping(test::patience_ends()));
  EXPECT_EQ(client.open(), 2U);
  int settled = 0, accepted = 0;
  while (client.open() > 0) {
    const auto event = client.wait_any(test::patience_ends());
    ASSERT_TRUE(event && *event);
    settled += std::holds_alternative<Settled>(**event) ? 1 : 0;
    accepted += std::holds_alternative<Accepted>(**event) ? 1 : 0;
  }
  EXPECT_EQ(settled, 1);
  EXPECT_EQ(accepted, 2);
  EXPECT_FALSE(client.wait_any(test::patience_ends()));
}

TEST(Client, EveryCallThatBlocksEndsAtItsDeadline) {
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    while (peer.next()) {
    }
  });
  Client client = connected(daemon);
  const int timed_out = static_cast<int>(Fault::TimedOut);
  const Ticket ticket = client.submit({.type = "t", .wait = true});
  EXPECT_EQ(client.accepted(ticket, in(20ms)).error().code, timed_out);
  const TaskId tasks[] = {TaskId{9}};
  EXPECT_EQ(client.await_all(tasks, in(20ms)).error().code, timed_out);
  EXPECT_EQ(client.cancel(TaskId{9}, in(20ms)).error().code, timed_out);
  EXPECT_EQ(client.status(in(20ms)).error().code, timed_out);
  const auto nothing = client.wait_any(in(20ms));
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
}

TEST(Client, SaysWhenNothingCanCome) {
  Daemon daemon(fake::echoing());
  Client client = connected(daemon);
  EXPECT_EQ(client.wait_any(test::patience_ends()).error().code,
            static_cast<int>(Fault::NothingOpen));
}

TEST(Client, WakesForDescriptorsOfTheCaller) {
  Daemon daemon(fake::echoing());
  Client client = connected(daemon);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ipc::UniqueFd read_end(ends[0]), write_end(ends[1]);
  ASSERT_EQ(::write(write_end.get(), "x", 1), 1);
  pollfd also[] = {{read_end.get(), POLLIN, 0}};
  const auto woken = client.wait_any(test::patience_ends(), also);
  ASSERT_TRUE(woken);
  EXPECT_FALSE(*woken);
  EXPECT_NE(also[0].revents & POLLIN, 0);
}

TEST(Client, BothSidesMayWriteTwentyMebibytesAtOnce) {
  static constexpr std::size_t kEach = 1U << 20, kCount = 20;
  Daemon daemon([](Peer& peer) {
    peer.welcome();
    std::uint64_t task = 0;
    const std::string result(kEach, 'r');
    // Each answer is written before the next submit is read, so both directions are full.
    while (const auto got = peer.next()) {
      if (got->kind() != Kind::Submit) continue;
      EXPECT_EQ(got->payload.size(), kEach);
      peer.accept(*got, ++task);
      peer.settle(*got, task, result);
      peer.flush();
    }
  });
  Client client = connected(daemon);
  for (std::size_t i = 0; i < kCount; ++i) {
    client.submit({.type = "t", .payload = std::string(kEach, 'p'), .wait = true});
  }
  std::size_t bytes = 0, settled = 0;
  while (settled < kCount) {
    const auto event = client.wait_any(test::patience_ends());
    ASSERT_TRUE(event && *event);
    if (const auto* one = std::get_if<Settled>(&**event)) {
      ++settled;
      bytes += one->result.size();
    }
  }
  EXPECT_EQ(bytes, kEach * kCount);
}

TEST(Client, TellsHowToStartADaemonThatIsNotThere) {
  const auto client = Client::connect({.socket = "/nonexistent/warmpool.sock"});
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, static_cast<int>(Fault::Unreachable));
  EXPECT_NE(client.error().text.find("warmpoold"), std::string::npos);
}

TEST(Client, DoesNotWaitForeverForAWelcome) {
  Daemon daemon([](Peer& peer) {
    while (peer.next()) {
    }
  });
  const auto client = Client::connect({.socket = daemon.socket(), .connect_timeout = 50ms});
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, static_cast<int>(Fault::TimedOut));
}

}  // namespace
}  // namespace warmpool::client
