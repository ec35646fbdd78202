// Who listens gets everything in order or is told what is missing, and who does not costs nothing.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Kind;
using nlohmann::json;

constexpr std::uint64_t kLife = std::uint64_t{1} << 40;

std::vector<json> events_of(const RawClient& client, std::uint64_t token) {
  std::vector<json> events;
  for (const auto& frame : client.frames) {
    if (frame.header.kind != Kind::Event || frame.header.token != token) continue;
    events.push_back(json::parse(frame.payload));
    EXPECT_EQ(events.back().at("number"), frame.header.id);
    EXPECT_EQ(events.back().at("event") == "gap", (frame.header.flags & ipc::flag::kGap) != 0);
  }
  return events;
}

std::size_t count_of(const std::vector<json>& events, std::string_view name) {
  return static_cast<std::size_t>(
      std::ranges::count_if(events, [&](const json& event) { return event.at("event") == name; }));
}

// All that the daemon remembers, after this number.
std::vector<json> remembered(TestDaemon& test, RawClient& client, std::uint64_t after = kLife) {
  static std::uint64_t token = 5'000'000;
  client.ask(ipc::Verb::Events, {false, after}, ++token);
  EXPECT_TRUE(test.until(client, [&] { return client.find(Kind::Reply, token) != nullptr; }));
  return events_of(client, token);
}

void run_tasks(TestDaemon& test, RawClient& client, std::uint64_t count) {
  static std::uint64_t token = 0;
  client.name_type("echo");
  for (std::uint64_t done = 0; done < count; ++done) {
    client.submit("x", ++token);
    ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, token) != nullptr; }));
  }
}

TEST(Events, FollowersSeeATaskGoThrough) {
  TestDaemon test;
  auto client = test.connect();
  client.ask(ipc::Verb::Events, {true, ipc::Argument(), std::string_view("task-*")}, 9);
  run_tasks(test, client, 1);
  ASSERT_TRUE(test.until(client, [&] { return events_of(client, 9).size() >= 3; }));
  const auto events = events_of(client, 9);
  EXPECT_EQ(events[0].at("event"), "task-submitted");
  EXPECT_EQ(events[1].at("event"), "task-started");
  EXPECT_EQ(events[2].at("event"), "task-completed");
  EXPECT_EQ(events[2].at("type"), "echo");
  EXPECT_EQ(events[2].at("task"), events[0].at("task"));
  EXPECT_TRUE(events[2].at("worker").get<std::string>().starts_with("worker-"));
  EXPECT_TRUE(events[2].at("duration_ms").is_number());
  EXPECT_EQ(client.find(Kind::Reply, 9), nullptr) << "it goes on";
}

TEST(Events, RemembersWhatHappenedInOrder) {
  TestDaemon test;
  auto client = test.connect();
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  const auto events = remembered(test, client);
  EXPECT_EQ(count_of(events, "worker-ready"), 2U);
  EXPECT_EQ(count_of(events, "pool-initialized"), 1U);
  for (std::size_t i = 1; i < events.size(); ++i) {
    EXPECT_GT(events[i].at("number"), events[i - 1].at("number"));
  }
  const auto later = remembered(test, client, events[0].at("number").get<std::uint64_t>());
  EXPECT_EQ(later.size(), events.size() - 1);
}

TEST(Events, AnExitHasAStatusOrASignal) {
  TestDaemon test;
  auto client = test.connect();
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  test.ask(client, ipc::Verb::Scale, {ipc::Argument(), std::uint64_t{1}, std::uint64_t{1}});
  test.ask(client, ipc::Verb::Scale, {ipc::Argument(), std::uint64_t{2}, std::uint64_t{1}});
  ASSERT_TRUE(test.until([&] { return count_of(remembered(test, client), "worker-exited") == 1; }));
  for (const auto& event : remembered(test, client)) {
    if (event.at("event") != "worker-exited") continue;
    EXPECT_NE(event.at("code").is_null(), event.at("signal").is_null()) << event;
  }
}

TEST(Events, RefusesNamesThatNoEventHas) {
  TestDaemon test;
  auto client = test.connect();
  const auto answer =
      test.ask(client, ipc::Verb::Events, {false, ipc::Argument(), std::string_view("task-done")});
  EXPECT_NE(answer.find("refused: there is no such event"), std::string::npos) << answer;
}

TEST(Events, NeedTheFeature) {
  TestDaemon test;
  auto client = test.connect_silent();
  client.send({.kind = Kind::Hello});
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Welcome) != nullptr; }));
  const auto answer = test.ask(client, ipc::Verb::Events, {false});
  EXPECT_NE(answer.find("feature events"), std::string::npos) << answer;
}

TEST(Events, OfSingleTasksAreMadeOnlyForThoseWhoListen) {
  TestDaemon test;
  test.log.least = LogLevel::Info;
  auto client = test.connect();
  client.ask(ipc::Verb::Events, {true, ipc::Argument(), std::string_view("worker-*")}, 9);
  run_tasks(test, client, 3);
  EXPECT_EQ(count_of(remembered(test, client), "task-completed"), 0U);
  auto listener = test.connect();
  listener.ask(ipc::Verb::Events, {true}, 9);
  test.until([&] { return test.ask(listener, ipc::Verb::Types).size() > 2; });
  run_tasks(test, client, 3);
  EXPECT_EQ(count_of(remembered(test, client), "task-completed"), 3U);
  listener.vanish();
  test.ask(client, ipc::Verb::Types);
  run_tasks(test, client, 3);
  EXPECT_EQ(count_of(remembered(test, client), "task-completed"), 3U);
}

TEST(Events, WhoReadsTooSlowlyIsToldHowManyAreMissing) {
  auto configuration = small_configuration();
  configuration.pool.values.events_max = 50;
  TestDaemon test(configuration);
  auto slow = test.connect();
  slow.ask(ipc::Verb::Events, {true, kLife}, 9);
  slow.send_bytes({});
  auto client = test.connect();
  client.name_type("echo");
  std::uint64_t token = 0;
  const auto unread = [&] {
    return json::parse(test.ask(client, ipc::Verb::Status)).at("events").at("waiting");
  };
  while (unread() < 100 && token < 20'000) {
    for (int i = 0; i < 200; ++i) client.submit("x", ++token);
    ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, token) != nullptr; }));
  }
  ASSERT_TRUE(test.until(slow, [&] {
    const auto events = events_of(slow, 9);
    return !events.empty() && unread() == 0 && count_of(events, "gap") > 0;
  }));
  slow.receive();
  const auto events = events_of(slow, 9);
  std::uint64_t missed = 0, last = kLife;
  for (const auto& event : events) {
    const auto number = event.at("number").get<std::uint64_t>();
    if (event.at("event") == "gap") {
      EXPECT_EQ(event.at("missed"), number - last);
      missed += number - last;
    } else {
      EXPECT_EQ(number, last + 1);
    }
    last = number;
  }
  EXPECT_GT(missed, 0U);
  EXPECT_FALSE(slow.closed());
}

TEST(Events, WhatAnEarlierLifeToldCannotBeCounted) {
  auto configuration = small_configuration();
  TestDaemon test(configuration);
  auto client = test.connect();
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  const auto events = remembered(test, client, 17);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events[0].at("event"), "gap");
  EXPECT_TRUE(events[0].at("missed").is_null());
  EXPECT_EQ(events[1].at("number"), kLife + 1);
}

}  // namespace
}  // namespace warmpool::daemon
