// An eventfd and not a pipe: one descriptor, and it can never fill up.
// Source: eventfd(2); signal-safety(7) lists read and write.
#include "worker/event_fd.hpp"

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <sys/eventfd.h>

namespace warmpool::worker {

Result<EventFd> EventFd::make() {
  ipc::UniqueFd fd(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!fd) {
    return Error{errno, std::string("cannot make an event descriptor: ") + std::strerror(errno) +
                            "; raise the limit of open files (ulimit -n)"};
  }
  return EventFd(std::move(fd));
}

void EventFd::raise() const {
  const int saved = errno;
  const std::uint64_t one = 1;
  // Fails only when the counter is full: then it is raised already.
  [[maybe_unused]] const auto written = ::write(fd_.get(), &one, sizeof one);
  errno = saved;
}

void EventFd::clear() const {
  std::uint64_t count = 0;
  // Fails only when it is clear already.
  [[maybe_unused]] const auto got = ::read(fd_.get(), &count, sizeof count);
}

}  // namespace warmpool::worker
