// What goes over the channel for what a handler says.
#include <algorithm>
#include <stdexcept>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ipc/stamps.hpp"
#include "tests/worker/fake_daemon.hpp"

namespace warmpool::worker::testing {
namespace {

using ipc::Kind;
using namespace std::chrono_literals;

Worker with(Handler handler) {
  Worker worker;
  worker.handle("t", std::move(handler));
  return worker;
}

TEST(Hello, SaysWhoItIsAndWhatItCan) {
  Worker worker;
  FakeDaemon daemon(worker, {.credits = 7});
  const Received& hello = daemon.hello();
  EXPECT_EQ(Kind::Hello, hello.kind());
  EXPECT_EQ(0x50001U, hello.header.id);
  EXPECT_EQ(0xfeed'beef'0123'4567U, hello.header.token);
  EXPECT_EQ(7, hello.header.credits);
  const auto meta = hello.as<ipc::HelloMeta>();
  EXPECT_EQ(ipc::Role::Worker, meta.role);
  EXPECT_EQ(ipc::kVersion, meta.version_min);
  EXPECT_EQ(ipc::kVersion, meta.version_max);
  EXPECT_EQ(test::carried_features(), meta.features);
  EXPECT_EQ("test", meta.name);
  EXPECT_EQ(static_cast<std::uint32_t>(::getpid()), meta.pid);
}

TEST(Answers, OfAStampedTaskAreFollowedByItsStamps) {
  Worker worker = with([](Context&) { return done("x"); });
  FakeDaemon daemon(worker);
  daemon.assign("t");
  EXPECT_EQ(Kind::Done, daemon.next().kind());
  auto assign = ipc::run_header(Kind::Assign, {TaskId{77}, 1, 2, 5});
  assign.flags = ipc::flag::kStamped;
  const auto before = ipc::stamp_now();
  daemon.send(assign);
  EXPECT_EQ(Kind::Done, daemon.next().kind());
  const Received said = daemon.next();
  const auto after = ipc::stamp_now();
  ASSERT_EQ(Kind::Stamps, said.kind());
  EXPECT_EQ((AttemptKey{TaskId{77}, 1, 2, 5}), said.key());
  ipc::WorkerStamps stamps{};
  ASSERT_TRUE(ipc::decode_stamps(ipc::bytes_of(said.payload), stamps));
  EXPECT_LE(before, stamps.front());
  EXPECT_TRUE(std::ranges::is_sorted(stamps)) << ::testing::PrintToString(stamps);
  EXPECT_LE(stamps.back(), after);
  daemon.expect_quiet();
}

TEST(Answers, ComeInTheOrderGivenWithTheKeysGiven) {
  Worker worker = with([](Context& context) { return done(std::string(context.text())); });
  FakeDaemon daemon(worker);
  std::vector<AttemptKey> keys;
  for (int i = 0; i < 10; ++i) keys.push_back(daemon.add_assign("t", std::to_string(i)));
  daemon.flush();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Received answer = daemon.next();
    EXPECT_EQ(Kind::Done, answer.kind());
    EXPECT_EQ(keys[i], answer.key());
    EXPECT_EQ(std::to_string(i), answer.payload);
  }
}

TEST(Answers, OfABatchGoOutInOneWrite) {
  Worker worker = with([](Context&) { return done("x"); });
  FakeDaemon daemon(worker, {.socket_type = SOCK_SEQPACKET});
  daemon.assign("t");
  daemon.next();
  const std::size_t before = daemon.reads();
  for (int i = 0; i < 16; ++i) daemon.add_assign("t", "payload");
  daemon.flush();
  for (int i = 0; i < 16; ++i) EXPECT_EQ(Kind::Done, daemon.next().kind());
  // One, unless the machine took a millisecond away from it on the way.
  EXPECT_LE(daemon.reads() - before, 3U);
}

TEST(Answers, AreNotHeldBackByALongHandlerBehindThem) {
  Gate answered;
  Worker worker = with([&](Context& context) {
    if (context.text() == "long") answered.wait();
    return done();
  });
  FakeDaemon daemon(worker);
  const auto quick = daemon.add_assign("t", "short");
  daemon.add_assign("t", "long");
  daemon.flush();
  EXPECT_EQ(quick, daemon.next().key());
  answered.open();
  EXPECT_EQ(Kind::Done, daemon.next().kind());
}

TEST(Answers, CarryOutcomeTextAndDelay) {
  Worker worker;
  worker.handle("failed", [](Context&) { return failed("no luck"); });
  worker.handle("for-good", [](Context&) { return failed_for_good("never"); });
  worker.handle("later", [](Context&) { return retry_after(90s, "busy"); });
  worker.handle("before", [](Context&) { return retry_after(-1s, "early"); });
  worker.handle("held", [](Context&) { return held("ask a person"); });
  FakeDaemon daemon(worker);
  const auto expect = [&](std::string_view type, Outcome outcome, std::string_view text,
                          Duration delay) {
    daemon.assign(type);
    const Received answer = daemon.next();
    EXPECT_EQ(Kind::Failed, answer.kind());
    EXPECT_EQ(text, answer.payload);
    EXPECT_EQ(Content::Utf8, ipc::content_of(answer.header));
    EXPECT_EQ(outcome, answer.as<ipc::FailedMeta>().outcome);
    EXPECT_EQ(delay, answer.as<ipc::FailedMeta>().retry_after);
  };
  expect("failed", Outcome::Failed, "no luck", {});
  expect("for-good", Outcome::FailedForGood, "never", {});
  expect("later", Outcome::RetryAfter, "busy", seconds(90));
  expect("before", Outcome::RetryAfter, "early", {});
  expect("held", Outcome::Held, "ask a person", {});
}

TEST(Answers, OfAThrowingHandlerAreFailures) {
  Worker worker = with([](Context& context) -> Answer {
    if (context.text() == "std") throw std::runtime_error("out of cheese");
    throw 42;
  });
  FakeDaemon daemon(worker);
  daemon.assign("t", "std");
  EXPECT_EQ("out of cheese", daemon.next().payload);
  daemon.assign("t", "int");
  const Received answer = daemon.next();
  EXPECT_EQ(Outcome::Failed, answer.as<ipc::FailedMeta>().outcome);
  EXPECT_NE(std::string::npos, answer.payload.find("std::exception"));
}

TEST(Answers, ToATypeThatIsNotHandledSayWhichAndAreForGood) {
  Worker worker = with([](Context&) { return done(); });
  FakeDaemon daemon(worker);
  daemon.assign("unheard-of");
  const Received answer = daemon.next();
  EXPECT_EQ(Outcome::FailedForGood, answer.as<ipc::FailedMeta>().outcome);
  EXPECT_NE(std::string::npos, answer.payload.find("unheard-of"));
}

TEST(Answers, CarryEmptyAndLargestPayloads) {
  Worker worker =
      with([](Context& context) { return done(std::string(context.text()), context.content()); });
  FakeDaemon daemon(worker);
  daemon.assign("t", "");
  EXPECT_EQ("", daemon.next().payload);
  const std::string largest(1U << 20, '\x80');
  for (int i = 0; i < 8; ++i) {
    daemon.assign("t", largest, {}, Content::Msgpack);
    const Received answer = daemon.next();
    EXPECT_EQ(largest, answer.payload);
    EXPECT_EQ(Content::Msgpack, ipc::content_of(answer.header));
  }
}

TEST(Answers, FlowWhileBothEndsAreFull) {
  Worker worker = with([](Context& context) { return done(std::string(context.text())); });
  FakeDaemon daemon(worker);
  const std::string large(1U << 20, 'x');
  for (int i = 0; i < 16; ++i) daemon.add_assign("t", large);
  auto writing = std::async(std::launch::async, [&] { daemon.flush(); });
  for (int i = 0; i < 16; ++i) EXPECT_EQ(large.size(), daemon.next().payload.size());
  writing.get();
}

TEST(Answers, OverTheLimitFailForGood) {
  Worker worker = with([](Context& context) {
    EXPECT_EQ(1000U, context.result_bytes_max());
    return done(std::string(std::stoul(std::string(context.text())), 'x'));
  });
  FakeDaemon daemon(worker, {.result_bytes_max = 1000});
  daemon.assign("t", "1000");
  EXPECT_EQ(Kind::Done, daemon.next().kind());
  daemon.assign("t", "1001");
  const Received answer = daemon.next();
  EXPECT_EQ(Outcome::FailedForGood, answer.as<ipc::FailedMeta>().outcome);
  EXPECT_NE(std::string::npos, answer.payload.find("1001 bytes, allowed are 1000"));
}

TEST(Answers, CutAndRepairTheTextOfAnError) {
  Worker worker = with([](Context& context) {
    if (context.text() == "bad")
      return failed(
          "a\xff"
          "b\xc3");
    std::string text(kErrorBytesMax - 1, 'x');
    return failed(text + "\xc3\xa9 and more");
  });
  FakeDaemon daemon(worker);
  daemon.assign("t", "bad");
  EXPECT_EQ(
      "a\xEF\xBF\xBD"
      "b\xEF\xBF\xBD",
      daemon.next().payload);
  daemon.assign("t", "long");
  EXPECT_EQ(std::string(kErrorBytesMax - 1, 'x'), daemon.next().payload);
}

TEST(Answers, TellTheTimeOfTheHandler) {
  Worker worker = with([](Context& context) {
    context.wait_for(3ms);
    return done();
  });
  FakeDaemon daemon(worker);
  daemon.assign("t");
  EXPECT_GE(daemon.next().header.type, 3000);
}

TEST(Context, TellsWhatTheDaemonSaid) {
  Worker worker = with([](Context& context) {
    EXPECT_EQ(1, context.round());
    EXPECT_EQ(2, context.attempt());
    EXPECT_EQ(TaskId{1}, context.task());
    EXPECT_EQ(0x7001U, context.token());
    EXPECT_EQ("t", context.type());
    EXPECT_EQ(Content::Json, context.content());
    EXPECT_EQ(3, context.failures());
    EXPECT_EQ(1, context.crashes());
    EXPECT_EQ(60s, context.timeout());
    const auto left = context.deadline() - Context::Clock::now();
    EXPECT_GT(left, 5s);
    EXPECT_LE(left, 30s);
    return done();
  });
  FakeDaemon daemon(worker);
  const ipc::AssignMeta meta{
      .timeout = seconds(60), .deadline_left = seconds(30), .failures = 3, .crashes = 1};
  daemon.assign("t", "{}", meta, Content::Json);
  EXPECT_EQ(Kind::Done, daemon.next().kind());
}

TEST(Context, WithoutTimeoutOrDeadlineHasNone) {
  Worker worker = with([](Context& context) {
    EXPECT_EQ(Context::Clock::time_point::max(), context.deadline());
    return done();
  });
  FakeDaemon daemon(worker);
  daemon.assign("t");
  EXPECT_EQ(Kind::Done, daemon.next().kind());
}

TEST(Progress, IsSentAndItsRateIsLimited) {
  Worker worker = with([](Context& context) {
    for (unsigned i = 0; i <= 1000; ++i) context.progress(i, "part");
    return done();
  });
  FakeDaemon daemon(worker);
  const auto key = daemon.assign("t");
  std::vector<std::uint16_t> seen;
  Received frame = daemon.next();
  for (; frame.kind() == Kind::Progress; frame = daemon.next()) {
    EXPECT_EQ(key, frame.key());
    EXPECT_EQ("part", frame.as<ipc::ProgressMeta>().text);
    seen.push_back(frame.as<ipc::ProgressMeta>().permille);
  }
  EXPECT_EQ(Kind::Done, frame.kind());
  ASSERT_GE(seen.size(), 2U);
  EXPECT_EQ(0, seen.front());
  EXPECT_EQ(1000, seen.back());
  EXPECT_LT(seen.size(), 100U);
}

TEST(Progress, ComesWhileTheHandlerGoesOn) {
  Gate seen;
  Worker worker = with([&](Context& context) {
    context.wait_for(10ms);  // by now the watcher has the channel
    context.progress(5000, std::string(5000, 'p'));
    seen.wait();
    return done();
  });
  FakeDaemon daemon(worker);
  daemon.assign("t");
  const Received frame = daemon.next();
  EXPECT_EQ(1000, frame.as<ipc::ProgressMeta>().permille);
  EXPECT_EQ(1024U, frame.as<ipc::ProgressMeta>().text.size());
  seen.open();
  EXPECT_EQ(Kind::Done, daemon.next().kind());
}

TEST(Progress, OfTheLatestReportComesThoughTheHandlerIsSilentAfterIt) {
  for (const auto before : {0ms, 20ms}) {  // then the watcher has the channel already
    Gate seen;
    Worker worker = with([&](Context& context) {
      context.wait_for(before);
      for (const unsigned permille : {1U, 2U, 3U}) context.progress(permille);
      seen.wait();
      context.progress(4);
      return done();
    });
    FakeDaemon daemon(worker);
    daemon.assign("t");
    const auto permille_of = [](const Received& frame) {
      EXPECT_EQ(Kind::Progress, frame.kind());
      return frame.as<ipc::ProgressMeta>().permille;
    };
    EXPECT_EQ(1, permille_of(daemon.next()));
    auto late = permille_of(daemon.next());
    if (late == 2) late = permille_of(daemon.next());  // it had become due before the third came
    EXPECT_EQ(3, late);
    seen.open();
    EXPECT_EQ(4, permille_of(daemon.next()));
    EXPECT_EQ(Kind::Done, daemon.next().kind());
  }
}

TEST(Progress, OfALaterReportCarriesThePartialResultThatWasNotSent) {
  Gate seen;
  Worker worker = with([&](Context& context) {
    context.progress(1);
    EXPECT_TRUE(context.partial(2, "so far", Content::Utf8));
    context.progress(3);
    seen.wait();
    return done();
  });
  FakeDaemon daemon(worker);
  daemon.assign("t");
  const Received first = daemon.next();
  EXPECT_EQ("", first.payload);
  EXPECT_EQ(1, first.as<ipc::ProgressMeta>().permille);
  const Received second = daemon.next();
  EXPECT_EQ("so far", second.payload);
  EXPECT_EQ(Content::Utf8, ipc::content_of(second.header));
  EXPECT_EQ(3, second.as<ipc::ProgressMeta>().permille);
  seen.open();
  EXPECT_EQ(Kind::Done, daemon.next().kind());
}

TEST(Progress, OfAPartialResultThatCannotBePassedOnIsSaidWithout) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{ipc::kPartialBytesMax} + 1}) {
    Worker worker = with([&](Context& context) {
      EXPECT_EQ(EMSGSIZE, context.partial(7, std::string(size, 'x')).error().code);
      return done();
    });
    FakeDaemon daemon(worker);
    daemon.assign("t");
    const Received frame = daemon.next();
    EXPECT_EQ(7, frame.as<ipc::ProgressMeta>().permille);
    EXPECT_EQ("", frame.payload);
    EXPECT_EQ(Kind::Done, daemon.next().kind());
  }
  Worker worker = with([](Context& context) {
    EXPECT_EQ(ENOTSUP, context.partial(7, "x").error().code);
    return done();
  });
  FakeDaemon daemon(worker, {.features = ipc::feature::kProgress});
  daemon.assign("t");
  EXPECT_EQ("", daemon.next().payload);
}

TEST(Progress, IsNotSentWithoutTheFeature) {
  Worker worker = with([](Context& context) {
    context.progress(500);
    return done();
  });
  FakeDaemon daemon(worker, {.features = ipc::feature::kCredits});
  daemon.assign("t");
  EXPECT_EQ(Kind::Done, daemon.next().kind());
}

}  // namespace
}  // namespace warmpool::worker::testing
