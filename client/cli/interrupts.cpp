// signalfd and not a handler: nothing happens between two lines of a loop, and no flag is global.
#include "client/cli/interrupts.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

namespace warmpool::cli {

Interrupts::Interrupts() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  fd_.reset(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
}

Interrupts::~Interrupts() {
  // What came and was not taken has been answered by the end of the command.
  while (take()) {
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool Interrupts::take() {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return false;
  ++count_;
  return true;
}

}  // namespace warmpool::cli
