// Workers that connect by themselves, with a daemon in this process. To the kernel they are this
// process, so that one connection at a time is a worker; or, where several are needed, processes
// that do nothing but have made a connection.
#include <csignal>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <gtest/gtest.h>

#include "ipc/channel.hpp"
#include "ipc/codec.hpp"
#include "tests/daemon/connector.hpp"
#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::uint64_t kFeatures = ipc::feature::kOfStranger;

ipc::HelloMeta hello_of(std::string_view worker_class, std::vector<std::string_view> types) {
  ipc::HelloMeta hello{.role = ipc::Role::Worker, .features = kFeatures, .name = "stranger"};
  hello.worker_class = worker_class;
  hello.types = std::move(types);
  return hello;
}

// The worker's end.
class Stranger {
 public:
  explicit Stranger(TestDaemon& test, Ends ends = connection()) : test_(test) {
    test.daemon.adopt(ipc::UniqueFd(ends[0]));
    channel_.emplace(ipc::UniqueFd(ends[1]),
                     ipc::before_hello(ipc::Party::Daemon, ipc::Party::Worker));
    channel_->keep_descriptors(true);
  }

  void say_hello(const ipc::HelloMeta& hello, ipc::Header header = {.credits = 4}) {
    header.kind = ipc::Kind::Hello;
    std::string meta;
    ipc::encode(hello, meta);
    channel_->send(header, ipc::bytes_of(meta));
  }
  void send(const ipc::Header& header) { channel_->send(header); }
  void hang_up() { channel_.reset(); }
  void pump() { channel_->pump(); }

  // Of the next frame; its meta and payload are text() and frame().
  bool comes(ipc::Kind kind) {
    return test_.until([&] {
      if (!channel_) return false;
      channel_->pump();
      while (channel_->take(frame_) == ipc::Channel::State::Frame) {
        if (frame_.header.kind == ipc::Kind::Welcome) welcomed();
        if (frame_.header.kind == kind) return true;
      }
      return false;
    });
  }
  const ipc::Frame& frame() const { return frame_; }
  int refusal() {
    if (!comes(ipc::Kind::Error)) return 0;
    const auto error = ipc::decode<ipc::ErrorMeta>(frame_.meta);
    text_ = error->text;
    return error->code;
  }
  bool says(std::string_view part) const { return text_.find(part) != std::string::npos; }
  bool joins(std::string_view worker_class, std::vector<std::string_view> types) {
    say_hello(hello_of(worker_class, std::move(types)));
    return comes(ipc::Kind::Welcome);
  }
  bool has_page() { return static_cast<bool>(channel_->take_descriptor()); }

 private:
  void welcomed() {
    const auto welcome = ipc::decode<ipc::WelcomeMeta>(frame_.meta);
    channel_->set_rules(
        ipc::after_hello(channel_->rules(), welcome->frame_bytes_max, welcome->features));
  }

  TestDaemon& test_;
  std::optional<ipc::Channel> channel_;
  ipc::Frame frame_;
  std::string text_;  // of the last refusal
};

// Slots of registered workers that live.
std::size_t registered(const TestDaemon& test) {
  std::size_t count = 0;
  for (const auto& slot : test.daemon.pool().snapshot().slots) {
    count += slot.registered && slot.state != SlotState::Gone ? 1U : 0U;
  }
  return count;
}

Configuration without_workers() {
  auto configuration = small_configuration();
  configuration.classes.front().values.size = 0;
  configuration.classes.front().values.size_min = 0;
  return configuration;
}

Configuration that_kill_nobody() {
  auto configuration = without_workers();
  configuration.pool.values.registered_kill = false;
  configuration.pool.values.unkillable_after = seconds(1);
  return configuration;
}

bool joins_and_gets_a_task(Stranger& worker, RawClient& client) {
  if (!worker.joins("own", {"mine"})) return false;
  client.name_type("mine");
  client.submit("hi", 7);
  return worker.comes(ipc::Kind::Assign);
}

