// A quiet connection reads into 4 KiB, one that fills it into 64 KiB: ten thousand quiet ones then
// cost 40 MiB and not 640.
#include "daemon/frame_stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <sys/socket.h>

namespace warmpool::daemon {

FrameStream::Read FrameStream::read(std::size_t limit) {
  const auto wanted = busy_ ? kReadBytesMax : reader_.bytes_wanted();
  const auto room = reader_.prepare(std::min(wanted, kReadBytesMax));
  const auto size = std::min({room.size(), kReadBytesMax, limit});
  ssize_t got = 0;
  do {
    got = ::recv(fd_.get(), room.data(), size, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got > 0) {
    busy_ = static_cast<std::size_t>(got) == size;
    reader_.commit(static_cast<std::size_t>(got));
    return Read::Some;
  }
  if (got < 0 && errno == EAGAIN) return Read::Nothing;
  return Read::Closed;
}

FrameStream::Written FrameStream::flush() {
  std::array<iovec, ipc::OutBuffer::kPiecesMax> pieces;
  while (!out_.empty()) {
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = out_.gather(pieces);
    const auto sent = ::sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return errno == EAGAIN ? Written::Blocked : Written::Closed;
    out_.consume(static_cast<std::size_t>(sent));
  }
  return Written::All;
}

}  // namespace warmpool::daemon
