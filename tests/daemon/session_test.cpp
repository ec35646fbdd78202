// Clients as the daemon meets them: good ones, broken ones, and ones that vanish.
#include <map>

#include <nlohmann/json.hpp>

#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Kind;
using namespace std::string_literals;

std::uint16_t number(Refusal code) { return static_cast<std::uint16_t>(code); }

TEST(Session, RunsATaskAndSendsItsResult) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  client.submit("hello", 7);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 7) != nullptr; }));
  EXPECT_NE(client.find(Kind::Accepted, 7), nullptr);
  EXPECT_EQ(client.find(Kind::Settled, 7)->payload, "hello");
  EXPECT_EQ(client.find(Kind::Settled, 7)->header.id, client.find(Kind::Accepted, 7)->header.id);
}

TEST(Session, SaysOfATaskThatItsStoreKeepsInMemory) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  client.submit("hello", 7);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 7) != nullptr; }));
  EXPECT_EQ(client.find(Kind::Accepted, 7)->header.flags, ipc::flag::kMemoryOnly);
}

TEST(Session, ChargesNoQuietHourToWhatComesAfterIt) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  client.submit("first", 1);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  test.time.pass(hours(1));
  ipc::SubmitMeta meta;
  meta.deadline = seconds(20);
  client.submit("second", 2, ipc::flag::kWait, meta);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 2) != nullptr; }));
  EXPECT_EQ(client.find(Kind::Settled, 2)->payload, "second");
}

TEST(Session, SendsTheLastErrorOfADeadTask) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("fail");
  ipc::SubmitMeta meta;
  meta.retries = 1;
  client.submit("x", 7, ipc::flag::kWait, meta);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 7) != nullptr; }));
  const auto* settled = client.find(Kind::Settled, 7);
  EXPECT_EQ(settled->payload, "the handler said no");
  const auto decoded = ipc::decode<ipc::SettledMeta>(ipc::bytes_of(settled->meta));
  EXPECT_EQ(decoded->verdict, Verdict::Dead);
  EXPECT_EQ(decoded->charged_failures, 2);
}

TEST(Session, TellsAnAcceptanceThatIsWaitedForAlongWithTheResult) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  ASSERT_TRUE(test.until([&] { return test.processes.alive_count() == 2; }));
  test.time.stop();
  client.submit("x", 1);
  for (int i = 0; i < 5; ++i) test.daemon.turn({});
  client.receive();
  EXPECT_EQ(client.count(Kind::Accepted), 0U) << "no need to wake it";
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  EXPECT_NE(client.find(Kind::Accepted, 1), nullptr);
}

TEST(Session, TellsAnAcceptanceAMillisecondLateAtMost) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("hang");
  test.time.stop();
  client.submit("x", 1);
  for (int i = 0; i < 5; ++i) test.daemon.turn({});
  test.time.pass(milliseconds(1));
  test.daemon.turn({});
  client.receive();
  EXPECT_EQ(client.count(Kind::Accepted), 1U);
}

TEST(Session, TellsAnAcceptanceThatNothingFollowsAtOnce) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("hang");
  test.time.stop();
  client.submit("x", 1, std::uint8_t{0});
  for (int i = 0; i < 5; ++i) test.daemon.turn({});
  client.receive();
  EXPECT_EQ(client.count(Kind::Accepted), 1U);
}

TEST(Session, AnswersNothingBeforeItsRecordIsKept) {
  TestDaemon test;
  test.store.holds_answers = true;
  auto client = test.connect();
  client.name_type("echo");
  client.submit("x", 1);
  for (int i = 0; i < 20; ++i) test.daemon.turn(milliseconds(1));
  client.receive();
  EXPECT_EQ(client.find(Kind::Accepted, 1), nullptr);
  test.store.holds_answers = false;
  EXPECT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
}

TEST(Session, RefusesAnUnknownTypeAndNamesTheKnownOnes) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("ecko");
  client.submit("x", 1);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Refused, 1) != nullptr; }));
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Refused, 1)), number(Refusal::UnknownType));
  EXPECT_NE(RawClient::text_of(*client.find(Kind::Refused, 1)).find("echo, fail, hang"),
            std::string::npos);
}

