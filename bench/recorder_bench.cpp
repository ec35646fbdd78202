// What the flight recorder costs the loop's thread for each task, and what an image costs. Run:
//   build/release/bin/bench_micro --benchmark_filter=Recorder. CPU time of that thread; its files
//   go to the directory of temporary files, and few of them are kept.
#include <filesystem>

#include <benchmark/benchmark.h>

#include "daemon/record/flight_recorder.hpp"
#include "pool/require.hpp"

namespace warmpool::daemon {
namespace {

class QuietLog : public Log {
 public:
  void write(LogLevel, std::string_view) override {}
  bool enabled(LogLevel) const override { return false; }
  void set_level(std::string_view) override {}
  void flush() override {}
  Result<void> reopen() override { return {}; }
};

class Directory {
 public:
  Directory() {
    std::string pattern = std::filesystem::temp_directory_path() / "warmpool-bench-XXXXXX";
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ipc::RuntimeDirectory open() const {
    auto opened = ipc::RuntimeDirectory::open(path_);
    REQUIRE(static_cast<bool>(opened));
    return std::move(*opened);
  }

 private:
  std::string path_;
};

struct Step {
  Event event;
  Commands commands;
};

class Core {
 public:
  Core() : pool_(genesis()) {
    ClassOptions options = default_class_options();
    options.name = "worker";
    options.size = 1;
    options.size_min = 0;
    step(event::ClassDeclared{ClassId{0}, options});
    step(event::TypeDeclared{.type = TypeId{0}, .count = 1});
    step(event::Listen{false});
    step(event::WorkerReady{pool_.snapshot().slots.at(0).worker, 1, true});
    step(event::Tick{});
    steps.clear();
  }
  static Genesis genesis() {
    Genesis made;
    made.now = kNow;
    return made;
  }
  const Commands& step(Event event) {
    Commands commands;
    pool_.step(kNow, event, commands);
    steps.push_back({std::move(event), std::move(commands)});
    return steps.back().commands;
  }
  void submit() {
    step(event::Submit{ClientId{1}, RequestId{1}, {.payload_bytes = 64}});
    keep();
  }
  void keep() {
    for (const auto& command : steps.back().commands) {
      if (const auto* persist = std::get_if<command::Persist>(&command)) record_ = persist->number;
    }
    step(event::Persisted{record_});
  }
  // From its submit to the record of its verdict.
  void run_task() {
    submit();
    command::Assign assign{};
    for (const auto& command : step(event::Tick{})) {
      if (const auto* given = std::get_if<command::Assign>(&command)) assign = *given;
    }
    keep();
    step(event::AttemptAnswered{assign.worker, assign.key, Outcome::Done, {}, microseconds(1), 0});
    keep();
    step(event::Tick{});
  }
  const Pool& pool() const { return pool_; }

  static constexpr Instant kNow{1'000'000'000'000};
  std::vector<Step> steps;

 private:
  Pool pool_;
  RecordNumber record_;
};

// A task whose every event is in a turn of its own, with one Tick; a busy daemon has fewer.
void RecorderTaskLife(benchmark::State& state) {
  const Directory directory;
  QuietLog log;
  Core core;
  core.run_task();
  RecorderSetup setup{directory.open(), 16U << 20, 3};
  setup.waits = true;
  FlightRecorder recorder(std::move(setup), log);
  recorder.begin(Core::genesis());
  for (auto _ : state) {
    for (const auto& step : core.steps) recorder.stepped(Core::kNow, step.event, step.commands);
    recorder.turn_ended(core.pool());
  }
  state.SetItemsProcessed(state.iterations());
  state.counters["bytes_per_task"] = benchmark::Counter(
      static_cast<double>(recorder.figures().bytes) / static_cast<double>(state.iterations()));
  state.counters["steps_per_task"] = static_cast<double>(core.steps.size());
}
BENCHMARK(RecorderTaskLife);

// Of a core in which so many tasks wait.
void RecorderImage(benchmark::State& state) {
  Core core;
  for (std::int64_t i = 0; i < state.range(0); ++i) core.submit();
  std::size_t bytes = 0;
  for (auto _ : state) bytes = core.pool().image(~std::size_t{0})->size();
  state.counters["bytes"] = static_cast<double>(bytes);
}
BENCHMARK(RecorderImage)->Arg(100)->Arg(9'999);

}  // namespace
}  // namespace warmpool::daemon
