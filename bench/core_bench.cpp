// What the core costs per task, without any I/O. Run: build/release/bin/bench_micro
//   --benchmark_filter=Core. Bounds that the project holds itself to: push and pop of a waiting
//   task < 2 us with a million waiting; <= 200 bytes a waiting task, daemon included.
#include <malloc.h>

#include <benchmark/benchmark.h>

#include "pool/pool.hpp"

namespace warmpool {
namespace {

class Bench {
 public:
  explicit Bench(std::uint64_t workers) : pool_(genesis()) {
    ClassOptions options = default_class_options();
    options.name = "worker";
    options.command = {"worker"};
    options.size = workers;
    options.size_min = 0;
    options.credits = 16;
    step(event::ClassDeclared{ClassId{0}, options});
    step(event::TypeDeclared{.type = TypeId{0}, .count = 1});
    step(event::Listen{false});
    for (const auto& slot : pool_.snapshot().slots) step(event::WorkerReady{slot.worker, 16, true});
    step(event::Tick{});
  }

  void submit(std::uint8_t priority) {
    step(event::Submit{ClientId{1}, RequestId{1}, {.priority = priority, .payload_bytes = 64}});
    keep();
  }

  // Answers everything that was assigned in the last turn; true if there was something.
  bool turn() {
    now_.ns += 1000;
    out_.clear();
    step(event::Tick{});
    assigns_.clear();
    for (const auto& command : out_) {
      if (const auto* assign = std::get_if<command::Assign>(&command)) assigns_.push_back(*assign);
    }
    keep();
    for (const auto& assign : assigns_) {
      step(
          event::AttemptAnswered{assign.worker, assign.key, Outcome::Done, {}, microseconds(1), 0});
    }
    keep();
    return !assigns_.empty();
  }

  void keep() {
    for (auto each = out_.rbegin(); each != out_.rend(); ++each) {
      if (const auto* persist = std::get_if<command::Persist>(&*each)) {
        const event::Persisted persisted{persist->number};
        out_.clear();
        step(persisted);
        return;
      }
    }
  }

  std::uint64_t settled() const { return pool_.counters().settled[0]; }
  std::size_t given() const { return assigns_.size(); }

 private:
  static Genesis genesis() {
    Genesis made;
    made.now = Instant{seconds(1000).ns};
    made.options.tasks_max = 100'000'000;
    return made;
  }
  void step(const Event& event) { pool_.step(now_, event, out_); }

  Instant now_{seconds(1000).ns};
  Pool pool_;
  Commands out_;
  std::vector<command::Assign> assigns_;
};

// One task in, one task run and settled, while `waiting` others wait.
void CoreTaskLife(benchmark::State& state) {
  Bench bench(2);
  const auto waiting = state.range(0);
  for (std::int64_t i = 0; i < waiting; ++i) bench.submit(static_cast<std::uint8_t>(i % 101));
  std::uint8_t priority = 0;
  for (auto _ : state) {
    bench.turn();
    for (std::size_t i = 0; i < bench.given(); ++i)
      bench.submit(priority = static_cast<std::uint8_t>((priority + 7) % 101));
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(bench.settled()));
}
BENCHMARK(CoreTaskLife)->Arg(10)->Arg(1'000)->Arg(100'000)->Arg(1'000'000);

void CoreSubmit(benchmark::State& state) {
  Bench bench(0);
  for (auto _ : state) bench.submit(10);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(CoreSubmit)->Iterations(1'000'000);

void CoreBytesPerWaitingTask(benchmark::State& state) {
  for (auto _ : state) {
    const auto before = mallinfo2().uordblks + mallinfo2().hblkhd;
    Bench bench(0);
    for (int i = 0; i < 1'000'000; ++i) bench.submit(10);
    const auto after = mallinfo2().uordblks + mallinfo2().hblkhd;
    state.counters["bytes_per_task"] = static_cast<double>(after - before) / 1e6;
  }
}
BENCHMARK(CoreBytesPerWaitingTask)->Iterations(1);

}  // namespace
}  // namespace warmpool
