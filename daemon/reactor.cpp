// Readiness and not completion: a connection that waits needs no buffer, so ten thousand of them
// cost no memory, and the reader may read straight into its own.
//
// Watched descriptors are in an epoll set of ours, level-triggered, and Asio waits for that set as
// for one descriptor: under load a turn asks it with one system call for all that is ready, where
// an async_wait for each descriptor costs an epoll_ctl for each event (1.5 a task, measured with
// one task in flight per worker). Signals, and whatever else is asynchronous, stay with Asio. A
// wait with a deadline is a timeout of epoll_wait, so a turn makes no system call for timers.
#include "daemon/reactor.hpp"

#include <algorithm>
#include <array>
#include <sys/epoll.h>

#include "ipc/asio.hpp"
#include "ipc/fd.hpp"
#include "pool/require.hpp"

namespace warmpool::daemon {

namespace asio = ipc::asio;

namespace {

// Lives on in a batch of events that is being handled when its watch ends.
struct Watched {
  int fd = -1;
  Reactor::Handler readable, writable;
  bool alive = true, reading = false, writing = false;
  std::uint32_t registered = 0;  // events; 0: not in the set, or a peer that hung up would spin it
};
using WatchedPtr = std::shared_ptr<Watched>;

// Turns between looks at Asio while descriptors are always ready.
constexpr unsigned kAsioEvery = 16;

}  // namespace

struct Reactor::State {
  asio::io_context context{1};  // one thread: no locks
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(context);
  std::unique_ptr<asio::signal_set> signals;
  std::function<void(int)> on_signal;
  Handler on_wake = [] {};
  asio::posix::stream_descriptor set{context, ::epoll_create1(EPOLL_CLOEXEC)};
  bool armed = false;
  unsigned turns = 0;
  std::vector<WatchedPtr> ended;  // until the batch is over

  void wait_for_signal() {
    signals->async_wait([this](const ipc::error_code& error, int number) {
      if (error) return;
      on_wake();
      on_signal(number);
      wait_for_signal();
    });
  }

  void arm() {
    if (armed) return;
    armed = true;
    set.async_wait(asio::posix::stream_descriptor::wait_read,
                   [this](const ipc::error_code&) { armed = false; });
  }

  void update(Watched& watched) {
    const std::uint32_t wanted = (watched.reading ? std::uint32_t{EPOLLIN} : 0U) |
                                 (watched.writing ? std::uint32_t{EPOLLOUT} : 0U);
    if (wanted == watched.registered) return;
    const int what = wanted == 0               ? EPOLL_CTL_DEL
                     : watched.registered == 0 ? EPOLL_CTL_ADD
                                               : EPOLL_CTL_MOD;
    watched.registered = control(what, watched, wanted) ? wanted : 0;
  }

  bool control(int what, Watched& watched, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &watched;
    return ::epoll_ctl(set.native_handle(), what, watched.fd, &event) == 0;
  }

  std::size_t dispatch(std::size_t handlers_max, const std::function<bool()>& enough) {
    std::array<epoll_event, 256> events;
    const auto room = static_cast<int>(std::min(handlers_max, events.size()));
    const int count = room == 0 ? 0 : ::epoll_wait(set.native_handle(), events.data(), room, 0);
    std::size_t ran = 0;
    if (count > 0) on_wake();
    for (int at = 0; at < count && !(ran > 0 && enough()); ++at) {
      auto& watched = *static_cast<Watched*>(events[static_cast<std::size_t>(at)].data.ptr);
      ran += handle(watched, events[static_cast<std::size_t>(at)].events);
    }
    ended.clear();
    return ran;
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

 private:
  void set(bool& interest, bool to) {
    interest = to;
    state_.update(*watched_);
  }

  State& state_;
  WatchedPtr watched_;
};

Reactor::Reactor() : state_(std::make_unique<State>()) {}
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

void Reactor::on_signals(const std::vector<int>& numbers, std::function<void(int)> handler) {
  state_->on_signal = std::move(handler);
  state_->signals = std::make_unique<asio::signal_set>(state_->context);
  for (const int number : numbers) state_->signals->add(number);
  state_->wait_for_signal();
}

void Reactor::on_wake(Handler handler) { state_->on_wake = std::move(handler); }

std::size_t Reactor::run(std::chrono::steady_clock::time_point deadline, std::size_t handlers_max,
                         const std::function<bool()>& enough) {
  State& state = *state_;
  std::size_t ran = state.dispatch(handlers_max, enough);
  if (ran != 0) {
    if (++state.turns % kAsioEvery == 0) state.context.poll();
    return ran;
  }
  state.arm();
  // run_one_until looks at nothing when its time has passed.
  if (state.context.poll() == 0 && handlers_max != 0) state.context.run_one_until(deadline);
  return state.dispatch(handlers_max, enough);
}

}  // namespace warmpool::daemon
