// Recall, cancel, beats and the ways in which a worker ends.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>

#include <gtest/gtest.h>

#include "tests/worker/fake_daemon.hpp"

namespace warmpool::worker::testing {
namespace {

using ipc::Kind;
using namespace std::chrono_literals;

// Handles "long", which waits for a gate, and "wait", which waits for a cancel.
struct Hands {
  Gate started, gate;
  Worker worker;

  Hands() {
    worker.handle("long", [this](Context&) {
      started.open();
      gate.wait();
      return done("long");
    });
    worker.handle("wait", [this](Context& context) {
      started.open();
      return context.wait_for(FakeDaemon::kPatience) ? failed("cancelled") : done();
    });
    worker.handle("spin", [this](Context& context) {
      started.open();
      while (!context.cancelled()) {
      }
      return failed("cancelled");
    });
    worker.handle("short", [](Context& context) {
      return context.cancelled() ? failed("cancelled") : done("short");
    });
  }
};

bool carries_recall() { return (test::carried_features() & ipc::feature::kRecall) != 0; }

TEST(Recall, GivesBackWhatHasNotStartedWhileAHandlerRuns) {
  if (!carries_recall()) GTEST_SKIP() << "this transport carries no recall";
  Hands hands;
  FakeDaemon daemon(hands.worker);
  const auto first = daemon.assign("long");
  const auto second = daemon.assign("short");
  const auto third = daemon.assign("short");
  hands.started.wait();
  daemon.send_run(Kind::Recall, second);
  const Received returned = daemon.next();
  EXPECT_EQ(Kind::Recalled, returned.kind());
  EXPECT_EQ(second, returned.key());
  EXPECT_EQ(ipc::flag::kReturned, returned.header.flags);
  daemon.send_run(Kind::Recall, first);
  const Received kept = daemon.next();
  EXPECT_EQ(first, kept.key());
  EXPECT_EQ(0, kept.header.flags);
  hands.gate.open();
  EXPECT_EQ(first, daemon.next().key());
  EXPECT_EQ(third, daemon.next().key());
  daemon.expect_quiet();
}

TEST(Recall, OfAnAnsweredAttemptReturnsNothing) {
  if (!carries_recall()) GTEST_SKIP() << "this transport carries no recall";
  Hands hands;
  FakeDaemon daemon(hands.worker);
  const auto key = daemon.assign("short");
  EXPECT_EQ(Kind::Done, daemon.next().kind());
  daemon.send_run(Kind::Recall, key);
  const Received answer = daemon.next();
  EXPECT_EQ(Kind::Recalled, answer.kind());
  EXPECT_EQ(0, answer.header.flags);
}

TEST(Cancel, ReachesAHandlerThatWaits) {
  Hands hands;
  FakeDaemon daemon(hands.worker);
  const auto key = daemon.assign("wait");
  hands.started.wait();
  const auto before = std::chrono::steady_clock::now();
  daemon.send_run(Kind::CancelAttempt, key);
  const Received answer = daemon.next();
  EXPECT_LT(std::chrono::steady_clock::now() - before, test::patience(2s));
  EXPECT_EQ(Kind::Failed, answer.kind());
  EXPECT_EQ("cancelled", answer.payload);
}

TEST(Cancel, ReachesAHandlerThatSpinsAndNotTheNextOne) {
  Hands hands;
  FakeDaemon daemon(hands.worker);
  const auto key = daemon.assign("spin");
  daemon.assign("short");
  hands.started.wait();
  daemon.send_run(Kind::CancelAttempt, key);
  EXPECT_EQ("cancelled", daemon.next().payload);
  EXPECT_EQ("short", daemon.next().payload);
}

TEST(Cancel, OfAnAttemptThatHasNotStartedIsAnsweredAtOnce) {
  Hands hands;
  FakeDaemon daemon(hands.worker);
  const auto first = daemon.assign("long");
  const auto second = daemon.assign("short");
  hands.started.wait();
  daemon.send_run(Kind::CancelAttempt, second);
  const Received answer = daemon.next();
  EXPECT_EQ(Kind::Failed, answer.kind());
  EXPECT_EQ(second, answer.key());
  EXPECT_EQ("cancelled before it started", answer.payload);
  EXPECT_EQ(Outcome::Failed, answer.as<ipc::FailedMeta>().outcome);
  hands.gate.open();
  EXPECT_EQ(first, daemon.next().key());
}

TEST(Cancel, OfAnotherAttemptIsIgnored) {
  Hands hands;
  FakeDaemon daemon(hands.worker);
  auto key = daemon.assign("long");
  hands.started.wait();
  key.token ^= 1;
  daemon.send_run(Kind::CancelAttempt, key);
  daemon.expect_quiet();
  hands.gate.open();
  EXPECT_EQ("long", daemon.next().payload);
}

TEST(Checkpoint, IsSentAsItIsAndReachesTheHandlerOfTheNextAttempt) {
  Worker worker;
  worker.handle("count", [](Context& context) {
    const std::string from(context.checkpointed());
    EXPECT_TRUE(context.checkpoint(R"({"at":3})", Content::Json));
    return done(from + " of " + std::string(context.text()));
  });
  FakeDaemon daemon(worker);
  const auto first = daemon.assign("count", "payload");
  const Received sent = daemon.next();
  EXPECT_EQ(Kind::Checkpoint, sent.kind());
  EXPECT_EQ(first, sent.key());
  EXPECT_EQ(R"({"at":3})", sent.payload);
  EXPECT_EQ(ipc::content_flags(Content::Json), sent.header.flags);
  EXPECT_EQ(" of payload", daemon.next().payload);
  daemon.assign("count", R"(payload{"at":3})", {.checkpoint_bytes = 8});
  EXPECT_EQ(Kind::Checkpoint, daemon.next().kind());
  EXPECT_EQ(R"({"at":3} of payload)", daemon.next().payload);
}

TEST(Checkpoint, IsWantedFromWhenTheDaemonAsksUntilOneIsLeft) {
  Worker worker;
  Gate started;
  worker.handle("wait", [&](Context& context) {
    EXPECT_FALSE(context.checkpoint_wanted());
    started.open();
    while (!context.checkpoint_wanted()) {
    }
    EXPECT_TRUE(context.checkpoint("state"));
    return done(context.checkpoint_wanted() ? "wanted" : "left");
  });
  FakeDaemon daemon(worker);
  const auto key = daemon.assign("wait");
  started.wait();
  daemon.send_run(Kind::CheckpointPlease, key);
  EXPECT_EQ("state", daemon.next().payload);
  EXPECT_EQ("left", daemon.next().payload);
}

TEST(Checkpoint, ThatIsTooLargeIsRefusedAndTheChannelGoesOn) {
  Worker worker;
  worker.handle("large", [](Context& context) {
    const auto refused = context.checkpoint(std::string(ipc::kCheckpointBytesMax + 1, 'x'));
    EXPECT_TRUE(context.checkpoint(std::string(ipc::kCheckpointBytesMax, 'x')));
    return done(refused ? "" : refused.error().text);
  });
  FakeDaemon daemon(worker);
  daemon.assign("large");
  EXPECT_EQ(ipc::kCheckpointBytesMax, daemon.next().payload.size());
  EXPECT_TRUE(daemon.next().payload.starts_with("the checkpoint has 262145 bytes"));
}

TEST(Checkpoint, IsNotSentToADaemonThatKeepsNone) {
  Worker worker;
  worker.handle("old", [](Context& context) {
    return context.checkpoint("state") ? failed("taken") : done("none");
  });
  Scene scene;
  scene.features &= ~ipc::feature::kCheckpoint;
  FakeDaemon daemon(worker, scene);
  daemon.assign("old");
  EXPECT_EQ("none", daemon.next().payload);
}

TEST(Channel, IsServedWhileAHandlerRuns) {
  Hands hands;
  FakeDaemon daemon(hands.worker);
  daemon.assign("long");
  hands.started.wait();
  for (int i = 0; i < 100; ++i) daemon.expect_quiet();
  daemon.assign("short");
  daemon.expect_quiet();
  hands.gate.open();
  EXPECT_EQ("long", daemon.next().payload);
  EXPECT_EQ("short", daemon.next().payload);
}

TEST(Channel, ChangesHandsManyTimesWithoutLosingAnything) {
  Worker worker;
  worker.handle("t", [](Context& context) {
    context.wait_for(std::chrono::microseconds(std::stoi(std::string(context.text()))));
    context.progress(1000);
    return done();
  });
  FakeDaemon daemon(worker, {.credits = 8});
  int done_count = 0, pongs = 0;
  for (int i = 0; i < 8; ++i) daemon.assign("t", std::to_string(i * 900));
  for (int sent = 8; done_count < 300;) {
    const Received frame = daemon.next();
    pongs += frame.kind() == Kind::Pong;
    if (frame.kind() != Kind::Done) continue;
    ++done_count;
    if (sent++ >= 300) continue;
    daemon.add({.kind = Kind::Ping});
    daemon.assign("t", std::to_string(4'000 + sent % 20 * 100));  // around watch_after
  }
  while (pongs < 292) pongs += daemon.next().kind() == Kind::Pong;
  daemon.retire();
  EXPECT_EQ(0, daemon.status());
}

TEST(Beats, ComeWhileIdle) {
  Hands hands;
  FakeDaemon daemon(hands.worker, {.heartbeat = 20ms});
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Kind::Beat, daemon.next().kind());
  EXPECT_GE(std::chrono::steady_clock::now() - before, 60ms);
}

// Rounds of ping and pong are the clock, so that nothing sleeps.
bool soon(FakeDaemon& daemon, const std::function<bool()>& holds) {
  const auto end = test::patience_ends();
  while (!holds() && std::chrono::steady_clock::now() < end) daemon.expect_quiet();
  return holds();
}

// Over FIFOs there is no way to hand one over.
class Page : public ::testing::Test {
 protected:
  void SetUp() override {
    if (test::over_fifos()) GTEST_SKIP();
  }
};

TEST_F(Page, IsBeatenInWithoutAFrame) {
  Hands hands;
  FakeDaemon daemon(hands.worker, {.heartbeat = 20ms, .page = true});
  const auto before = std::chrono::steady_clock::now();
  EXPECT_TRUE(soon(daemon, [&] { return daemon.tallies().beats >= 3; }))
      << "and expect_quiet would have failed at a beat";
  EXPECT_GE(std::chrono::steady_clock::now() - before, 50ms);
  EXPECT_GT(daemon.tallies().beat_at, 0);
}

TEST_F(Page, NamesWhatRunsAndCountsIt) {
  Hands hands;
  FakeDaemon daemon(hands.worker, {.page = true});
  const auto first = daemon.add_assign("long", "");
  daemon.add_assign("short", "");
  daemon.flush();
  hands.started.wait();
  EXPECT_EQ(daemon.tallies().running, first.token);
  EXPECT_EQ(daemon.tallies().begun, 1U);
  EXPECT_EQ(daemon.tallies().in_hand, 1U);
  hands.gate.open();
  EXPECT_EQ(daemon.next().key(), first);
  EXPECT_EQ(daemon.next().kind(), Kind::Done);
  EXPECT_TRUE(soon(daemon, [&] { return daemon.tallies().ended == 2; }));
  EXPECT_EQ(daemon.tallies().running, 0U);
  EXPECT_GT(daemon.tallies().busy_ns, 0U);
}

TEST_F(Page, ThatWasPromisedAndDidNotComeLeavesBeatsByFrames) {
  Hands hands;
  FakeDaemon daemon(hands.worker, {.heartbeat = 20ms});
  EXPECT_EQ(Kind::Beat, daemon.next().kind());
}

TEST_F(Page, OfAnotherWorkerIsNotTaken) {
  Hands hands;
  FakeDaemon daemon(hands.worker, {.heartbeat = 20ms, .page = true, .page_of = 4711});
  EXPECT_EQ(Kind::Beat, daemon.next().kind());
  EXPECT_EQ(daemon.tallies(), ipc::PageTallies{});
}

// Voluntary context switches of the thread "watcher" of this process.
std::optional<long> watcher_switches() {
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream comm(task.path() / "comm");
    std::string name;
    if (!std::getline(comm, name) || name != "watcher") continue;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("voluntary_ctxt_switches:")) return std::stol(line.substr(24));
    }
  }
  return std::nullopt;
}

