// A handler and not a signalfd: that needs SIGTERM blocked, every child would inherit the mask, and
// a program started by a handler could not be ended politely. SA_RESTART, so that no system call of
// a handler fails with EINTR.
//
// The mutable globals of this folder: a signal handler has no other way to its data. It may run on
// any thread, also while the destructor does: `inside` counts those that may still use the event.
#include "worker/termination.hpp"

#include <atomic>
#include <thread>

#include "pool/require.hpp"

namespace warmpool::worker {
namespace {

std::atomic<const EventFd*> receiver{nullptr};
std::atomic<bool> received{false};
std::atomic<int> inside{0};
static_assert(std::atomic<const EventFd*>::is_always_lock_free);

extern "C" void on_term(int) {
  inside.fetch_add(1);
  received.store(true);
  if (const EventFd* event = receiver.load()) event->raise();
  inside.fetch_sub(1);
}

}  // namespace

Termination::Termination(EventFd event) : event_(std::move(event)) {
  const EventFd* none = nullptr;
  REQUIRE(receiver.compare_exchange_strong(none, &event_));
  received.store(false);
  struct sigaction action {};
  action.sa_handler = on_term;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  REQUIRE(::sigaction(SIGTERM, &action, &before_) == 0);
}

Termination::~Termination() {
  ::sigaction(SIGTERM, &before_, nullptr);
  receiver.store(nullptr);
  while (inside.load() != 0) std::this_thread::yield();
}

bool Termination::requested() const { return received.load(std::memory_order_relaxed); }

}  // namespace warmpool::worker
