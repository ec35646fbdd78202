// Payloads in memory that its sender fills again: from whom they are taken, and in which form.
#include <gtest/gtest.h>

#include "ipc/arena.hpp"
#include "tests/daemon/large_descriptor.hpp"

namespace warmpool::daemon {
namespace {

class ArenaDescriptor : public LargeDescriptor {
 protected:
  static ipc::Arena arena_of(std::string_view bytes) {
    return std::move(*ipc::Arena::of(ipc::bytes_of(bytes)));
  }
  void submit_arena(const ipc::Arena& arena, std::uint64_t token) {
    client->send_with(submit_bytes(static_cast<std::uint32_t>(arena.bytes()), token),
                      std::array{arena.fd()->get()});
  }
  void reconnect(std::uint64_t features) {
    client.emplace(daemon->connect_silent());
    client->hello(features);
    ASSERT_TRUE(comes(Kind::Welcome));
    name_types(*client);
  }
  std::uint64_t agreed() const {
    return ipc::decode<ipc::WelcomeMeta>(ipc::bytes_of(client->find(Kind::Welcome)->meta))
        ->features;
  }
};

TEST_F(ArenaDescriptor, IsForwardedEachTimeThatItWasFilled) {
  {
    auto arena = arena_of(large);
    std::vector<std::uint64_t> settled;
    for (std::uint64_t token = 1; token < 4; ++token) {
      const auto bytes = pattern(large.size() - token) + std::string(token, 'z');
      arena.fill(ipc::bytes_of(bytes));
      submit_arena(arena, token);
      ASSERT_TRUE(comes(Kind::Settled, token));
      settled.push_back(client->find(Kind::Settled, token)->header.id);
      std::size_t given = 0;
      for (const auto& [id, worker] : daemon->processes.workers) {
        for (const auto& payload : worker.larges) given += payload == bytes;
      }
      EXPECT_EQ(given, 1U);
    }
    std::string tasks;
    ipc::encode_received(settled, tasks);
    client->send({.kind = Kind::Received}, {}, tasks);
  }
  EXPECT_TRUE(all_closed());
}

TEST_F(ArenaDescriptor, ThatDoesNotHoldWhatWasSaidIsRefused) {
  const auto arena = arena_of("four");
  expect_refused(ipc::UniqueFd(::dup(arena.fd()->get())), 5, Refusal::BadDescriptor);
  expect_refused(ipc::UniqueFd(::dup(arena.fd()->get())), 3, Refusal::BadDescriptor);
}

TEST_F(ArenaDescriptor, IsRefusedWhereItWasNotAgreed) {
  reconnect(ipc::feature::kOfClient & ~ipc::feature::kArena);
  const auto arena = arena_of("four");
  expect_refused(ipc::UniqueFd(::dup(arena.fd()->get())), 4, Refusal::BadDescriptor);
}

TEST_F(ArenaDescriptor, IsAgreedOnlyWithDescriptors) {
  reconnect(ipc::feature::kOfClient);
  EXPECT_NE(agreed() & ipc::feature::kArena, 0U);
  reconnect(ipc::feature::kOfClient & ~ipc::feature::kLarge);
  EXPECT_EQ(agreed() & ipc::feature::kArena, 0U);
}

// Such a worker would go on seeing what comes after, and may be of less trust.
TEST_F(ArenaDescriptor, IsNotAgreedWhereWorkersRunAsAnotherUser) {
  daemon.reset();
  auto configuration = small_configuration();
  configuration.classes.front().values.user = "nobody";
  daemon = std::make_unique<TestDaemon>(configuration);
  reconnect(ipc::feature::kOfClient);
  EXPECT_EQ(agreed() & ipc::feature::kArena, 0U);
  const auto arena = arena_of("four");
  client->send_with(submit_bytes(4, 77), std::array{arena.fd()->get()});
  ASSERT_TRUE(comes(Kind::Refused, 77));
  EXPECT_EQ(RawClient::code_of(*client->find(Kind::Refused, 77)),
            static_cast<int>(Refusal::BadDescriptor));
}

}  // namespace
}  // namespace warmpool::daemon