TEST(Watcher, SleepsWhileTheWorkerIsIdle) {
  Hands hands;
  FakeDaemon daemon(hands.worker, {.heartbeat = 30ms});
  daemon.assign("short");
  while (daemon.next().kind() != Kind::Done) {
  }
  // Beats are the clock: it parks after some 60 ms, then its count stands still.
  long last = -1;
  int still = 0;
  for (int beats = 0; beats < 200 && still < 8; ++beats) {
    EXPECT_EQ(Kind::Beat, daemon.next().kind());
    const auto now = watcher_switches();
    ASSERT_TRUE(now);
    still = *now == last ? still + 1 : 0;
    last = *now;
  }
  EXPECT_EQ(8, still);
  daemon.assign("wait");
  hands.started.wait();
  daemon.send({.kind = Kind::Ping, .token = 1});
  while (daemon.next().kind() != Kind::Pong) {  // it wakes up again when there is need
  }
}

TEST(Retire, AnswersAllThatIsInHandFirst) {
  Hands hands;
  FakeDaemon daemon(hands.worker);
  daemon.add_assign("long", "");
  for (int i = 0; i < 5; ++i) daemon.add_assign("short", "");
  daemon.add({.kind = Kind::Retire});
  daemon.flush();
  hands.gate.open();
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Kind::Done, daemon.next().kind());
  EXPECT_FALSE(daemon.next_or_end());
  EXPECT_EQ(0, daemon.status());
}

