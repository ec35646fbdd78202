// Source: socket(7), SO_SNDBUF: the kernel doubles it, for what it needs itself; fcntl(2),
// F_SETPIPE_SZ.
#include "ipc/send_room.hpp"

#include <fcntl.h>
#include <sys/socket.h>

namespace warmpool::ipc {

void SendRoom::widen(int fd) {
  wide_ = true;
  int has = 0;
  socklen_t bytes = sizeof has;
  if (::getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &has, &bytes) != 0) {
    ::fcntl(fd, F_SETPIPE_SZ, kWideBytes);
  } else if (has < kWideBytes) {
    const int half = kWideBytes / 2;
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &half, sizeof half);
  }
}

}  // namespace warmpool::ipc
