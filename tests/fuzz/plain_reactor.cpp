// The daemon's reactor without Asio, which clang 14 cannot compile, and without waiting: time is
// the fuzzer's, so what is not ready now never will be.
#include <algorithm>
#include <array>
#include <poll.h>

#include "daemon/reactor.hpp"

namespace warmpool::daemon {

struct Reactor::State {
  struct Watched {
    int fd = -1;
    Handler readable, writable;
    bool reading = false, writing = false;
  };
  std::vector<std::shared_ptr<Watched>> all;
};

class Reactor::EpollWatch : public Watch {
 public:
  EpollWatch(State& state, std::shared_ptr<State::Watched> watched)
      : state_(state), watched_(std::move(watched)) {}
  ~EpollWatch() override {
    watched_->reading = watched_->writing = false;
    std::erase(state_.all, watched_);
  }
  void start_reading() override { watched_->reading = true; }
  void stop_reading() override { watched_->reading = false; }
  void want_write() override { watched_->writing = true; }

 private:
  State& state_;
  std::shared_ptr<State::Watched> watched_;
};

Reactor::Reactor() : state_(std::make_unique<State>()) {}
Reactor::~Reactor() = default;

std::unique_ptr<Watch> Reactor::watch(int fd, Handler readable, Handler writable) {
  auto watched = std::make_shared<State::Watched>();
  watched->fd = fd;
  watched->readable = std::move(readable);
  watched->writable = std::move(writable);
  state_->all.push_back(watched);
  return std::make_unique<EpollWatch>(*state_, std::move(watched));
}

Result<void> Reactor::on_signals(const std::vector<int>&, std::function<void(int)>) { return {}; }

void Reactor::on_wake(Handler) {}

std::size_t Reactor::run(std::chrono::steady_clock::time_point, std::size_t handlers_max,
                         const std::function<bool()>& enough, Duration) {
  const auto all = state_->all;  // a handler may end watches, its own too
  std::vector<pollfd> polled;
  for (const auto& watched : all) {
    const int events = (watched->reading ? POLLIN : 0) | (watched->writing ? POLLOUT : 0);
    polled.push_back({events == 0 ? -1 : watched->fd, static_cast<short>(events), 0});
  }
  ::poll(polled.data(), polled.size(), 0);
  std::size_t ran = 0;
  for (std::size_t at = 0; at < all.size() && ran < handlers_max && !enough(); ++at) {
    const auto& watched = all[at];
    if (watched->reading && (polled[at].revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
      watched->readable();
      ++ran;
    }
    if (watched->writing && (polled[at].revents & (POLLOUT | POLLHUP | POLLERR)) != 0) {
      watched->writing = false;
      watched->writable();
      ++ran;
    }
  }
  return ran;
}

}  // namespace warmpool::daemon
