// There is room for more descriptors than one, so that those nobody asked for are seen and closed
// here; what does not even fit there the kernel closes.
#include "ipc/descriptor_passing.hpp"

#include <cstring>
#include <sys/socket.h>

namespace warmpool::ipc {
namespace {

constexpr std::size_t kRoomFor = 4;

void take_descriptors(msghdr& message, UniqueFd& fd) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(part) + i * sizeof number, sizeof number);
      UniqueFd came(number);
      if (!fd) fd = std::move(came);
    }
  }
}

}  // namespace

ssize_t send_with_descriptor(int socket, std::span<iovec> pieces, int flags, int fd) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(part), &fd, sizeof fd);
  }
  return ::sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

ssize_t receive_with_descriptor(int socket, std::span<std::byte> room, int flags, UniqueFd& fd) {
  alignas(cmsghdr) char control[CMSG_SPACE(kRoomFor * sizeof(int))] = {};
  iovec piece{room.data(), room.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t bytes = ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  if (bytes >= 0) take_descriptors(message, fd);
  return bytes;
}

}  // namespace warmpool::ipc
