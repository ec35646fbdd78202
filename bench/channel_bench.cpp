// A frame from one end of a channel to the other, by size of its payload, over a socket pair and
// over a FIFO. Both ends are worked by one thread, so nothing is woken: what is left is copying and
// system calls. Run: build/release/bin/bench_micro --benchmark_filter=Channel
#include <array>
#include <csignal>
#include <fcntl.h>
#include <memory>
#include <sys/socket.h>
#include <unistd.h>

#include <benchmark/benchmark.h>

#include "ipc/channel.hpp"

namespace warmpool::ipc {
namespace {

using Ends = std::array<UniqueFd, 2>;
using Pair = std::array<std::unique_ptr<Channel>, 2>;

FrameRules rules(Party from, Party to) {
  return after_hello(before_hello(from, to), kFrameBytesMax, feature::kAll);
}

Pair socket_pair() {
  std::array<int, 2> fds{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) == 0);
  return {std::make_unique<Channel>(UniqueFd(fds[0]), rules(Party::Worker, Party::Daemon)),
          std::make_unique<Channel>(UniqueFd(fds[1]), rules(Party::Daemon, Party::Worker))};
}

// A FIFO without a name is the same thing to the kernel.
Ends fifo() {
  std::array<int, 2> fds{};
  REQUIRE(::pipe2(fds.data(), O_CLOEXEC) == 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

Pair fifo_pair() {
  std::signal(SIGPIPE, SIG_IGN);
  auto there = fifo(), back = fifo();
  return {std::make_unique<Channel>(std::move(back[0]), std::move(there[1]),
                                    rules(Party::Worker, Party::Daemon)),
          std::make_unique<Channel>(std::move(there[0]), std::move(back[1]),
                                    rules(Party::Daemon, Party::Worker))};
}

// More than the kernel holds at once goes over in several parts: each end does what it can in turn.
bool carry(Channel& from, Channel& to) {
  Frame frame;
  for (;;) {
    if (from.pump() == Channel::State::Broken || to.pump() == Channel::State::Broken) return false;
    const auto state = to.take(frame);
    if (state == Channel::State::Frame) return true;
    if (state != Channel::State::Idle) return false;
  }
}

void run(benchmark::State& state, Pair ends) {
  const std::string payload(static_cast<std::size_t>(state.range(0)), 'x');
  const Header assign{.kind = Kind::Assign, .id = 1, .token = 2, .round = 1, .attempt = 1};
  for (auto _ : state) {
    ends[0]->send(assign, {}, bytes_of(payload));
    if (!carry(*ends[0], *ends[1])) {
      state.SkipWithError(("broken: " + ends[1]->error().text).c_str());
      break;
    }
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * state.range(0));
}

void ChannelOverASocket(benchmark::State& state) { run(state, socket_pair()); }
void ChannelOverAFifo(benchmark::State& state) { run(state, fifo_pair()); }

void sizes(benchmark::internal::Benchmark* bench) {
  for (const int bytes : {64, 1 << 10, 64 << 10, 1 << 20}) bench->Arg(bytes);
}
BENCHMARK(ChannelOverASocket)->Apply(sizes);
BENCHMARK(ChannelOverAFifo)->Apply(sizes);

}  // namespace
}  // namespace warmpool::ipc
