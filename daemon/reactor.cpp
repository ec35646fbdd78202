// Readiness and not completion: a connection that waits needs no buffer, so ten thousand of them
// cost no memory, and the reader may read straight into its own.
//
// One level-triggered epoll set, and one epoll_wait a turn that waits and collects: a wake-up costs
// one system call, where a set inside Asio's costs five (its own wait, the re-arming, and three
// looks that find nothing). Signals come through a signalfd in the same set; a wait with a deadline
// is a timeout, so a turn makes no system call for timers.
#include "daemon/reactor.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <limits>
#include <span>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <tuple>
#include <unistd.h>

#include "ipc/fd.hpp"
#include "ipc/spin.hpp"
#include "pool/require.hpp"

namespace warmpool::daemon {

namespace {

using std::chrono::steady_clock;

constexpr auto kNotPassed = std::numeric_limits<std::uint64_t>::max();

// Lives on in a batch of events that is being handled when its watch ends.
struct Watched {
  int fd = -1;
  Reactor::Handler readable, writable;
  bool alive = true, reading = false, writing = false, first = false;
  std::uint64_t passed_in = kNotPassed;  // the batch since which it waits though it is ready
  std::uint32_t registered = 0;  // events; 0: not in the set, or a peer that hung up would spin it
};
using WatchedPtr = std::shared_ptr<Watched>;

// Rounded up, so that a wait never ends before its deadline.
int milliseconds_until(steady_clock::time_point deadline) {
  using std::chrono::ceil, std::chrono::milliseconds;
  constexpr milliseconds::rep longest = 3'600'000;
  const auto left = ceil<milliseconds>(deadline - steady_clock::now()).count();
  return static_cast<int>(std::clamp<milliseconds::rep>(left, 0, longest));
}

}  // namespace

struct Reactor::State {
  ipc::UniqueFd set{::epoll_create1(EPOLL_CLOEXEC)};
  std::vector<WatchedPtr> ended;  // until the batch is over; outlives the watch below
  ipc::UniqueFd signals;
  std::unique_ptr<Watch> signal_watch;
  Handler on_wake = [] {};
  std::uint64_t batch = 0;
  std::vector<const epoll_event*> order;  // of this batch; kept for its memory
  ipc::Spin spin;

  void update(Watched& watched) {
    const std::uint32_t wanted = (watched.reading ? std::uint32_t{EPOLLIN} : 0U) |
                                 (watched.writing ? std::uint32_t{EPOLLOUT} : 0U);
    if (wanted == watched.registered) return;
    const int what = wanted == 0               ? EPOLL_CTL_DEL
                     : watched.registered == 0 ? EPOLL_CTL_ADD
                                               : EPOLL_CTL_MOD;
    watched.registered = control(what, watched, wanted) ? wanted : 0;
  }

  bool control(int what, Watched& watched, std::uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &watched;
    return ::epoll_ctl(set.get(), what, watched.fd, &event) == 0;
  }

  // The kernel tells what is ready in the same order each time, so a few that never end would end
  // every batch at the same place.
  std::size_t dispatch(std::span<const epoll_event> events, const std::function<bool()>& enough) {
    ++batch;
    order.clear();
    for (const auto& event : events) order.push_back(&event);
    std::ranges::sort(order, {}, [](const epoll_event* event) {
      const Watched& watched = watched_of(*event);
      return std::tuple(!watched.first, watched.passed_in, event);
    });
    std::size_t ran = dispatch_those(true, enough);
    ran += dispatch_those(false, enough);
    ended.clear();
    return ran;
  }

  std::size_t dispatch_those(bool first, const std::function<bool()>& enough) {
    std::size_t ran = 0;
    for (const auto* event : order) {
      Watched& watched = watched_of(*event);
      if (watched.first != first) continue;
      if (ran > 0 && enough()) {
        watched.passed_in = std::min(watched.passed_in, batch);
        continue;
      }
      watched.passed_in = kNotPassed;
      ran += handle(watched, event->events);
    }
    return ran;
  }