TEST(Session, TakesAnUnknownTypeWhereAClassAllowsThat) {
  auto configuration = small_configuration();
  configuration.classes.front().values.types_later = true;
  TestDaemon test(configuration);
  auto client = test.connect();
  client.name_type("ecko");
  client.submit("x", 1);
  EXPECT_TRUE(test.until(client, [&] { return client.find(Kind::Accepted, 1) != nullptr; }));
}

TEST(Session, TakesPayloadsUpToTheMaximumAndNotOneByteMore) {
  auto configuration = small_configuration();
  configuration.pool.values.payload_bytes_max = 100'000;
  TestDaemon test(configuration);
  auto client = test.connect();
  client.name_type("echo");
  client.submit("", 1);
  client.submit(std::string(100'000, 'm'), 2);
  client.submit(std::string(100'001, 'm'), 3);
  ASSERT_TRUE(test.until(client, [&] {
    return client.find(Kind::Settled, 1) != nullptr && client.find(Kind::Settled, 2) != nullptr &&
           client.find(Kind::Refused, 3) != nullptr;
  }));
  EXPECT_EQ(client.find(Kind::Settled, 1)->payload, "");
  EXPECT_EQ(client.find(Kind::Settled, 2)->payload, std::string(100'000, 'm'));
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Refused, 3)), number(Refusal::PayloadTooLarge));
}

TEST(Session, TakesTheSameKeyOnceAndRefusesItWithAnotherPayload) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("hang");
  ipc::SubmitMeta meta;
  meta.key = "order-1";
  client.submit("a", 1, 0, meta);
  client.submit("a", 2, 0, meta);
  client.submit("b", 3, 0, meta);
  ASSERT_TRUE(test.until(client, [&] {
    return client.find(Kind::Accepted, 2) != nullptr && client.find(Kind::Refused, 3) != nullptr;
  }));
  EXPECT_EQ(client.find(Kind::Accepted, 1)->header.id, client.find(Kind::Accepted, 2)->header.id);
  EXPECT_EQ(client.find(Kind::Accepted, 2)->header.flags,
            ipc::flag::kDuplicate | ipc::flag::kMemoryOnly);
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Refused, 3)), number(Refusal::KeyConflict));
}

ipc::SubmitMeta reconnecting(std::string_view key) {
  ipc::SubmitMeta meta;
  meta.key = key;
  meta.key_use = KeyUse::Reconnect;
  return meta;
}

TEST(Session, AResubmitAfterALostAcknowledgementIsTheSameTask) {
  TestDaemon test;
  auto lost = test.connect();
  lost.name_type("echo");
  lost.submit("x", 1, ipc::flag::kWait, reconnecting("4b1d"));
  ASSERT_TRUE(test.until([&] { return test.daemon.pool().counters().settled[0] == 1; }));
  lost.vanish();
  auto again = test.connect();
  again.name_type("echo");
  again.submit("x", 7, ipc::flag::kWait, reconnecting("4b1d"));
  ASSERT_TRUE(test.until(again, [&] { return again.find(Kind::Settled, 7) != nullptr; }));
  EXPECT_EQ(again.find(Kind::Accepted, 7)->header.flags,
            ipc::flag::kDuplicate | ipc::flag::kMemoryOnly);
  EXPECT_EQ(again.find(Kind::Settled, 7)->payload, "x");
  EXPECT_EQ(test.daemon.pool().counters().accepted, 1U);
  EXPECT_EQ(test.daemon.pool().counters().attempts, 1U);
}

void acknowledge(RawClient& client, std::uint64_t task, std::uint8_t flags = 0) {
  std::string payload;
  ipc::encode_received(std::span(&task, 1), payload);
  client.send({.kind = Kind::Received, .flags = flags}, {}, payload);
}

