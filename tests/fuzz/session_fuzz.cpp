// A whole daemon in this process, and any bytes from clients and workers, in any order with time
// passing, deaths and hang-ups: it must not fall over, and its books must add up after each turn.
//
// The input is a list of steps: a byte that names the step and, where it needs bytes, their number
// (two, little endian) and they themselves. Clients 0 and 1 are not greeted: a seed says hello.
#include <array>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/daemon.hpp"
#include "daemon/store/volatile_store.hpp"
#include "pool/require.hpp"
#include "tests/daemon/fake_processes.hpp"

namespace {

using namespace warmpool;
using namespace warmpool::daemon;

// A session that goes on for longer finds nothing new, but costs time.
constexpr std::size_t kStepsMax = 64;

class FuzzTime : public TimeSource {
 public:
  std::int64_t steady_ns() override { return now_ns; }
  WallTime wall() override { return {1'700'000'000'000'000'000 + now_ns + wall_moved_ns}; }
  std::int64_t now_ns = 1'000'000'000, wall_moved_ns = 0;
};

class NoLog : public Log {
 public:
  void write(LogLevel, std::string_view) override {}
  bool enabled(LogLevel) const override { return true; }
  void set_level(std::string_view) override {}
  void flush() override {}
  Result<void> reopen() override { return {}; }
};

Configuration configuration() {
  Configuration built;
  built.pool.values = default_options();
  built.pool.values.tasks_max = 20;
  built.pool.values.payload_bytes_max = 256;
  built.pool.values.frame_timeout = seconds(1);
  auto& one = built.classes.emplace_back().values;
  one = default_class_options();
  one.name = "worker";
  one.command = {"/bin/false"};
  one.types = {"file.digest", "fail", "hang"};
  one.size = one.size_min = 2;
  one.size_max = 4;
  one.credits = 4;
  return built;
}

DaemonSetup setup(const Configuration& built) {
  DaemonSetup made;
  made.configuration = built;
  made.identities.resize(built.classes.size());
  return made;
}

class Scene {
 public:
  Scene()
      : configuration_(configuration()),
        store_(configuration_.pool.values),
        daemon_(setup(configuration_), {log_, time_, processes_, store_, notifier_}) {
    for (auto& client : clients_) client = connect();
    turn();
  }

  void play(std::string_view input) {
    for (std::size_t step = 0; step < kStepsMax && !input.empty(); ++step) {
      const auto what = static_cast<std::uint8_t>(input.front());
      input.remove_prefix(1);
      act(what, input);
      if (!turn()) return;
    }
  }

 private:
  ipc::UniqueFd connect() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) == 0);
    daemon_.adopt(ipc::UniqueFd(ends[0]));
    return ipc::UniqueFd(ends[1]);
  }

  static std::string_view bytes_of(std::string_view& input) {
    if (input.size() < 2) return {};
    const std::size_t low = static_cast<std::uint8_t>(input[0]);
    const std::size_t high = static_cast<std::uint8_t>(input[1]);
    input.remove_prefix(2);
    const auto bytes = input.substr(0, low | high << 8U);
    input.remove_prefix(bytes.size());
    return bytes;
  }

  static void send(int fd, std::string_view bytes) {
    if (fd >= 0) (void)!::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  static void drain(int fd) {
    std::array<char, 65'536> unread;
    while (fd >= 0 && ::recv(fd, unread.data(), unread.size(), MSG_DONTWAIT) > 0) {
    }
  }

  void act(std::uint8_t what, std::string_view& input) {
    FakeWorker* worker = processes_.alive();
    const std::size_t number = what >> 7U;
    switch (what & 0x7FU) {
      case 0:
        return send(clients_[number].get(), bytes_of(input));
      case 1:  // beside what the worker says by itself
        if (worker != nullptr) send(worker->channel->read_fd(), bytes_of(input));
        return;
      case 2:
        if (worker != nullptr) (void)!::write(worker->errors.get(), input.data(), input.size());
        return;
      case 3:
        if (worker != nullptr) processes_.die(*worker, {ExitCause::Signalled, -11, false});
        return;
      case 4:
        clients_[number] = connect();  // the one before hangs up
        return;
      case 5:
        return drain(clients_[number].get());
      case 6:
        return daemon_.stop(number != 0);
      case 7:
        time_.wall_moved_ns += hours(number != 0 ? 1 : -1).ns;
        return;
      default:  // from 1 ms to months
        time_.now_ns += milliseconds(1).ns << ((what & 0x7FU) % 34U);
    }
  }

  bool turn() {
    const bool goes_on = daemon_.turn(milliseconds(1));
    processes_.work();
    time_.now_ns += 1'000;
    const auto counters = daemon_.pool().counters();
    const auto queue = daemon_.pool().queue();
    std::uint64_t settled = 0;
    for (const auto verdict : counters.settled) settled += verdict;
    REQUIRE(counters.accepted == settled + queue.waiting() + queue.running);
    return goes_on;
  }

  Configuration configuration_;
  NoLog log_;
  FuzzTime time_;
  FakeProcesses processes_;
  VolatileStore store_;
  ServiceNotifier notifier_{Environment{}};
  Daemon daemon_;
  std::array<ipc::UniqueFd, 2> clients_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Scene().play({reinterpret_cast<const char*>(data), size});
  return 0;
}