TEST(Retire, OfAnIdleWorkerEndsIt) {
  Hands hands;
  FakeDaemon daemon(hands.worker);
  daemon.retire();
  EXPECT_EQ(0, daemon.status());
}

TEST(Retire, FollowedByTheEndOfTheChannelIsStillRetired) {
  Hands hands;
  FakeDaemon daemon(hands.worker);
  daemon.retire();
  daemon.hang_up();
  EXPECT_EQ(0, daemon.status());
}

TEST(Terminate, CancelsTheHandlerAnswersAndEnds) {
  Hands hands;
  FakeDaemon daemon(hands.worker);
  daemon.assign("wait");
  daemon.assign("short");
  hands.started.wait();
  ::kill(::getpid(), SIGTERM);
  EXPECT_EQ("cancelled", daemon.next().payload);
  EXPECT_EQ(Kind::Failed, daemon.next().header.kind);
  EXPECT_EQ(0, daemon.status());
}

TEST(Terminate, OfAnIdleWorkerEndsIt) {
  Hands hands;
  FakeDaemon daemon(hands.worker);
  daemon.expect_quiet();
  ::kill(::getpid(), SIGTERM);
  EXPECT_EQ(0, daemon.status());
}

TEST(Recall, OverATransportThatCarriesNoneBreaksTheProtocol) {
  if (carries_recall()) GTEST_SKIP() << "this transport carries recall";
  Hands hands;
  FakeDaemon daemon(hands.worker);
  daemon.send_run(Kind::Recall, {TaskId{1}, 1, 1, 1});
  EXPECT_EQ(static_cast<int>(RunStatus::Protocol), daemon.status());
}

