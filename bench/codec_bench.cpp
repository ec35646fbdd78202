// What a frame of each kind costs in memory, without any I/O: the sender's half (meta packed, frame
// queued) and the receiver's (header checked, frame cut out, meta read and checked). The frames are
// those of the golden files. Run: build/release/bin/bench_micro --benchmark_filter='Encode|Decode'
#include <benchmark/benchmark.h>

#include "ipc/codec.hpp"
#include "ipc/frame_reader.hpp"
#include "ipc/out_buffer.hpp"
#include "tests/ipc/samples.hpp"

namespace warmpool::ipc {
namespace {

using test::Sample;

struct NoMeta {};
void encode(const NoMeta&, std::string&) {}

template <class Meta>
Meta meta_of(const Sample& sample) {
  if constexpr (std::is_same_v<Meta, NoMeta>) {
    return {};
  } else {
    auto meta = decode<Meta>(bytes_of(sample.meta));
    REQUIRE(meta);
    return std::move(*meta);
  }
}

void count(benchmark::State& state, std::size_t bytes) {
  state.SetItemsProcessed(state.iterations());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(bytes));
}

template <class Meta>
void encode_frame(benchmark::State& state, const Sample& sample) {
  const auto meta = meta_of<Meta>(sample);
  std::string text;
  OutBuffer out;
  std::size_t bytes = 0;
  for (auto _ : state) {
    text.clear();
    encode(meta, text);
    out.append(sample.header, bytes_of(text), bytes_of(sample.payload));
    bytes = out.bytes();
    out.consume(bytes);
  }
  count(state, bytes);
}

template <class Meta>
void decode_frame(benchmark::State& state, const Sample& sample) {
  const auto bytes = bytes_of_sample(sample);
  FrameReader reader(rules_for(sample));
  Frame frame;
  for (auto _ : state) {
    reader.feed(bytes_of(bytes));
    if (reader.next(frame) != FrameReader::Next::Frame) state.SkipWithError("no frame");
    if constexpr (!std::is_same_v<Meta, NoMeta>) {
      auto meta = decode<Meta>(frame.meta);
      benchmark::DoNotOptimize(meta);
    }
  }
  count(state, bytes.size());
}

struct Row {
  Kind kind;
  void (*encode)(benchmark::State&, const Sample&);
  void (*decode)(benchmark::State&, const Sample&);
};
template <class Meta>
constexpr Row row(Kind kind) {
  return {kind, encode_frame<Meta>, decode_frame<Meta>};
}
// Kinds that are not here have no meta.
constexpr Row kWithMeta[] = {
    row<HelloMeta>(Kind::Hello),         row<WelcomeMeta>(Kind::Welcome),
    row<ErrorMeta>(Kind::Error),         row<TypeNameMeta>(Kind::TypeName),
    row<SubmitMeta>(Kind::Submit),       row<RequestMeta>(Kind::Request),
    row<RefusedMeta>(Kind::Refused),     row<SettledMeta>(Kind::Settled),
    row<ProgressMeta>(Kind::Progressed), row<CancelledMeta>(Kind::Cancelled),
    row<AssignMeta>(Kind::Assign),       row<CancelAttemptMeta>(Kind::CancelAttempt),
    row<FailedMeta>(Kind::Failed),       row<ProgressMeta>(Kind::Progress)};

Row row_of(Kind kind) {
  for (const auto& known : kWithMeta) {
    if (known.kind == kind) return known;
  }
  return row<NoMeta>(kind);
}

// Of the requests one is enough: they differ in their arguments only.
bool is_wanted(const Sample& sample) {
  return !sample.name.starts_with("request-") || sample.name == "request-ls";
}

const bool registered = [] {
  for (const auto& sample : test::samples()) {
    if (!is_wanted(sample)) continue;
    const auto bench = row_of(sample.header.kind);
    benchmark::RegisterBenchmark(("Encode/" + sample.name).c_str(), bench.encode, sample);
    benchmark::RegisterBenchmark(("Decode/" + sample.name).c_str(), bench.decode, sample);
  }
  return true;
}();

}  // namespace
}  // namespace warmpool::ipc