TEST(Session, WhatAClientHasReceivedLeavesNothingBehind) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  client.submit("x", 1, ipc::flag::kWait, reconnecting("4b1d"));
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  const auto task = client.find(Kind::Settled, 1)->header.id;
  acknowledge(client, task);
  ASSERT_TRUE(test.until(client, [&] { return test.store.figures().finished == 0; }))
      << "a key that nobody reads keeps no row";
  client.submit("x", 2, ipc::flag::kWait, reconnecting("4b1d"));
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 2) != nullptr; }));
  EXPECT_NE(client.find(Kind::Settled, 2)->header.id, task) << "the key is free";
}

TEST(Session, KeysOnlyLeavesTheResult) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  client.submit("x", 1, 0, reconnecting("4b1d"));
  ASSERT_TRUE(test.until(client, [&] { return test.store.figures().finished == 1; }));
  const auto task = client.find(Kind::Accepted, 1)->header.id;
  acknowledge(client, task, ipc::flag::kKeysOnly);
  client.send({.kind = Kind::Await, .flags = ipc::flag::kNow, .id = task, .token = 2});
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 2) != nullptr; }));
  client.submit("x", 3, 0, reconnecting("4b1d"));
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Accepted, 3) != nullptr; }));
  EXPECT_NE(client.find(Kind::Accepted, 3)->header.id, task);
}

TEST(Session, RefusesBadPrioritiesTimesAndKeys) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  ipc::SubmitMeta priority, zero, enormous, key;
  priority.priority = 101;
  zero.timeout = Duration{0};
  enormous.timeout = kDurationMax + nanoseconds(1);
  key.key = std::string_view("");
  client.submit("x", 1, 0, priority);
  client.submit("x", 2, 0, zero);
  client.submit("x", 3, 0, enormous);
  client.submit("x", 4, 0, key);
  ASSERT_TRUE(test.until(client, [&] { return client.count(Kind::Refused) == 4; }));
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Refused, 1)), number(Refusal::BadPriority));
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Refused, 2)), number(Refusal::BadTime));
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Refused, 3)), number(Refusal::BadTime));
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Refused, 4)), number(Refusal::BadKey));
}

TEST(Session, BoundsTheOpenRequestsOfOneConnection) {
  auto configuration = small_configuration();
  configuration.pool.values.in_flight_max = 3;
  TestDaemon test(configuration);
  auto client = test.connect();
  client.name_type("hang");
  for (std::uint64_t token = 1; token <= 4; ++token) client.submit("x", token);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Refused, 4) != nullptr; }));
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Refused, 4)), number(Refusal::InFlightFull));
  EXPECT_TRUE(test.until(client, [&] { return client.count(Kind::Accepted) == 3; }));
}

TEST(Session, AnswersAnAwaitOfASettledTaskFromTheStore) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  client.submit("kept", 1, ipc::flag::kWait | ipc::flag::kKeepResult);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  const auto task = client.find(Kind::Settled, 1)->header.id;
  auto other = test.connect();
  other.send({.kind = Kind::Await, .flags = ipc::flag::kNow, .id = task, .token = 5});
  ASSERT_TRUE(test.until(other, [&] { return other.find(Kind::Settled, 5) != nullptr; }));
  EXPECT_EQ(other.find(Kind::Settled, 5)->payload, "kept");
}

TEST(Session, DropsAResultThatItsClientHasReceived) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  client.submit("x", 1);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  const auto task = client.find(Kind::Settled, 1)->header.id;
  acknowledge(client, task);
  EXPECT_TRUE(test.until(client, [&] { return test.store.figures().finished == 0; }));
}

TEST(Session, WhoSubmitsALastingKeyAgainHasTheResult) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  ipc::SubmitMeta meta;
  meta.key = "order-1";
  client.submit("x", 1, ipc::flag::kWait, meta);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  const auto task = client.find(Kind::Settled, 1)->header.id;
  acknowledge(client, task);
  client.submit("x", 2, ipc::flag::kWait, meta);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 2) != nullptr; }));
  EXPECT_EQ(client.find(Kind::Settled, 2)->header.id, task);
  EXPECT_EQ(client.find(Kind::Settled, 2)->payload, "x");
}

