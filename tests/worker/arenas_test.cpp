// Payloads that come in memory which is filled again: the mapping is kept, the bytes are new.
#include <fstream>
#include <sys/fsuid.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "ipc/arena.hpp"
#include "ipc/large_body.hpp"
#include "tests/worker/fake_daemon.hpp"
#include "worker/kept_arenas.hpp"

namespace warmpool::worker::testing {
namespace {

using namespace std::chrono_literals;
using Clock = KeptArenas::Clock;

ipc::Arena arena_of(std::string_view bytes) {
  return std::move(*ipc::Arena::of(ipc::bytes_of(bytes)));
}

std::string text_of(const std::shared_ptr<const ipc::Mapping>& mapping) {
  return std::string(ipc::text_of({mapping->data(), mapping->bytes()}));
}

// How many mappings of bodies this process has.
std::size_t mappings() {
  std::ifstream maps("/proc/self/maps");
  std::size_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    count += line.find("memfd:warmpool-body") != std::string::npos;
  }
  return count;
}

class Kept : public ::testing::Test {
 protected:
  std::shared_ptr<const ipc::Mapping> map(const ipc::Arena& arena) {
    auto mapping = kept.map(arena.fd()->get(), arena.bytes(), now);
    EXPECT_TRUE(mapping) << mapping.error().text;
    return mapping ? *mapping : nullptr;
  }
  KeptArenas kept;
  Clock::time_point now = Clock::now();
};

TEST_F(Kept, OneIsMappedOnce) {
  auto arena = arena_of("first");
  const auto mapping = map(arena);
  const auto count = mappings();
  arena.fill(ipc::bytes_of(std::string_view("again")));
  EXPECT_EQ(map(arena), mapping);
  EXPECT_EQ(text_of(mapping), "again");
  const auto other = arena_of("other");
  EXPECT_EQ(text_of(map(other)), "other");
  EXPECT_EQ(mappings(), count + 2) << "the other's two ends";
}

TEST_F(Kept, OfAnotherSizeThanAnnouncedIsNone) {
  const auto arena = arena_of("first");
  EXPECT_FALSE(kept.map(arena.fd()->get(), 4, now));
  EXPECT_FALSE(kept.map(arena.fd()->get(), 6, now));
}

TEST_F(Kept, OnesAreSoManyAndTheLongestUnusedGoesFirst) {
  std::vector<ipc::Arena> arenas;
  for (std::size_t i = 0; i <= KeptArenas::kCountMax; ++i) arenas.push_back(arena_of("some"));
  const auto before = mappings();
  for (std::size_t i = 0; i < KeptArenas::kCountMax; ++i) map(arenas[i]);
  const auto* first = map(arenas[0])->data();
  map(arenas[KeptArenas::kCountMax]);
  EXPECT_EQ(mappings(), before + KeptArenas::kCountMax);
  EXPECT_EQ(map(arenas[0])->data(), first) << "it was used since";
}

TEST_F(Kept, OnesGoWhenNobodyUsesThem) {
  const auto arena = arena_of("first");
  EXPECT_EQ(kept.due(), ipc::kNoDeadline);
  const auto held = map(arena);
  const auto with_it = mappings();
  EXPECT_EQ(kept.due(), now + KeptArenas::kIdleMax);
  kept.forget_idle(now + KeptArenas::kIdleMax - 1ns);
  EXPECT_NE(kept.due(), ipc::kNoDeadline);
  kept.forget_idle(now + KeptArenas::kIdleMax);
  EXPECT_EQ(kept.due(), ipc::kNoDeadline);
  EXPECT_EQ(mappings(), with_it) << "an attempt has it";
  EXPECT_EQ(text_of(held), "first");
}

class ArenaPayload : public ::testing::Test {
 protected:
  void SetUp() override {
    if (test::over_fifos()) GTEST_SKIP() << "no descriptor goes through a FIFO";
    worker.handle("t", [this](Context& context) {
      seen.push_back(context.payload().data());
      return done(std::string(context.text()));
    });
    daemon.emplace(worker);
  }
  void TearDown() override {
    if (!daemon) return;
    daemon->retire();
    daemon->status();
  }
  std::string answer_to(const ipc::Arena& arena) {
    daemon->assign_beside("t", arena.fd()->get(), static_cast<std::uint32_t>(arena.bytes()));
    return daemon->next().payload;
  }
  Worker worker;
  std::vector<const std::byte*> seen;  // where the payloads were
  std::optional<FakeDaemon> daemon;
};

TEST_F(ArenaPayload, IsWhatItWasFilledWithLastAndIsWhereItWas) {
  auto arena = arena_of("first");
  EXPECT_EQ(answer_to(arena), "first");
  arena.fill(ipc::bytes_of(std::string_view("again")));
  EXPECT_EQ(answer_to(arena), "again");
  EXPECT_EQ(seen.at(0), seen.at(1));
}

TEST_F(ArenaPayload, OfAnotherSizeThanAnnouncedFailsItsAttempt) {
  const auto arena = arena_of("first");
  daemon->assign_beside("t", arena.fd()->get(), 6);
  const auto failed = daemon->next();
  EXPECT_EQ(failed.kind(), ipc::Kind::Failed);
  EXPECT_NE(failed.payload.find("were announced"), std::string::npos) << failed.payload;
  EXPECT_EQ(answer_to(arena), "first") << "the worker goes on";
}

// Who could change it while it is read.
TEST_F(ArenaPayload, OfAnotherUserIsCopied) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root makes files as somebody else";
  ::setfsuid(65'534);
  auto arena = arena_of("first");
  ::setfsuid(0);
  const auto before = mappings();
  EXPECT_EQ(answer_to(arena), "first");
  daemon->expect_quiet();
  EXPECT_EQ(mappings(), before) << "nothing of it is kept";
}

}  // namespace
}  // namespace warmpool::worker::testing
