#include "ipc/channel.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <thread>

#include <gtest/gtest.h>

#include "ipc/fault.hpp"
#include "ipc/fifo.hpp"
#include "tests/ipc/temporary_directory.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::ipc::test {
namespace {

using State = Channel::State;

Deadline soon() { return warmpool::test::patience_ends(); }

FrameRules rules_of(Party from, Party to) {
  return after_hello(before_hello(from, to), kFrameBytesMax, feature::kAll);
}

struct Pair {
  Channel daemon, worker;
};

Pair socket_pair() {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  return {Channel(UniqueFd(ends[0]), rules_of(Party::Worker, Party::Daemon)),
          Channel(UniqueFd(ends[1]), rules_of(Party::Daemon, Party::Worker))};
}

Pair pipe_pair() {
  int down[2], up[2];
  REQUIRE(::pipe(down) == 0 && ::pipe(up) == 0);
  return {Channel(UniqueFd(up[0]), UniqueFd(down[1]), rules_of(Party::Worker, Party::Daemon)),
          Channel(UniqueFd(down[0]), UniqueFd(up[1]), rules_of(Party::Daemon, Party::Worker))};
}

// As the daemon makes them and a worker opens them.
Pair fifo_pair() {
  const TemporaryDirectory base;
  const auto directory = RuntimeDirectory::open(base / "run");
  REQUIRE(directory);
  auto fifos = FifoPair::make(*directory, "worker-0");
  REQUIRE(fifos);
  const auto open = [](const std::string& path, int mode) {
    auto fd = open_fifo(AT_FDCWD, path, mode, ::geteuid());
    REQUIRE(fd);
    return std::move(*fd);
  };
  auto in = open(fifos->in_path(), O_RDONLY);
  auto out = open(fifos->out_path(), O_WRONLY);
  return {Channel(fifos->take_read_end(), fifos->take_write_end(),
                  rules_of(Party::Worker, Party::Daemon)),
          Channel(std::move(in), std::move(out), rules_of(Party::Daemon, Party::Worker))};
}

struct Transport {
  const char* name;
  Pair (*make)();
  std::uint64_t features;
};

// The contract of a channel, whatever carries it.
class ChannelContract : public testing::TestWithParam<Transport> {
 protected:
  void SetUp() override { ::signal(SIGPIPE, SIG_IGN); }
  Pair pair_ = GetParam().make();
};

TEST_P(ChannelContract, SaysWhatItCanCarry) {
  EXPECT_EQ(pair_.worker.features(), GetParam().features);
  EXPECT_EQ(pair_.daemon.features(), GetParam().features);
}

constexpr Header kAssign{.kind = Kind::Assign, .id = 5, .token = 6, .round = 1, .attempt = 1};
constexpr Header kDone{.kind = Kind::Done, .id = 5, .token = 6, .round = 1, .attempt = 1};

TEST_P(ChannelContract, CarriesFramesBothWays) {
  pair_.daemon.send(kAssign, {}, bytes_of("input"));
  ASSERT_EQ(pair_.daemon.flush(soon()), State::Idle);
  Frame frame;
  ASSERT_EQ(pair_.worker.receive(frame, soon()), State::Frame);
  EXPECT_EQ(text_of(frame.payload), "input");
  pair_.worker.send(kDone, {}, std::string("output"));
  ASSERT_EQ(pair_.worker.flush(soon()), State::Idle);
  ASSERT_EQ(pair_.daemon.receive(frame, soon()), State::Frame);
  EXPECT_EQ(text_of(frame.payload), "output");
}

TEST_P(ChannelContract, BothEndsMayWriteTenMebibytesAtOnce) {
  const std::string payload(64 * 1024, 'x');
  constexpr int kFrames = 160;
  const auto exchange = [&](Channel& channel, const Header& header) {
    for (int i = 0; i < kFrames; ++i) channel.send(header, {}, std::string(payload));
    EXPECT_EQ(channel.flush(soon()), State::Idle);
    Frame frame;
    for (int i = 0; i < kFrames; ++i) {
      ASSERT_EQ(channel.receive(frame, soon()), State::Frame);
      ASSERT_EQ(frame.payload.size(), payload.size());
    }
  };
  std::thread other([&] { exchange(pair_.worker, kDone); });
  exchange(pair_.daemon, kAssign);
  other.join();
}

TEST_P(ChannelContract, ADeadlineEndsAWait) {
  Frame frame;
  EXPECT_EQ(pair_.worker.receive(frame, kAtOnce), State::TimedOut);
  const Deadline begun = std::chrono::steady_clock::now();
  const Deadline deadline = begun + std::chrono::milliseconds(20);
  EXPECT_EQ(pair_.worker.receive(frame, deadline), State::TimedOut);
  EXPECT_GE(std::chrono::steady_clock::now(), deadline);
  pair_.daemon.send(kAssign, {}, std::string(8U << 20, 'x'));
  EXPECT_EQ(pair_.daemon.flush(kAtOnce), State::TimedOut) << "nobody reads";
}

TEST_P(ChannelContract, FramesComeBeforeTheEnd) {
  pair_.daemon.send(kAssign, {}, bytes_of("1"));
  pair_.daemon.send(kAssign, {}, bytes_of("2"));
  ASSERT_EQ(pair_.daemon.flush(soon()), State::Idle);
  { Channel gone = std::move(pair_.daemon); }
  Frame frame;
  EXPECT_EQ(pair_.worker.receive(frame, soon()), State::Frame);
  EXPECT_EQ(pair_.worker.receive(frame, soon()), State::Frame);
  EXPECT_EQ(pair_.worker.receive(frame, soon()), State::Closed);
}

TEST_P(ChannelContract, WritingToAPeerThatIsGoneSaysClosed) {
  { Channel gone = std::move(pair_.daemon); }
  pair_.worker.send(kDone, {}, std::string(1U << 20, 'x'));
  EXPECT_EQ(pair_.worker.flush(soon()), State::Closed);
  EXPECT_EQ(pair_.worker.pump(), State::Closed);
}

TEST_P(ChannelContract, AForbiddenFrameBreaksIt) {
  pair_.daemon.send(kDone);
  ASSERT_EQ(pair_.daemon.flush(soon()), State::Idle);
  Frame frame;
  ASSERT_EQ(pair_.worker.receive(frame, soon()), State::Broken);
  EXPECT_EQ(refusal_of(pair_.worker.error()), Refusal::UnknownKind);
  EXPECT_EQ(pair_.worker.receive(frame, soon()), State::Broken);
  EXPECT_EQ(pair_.worker.flush(soon()), State::Idle) << "an error may still be said";
}

TEST_P(ChannelContract, PumpAndTakeNeverWait) {
  Frame frame;
  EXPECT_EQ(pair_.worker.pump(), State::Idle);
  EXPECT_EQ(pair_.worker.take(frame), State::Idle);
  pair_.daemon.send(kAssign);
  EXPECT_TRUE(pair_.daemon.wants_write());
  EXPECT_EQ(pair_.daemon.pump(), State::Idle);
  EXPECT_FALSE(pair_.daemon.wants_write());
  EXPECT_EQ(pair_.worker.pump(), State::Idle);
  EXPECT_EQ(pair_.worker.take(frame), State::Frame);
  EXPECT_EQ(pair_.worker.take(frame), State::Idle);
}

TEST_P(ChannelContract, TakesAFrameThatComesByteByByte) {
  const int raw = pair_.daemon.write_fd();
  OutBuffer out;
  out.append(kAssign, {}, bytes_of("input"));
  iovec piece{};
  ASSERT_EQ(out.gather(std::span(&piece, 1)), 1U);
  Frame frame;
  for (std::size_t i = 0; i < piece.iov_len; ++i) {
    ASSERT_EQ(pair_.worker.receive(frame, kAtOnce), State::TimedOut);
    ASSERT_EQ(::write(raw, static_cast<const char*>(piece.iov_base) + i, 1), 1);
  }
  EXPECT_EQ(pair_.worker.receive(frame, kAtOnce), State::Frame);
}

TEST_P(ChannelContract, AFrameThatDeathCutShortIsNone) {
  OutBuffer out;
  out.append(kDone, {}, bytes_of("output"));
  iovec piece{};
  ASSERT_EQ(out.gather(std::span(&piece, 1)), 1U);
  for (std::size_t bytes = 1; bytes < piece.iov_len; ++bytes) {
    auto pair = GetParam().make();
    ASSERT_EQ(::write(pair.worker.write_fd(), piece.iov_base, bytes), static_cast<ssize_t>(bytes));
    { const Channel gone = std::move(pair.worker); }
    Frame frame;
    EXPECT_EQ(pair.daemon.receive(frame, soon()), State::Closed) << bytes;
  }
}

constexpr Transport kTransports[] = {
    {"Socket", &socket_pair, feature::kAll},
    {"Pipes", &pipe_pair, feature::kOverPipes},
    {"Fifos", &fifo_pair, feature::kOverPipes},
};

INSTANTIATE_TEST_SUITE_P(Transports, ChannelContract, testing::ValuesIn(kTransports),
                         [](const auto& given) { return std::string(given.param.name); });

TEST(Channel, APushReadsNothing) {
  auto [daemon, worker] = socket_pair();
  daemon.send(kAssign);
  ASSERT_EQ(daemon.push(), State::Idle);
  Frame frame;
  ASSERT_EQ(worker.push(), State::Idle);
  EXPECT_EQ(worker.take(frame), State::Idle);
  ASSERT_EQ(worker.pump(), State::Idle);
  EXPECT_EQ(worker.take(frame), State::Frame);
}

TEST(Channel, ItsDescriptorsDoNotBlockAndDoNotLeak) {
  auto pair = socket_pair();
  EXPECT_NE(::fcntl(pair.worker.read_fd(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(::fcntl(pair.worker.read_fd(), F_GETFD) & FD_CLOEXEC, 0);
}

}  // namespace
}  // namespace warmpool::ipc::test
