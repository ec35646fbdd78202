// A handler and not a signalfd: that needs SIGTERM blocked, every child would inherit the mask, and
// a program started by a handler could not be ended politely. SA_RESTART, so that no system call of
// a handler fails with EINTR.
//
// The one mutable global of this folder: a signal handler has no other way to its data.
#include "worker/termination.hpp"

#include <atomic>

#include "pool/require.hpp"

namespace warmpool::worker {
namespace {

std::atomic<const EventFd*> receiver{nullptr};
std::atomic<bool> received{false};
static_assert(std::atomic<const EventFd*>::is_always_lock_free);

extern "C" void on_term(int) {
  received.store(true);
  if (const EventFd* event = receiver.load()) event->raise();
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
}

bool Termination::requested() const { return received.load(std::memory_order_relaxed); }

}  // namespace warmpool::worker