TEST(Registration, GivesAnIdAPageAndTasks) {
  TestDaemon test(without_workers());
  Stranger worker(test);
  ASSERT_TRUE(worker.joins("own", {"mine"}));
  EXPECT_NE(worker.frame().header.id, 0U);
  EXPECT_TRUE(worker.has_page());
  auto client = test.connect();
  client.name_type("mine");
  client.submit("hi", 7);
  ASSERT_TRUE(worker.comes(ipc::Kind::Assign));
  const auto key = ipc::key_of(worker.frame().header);
  worker.send(ipc::run_header(ipc::Kind::Done, key));
  EXPECT_TRUE(test.until(client, [&] {
    worker.pump();
    return client.find(ipc::Kind::Settled, 7) != nullptr;
  }));
}

TEST(Registration, OneProcessIsOneWorkerAndMayComeAgain) {
  TestDaemon test;
  Stranger first(test);
  ASSERT_TRUE(first.joins("own", {"mine"}));
  Stranger second(test);
  second.say_hello(hello_of("own", {"mine"}));
  EXPECT_EQ(second.refusal(), 109);
  first.hang_up();
  Stranger third(test);
  EXPECT_TRUE(third.joins("own", {"mine"}));
  EXPECT_EQ(registered(test), 1U);
}

TEST(Registration, RefusesAHelloThatSaysTooLittleOrTooMuch) {
  TestDaemon test;
  const auto refusal = [&](const ipc::HelloMeta& hello, const ipc::Header& header = {}) {
    Stranger worker(test);
    worker.say_hello(hello, header);
    return worker.refusal();
  };
  EXPECT_EQ(refusal(hello_of("own", {"mine"}), {.id = 5}), 506);
  EXPECT_EQ(refusal(hello_of("own", {"mine"}), {.token = 5}), 506);
  EXPECT_EQ(refusal(hello_of("", {"mine"})), 208);
  EXPECT_EQ(refusal(hello_of("no such name", {"mine"})), 208);
  EXPECT_EQ(refusal(hello_of("own", {})), 208);
  EXPECT_EQ(refusal(hello_of("own", {""})), 208);
  EXPECT_EQ(refusal(hello_of("own", {std::string(256, 'x')})), 504);
  EXPECT_EQ(refusal(hello_of("worker", {"echo"})), 211);
  EXPECT_EQ(registered(test), 0U);
}

TEST(Registration, AClassGoesWhenItsPlaceIsNeeded) {
  auto configuration = without_workers();
  configuration.pool.values.registered_classes_max = 1;
  TestDaemon test(configuration);
  auto client = test.connect();
  {
    Stranger worker(test);
    ASSERT_TRUE(worker.joins("first", {"a"}));
    client.name_type("a", 0);
    client.submit("x", 1, 0);
    EXPECT_TRUE(test.until(client, [&] { return client.find(ipc::Kind::Accepted, 1) != nullptr; }));
    ASSERT_TRUE(worker.comes(ipc::Kind::Assign));
    worker.send(ipc::run_header(ipc::Kind::Done, ipc::key_of(worker.frame().header)));
    worker.send({.kind = ipc::Kind::Leave});
    ASSERT_TRUE(worker.comes(ipc::Kind::Retire));
  }
  Stranger other(test);
  ASSERT_TRUE(other.joins("second", {"b"}));
  client.name_type("b", 1);
  client.submit("y", 2, 0, {}, 1);
  EXPECT_TRUE(other.comes(ipc::Kind::Assign));
}

