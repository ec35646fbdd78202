// Payloads and results that are handed over as descriptors: the good way, each kind of bad one, and
// that no descriptor stays anywhere.
#include "tests/daemon/large_descriptor.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/frame_stream.hpp"
#include "daemon/large_frames.hpp"
#include "ipc/arena.hpp"

namespace warmpool::daemon {
namespace {

TEST_F(LargeDescriptor, GoesThereAndBackAndIsClosed) {
  submit(large, 1);
  ASSERT_TRUE(comes(Kind::Settled, 1));
  const auto& settled = *client->find(Kind::Settled, 1);
  ASSERT_TRUE(settled.descriptor);
  EXPECT_EQ(settled.payload, "");
  const auto meta = ipc::decode<ipc::SettledMeta>(ipc::bytes_of(settled.meta));
  ASSERT_EQ(meta->large_bytes, large.size());
  {
    const auto view = ipc::LargeView::of(settled.descriptor->get(), meta->large_bytes);
    ASSERT_TRUE(view);
    EXPECT_EQ(ipc::text_of(view->bytes()), large);
  }
  EXPECT_EQ(given(), 1U);
  // The daemon keeps the result until it is told that it came.
  std::string tasks;
  ipc::encode_received(std::vector{settled.header.id}, tasks);
  client->send({.kind = Kind::Received}, {}, tasks);
  EXPECT_TRUE(all_closed());
}

TEST_F(LargeDescriptor, SmallOnesGoSoToo) {
  submit("x", 1);
  ASSERT_TRUE(comes(Kind::Settled, 1));
  ASSERT_TRUE(client->find(Kind::Settled, 1)->descriptor);
}

TEST_F(LargeDescriptor, OneThatIsShorterThanSaidIsRefused) {
  expect_refused(sealed("four"), 5, Refusal::BadDescriptor);
}

TEST_F(LargeDescriptor, OneThatIsLongerThanSaidIsRefused) {
  expect_refused(sealed("four"), 3, Refusal::BadDescriptor);
}

TEST_F(LargeDescriptor, AMemfdThatIsNotSealedIsRefused) {
  const ipc::UniqueFd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::write(fd.get(), "four", 4), 4);
  expect_refused(fd, 4, Refusal::BadDescriptor);
}

TEST_F(LargeDescriptor, AMemfdThatLacksOneSealIsRefused) {
  constexpr std::array kSeals{F_SEAL_WRITE, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SEAL};
  for (const int lacking : kSeals) {
    begin();
    const ipc::UniqueFd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    ASSERT_EQ(::write(fd.get(), "four", 4), 4);
    int seals = 0;
    for (const int seal : kSeals) seals |= seal == lacking ? 0 : seal;
    ASSERT_EQ(::fcntl(fd.get(), F_ADD_SEALS, seals), 0);
    expect_refused(fd, 4, Refusal::BadDescriptor);
  }
}

TEST_F(LargeDescriptor, WhatIsNoMemfdIsRefused) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
  const ipc::UniqueFd reads(pipe[0]), writes(pipe[1]);
  const ipc::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const ipc::UniqueFd zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const ipc::UniqueFd place(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const ipc::UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const ipc::UniqueFd memory(::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  for (const auto* fd : {&reads, &writes, &socket, &zero, &place, &file, &memory}) {
    if (!*fd) continue;  // a system without /dev/shm
    client->frames.clear();
    expect_refused(*fd, 4, Refusal::BadDescriptor);
  }
}

TEST_F(LargeDescriptor, OneOverLargeBytesMaxIsRefused) {
  begin(configured([](Options& options) { options.large_bytes_max = 1'000; }));
  const auto* welcome = client->find(Kind::Welcome);
  EXPECT_EQ(ipc::decode<ipc::WelcomeMeta>(ipc::bytes_of(welcome->meta))->large_bytes_max, 1'000U);
  expect_refused(sealed(std::string(1'001, 'x')), 1'001, Refusal::PayloadTooLarge);
}

TEST_F(LargeDescriptor, TwoInOneMessageBreakTheProtocol) {
  const auto one = sealed("four"), other = sealed("four");
  open_before += 2;
  client->send_with(submit_bytes(4, 1), std::array{one.get(), other.get()});
  expect_broken();
}

TEST_F(LargeDescriptor, OneInEachPieceOfAFrameBreaksTheProtocol) {
  const auto fd = sealed("four");
  ++open_before;
  const auto frame = submit_bytes(4, 1);
  for (std::size_t i = 0; i + 1 < frame.size() && i < 8; ++i) {
    client->send_with(frame.substr(i, 1), std::array{fd.get()});
  }
  expect_broken();
}

TEST_F(LargeDescriptor, OneBesideAFrameThatAnnouncesNoneBreaksTheProtocol) {
  const auto fd = sealed("four");
  ++open_before;
  client->send_with(frame_bytes({.kind = Kind::Ping, .token = 3}), std::array{fd.get()});
  expect_broken();
}

TEST_F(LargeDescriptor, AFrameThatAnnouncesOneThatDoesNotComeBreaksTheProtocol) {
  client->send_bytes(submit_bytes(4, 1));
  expect_broken();
}

TEST_F(LargeDescriptor, LargeBytesWithoutADescriptorBreakTheProtocol) {
  client->send_bytes(submit_bytes(4, 1, 0));
  expect_broken();
}

TEST_F(LargeDescriptor, ADescriptorWithoutLargeBytesBreaksTheProtocol) {
  const auto fd = sealed("four");
  ++open_before;
  client->send_with(submit_bytes(0, 1), std::array{fd.get()});
  expect_broken();
}

TEST_F(LargeDescriptor, APayloadBesideItBreaksTheProtocol) {
  const auto fd = sealed("four");
  ++open_before;
  client->send_with(submit_bytes(4, 1, 1, {}, "inline"), std::array{fd.get()});
  expect_broken();
}

TEST_F(LargeDescriptor, WhereTheFeatureWasNotAgreedItIsClosedAndTheFrameBreaksTheProtocol) {
  auto old = daemon->connect_silent();
  old.hello(ipc::feature::kOfClient & ~ipc::feature::kLarge);
  ASSERT_TRUE(daemon->until(old, [&] { return old.find(Kind::Welcome) != nullptr; }));
  const auto welcome = ipc::bytes_of(old.find(Kind::Welcome)->meta);
  EXPECT_EQ(ipc::decode<ipc::WelcomeMeta>(welcome)->large_bytes_max, 0U)
      << "a field that it does not know would be a fault to it";
  name_types(old);
  const auto fd = sealed("four");
  const auto before = open_descriptors();
  old.send_with(submit_bytes(4, 1), std::array{fd.get()});
  ASSERT_TRUE(daemon->until(old, [&] { return old.closed(); }));
  EXPECT_EQ(RawClient::code_of(*old.find(Kind::Error)), static_cast<int>(Refusal::BadFrame));
  EXPECT_EQ(open_descriptors(), before - 1);
}

TEST_F(LargeDescriptor, WithoutRoomForADescriptorItIsRefusedForNow) {
  const auto fd = sealed("four");
  ++open_before;
  client->send_with(submit_bytes(4, 1), std::array{fd.get()});
  rlimit usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &usual), 0);
  {
    const ipc::UniqueFd lowest(::dup(fd.get()));
    const rlimit none{static_cast<rlim_t>(lowest.get()), usual.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  daemon->daemon.turn(milliseconds(1));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &usual), 0);
  ASSERT_TRUE(comes(Kind::Refused, 1));
  EXPECT_EQ(RawClient::code_of(*client->find(Kind::Refused, 1)),
            static_cast<int>(Refusal::LargeFull));
  const auto meta = ipc::bytes_of(client->find(Kind::Refused, 1)->meta);
  EXPECT_GT(ipc::decode<ipc::RefusedMeta>(meta)->retry_after.ns, 0);
  client->send_with(submit_bytes(4, 2), std::array{fd.get()});
  EXPECT_TRUE(comes(Kind::Settled, 2)) << "the connection goes on";
}

TEST_F(LargeDescriptor, OfAClientThatGoesBeforeItsFrameIsWholeIsClosed) {
  {
    auto leaving = daemon->connect();
    name_types(leaving);
    const auto fd = sealed("four");
    leaving.send_with(submit_bytes(4, 1).substr(0, 20), std::array{fd.get()});
    daemon->daemon.turn(milliseconds(1));
  }
  EXPECT_TRUE(all_closed());
}

TEST_F(LargeDescriptor, OfAClientThatGoesBeforeItIsReadIsClosed) {
  {
    auto leaving = daemon->connect();
    name_types(leaving);
    const auto fd = sealed(large);
    ipc::SubmitMeta meta;
    leaving.send_with(
        submit_bytes(static_cast<std::uint32_t>(large.size()), 1, 1, meta).substr(0, 5),
        std::array{fd.get()});
  }
  EXPECT_TRUE(all_closed());
}

TEST_F(LargeDescriptor, SoManyAreHeldAndNoMore) {
  begin(configured([](Options& options) { options.large_held_max = 1; }));
  expect_room_for_one();
  client->send(
      {.kind = Kind::Cancel, .id = client->find(Kind::Accepted, 1)->header.id, .token = 3});
  ASSERT_TRUE(comes(Kind::Settled, 1));
  EXPECT_TRUE(all_closed()) << "a cancelled task holds nothing";
  submit(large, 4, later());
  EXPECT_TRUE(comes(Kind::Accepted, 4));
}

TEST_F(LargeDescriptor, SoManyBytesAreHeldAndNoMore) {
  begin(configured([](Options& options) { options.large_bytes_total_max = 500'000; }));
  expect_room_for_one();
  submit("small", 3, later());
  EXPECT_TRUE(comes(Kind::Accepted, 3));
}

TEST_F(LargeDescriptor, IsForwardedAgainWithEachAttempt) {
  ipc::SubmitMeta meta;
  meta.retries = 2;
  meta.large_bytes = 300'000;
  const auto fd = sealed(large);
  auto bytes = submit_bytes(300'000, 1, 1, meta);
  bytes[28] = 1;  // type "fail"
  client->send_with(bytes, std::array{fd.get()});
  ASSERT_TRUE(comes(Kind::Settled, 1));
  EXPECT_EQ(given(), 3U);
}

TEST_F(LargeDescriptor, ComesInPiecesToAWorkerThatTakesNone) {
  daemon.reset();
  auto configuration = small_configuration();
  configuration.classes.front().values.size = 1;
  configuration.classes.front().values.size_min = 1;
  daemon = std::make_unique<TestDaemon>(configuration);
  daemon->processes.features = ipc::feature::kOfWorker & ~ipc::feature::kLarge;
  client.emplace(daemon->connect());
  name_types(*client);
  submit(large, 1);
  ASSERT_TRUE(comes(Kind::Settled, 1));
  EXPECT_EQ(client->find(Kind::Settled, 1)->payload, large) << "and back inline";
}

TEST(FrameStream, SaysWhichSourceItCannotRead) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  const ipc::UniqueFd peer(ends[1]);
  FrameStream stream(ipc::UniqueFd{ends[0]}, {});
  auto made = ipc::UniqueFd(::memfd_create("body", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(made.get(), 4096), 0);
  const auto source = std::make_shared<const ipc::UniqueFd>(std::move(made));
  const Blob body(source, 4096);
  EXPECT_TRUE(can_be_read(body));
  ASSERT_EQ(::ftruncate(source->get(), 100), 0);
  EXPECT_FALSE(can_be_read(body));
  stream.out().append({.kind = Kind::Assign}, {}, source, 4096, {});
  EXPECT_EQ(stream.flush(), FrameStream::Written::Unreadable);
  EXPECT_EQ(stream.out().source(), source);
}

TEST_F(LargeDescriptor, NoFrameOfAWorkerThatTakesNoneIsLongerThanItMayBe) {
  daemon.reset();
  daemon = std::make_unique<TestDaemon>();
  daemon->processes.features = ipc::feature::kOfWorker & ~ipc::feature::kLarge;
  client.emplace(daemon->connect());
  name_types(*client);
  submit(std::string(17U << 20, 'x'), 1);
  ASSERT_TRUE(comes(Kind::Settled, 1));
  const auto& settled = *client->find(Kind::Settled, 1);
  EXPECT_EQ(ipc::decode<ipc::SettledMeta>(ipc::bytes_of(settled.meta))->verdict, Verdict::Dead);
  EXPECT_NE(settled.payload.find("feature large"), std::string::npos) << settled.payload;
}

class LargeResultOfOldClient : public LargeDescriptor {
 protected:
  // Its task's result has so many bytes, and it awaits that without the feature.
  void settle(std::size_t bytes) {
    submit(pattern(bytes), 1);
    ASSERT_TRUE(comes(Kind::Settled, 1));
    old.emplace(daemon->connect_silent());
    old->hello(ipc::feature::kOfClient & ~ipc::feature::kLarge);
    old->send({.kind = Kind::Await, .id = client->find(Kind::Settled, 1)->header.id, .token = 5});
  }
  std::optional<RawClient> old;
};

TEST_F(LargeResultOfOldClient, ComesInPieces) {
  settle(3U << 20);
  ASSERT_TRUE(daemon->until(*old, [&] { return old->find(Kind::Settled, 5) != nullptr; }));
  EXPECT_EQ(old->find(Kind::Settled, 5)->payload, pattern(3U << 20));
}

TEST_F(LargeResultOfOldClient, ThatFitsNoFrameIsRefusedAndStays) {
  settle(17U << 20);
  ASSERT_TRUE(daemon->until(*old, [&] { return old->find(Kind::Refused, 5) != nullptr; }));
  EXPECT_EQ(RawClient::code_of(*old->find(Kind::Refused, 5)),
            static_cast<int>(Refusal::ByDescriptorOnly));
  client->send({.kind = Kind::Await, .id = client->find(Kind::Settled, 1)->header.id, .token = 6});
  EXPECT_TRUE(comes(Kind::Settled, 6));
}

class LargeResult : public LargeDescriptor {
 protected:
  // The worker answers with this instead of a sealed memfd of the payload's size.
  void answer_with(ipc::UniqueFd fd, std::uint32_t said) {
    daemon->processes.large_answer = std::move(fd);
    daemon->processes.large_answer_bytes = said;
    ipc::SubmitMeta once;
    once.retries = 0;
    submit(large, 1, once);
    ASSERT_TRUE(comes(Kind::Settled, 1));
  }
  void expect_dead(const std::string& part) {
    const auto& settled = *client->find(Kind::Settled, 1);
    EXPECT_EQ(ipc::decode<ipc::SettledMeta>(ipc::bytes_of(settled.meta))->verdict, Verdict::Dead);
    EXPECT_NE(settled.payload.find(part), std::string::npos) << settled.payload;
    daemon->processes.large_answer_bytes = 0;
    client->submit("small", 9);
    EXPECT_TRUE(comes(Kind::Settled, 9)) << "its worker goes on";
  }
};

TEST_F(LargeResult, ThatLiesAboutItsSizeFailsItsAttempt) {
  answer_with(sealed("four"), 5);
  expect_dead("5 were announced");
}

TEST_F(LargeResult, InAnArenaFailsItsAttempt) {
  const auto arena = ipc::Arena::of(ipc::bytes_of(std::string_view("four")));
  answer_with(ipc::UniqueFd(::dup(arena->fd()->get())), 4);
  expect_dead("seals");
}

TEST_F(LargeResult, ThatIsNotSealedFailsItsAttempt) {
  ipc::UniqueFd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::write(fd.get(), "four", 4), 4);
  answer_with(std::move(fd), 4);
  expect_dead("seals");
}

TEST_F(LargeResult, ThatIsADirectoryFailsItsAttempt) {
  answer_with(ipc::UniqueFd(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)), 4);
  expect_dead("seals");
}

TEST_F(LargeResult, OverTheBoundOfResultsFailsItsAttempt) {
  begin(configured([](Options& options) { options.results_bytes_max = 200'000; }));
  answer_with({}, 0);
  expect_dead("results_bytes_max");
}

// It did nothing wrong: what is charged is an interruption, and it is made once more.
TEST_F(LargeResult, ThatFindsNoRoomInterruptsItsAttempt) {
  begin(configured([](Options& options) {
    options.large_bytes_total_max = 500'000;
    options.backoff_first = milliseconds(1);
    options.interruptions_max = 1;
  }));
  answer_with({}, 0);
  EXPECT_EQ(given(), 2U);
  expect_interrupted();
  expect_dead("large_bytes_total_max");
}

class LargeKept : public LargeDescriptor {
 protected:
  void SetUp() override {
    LargeDescriptor::SetUp();
    if (!daemon) return;
    begin(configured([](Options& options) { options.interruptions_max = 0; }));
    daemon->store.writes_bodies = true;
  }
  bool begun(std::size_t bodies) {
    return until([&, bodies] { return daemon->store.begun.size() == bodies; });
  }
};

TEST_F(LargeKept, IsAcceptedWhenItsFileIsThereAndSettledWhenThatOfItsResultIs) {
  submit(large, 1);
  ASSERT_TRUE(begun(1));
  client->receive();
  EXPECT_EQ(client->find(Kind::Accepted, 1), nullptr);
  daemon->store.end_bodies();
  ASSERT_TRUE(begun(2)) << "the result";
  client->receive();
  EXPECT_EQ(client->find(Kind::Settled, 1), nullptr);
  daemon->store.end_bodies();
  ASSERT_TRUE(comes(Kind::Settled, 1));
  EXPECT_TRUE(client->find(Kind::Settled, 1)->descriptor);
  EXPECT_EQ(daemon->store.kept, daemon->store.begun);
}

TEST_F(LargeKept, IsRefusedWithoutAFileAndHeldByNobody) {
  submit(large, 1);
  ASSERT_TRUE(begun(1));
  daemon->store.end_bodies("no space");
  ASSERT_TRUE(comes(Kind::Refused, 1));
  EXPECT_EQ(RawClient::code_of(*client->find(Kind::Refused, 1)),
            static_cast<int>(Refusal::StoreUnavailable));
  EXPECT_TRUE(all_closed());
}

TEST_F(LargeKept, OfAClientThatVanishedMeanwhileIsClosed) {
  {
    auto leaving = daemon->connect();
    leaving.name_type("hang");
    const auto fd = sealed(large);
    leaving.send_with(submit_bytes(300'000, 1), std::array{fd.get()});
    ASSERT_TRUE(daemon->until(leaving, [&] { return daemon->store.begun.size() == 1; }));
  }
  // What it sent whole is a task, unless its end was read before.
  daemon->store.set_accepting(false);
  daemon->daemon.turn(milliseconds(1));
  daemon->store.end_bodies();
  EXPECT_TRUE(until([&] { return daemon->store.dropped == daemon->store.begun; }));
  EXPECT_TRUE(all_closed());
}

TEST_F(LargeKept, AResultWithoutAFileInterruptsItsAttempt) {
  ipc::SubmitMeta once;
  once.retries = 0;
  submit(large, 1, once);
  ASSERT_TRUE(begun(1));
  daemon->store.end_bodies();
  ASSERT_TRUE(begun(2));
  daemon->store.end_bodies("no space");
  ASSERT_TRUE(comes(Kind::Settled, 1));
  expect_interrupted();
}

TEST_F(LargeDescriptor, AKeyThatReconnectsStandsForItsSizeWhereNothingIsKept) {
  ipc::SubmitMeta meta;
  meta.key = "order-1";
  meta.key_use = KeyUse::Reconnect;
  submit(large, 1, meta);
  ASSERT_TRUE(comes(Kind::Accepted, 1));
  submit(large, 2, meta);
  ASSERT_TRUE(comes(Kind::Accepted, 2));
  EXPECT_EQ(client->find(Kind::Accepted, 1)->header.id, client->find(Kind::Accepted, 2)->header.id);
  submit(large + "x", 3, meta);
  ASSERT_TRUE(comes(Kind::Refused, 3));
  EXPECT_EQ(RawClient::code_of(*client->find(Kind::Refused, 3)),
            static_cast<int>(Refusal::KeyConflict));
}

// By its size alone another payload would be taken for the one that came first.
TEST_F(LargeDescriptor, AKeyThatLastsIsRefusedWhereNothingIsKept) {
  ipc::SubmitMeta meta;
  meta.key = "order-1";
  submit(large, 1, meta);
  ASSERT_TRUE(comes(Kind::Refused, 1));
  EXPECT_EQ(RawClient::code_of(*client->find(Kind::Refused, 1)), static_cast<int>(Refusal::BadKey));
}

}  // namespace
}  // namespace warmpool::daemon
