// Made blocked and not blocked afterwards: a signal may come before the thread's first line.
#include "daemon/quiet_thread.hpp"

#include <csignal>
#include <pthread.h>
#include <utility>

namespace warmpool::daemon {

std::thread quiet_thread(const char* name, std::function<void()> run) {
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread made(std::move(run));
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::pthread_setname_np(made.native_handle(), name);
  return made;
}

}  // namespace warmpool::daemon
