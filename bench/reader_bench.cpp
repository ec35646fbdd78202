// Frames out of a stream: many in one read, as under load, and the worst case, one byte a read.
// Run: build/release/bin/bench_micro --benchmark_filter=Reader
#include <benchmark/benchmark.h>

#include "ipc/frame_reader.hpp"
#include "tests/ipc/samples.hpp"

namespace warmpool::ipc {
namespace {

constexpr int kFrames = 100;

test::Sample submit(std::size_t payload_bytes) {
  const auto all = test::samples();
  auto one = sample(all, "submit-plain");
  one.payload.assign(payload_bytes, 'x');
  return one;
}

FrameReader reader_for(const test::Sample& one) {
  auto rules = rules_for(one);
  rules.frame_bytes_max = kFrameBytesMax;
  return FrameReader(rules);
}

int take_all(FrameReader& reader) {
  Frame frame;
  int taken = 0;
  while (reader.next(frame) == FrameReader::Next::Frame) ++taken;
  return taken;
}

void ReaderManyFramesInOneRead(benchmark::State& state) {
  const auto one = submit(static_cast<std::size_t>(state.range(0)));
  std::string bytes;
  for (int i = 0; i < kFrames; ++i) bytes += bytes_of_sample(one);
  auto reader = reader_for(one);
  for (auto _ : state) {
    reader.feed(bytes_of(bytes));
    if (take_all(reader) != kFrames) state.SkipWithError("frames are missing");
  }
  state.SetItemsProcessed(state.iterations() * kFrames);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
BENCHMARK(ReaderManyFramesInOneRead)->Arg(0)->Arg(64)->Arg(1'024)->Arg(64 * 1'024);

void ReaderOneByteAtATime(benchmark::State& state) {
  const auto one = submit(static_cast<std::size_t>(state.range(0)));
  const auto bytes = bytes_of_sample(one);
  auto reader = reader_for(one);
  for (auto _ : state) {
    int taken = 0;
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      reader.feed(bytes_of(bytes).subspan(at, 1));
      taken += take_all(reader);
    }
    if (taken != 1) state.SkipWithError("the frame is missing");
  }
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes.size()));
}
BENCHMARK(ReaderOneByteAtATime)->Arg(64)->Arg(1'024);

}  // namespace
}  // namespace warmpool::ipc