TEST(Registration, TwoInOneTurnAreOfOneClassOnlyIfTheyAreAlike) {
  TestDaemon test(without_workers());
  const Connector one, two, three;
  Stranger first(test, one.ends()), second(test, two.ends()), third(test, three.ends());
  first.say_hello(hello_of("own", {"a"}));
  second.say_hello(hello_of("own", {"b"}));
  third.say_hello(hello_of("own", {"a"}));
  EXPECT_TRUE(first.comes(ipc::Kind::Welcome));
  EXPECT_EQ(second.refusal(), 212);
  EXPECT_TRUE(second.says("class 'own' serves a with concurrency 1"));
  EXPECT_TRUE(third.comes(ipc::Kind::Welcome));
}

TEST(Registration, TwoNewClassesInOneTurnAreNotInOnePlace) {
  auto configuration = without_workers();
  configuration.pool.values.registered_classes_max = 1;
  TestDaemon test(configuration);
  const Connector one, two;
  Stranger first(test, one.ends()), second(test, two.ends());
  first.say_hello(hello_of("first", {"a"}));
  second.say_hello(hello_of("second", {"b"}));
  EXPECT_TRUE(first.comes(ipc::Kind::Welcome));
  EXPECT_EQ(second.refusal(), 108);
}

// A program says the names that it handles, and the class has patterns.
TEST(Registration, AConfiguredClassTakesWhoHandlesSomeOfIt) {
  auto configuration = without_workers();
  auto& options = configuration.classes.front().values;
  options.types = {"image.*", "text.trim"};
  options.registered_max = 4;
  options.concurrency = 2;
  TestDaemon test(configuration);
  const auto asks = [&](std::vector<std::string_view> types, std::uint8_t concurrency) {
    Stranger worker(test);
    auto hello = hello_of("worker", std::move(types));
    hello.concurrency = concurrency;
    worker.say_hello(hello);
    const auto code = worker.comes(ipc::Kind::Welcome) ? 0 : worker.refusal();
    worker.hang_up();
    test.until([&] { return registered(test) == 0; });
    return code;
  };
  EXPECT_EQ(asks({}, 2), 0);
  EXPECT_EQ(asks({"image.thumb"}, 2), 0);
  EXPECT_EQ(asks({"image.thumb", "text.trim"}, 3), 0);
  EXPECT_EQ(asks({"text.*"}, 2), 0);
  EXPECT_EQ(asks({"*"}, 2), 0);
}

TEST(Registration, ARefusalOfAConfiguredClassSaysWhatTheClassIs) {
  auto configuration = without_workers();
  auto& options = configuration.classes.front().values;
  options.types = {"image.*"};
  options.registered_max = 4;
  options.concurrency = 2;
  TestDaemon test(configuration);
  for (const bool other_types : {true, false}) {
    Stranger worker(test);
    auto hello = hello_of("worker", {other_types ? "echo" : "image.thumb"});
    hello.concurrency = other_types ? std::uint8_t{2} : std::uint8_t{1};
    worker.say_hello(hello);
    EXPECT_EQ(worker.refusal(), 212);
    EXPECT_TRUE(worker.says("class 'worker' serves image.* with concurrency 2"));
  }
}

// More than kClassesMax classes of one type would be given nothing.
TEST(Registration, NobodyIsTakenWhoWouldBeGivenNothing) {
  TestDaemon test(without_workers());
  std::vector<std::unique_ptr<Connector>> processes;
  std::vector<std::unique_ptr<Stranger>> workers;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < TypeTable::kClassesMax; ++i) {
    names.push_back("class" + std::to_string(i));
    processes.push_back(std::make_unique<Connector>());
    workers.push_back(std::make_unique<Stranger>(test, processes.back()->ends()));
    ASSERT_TRUE(workers.back()->joins(names.back(), {"mine"}));
  }
  Stranger more(test);
  more.say_hello(hello_of("more", {"m*"}));
  EXPECT_EQ(more.refusal(), 108);
  EXPECT_TRUE(more.says("'m*' is served by 8 classes"));
  // Where one of them has gone, its place is free.
  workers.front()->hang_up();
  processes.front().reset();
  ASSERT_TRUE(test.until([&] { return registered(test) == TypeTable::kClassesMax - 1; }));
  Stranger again(test);
  EXPECT_TRUE(again.joins("more", {"mine"}));
}

