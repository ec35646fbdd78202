// A quiet connection reads into 4 KiB, one that fills it into 64 KiB: ten thousand quiet ones then
// cost 40 MiB and not 640.
//
// A read from a pipe says 0 both when its writers have gone and when none has come yet; poll()
// tells the two apart (ipc/fifo.cpp).
#include "daemon/frame_stream.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace warmpool::daemon {

namespace {

// Whether the writers of a pipe have been there and are gone.
bool hung_up(int fd) {
  pollfd looked{fd, POLLIN, 0};
  return ::poll(&looked, 1, 0) == 1 && (looked.revents & (POLLHUP | POLLERR)) != 0;
}

}  // namespace

ssize_t FrameStream::read_some(std::byte* room, std::size_t size) {
  if (keeps_descriptors_) {
    return ipc::receive_with_descriptors(fd_.get(), {room, size}, MSG_DONTWAIT, came_);
  }
  return over_pipes() ? ::read(fd_.get(), room, size) : ::recv(fd_.get(), room, size, MSG_DONTWAIT);
}

ssize_t FrameStream::write_some(iovec* pieces, std::size_t count) {
  if (over_pipes()) return ::writev(write_end_.get(), pieces, static_cast<int>(count));
  const int beside = to_send_ ? to_send_.get() : out_.beside();
  return ipc::send_with_descriptor(fd_.get(), {pieces, count}, MSG_DONTWAIT, beside);
}

FrameStream::Read FrameStream::read(std::size_t limit) {
  const auto most = reader_.in_large() ? kReadLargeBytesMax : kReadBytesMax;
  const auto wanted = busy_ && !reader_.in_large() ? most : reader_.bytes_wanted();
  const auto room = reader_.prepare(std::min(wanted, most));
  const auto size = std::min({room.size(), most, limit});
  ssize_t got = 0;
  do {
    got = read_some(room.data(), size);
  } while (got < 0 && errno == EINTR);
  if (got > 0) {
    busy_ = static_cast<std::size_t>(got) == size;
    reader_.commit(static_cast<std::size_t>(got));
    return Read::Some;
  }
  if (got < 0 && errno == EAGAIN) return Read::Nothing;
  if (got == 0 && over_pipes() && !hung_up(fd_.get())) return Read::Nothing;
  return Read::Closed;
}

void FrameStream::send_descriptor(ipc::UniqueFd fd) {
  REQUIRE(out_.empty() && !over_pipes());
  to_send_ = std::move(fd);
}

FrameStream::Written FrameStream::flush() {
  std::array<iovec, ipc::OutBuffer::kPiecesMax> pieces;
  room_.fit(write_fd(), out_.bytes());
  while (!out_.empty()) {
    if (!out_.load()) return Written::Unreadable;
    const auto sent = write_some(pieces.data(), out_.gather(pieces));
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) return Written::Blocked;
    // To peers that have not read yet, of all processes of this user: a watch would fire at once.
    if (sent < 0 && errno == ETOOMANYREFS) return Written::Later;
    if (sent < 0) return Written::Closed;
    to_send_.reset();
    out_.consume(static_cast<std::size_t>(sent));
  }
  return Written::All;
}

}  // namespace warmpool::daemon