  static Watched& watched_of(const epoll_event& event) {
    return *static_cast<Watched*>(event.data.ptr);
  }

  std::size_t handle(Watched& watched, std::uint32_t events) {
    constexpr std::uint32_t over = EPOLLHUP | EPOLLERR;
    std::size_t ran = 0;
    if (watched.alive && watched.reading && (events & (EPOLLIN | over)) != 0) {
      watched.readable();
      ++ran;
    }
    if (watched.alive && watched.writing && (events & (EPOLLOUT | over)) != 0) {
      watched.writing = false;
      update(watched);
      watched.writable();
      ++ran;
    }
    return ran;
  }
};

class Reactor::EpollWatch : public Watch {
 public:
  EpollWatch(State& state, WatchedPtr watched) : state_(state), watched_(std::move(watched)) {}
  ~EpollWatch() override {
    watched_->alive = watched_->reading = watched_->writing = false;
    state_.update(*watched_);
    state_.ended.push_back(std::move(watched_));
  }
  void start_reading() override { set(watched_->reading, true); }
  void stop_reading() override { set(watched_->reading, false); }
  void want_write() override { set(watched_->writing, true); }
  void go_first() override { watched_->first = true; }

 private:
  void set(bool& interest, bool to) {
    interest = to;
    state_.update(*watched_);
  }

  State& state_;
  WatchedPtr watched_;
};

Reactor::Reactor() : state_(std::make_unique<State>()) { REQUIRE(state_->set); }
Reactor::~Reactor() = default;

std::unique_ptr<Watch> Reactor::watch(int fd, Handler readable, Handler writable) {
  auto watched = std::make_shared<Watched>();
  watched->fd = fd;
  watched->readable = std::move(readable);
  watched->writable = std::move(writable);
  // Whether it can be watched at all is known here, and not when somebody first waits for it.
  if (!state_->control(EPOLL_CTL_ADD, *watched, EPOLLIN)) return nullptr;
  state_->control(EPOLL_CTL_DEL, *watched, 0);
  return std::make_unique<EpollWatch>(*state_, std::move(watched));
}

Result<void> Reactor::on_signals(const std::vector<int>& numbers,
                                 std::function<void(int)> handler) {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int number : numbers) ::sigaddset(&wanted, number);
  // Blocked, because a signal that is delivered is not read. Children get a mask of their own.
  ::pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  state_->signals.reset(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!state_->signals) return Error{errno, std::string("signalfd: ") + std::strerror(errno)};
  state_->signal_watch = watch(state_->signals.get(), [this, handler = std::move(handler)] {
    signalfd_siginfo info{};
    while (::read(state_->signals.get(), &info, sizeof info) == sizeof info) {
      handler(static_cast<int>(info.ssi_signo));
    }
  });
  if (!state_->signal_watch) return Error{errno, "epoll takes no signalfd"};
  state_->signal_watch->start_reading();
  return {};
}

void Reactor::on_wake(Handler handler) { state_->on_wake = std::move(handler); }

std::size_t Reactor::run(steady_clock::time_point deadline, std::size_t handlers_max,
                         const std::function<bool()>& enough, Duration awake) {
  std::array<epoll_event, 256> events;
  const auto room = static_cast<int>(std::min(handlers_max, events.size()));
  if (room == 0) return 0;
  const auto look = [&](int timeout) {
    return ::epoll_wait(state_->set.get(), events.data(), room, timeout);
  };
  int count = state_->spin.look(awake, deadline, [&] { return look(0); });
  if (awake.ns > 0) ++awake_.waits, awake_.found += count > 0 ? 1U : 0U;
  if (count == 0) count = look(milliseconds_until(deadline));
  if (count <= 0) return 0;
  state_->on_wake();
  return state_->dispatch(std::span(events).first(static_cast<std::size_t>(count)), enough);
}

}  // namespace warmpool::daemon