// Another class in the place of one that was paused is not, and the first is again when it is back.
TEST(Registration, APauseIsOfAClassAndNotOfItsPlace) {
  auto configuration = without_workers();
  configuration.pool.values.registered_classes_max = 1;
  TestDaemon test(configuration);
  auto client = test.connect();
  const auto joins_paused = [&](std::string_view name, bool pause = false) {
    Stranger worker(test);
    EXPECT_TRUE(worker.joins(name, {"mine"}));
    if (pause) test.ask(client, ipc::Verb::Pause, {{}, name});
    test.ask(client, ipc::Verb::Status);
    bool paused = false;
    for (const auto& view : test.daemon.pool().snapshot().classes) paused = paused || view.paused;
    worker.hang_up();
    EXPECT_TRUE(test.until([&] { return registered(test) == 0; }));
    return paused;
  };
  EXPECT_TRUE(joins_paused("first", true));
  EXPECT_FALSE(joins_paused("second"));
  EXPECT_TRUE(joins_paused("first"));
}

TEST(Registration, AClassThatNobodyIsInMayServeOtherTypes) {
  TestDaemon test(without_workers());
  {
    Stranger worker(test);
    ASSERT_TRUE(worker.joins("own", {"a"}));
  }
  ASSERT_TRUE(test.until([&] { return registered(test) == 0; }));
  Stranger other(test);
  ASSERT_TRUE(other.joins("own", {"a", "b"}));
}

