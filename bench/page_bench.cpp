// What a page costs: a worker with each task, and the daemon with each look.
// Run: build/release/bin/bench_micro --benchmark_filter=Page.
#include <vector>

#include <benchmark/benchmark.h>

#include "ipc/worker_page.hpp"

namespace warmpool {
namespace {

void PageOfATask(benchmark::State& state) {
  ipc::UniqueFd given;
  const auto reader = ipc::PageReader::make(1, given);
  auto writer = ipc::PageWriter::open(given, 1);
  REQUIRE(reader && writer);
  std::uint64_t token = 0;
  for (auto _ : state) {
    writer->gauge(3, 4096);
    writer->begin(++token);
    writer->end(100);
  }
}
BENCHMARK(PageOfATask);

void PagesLookedAt(benchmark::State& state) {
  std::vector<ipc::PageReader> pages;
  for (int i = 0; i < state.range(0); ++i) {
    ipc::UniqueFd given;
    auto page = ipc::PageReader::make(1, given);
    REQUIRE(page);
    pages.push_back(std::move(*page));
  }
  for (auto _ : state) {
    for (const auto& page : pages) benchmark::DoNotOptimize(page.read());
  }
}
BENCHMARK(PagesLookedAt)->Arg(20)->Arg(500);

}  // namespace
}  // namespace warmpool