TEST(HangUp, OfTheDaemonWhileAnAnswerIsOnItsWayEndsTheWorkerAndNotItsProcess) {
  Gate gone;
  Worker worker;
  worker.handle("t", [&](Context&) {
    gone.wait();
    return done(std::string(1U << 20, 'x'));
  });
  FakeDaemon daemon(worker);
  daemon.assign("t");
  daemon.hang_up();
  gone.open();
  EXPECT_EQ(static_cast<int>(RunStatus::DaemonGone), daemon.status());
}

TEST(HangUp, OfTheDaemonEndsAnIdleWorker) {
  Hands hands;
  FakeDaemon daemon(hands.worker);
  daemon.hang_up();
  EXPECT_EQ(static_cast<int>(RunStatus::DaemonGone), daemon.status());
}

TEST(HangUp, OfTheDaemonCancelsTheHandlerAndRunsNothingMore) {
  Hands hands;
  bool ran = false;
  hands.worker.handle("never", [&](Context&) {
    ran = true;
    return done();
  });
  FakeDaemon daemon(hands.worker);
  daemon.assign("wait");
  daemon.assign("never");
  hands.started.wait();
  daemon.hang_up();
  EXPECT_EQ(static_cast<int>(RunStatus::DaemonGone), daemon.status());
  EXPECT_FALSE(ran);
}