// No file of this process grows beyond this. Whoever writes to a file of its output would be cut
// too.
class FilesBounded {
 public:
  explicit FilesBounded(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit bound = before_;
    bound.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &bound);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~FilesBounded() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FilesBounded(const FilesBounded&) = delete;
  FilesBounded& operator=(const FilesBounded&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

TEST(Registration, WhatCannotBeWrittenDownIsSaid) {
  const ipc::test::TemporaryDirectory directory;
  const auto path = directory / "registered.attempts";
  TestDaemon test(without_workers(), UseSubmitFifo::No, nullptr, path);
  Stranger worker(test);
  ASSERT_TRUE(worker.joins("own", {"mine"}));
  auto client = test.connect();
  client.name_type("mine");
  const auto alerts = [&] { return test.ask(client, ipc::Verb::Status); };
  {
    const FilesBounded full(64);  // the header, and no entry
    client.submit("hi", 7);
    EXPECT_TRUE(worker.comes(ipc::Kind::Assign)) << "it is given it all the same";
  }
  EXPECT_TRUE(test.log.has("tasks may run twice"));
  EXPECT_NE(alerts().find("registered-attempts"), std::string::npos);
  worker.send(ipc::run_header(ipc::Kind::Done, ipc::key_of(worker.frame().header)));
  worker.pump();
  client.submit("hi", 8);
  ASSERT_TRUE(worker.comes(ipc::Kind::Assign));
  EXPECT_EQ(alerts().find("registered-attempts"), std::string::npos);
  EXPECT_EQ(AttemptFile::open(path)->entries().size(), 1U);
}

TEST(Registration, WhoLosesItsPlaceIsForgottenInTheFileToo) {
  const ipc::test::TemporaryDirectory directory;
  const auto path = directory / "registered.attempts";
  TestDaemon test(that_kill_nobody(), UseSubmitFifo::No, nullptr, path);
  Stranger worker(test);
  auto client = test.connect();
  ASSERT_TRUE(joins_and_gets_a_task(worker, client));
  EXPECT_EQ(AttemptFile::open(path)->entries().size(), 1U);
  worker.hang_up();
  EXPECT_TRUE(test.until([&] { return registered(test) == 0; }));
  EXPECT_EQ(AttemptFile::open(path)->entries().size(), 0U);
}

// A breakpoint is no fault of the process. Once it is let go and stands still, it is one.
TEST(Registration, WhoIsHeldByADebuggerIsNeitherStoppedNorSilent) {
  TestDaemon test(without_workers());
  const Connector process;
  Stranger worker(test, process.ends());
  ASSERT_TRUE(worker.joins("own", {"mine"}));
  if (::ptrace(PTRACE_SEIZE, process.pid(), nullptr, nullptr) != 0) GTEST_SKIP() << "no ptrace";
  ASSERT_EQ(::ptrace(PTRACE_INTERRUPT, process.pid(), nullptr, nullptr), 0);
  ASSERT_EQ(::waitpid(process.pid(), nullptr, 0), process.pid());
  const auto& its = test.processes.workers.begin()->second;
  auto client = test.connect();
  const auto time_passes = [&](const std::function<bool()>& enough) {
    for (int second = 0; second < 100 && !enough(); ++second) {
      test.time.pass(seconds(1));
      test.ask(client, ipc::Verb::Status);  // it wakes the loop
    }
  };
  time_passes([] { return false; });
  EXPECT_TRUE(its.signals.empty());
  EXPECT_FALSE(test.log.has("is stopped"));
  EXPECT_EQ(registered(test), 1U);
  ASSERT_EQ(::kill(process.pid(), SIGSTOP), 0);
  ASSERT_EQ(::ptrace(PTRACE_DETACH, process.pid(), nullptr, nullptr), 0);
  ASSERT_EQ(::waitpid(process.pid(), nullptr, WUNTRACED), process.pid());
  time_passes([&] { return !its.signals.empty(); });
  EXPECT_EQ(its.signals, std::vector<int>{SIGKILL});
}

// As cpulimit throttles: whoever looks finds it stopped each time.
TEST(Registration, WhoIsStoppedAndLetGoInTurnIsNotEnded) {
  TestDaemon test(without_workers());
  const Connector process;
  Stranger worker(test, process.ends());
  auto client = test.connect();
  ASSERT_TRUE(joins_and_gets_a_task(worker, client));
  const auto& its = test.processes.workers.begin()->second;
  const auto a_second_passes = [&] {
    test.time.pass(seconds(1));
    test.ask(client, ipc::Verb::Status);  // it wakes the loop
  };
  for (int second = 0; second < 100; ++second) {
    if (second != 0) {
      ASSERT_EQ(::kill(process.pid(), SIGCONT), 0);
      ASSERT_EQ(::waitpid(process.pid(), nullptr, WCONTINUED), process.pid());
    }
    ASSERT_EQ(::kill(process.pid(), SIGSTOP), 0);
    ASSERT_EQ(::waitpid(process.pid(), nullptr, WUNTRACED), process.pid());
    a_second_passes();
  }
  EXPECT_TRUE(test.log.has("is stopped"));
  EXPECT_TRUE(its.signals.empty()) << "it has moved each time";
  for (int second = 0; second < 100 && its.signals.empty(); ++second) a_second_passes();
  EXPECT_EQ(its.signals, std::vector<int>{SIGKILL}) << "it does not any more";
}

TEST(Registration, WhatItHadWaitsWhereItCannotBeKilledAndThenGoesOnElsewhere) {
  TestDaemon test(that_kill_nobody());
  Stranger worker(test);
  auto client = test.connect();
  ASSERT_TRUE(joins_and_gets_a_task(worker, client));
  worker.hang_up();
  const auto in_recovery = [&] {
    for (const auto& slot : test.daemon.pool().snapshot().slots) {
      if (slot.registered && slot.state == SlotState::Recovery) return true;
    }
    return false;
  };
  ASSERT_TRUE(test.until(in_recovery));
  EXPECT_EQ(test.daemon.pool().queue().running, 1U);
  EXPECT_TRUE(test.until([&] { return registered(test) == 0; }));
  EXPECT_EQ(test.daemon.pool().queue().running, 0U);
}

}  // namespace
}  // namespace warmpool::daemon
