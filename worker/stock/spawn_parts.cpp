#include "worker/stock/spawn_parts.hpp"

#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace warmpool::worker::stock {

using ipc::UniqueFd;

namespace {

Result<UniqueFd> above_standard(UniqueFd fd) {
  if (fd.get() > 2) return fd;
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!moved) return spawn_failure("cannot make a pipe", errno);
  return moved;
}

}  // namespace

Error spawn_failure(const std::string& what, int error) {
  return {error, what + ": " + std::strerror(error)};
}

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return spawn_failure("cannot make a pipe", errno);
  UniqueFd first(fds[0]), second(fds[1]);
  auto read_end = above_standard(std::move(first));
  if (!read_end) return read_end.error();
  auto write_end = above_standard(std::move(second));
  if (!write_end) return write_end.error();
  return Pipe{std::move(*read_end), std::move(*write_end)};
}

void unblock(const UniqueFd& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace warmpool::worker::stock
