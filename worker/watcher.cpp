// While it has the session it waits in one poll for all there is: the channel, the main thread that
// wants the session back, SIGTERM. A channel that ended is polled no more (it would be readable for
// ever), nor is SIGTERM once it is known.
#include "worker/watcher.hpp"

#include <algorithm>
#include <csignal>
#include <poll.h>
#include <pthread.h>

namespace warmpool::worker {

Watcher::Watcher(Baton& baton, Session& session, CancelSignal& cancel, HeldReport& held,
                 const Termination& termination)
    : baton_(baton),
      session_(session),
      cancel_(cancel),
      held_(held),
      termination_(termination),
      thread_([this] { run(); }) {}

Watcher::~Watcher() {
  baton_.quit();
  thread_.join();
}

void Watcher::run() {
  ::pthread_setname_np(::pthread_self(), "watcher");
  while (baton_.take()) {
    watch();
    baton_.give_back();
  }
}

void Watcher::say_late_progress() {
  const auto late = held_.due(HeldReport::Clock::now());
  if (!late) return;
  session_.report_progress(*late);
  session_.exchange();
}

// No longer than until the report that is held back is due.
int Watcher::wait_milliseconds(int at_most) const {
  const auto due = held_.due_at();
  if (due == HeldReport::Clock::time_point::max()) return at_most;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - HeldReport::Clock::now());
  const int in = std::max(0, static_cast<int>(left.count()));
  return at_most < 0 ? in : std::min(in, at_most);
}

void Watcher::watch() {
  // Answers of short tasks before this one may wait to be written.
  session_.exchange();
  while (!baton_.wanted()) {
    const bool terminated = termination_.requested();
    if (terminated && session_.registered()) {
      session_.leave();
    } else if (terminated) {
      cancel_.raise();
    }
    say_late_progress();
    const bool open = session_.open();
    const bool writes = open && session_.wants_write();
    const bool retries = open && session_.retry_at() != ipc::kNoDeadline;
    pollfd fds[] = {{baton_.wake_fd(), POLLIN, 0},
                    {terminated ? -1 : termination_.fd(), POLLIN, 0},
                    {open ? session_.read_fd() : -1, POLLIN, 0},
                    {writes ? session_.write_fd() : -1, POLLOUT, 0}};
    constexpr int kRetryMilliseconds = 10;
    const int ready = ::poll(fds, 4, wait_milliseconds(retries ? kRetryMilliseconds : -1));
    if (ready > 0 && fds[0].revents != 0) baton_.heard();
    if (ready < 0 || (ready == 0 && !retries)) continue;
    if (ready == 0 || fds[2].revents != 0 || fds[3].revents != 0) session_.exchange();
  }
}

}  // namespace warmpool::worker
