// The descriptors belong to the shell as well, so they are never made non-blocking: a pipe that
// poll calls writable takes PIPE_BUF bytes without blocking (Source: pipe(7)), and a file any.
#include "client/cli/output.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace warmpool::cli {

namespace {

constexpr std::size_t kGatherBytes = 64U << 10;

bool is_regular(int fd) {
  struct stat found {};
  return ::fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
}

}  // namespace

Output::Output(int fd) : fd_(fd), is_terminal_(::isatty(fd) == 1), may_block_(!is_regular(fd)) {}

void Output::write(std::string_view text) {
  pending_ += text;
  if (pending() >= kGatherBytes) flush();
}

void Output::flush() {
  while (pending() > 0 && error_ == 0) {
    if (write_once(pending())) continue;
    pollfd polled{fd_, POLLOUT, 0};
    ::poll(&polled, 1, -1);
  }
}

void Output::write_some() {
  if (pending() > 0) write_once(may_block_ ? std::size_t{PIPE_BUF} : pending());
}

// False: it would block.
bool Output::write_once(std::size_t bytes_max) {
  const ssize_t written =
      error_ != 0 ? static_cast<ssize_t>(pending())
                  : ::write(fd_, pending_.data() + begin_, std::min(bytes_max, pending()));
  if (written < 0 && (errno == EAGAIN || errno == EINTR)) return errno == EINTR;
  if (written < 0) error_ = errno;
  begin_ = written < 0 ? pending_.size() : begin_ + static_cast<std::size_t>(written);
  if (begin_ == pending_.size()) {
    pending_.clear();
    begin_ = 0;
  } else if (begin_ >= kGatherBytes) {
    pending_.erase(0, begin_);
    begin_ = 0;
  }
  return true;
}

}  // namespace warmpool::cli