TEST(Session, AResultThatIsGoneIsRefusedAndNotEmpty) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  ipc::SubmitMeta meta;
  meta.labels = {"kept for its history"};
  client.submit("x", 1, ipc::flag::kWait, meta);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  const auto task = client.find(Kind::Settled, 1)->header.id;
  acknowledge(client, task);
  client.send({.kind = Kind::Await, .id = task, .token = 2});
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Refused, 2) != nullptr; }));
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Refused, 2)), number(Refusal::NoSuchTask));
}

TEST(Session, CancelsWaitingAndRunningTasks) {
  TestDaemon test;
  auto client = test.connect();
  client.name_type("echo");
  ipc::SubmitMeta later;
  later.delay = hours(1);
  client.submit("x", 1, ipc::flag::kWait, later);
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Accepted, 1) != nullptr; }));
  const auto task = client.find(Kind::Accepted, 1)->header.id;
  client.send({.kind = Kind::Cancel, .id = task, .token = 2});
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Cancelled, 2) != nullptr; }));
  EXPECT_TRUE(test.until(client, [&] { return client.find(Kind::Settled, 1) != nullptr; }));
  client.send({.kind = Kind::Cancel, .id = task, .token = 3});
  ASSERT_TRUE(test.until(client, [&] { return client.find(Kind::Refused, 3) != nullptr; }));
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Refused, 3)), number(Refusal::AlreadySettled));
}

struct BadBeginning {
  const char* name;
  std::string bytes;
  Refusal code;
};

class SessionBeginning : public testing::TestWithParam<BadBeginning> {};

TEST_P(SessionBeginning, IsAnsweredByATypedErrorAndTheEnd) {
  TestDaemon test;
  auto client = test.connect_silent();
  client.send_bytes(GetParam().bytes);
  ASSERT_TRUE(test.until(client, [&] { return client.closed(); }));
  ASSERT_NE(client.find(Kind::Error), nullptr);
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Error)), number(GetParam().code));
}

std::string hello_bytes(std::uint64_t version) {
  ipc::HelloMeta meta;
  meta.version_min = meta.version_max = version;
  std::string encoded;
  ipc::encode(meta, encoded);
  ipc::Header header{.body_bytes = static_cast<std::uint32_t>(encoded.size()),
                     .meta_bytes = static_cast<std::uint16_t>(encoded.size()),
                     .kind = Kind::Hello};
  std::array<std::byte, ipc::kHeaderBytes> bytes;
  ipc::encode_header(header, bytes);
  return std::string(ipc::text_of(bytes)) + encoded;
}

INSTANTIATE_TEST_SUITE_P(
    All, SessionBeginning,
    testing::Values(BadBeginning{"http", "GET / HTTP/1.1\r\nHost: somewhere\r\n\r\n",
                                 Refusal::HelloExpected},
                    BadBeginning{"zeros", std::string(64, '\0'), Refusal::HelloExpected},
                    BadBeginning{"too_long", hello_bytes(1).replace(0, 4, "\x01\x10\0\0"s),
                                 Refusal::FrameTooLarge},
                    BadBeginning{"another_frame", frame_bytes({.kind = Kind::Ping, .token = 1}),
                                 Refusal::HelloExpected},
                    BadBeginning{"version", hello_bytes(99), Refusal::BadVersion}),
    [](const auto& one) { return one.param.name; });

struct BadFrame {
  const char* name;
  std::string bytes;
  Refusal code;
};

class SessionFrame : public testing::TestWithParam<BadFrame> {};

TEST_P(SessionFrame, ThatIsWrongEndsItsConnectionAndNoOther) {
  TestDaemon test;
  auto bystander = test.connect();
  auto client = test.connect();
  client.name_type("echo");
  client.send_bytes(GetParam().bytes);
  ASSERT_TRUE(test.until(client, [&] { return client.closed(); }));
  ASSERT_NE(client.find(Kind::Error), nullptr);
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Error)), number(GetParam().code));
  bystander.name_type("echo");
  bystander.submit("fine", 1);
  EXPECT_TRUE(test.until(bystander, [&] { return bystander.find(Kind::Settled, 1) != nullptr; }));
}

// A submit with this meta.
std::string submit_bytes(std::string_view meta) {
  auto bytes = frame_bytes({.kind = Kind::Submit, .token = 1}, meta);
  bytes[4] = static_cast<char>(meta.size());
  bytes[5] = static_cast<char>(meta.size() >> 8);
  return bytes;
}