TEST(HangUp, BeforeWelcomeEndsIt) {
  Hands hands;
  FakeDaemon daemon(hands.worker, {.welcome = false});
  daemon.next();
  daemon.hang_up();
  EXPECT_EQ(static_cast<int>(RunStatus::DaemonGone), daemon.status());
}

// Each is a way to break the protocol; none may do anything but end the worker.
struct Wrong {
  const char* name;
  bool welcome;
  void (*act)(FakeDaemon&);
};

class WrongFrames : public ::testing::TestWithParam<Wrong> {};

TEST_P(WrongFrames, EndTheWorker) {
  Hands hands;
  FakeDaemon daemon(hands.worker, {.credits = 2, .welcome = GetParam().welcome});
  if (!GetParam().welcome) daemon.next();
  GetParam().act(daemon);
  EXPECT_EQ(static_cast<int>(RunStatus::Protocol), daemon.status());
}

void send_error(FakeDaemon& daemon) {
  std::string meta;
  encode(ipc::ErrorMeta{.code = 501, .text = "bad frame"}, meta);
  daemon.send({.kind = Kind::Error}, meta);
}

void send_welcome_of(FakeDaemon& daemon, std::uint64_t version) {
  std::string meta;
  encode(ipc::WelcomeMeta{.version = version, .frame_bytes_max = 1000}, meta);
  daemon.send({.kind = Kind::Welcome}, meta);
}

void assign_unnamed(FakeDaemon& daemon) {
  auto header = ipc::run_header(Kind::Assign, {TaskId{1}, 1, 1, 1});
  header.type = 9;
  daemon.send(header);
}

const Wrong kWrong[] = {
    {"Garbage", true, [](FakeDaemon& d) { d.send_raw(std::string(100, '\xee')); }},
    {"GarbageBeforeWelcome", false,
     [](FakeDaemon& d) { d.send_raw("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"); }},
    {"OtherVersion", false, [](FakeDaemon& d) { send_welcome_of(d, 2); }},
    {"NoWelcomeFirst", false, [](FakeDaemon& d) { d.send({.kind = Kind::Retire}); }},
    {"SecondWelcome", true, [](FakeDaemon& d) { send_welcome_of(d, 1); }},
    {"FrameForAClient", true, [](FakeDaemon& d) { d.send({.kind = Kind::Settled, .id = 1}); }},
    {"OwnKind", true, [](FakeDaemon& d) { d.send({.kind = Kind::Beat}); }},
    {"BadMeta", true, [](FakeDaemon& d) { d.send({.kind = Kind::TypeName}, "\xc1"); }},
    {"Error", true, send_error},
    {"UnnamedType", true, assign_unnamed},
    {"BeyondCredits", true,
     [](FakeDaemon& d) {
       d.add_assign("wait", "");
       d.add_assign("short", "");
       d.add_assign("short", "");
       d.flush();
     }},
    {"GarbageWhileAHandlerRuns", true,
     [](FakeDaemon& d) {
       d.assign("wait");
       d.send_raw(std::string(100, '\xee'));
     }},
};

INSTANTIATE_TEST_SUITE_P(All, WrongFrames, ::testing::ValuesIn(kWrong),
                         [](const auto& param) { return std::string(param.param.name); });

TEST(HalfAFrame, ThenTheEndIsTheEnd) {
  Hands hands;
  FakeDaemon daemon(hands.worker);
  daemon.send_raw(std::string("\x10\0\0\0\0\0\x30", 7));
  daemon.hang_up();
  EXPECT_EQ(static_cast<int>(RunStatus::DaemonGone), daemon.status());
}

TEST(Frames, MayComeByteByByte) {
  Hands hands;
  FakeDaemon daemon(hands.worker, {.socket_type = SOCK_STREAM});
  std::string bytes(ipc::kHeaderBytes, '\0');
  ipc::encode_header({.kind = Kind::Ping, .token = 9},
                     std::as_writable_bytes(std::span<char, ipc::kHeaderBytes>(bytes)));
  for (const char byte : bytes) daemon.send_raw({&byte, 1});
  EXPECT_EQ(9U, daemon.next().header.token);
}

}  // namespace
}  // namespace warmpool::worker::testing
