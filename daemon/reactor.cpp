// Readiness (async_wait) and not completion (async_read): a connection that waits needs no buffer,
// so ten thousand of them cost no memory, and the reader may read straight into its own. A wait
// with a deadline is a timeout of epoll_wait, so a turn makes no system call for timers.
#include "daemon/reactor.hpp"

#include "ipc/asio.hpp"

namespace warmpool::daemon {

namespace asio = ipc::asio;

struct Reactor::State {
  asio::io_context context{1};  // one thread: no locks
  asio::executor_work_guard<asio::io_context::executor_type> work = asio::make_work_guard(context);
  std::unique_ptr<asio::signal_set> signals;
  std::function<void(int)> on_signal;

  void wait_for_signal() {
    signals->async_wait([this](const ipc::error_code& error, int number) {
      if (error) return;
      on_signal(number);
      wait_for_signal();
    });
  }
};

class Reactor::AsioWatch : public Watch {
 public:
  AsioWatch(asio::io_context& context, int fd, Handler readable, Handler writable)
      : shared_(std::make_shared<Shared>(context, fd, std::move(readable), std::move(writable))) {}
  ~AsioWatch() override {
    shared_->alive = false;
    shared_->descriptor.release();  // cancels what waits
  }
  void start_reading() override {
    if (shared_->reading) return;
    shared_->reading = true;
    if (!shared_->read_pending) wait_read(shared_);
  }
  void stop_reading() override { shared_->reading = false; }
  void want_write() override {
    if (!shared_->write_pending) wait_write(shared_);
  }

 private:
  // Lives on in handlers that are on their way when the watch ends.
  struct Shared {
    Shared(asio::io_context& context, int fd, Handler on_readable, Handler on_writable)
        : descriptor(context, fd),
          readable(std::move(on_readable)),
          writable(std::move(on_writable)) {}
    asio::posix::stream_descriptor descriptor;
    Handler readable, writable;
    bool alive = true, reading = false, read_pending = false, write_pending = false;
  };
  using Ptr = std::shared_ptr<Shared>;

  static void wait_read(const Ptr& shared) {
    shared->read_pending = true;
    shared->descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                                  [shared](const ipc::error_code& error) {
                                    shared->read_pending = false;
                                    if (error || !shared->alive || !shared->reading) return;
                                    shared->readable();
                                    if (shared->alive && shared->reading && !shared->read_pending)
                                      wait_read(shared);
                                  });
  }
  static void wait_write(const Ptr& shared) {
    shared->write_pending = true;
    shared->descriptor.async_wait(asio::posix::stream_descriptor::wait_write,
                                  [shared](const ipc::error_code& error) {
                                    shared->write_pending = false;
                                    if (!error && shared->alive) shared->writable();
                                  });
  }

  Ptr shared_;
};

Reactor::Reactor() : state_(std::make_unique<State>()) {}
Reactor::~Reactor() = default;

std::unique_ptr<Watch> Reactor::watch(int fd, Handler readable, Handler writable) {
  try {
    return std::make_unique<AsioWatch>(state_->context, fd, std::move(readable),
                                       std::move(writable));
  } catch (const boost::system::system_error&) {
    return nullptr;
  }
}

void Reactor::on_signals(const std::vector<int>& numbers, std::function<void(int)> handler) {
  state_->on_signal = std::move(handler);
  state_->signals = std::make_unique<asio::signal_set>(state_->context);
  for (const int number : numbers) state_->signals->add(number);
  state_->wait_for_signal();
}

std::size_t Reactor::run(std::chrono::steady_clock::time_point deadline, std::size_t handlers_max,
                         const std::function<bool()>& enough) {
  // run_one_until looks at nothing when its time has passed.
  std::size_t ran = state_->context.poll_one();
  if (ran == 0 && handlers_max != 0) ran = state_->context.run_one_until(deadline);
  if (ran == 0) return 0;
  while (ran < handlers_max && !enough() && state_->context.poll_one() != 0) ++ran;
  return ran;
}

}  // namespace warmpool::daemon
