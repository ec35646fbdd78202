// What publishing figures costs the daemon at each board_interval, and what reading them costs.
// Run: build/release/bin/bench_micro --benchmark_filter=Board. Bound: 100 us each with 500 workers.
#include <fcntl.h>
#include <filesystem>

#include <benchmark/benchmark.h>

#include "client/board.hpp"
#include "daemon/board.hpp"
#include "daemon/store/volatile_store.hpp"

namespace warmpool {
namespace {

class NoLog : public daemon::Log {
 public:
  void write(daemon::LogLevel, std::string_view) override {}
  bool enabled(daemon::LogLevel) const override { return false; }
  void set_level(std::string_view) override {}
  void flush() override {}
  Result<void> reopen() override { return {}; }
};

// No process is ever asked for here.
class NoProcesses : public daemon::ProcessPort {
 public:
  Result<daemon::Child> spawn(const daemon::SpawnSpec&) override { return Error{}; }
  Result<ipc::UniqueFd> adopt(daemon::Stranger) override { return Error{}; }
  void disown(WorkerId) override {}
  Result<daemon::ForkOrder> order_fork(const daemon::SpawnSpec&) override { return Error{}; }
  Result<daemon::Child> take_forked(daemon::Child, ipc::UniqueFd) override { return Error{}; }
  void abandon(WorkerId) override {}
  Result<void> signal(WorkerId, int) override { return {}; }
  daemon::TreeEnd kill_tree(WorkerId) override { return {}; }
  std::optional<daemon::Exit> inspect(WorkerId) override { return {}; }
  daemon::Orphans reap_orphans() override { return {}; }

 protected:
  void reap(WorkerId) override {}
};

daemon::Configuration configuration_of(std::uint64_t workers) {
  daemon::Configuration configuration;
  configuration.pool.values = default_options();
  auto& options = configuration.classes.emplace_back().values;
  options = default_class_options();
  options.name = "worker";
  options.command = {"worker"};
  options.types = {"echo"};
  options.size = options.size_max = workers;
  return configuration;
}

// The parts of a daemon that a board is made from; every worker has a task in hand.
class Figures {
 public:
  explicit Figures(std::uint64_t workers)
      : configuration_(configuration_of(workers)), store_(configuration_.pool.values) {
    engine_.step(event::ClassDeclared{ClassId{0}, configuration_.classes[0].values});
    engine_.step(event::TypeDeclared{.type = TypeId{0}, .count = 1});
    for (const auto& slot : engine_.pool().snapshot().slots) {
      engine_.step(event::WorkerReady{slot.worker, 1, true});
      engine_.step(event::Submit{ClientId{1}, RequestId{1}, {}});
    }
    Commands commands;
    engine_.take(commands);
    engine_.step(event::Persisted{RecordNumber{workers}});
    engine_.step(event::Tick{});
  }

  daemon::Board publish(const std::string& directory) {
    daemon::BoardPlace place;
    place.directory.reset(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    place.path = directory;
    return daemon::Board(services_, workers_, documents_, std::move(place));
  }
  void pass(Duration duration) {
    time_.steady += duration.ns;
    engine_.refresh();
  }

 private:
  struct Time : daemon::TimeSource {
    std::int64_t steady = 1;
    std::int64_t steady_ns() override { return steady; }
    WallTime wall() override { return {1'800'000'000'000'000'000 + steady}; }
  };
  static Genesis genesis() {
    Genesis made;
    made.now = Instant{1};
    return made;
  }

  daemon::Configuration configuration_;
  NoLog log_;
  Time time_;
  NoProcesses processes_;
  daemon::Clock clock_{time_, Instant{1}};
  daemon::Reactor reactor_;
  daemon::Engine engine_{genesis(), clock_};
  daemon::VolatileStore store_;
  daemon::TypeTable types_{{configuration_.classes[0].values}};
  daemon::TenantTable tenants_;
  daemon::Waiters waiters_;
  daemon::Settling settling_;
  daemon::LargeBodies large_;
  daemon::StampBook stamps_;
  daemon::Flow flow_;
  daemon::Services services_{configuration_, log_,     reactor_,  engine_, store_,  types_,
                             tenants_,       waiters_, settling_, large_,  stamps_, flow_};
  daemon::Workers workers_{services_, processes_, {std::nullopt}};
  ipc::RoleTable roles_{0, {}};
  daemon::Intake intake_{services_};
  daemon::Clients clients_{services_, intake_, roles_};
  daemon::Notices notices_{services_, workers_};
  daemon::Events events_{services_, clients_, notices_, 1};
  daemon::Alerts alerts_{services_, processes_, workers_, notices_, ""};
  daemon::LoopFigures loop_;
  daemon::Documents documents_{services_, clients_, workers_, events_, alerts_, loop_, ""};
};

// Owns: an empty directory in memory.
struct Directory {
  Directory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  std::string path = "/dev/shm/warmpool-bench.XXXXXX";
};

void BoardWrite(benchmark::State& state) {
  const Directory directory;
  Figures figures(static_cast<std::uint64_t>(state.range(0)));
  auto board = figures.publish(directory.path);
  for (auto _ : state) {
    figures.pass(seconds(1));
    board.after_turn(true);
  }
}
BENCHMARK(BoardWrite)->Arg(20)->Arg(500)->Arg(5000)->Unit(benchmark::kMicrosecond);

void BoardOpenAndRead(benchmark::State& state) {
  const Directory directory;
  Figures figures(static_cast<std::uint64_t>(state.range(0)));
  const auto board = figures.publish(directory.path);
  for (auto _ : state) {
    auto opened = client::Board::open(directory.path + "/warmpool.sock");
    REQUIRE(opened && opened->read());
  }
}
BENCHMARK(BoardOpenAndRead)->Arg(20)->Arg(500)->Arg(5000)->Unit(benchmark::kMicrosecond);

void BoardReadAgain(benchmark::State& state) {
  const Directory directory;
  Figures figures(static_cast<std::uint64_t>(state.range(0)));
  const auto board = figures.publish(directory.path);
  auto opened = client::Board::open(directory.path + "/warmpool.sock");
  REQUIRE(opened);
  for (auto _ : state) REQUIRE(opened->read());
}
BENCHMARK(BoardReadAgain)->Arg(20)->Arg(500)->Arg(5000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace warmpool
