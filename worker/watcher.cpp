// While it has the session it waits in one poll for all there is: the channel, the main thread that
// wants the session back, SIGTERM. A channel that ended is polled no more (it would be readable for
// ever), nor is SIGTERM once it is known.
#include "worker/watcher.hpp"

#include <csignal>
#include <poll.h>
#include <pthread.h>

namespace warmpool::worker {

Watcher::Watcher(Baton& baton, Session& session, CancelSignal& cancel,
                 const Termination& termination)
    : baton_(baton), session_(session), cancel_(cancel), termination_(termination), thread_([this] {
        run();
      }) {}

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
    const bool open = session_.open();
    const bool writes = open && session_.wants_write();
    const bool retries = open && session_.retry_at() != ipc::kNoDeadline;
    pollfd fds[] = {{baton_.wake_fd(), POLLIN, 0},
                    {terminated ? -1 : termination_.fd(), POLLIN, 0},
                    {open ? session_.read_fd() : -1, POLLIN, 0},
                    {writes ? session_.write_fd() : -1, POLLOUT, 0}};
    constexpr int kRetryMilliseconds = 10;
    const int ready = ::poll(fds, 4, retries ? kRetryMilliseconds : -1);
    if (ready < 0 || (ready == 0 && !retries)) continue;
    if (ready == 0 || fds[2].revents != 0 || fds[3].revents != 0) session_.exchange();
  }
}

}  // namespace warmpool::worker
