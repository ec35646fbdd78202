// Workers that connect by themselves, with a daemon in this process: all of them are this process
// to the kernel, so that one connection at a time is a worker.
#include <array>
#include <sys/socket.h>

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

// The worker's end.
class Stranger {
 public:
  explicit Stranger(TestDaemon& test) : test_(test) {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
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
    return ipc::decode<ipc::ErrorMeta>(frame_.meta)->code;
  }
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