INSTANTIATE_TEST_SUITE_P(
    All, SessionFrame,
    testing::Values(
        BadFrame{"garbage", std::string(64, '\xa5'), Refusal::UnknownKind},
        BadFrame{"a_second_hello", hello_bytes(1), Refusal::UnknownKind},
        BadFrame{"too_long",
                 frame_bytes({.kind = Kind::Submit, .token = 1}).replace(0, 4, "\xff\xff\xff\x3f"),
                 Refusal::FrameTooLarge},
        BadFrame{"of_a_worker", frame_bytes({.kind = Kind::Beat}), Refusal::UnknownKind},
        BadFrame{"deep", submit_bytes(std::string(60'000, '\x91')), Refusal::BadMeta},
        BadFrame{"huge_count", submit_bytes("\xdd\xff\xff\xff\xff"), Refusal::BadMeta},
        BadFrame{"huge_text", submit_bytes("\x91\xdb\xff\xff\xff\xff"), Refusal::BadMeta},
        BadFrame{"too_many_fields", submit_bytes("\x9f" + std::string(15, '\xc0')),
                 Refusal::BadMeta},
        BadFrame{"no_utf8", submit_bytes("\x98\xc0\xc0\xc0\xc0\xc0\xc0\xc0\xa2\xff\xfe"),
                 Refusal::BadUtf8}),
    [](const auto& one) { return one.param.name; });

TEST(Session, ClosesAConnectionThatStopsInTheMiddleOfAFrame) {
  auto configuration = small_configuration();
  configuration.pool.values.frame_timeout = milliseconds(50);
  TestDaemon test(configuration);
  auto client = test.connect();
  client.send_bytes(std::string(10, '\x10'));
  ASSERT_TRUE(test.until(client, [&] { return client.closed(); }));
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Error)), number(Refusal::TooSlow));
}

TEST(Session, ClosesAConnectionThatNeverSaysHello) {
  auto configuration = small_configuration();
  configuration.pool.values.frame_timeout = milliseconds(50);
  TestDaemon test(configuration);
  auto client = test.connect_silent();
  ASSERT_TRUE(test.until(client, [&] { return client.closed(); }));
  EXPECT_EQ(RawClient::code_of(*client.find(Kind::Error)), number(Refusal::TooSlow));
}

// Rows of the verb workers, by name.
std::map<std::string, nlohmann::json> workers_of(TestDaemon& test, RawClient& client) {
  std::map<std::string, nlohmann::json> rows;
  const auto document = nlohmann::json::parse(test.ask(client, ipc::Verb::Workers));
  for (const auto& row : document.at("workers")) {
    rows.emplace(row.at("id"), row);
  }
  return rows;
}

TEST(Session, RestartReplacesAWorkerInItsPlace) {
  TestDaemon test;
  auto client = test.connect();
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  const auto before = workers_of(test, client);
  const auto answer =
      nlohmann::json::parse(test.ask(client, ipc::Verb::Restart, {std::string_view("worker-1")}));
  EXPECT_EQ(answer.at("restarting"), 1);
  ASSERT_TRUE(test.until([&] {
    const auto rows = workers_of(test, client);
    return rows.size() == 2 && rows.at("worker-1").at("pid") != before.at("worker-1").at("pid");
  }));
  const auto after = workers_of(test, client);
  EXPECT_EQ(after.at("worker-0").at("pid"), before.at("worker-0").at("pid"));
  EXPECT_TRUE(after.at("worker-1").at("due").is_null());
  EXPECT_EQ(after.at("worker-1").at("processes_spawned"), 2);
  const auto status = nlohmann::json::parse(test.ask(client, ipc::Verb::Status));
  EXPECT_EQ(status.at("performance").at("workers_recycled"), 1);
}

