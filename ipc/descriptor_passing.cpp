// There is room for more descriptors than are asked for, so that the others are seen and closed
// here; what does not even fit there the kernel closes.
#include "ipc/descriptor_passing.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <sys/socket.h>

#include "pool/require.hpp"

namespace warmpool::ipc {
namespace {

void take_descriptors(msghdr& message, std::span<UniqueFd> fds) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(part) + i * sizeof number, sizeof number);
      UniqueFd came(number);
      const auto free = std::ranges::find_if(fds, [](const UniqueFd& fd) { return !fd; });
      if (free != fds.end()) *free = std::move(came);
    }
  }
}

}  // namespace

ssize_t send_with_descriptors(int socket, std::span<iovec> pieces, int flags,
                              std::span<const int> fds) {
  REQUIRE(fds.size() <= kDescriptorsMax);
  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptorsMax * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = pieces.size();
  if (!fds.empty()) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* part = CMSG_FIRSTHDR(&message);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(part), fds.data(), fds.size_bytes());
  }
  return ::sendmsg(socket, &message, flags | MSG_NOSIGNAL);
}

namespace {

// A message with room for descriptors. Stays where it is made.
struct Incoming {
  Incoming(int socket, std::span<std::byte> room, int flags) : piece{room.data(), room.size()} {
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    bytes = ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  }
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;

  alignas(cmsghdr) char control[CMSG_SPACE(kDescriptorsMax * sizeof(int))];
  iovec piece;
  msghdr message{};
  ssize_t bytes;
};

}  // namespace

ssize_t receive_with_descriptors(int socket, std::span<std::byte> room, int flags,
                                 std::span<UniqueFd> fds) {
  Incoming incoming(socket, room, flags);
  if (incoming.bytes >= 0) take_descriptors(incoming.message, fds);
  return incoming.bytes;
}

void CameDescriptors::add(std::span<UniqueFd> fds, bool lost) {
  const auto count =
      static_cast<std::size_t>(std::ranges::count_if(fds, [](const auto& fd) { return bool(fd); }));
  if (count == 0 && !lost) return;
  several_ = several_ || count > 1 || (count == 1 && lost);
  came_.push_back(count == 0 ? UniqueFd() : std::move(fds.front()));
}

std::optional<UniqueFd> CameDescriptors::take() {
  if (came_.empty() || several_) return std::nullopt;
  auto first = std::move(came_.front());
  came_.erase(came_.begin());
  return first;
}

ssize_t receive_with_descriptors(int socket, std::span<std::byte> room, int flags,
                                 CameDescriptors& came) {
  Incoming incoming(socket, room, flags);
  if (incoming.bytes < 0) return incoming.bytes;
  const bool lost = (incoming.message.msg_flags & MSG_CTRUNC) != 0;
  if (incoming.message.msg_controllen == 0 && !lost) return incoming.bytes;
  std::array<UniqueFd, kDescriptorsMax> fds;
  take_descriptors(incoming.message, fds);
  came.add(fds, lost);
  return incoming.bytes;
}

ssize_t send_with_descriptor(int socket, std::span<iovec> pieces, int flags, int fd) {
  const int given[] = {fd};
  return send_with_descriptors(socket, pieces, flags,
                               fd >= 0 ? std::span<const int>(given) : std::span<const int>());
}

ssize_t receive_with_descriptor(int socket, std::span<std::byte> room, int flags, UniqueFd& fd) {
  return receive_with_descriptors(socket, room, flags, {&fd, 1});
}

}  // namespace warmpool::ipc
