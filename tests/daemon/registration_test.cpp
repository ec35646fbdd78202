// Workers that connect by themselves, with a daemon in this process. To the kernel they are this
// process, so that one connection at a time is a worker; or, where several are needed, processes
// that do nothing but have made a connection.
#include <array>
#include <csignal>
#include <cstring>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ipc/channel.hpp"
#include "ipc/codec.hpp"
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

using Ends = std::array<int, 2>;

Ends connection() {
  Ends ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
  return ends;
}

// A process that has made a connection, both ends of which are here. It waits to be killed.
class Connector {
 public:
  Connector() {
    Ends control{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control.data()) == 0);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() == parent) give(control[1]);
      ::close_range(3, ~0U, 0);  // ends of others among them
      for (;;) ::pause();
    }
    take(control[0]);
    ::close(control[0]);
    ::close(control[1]);
  }
  ~Connector() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Connector(const Connector&) = delete;
  Connector& operator=(const Connector&) = delete;
  Ends ends() const { return ends_; }

 private:
  struct Message {
    char byte = 0;
    iovec piece{&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(Ends))> control{};
    msghdr header() {
      msghdr made{};
      made.msg_iov = &piece;
      made.msg_iovlen = 1;
      made.msg_control = control.data();
      made.msg_controllen = control.size();
      return made;
    }
  };
  static void give(int control) {
    const auto ends = connection();
    Message message;
    auto header = message.header();
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof ends);
    std::memcpy(CMSG_DATA(rights), ends.data(), sizeof ends);
    ::sendmsg(control, &header, 0);
  }
  void take(int control) {
    Message message;
    auto header = message.header();
    REQUIRE(::recvmsg(control, &header, MSG_CMSG_CLOEXEC) == 1);
    std::memcpy(ends_.data(), CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof ends_);
  }

  pid_t pid_ = -1;
  Ends ends_{};
};

// The worker's end.
class Stranger {
 public:
  explicit Stranger(TestDaemon& test, Ends ends = connection()) : test_(test) {
    test.daemon.adopt(ipc::UniqueFd(ends[0]));
    channel_.emplace(ipc::UniqueFd(ends[1]),
                     ipc::before_hello(ipc::Party::Daemon, ipc::Party::Worker));
    channel_->keep_descriptor(true);
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

TEST(Registration, WhatItHadWaitsWhereItCannotBeKilledAndThenGoesOnElsewhere) {
  auto configuration = without_workers();
  configuration.pool.values.registered_kill = false;
  configuration.pool.values.unkillable_after = seconds(1);
  TestDaemon test(configuration);
  Stranger worker(test);
  ASSERT_TRUE(worker.joins("own", {"mine"}));
  auto client = test.connect();
  client.name_type("mine");
  client.submit("hi", 7);
  ASSERT_TRUE(worker.comes(ipc::Kind::Assign));
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