TEST(Session, RestartRefusesWhatIsNotThere) {
  TestDaemon test;
  auto client = test.connect();
  const auto slot = test.ask(client, ipc::Verb::Restart, {std::string_view("worker-9")});
  EXPECT_NE(slot.find("no slot is named 'worker-9'"), std::string::npos) << slot;
  const auto worker_class =
      test.ask(client, ipc::Verb::Restart, {ipc::Argument(), std::string_view("images")});
  EXPECT_NE(worker_class.find("one of: worker"), std::string::npos) << worker_class;
}

TEST(Session, AHeartbeatIsShownWithItsStatus) {
  TestDaemon test;
  auto client = test.connect();
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  const auto answer =
      test.ask(client, ipc::Verb::Heartbeat,
               {std::string_view("worker-0"), std::string_view("compressing"), std::uint64_t{77}});
  EXPECT_EQ(answer.find("refused"), std::string::npos) << answer;
  const auto reported = workers_of(test, client).at("worker-0").at("reported");
  EXPECT_EQ(reported.at("status"), "compressing");
  EXPECT_EQ(reported.at("task"), 77);
  EXPECT_NE(test.ask(client, ipc::Verb::Heartbeat, {std::string_view("worker-7")}).find("refused"),
            std::string::npos);
}

TEST(Session, LogIsOfATaskOrOfASlot) {
  TestDaemon test;
  auto client = test.connect();
  ASSERT_TRUE(test.until([&] { return test.daemon.documents().initialized(); }));
  const auto lines = nlohmann::json::parse(
      test.ask(client, ipc::Verb::Log, {ipc::Argument(), std::string_view("worker-0")}));
  EXPECT_TRUE(lines.at("lines").is_array());
  EXPECT_NE(test.ask(client, ipc::Verb::Log).find("name a task or a slot"), std::string::npos);
  EXPECT_NE(test.ask(client, ipc::Verb::Log, {std::uint64_t{12}}).find("no task"),
            std::string::npos);
}

TEST(Session, TakesFramesOneByteAtATime) {
  TestDaemon test;
  auto client = test.connect_silent();
  for (const char byte : hello_bytes(1)) {
    client.send_bytes({&byte, 1});
    test.daemon.turn(Duration{});
  }
  EXPECT_TRUE(test.until(client, [&] { return client.find(Kind::Welcome) != nullptr; }));
}

TEST(Session, CutsAClientThatNeverReads) {
  auto configuration = small_configuration();
  configuration.pool.values.output_bytes_max = 1U << 20;
  TestDaemon test(configuration);
  auto client = test.connect();
  client.name_type("echo");
  for (std::uint64_t token = 1; token <= 40; ++token) {
    client.submit(std::string(100'000, 'x'), token);
  }
  EXPECT_TRUE(test.until([&] {
    client.send_bytes({});
    return test.log.has("reads no replies");
  }));
}

TEST(Session, RefusesConnectionsBeyondTheMaximum) {
  auto configuration = small_configuration();
  configuration.pool.values.connections_max = 1;
  TestDaemon test(configuration);
  auto first = test.connect();
  auto second = test.connect_silent();
  ASSERT_TRUE(test.until(second, [&] { return second.closed(); }));
  EXPECT_EQ(RawClient::code_of(*second.find(Kind::Error)), number(Refusal::ConnectionsFull));
}

TEST(Session, SurvivesClientsThatVanishAtEveryPoint) {
  TestDaemon test;
  for (std::size_t length = 0; length < hello_bytes(1).size(); ++length) {
    auto client = test.connect_silent();
    client.send_bytes(hello_bytes(1).substr(0, length));
    client.vanish();
  }
  for (int turns = 0; turns < 5; ++turns) {
    auto client = test.connect();
    client.name_type(turns % 2 == 0 ? "echo" : "hang");
    client.submit("x", 1, ipc::flag::kWait | ipc::flag::kCancelOnDisconnect);
    for (int i = 0; i < turns; ++i) test.daemon.turn(Duration{}), test.processes.work();
    client.vanish();
  }
  auto client = test.connect();
  EXPECT_TRUE(test.until(client, [&] {
    const auto document = nlohmann::json::parse(test.ask(client, ipc::Verb::Status));
    return document["clients"]["connected"] == 1 && document["clients"]["waiting"] == 0;
  }));
}

}  // namespace
}  // namespace warmpool::daemon
