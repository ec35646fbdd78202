// Descriptors that travel beside the bytes of a Unix socket. Source: unix(7), SCM_RIGHTS.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <sys/types.h>
#include <sys/uio.h>
#include <vector>

#include "ipc/fd.hpp"

namespace warmpool::ipc {

// sendmsg and recvmsg with room for one descriptor; what they return and errno are theirs, SIGPIPE
// is not raised. Blocks: unless `flags` has MSG_DONTWAIT. Order: the descriptor comes with the
// first of the bytes that it was sent with. `fd` below 0: none. Its number stays open here.
ssize_t send_with_descriptor(int socket, std::span<iovec> pieces, int flags, int fd);
// `fd` is set when one came (close-on-exec) and it was empty; any other one is closed.
ssize_t receive_with_descriptor(int socket, std::span<std::byte> room, int flags, UniqueFd& fd);

inline constexpr std::size_t kDescriptorsMax = 4;
// Likewise with several, at most kDescriptorsMax (REQUIREd).
ssize_t send_with_descriptors(int socket, std::span<iovec> pieces, int flags,
                              std::span<const int> fds);
// Those that came, in order, into the first of `fds`, which are empty; beyond them they are closed.
ssize_t receive_with_descriptors(int socket, std::span<std::byte> room, int flags,
                                 std::span<UniqueFd> fds);

// Those that came and whose frames were not taken yet. Bounds: one for each read.
class CameDescriptors {
 public:
  // Of one message. `lost`: there was no room for one, and the kernel closed it.
  void add(std::span<UniqueFd> fds, bool lost);
  // That of the next frame that announces one. None: none came with it, or several. Empty: it was
  // lost.
  std::optional<UniqueFd> take();
  // Order: when all whole frames have been taken. False: one came that no frame announced, or
  // several came with one message.
  bool is_in_order(bool in_frame) const {
    return came_.size() <= (in_frame ? 1U : 0U) && !several_;
  }
  void clear() { came_.clear(); }

 private:
  std::vector<UniqueFd> came_;
  bool several_ = false;
};

// Likewise, into `came`.
ssize_t receive_with_descriptors(int socket, std::span<std::byte> room, int flags,
                                 CameDescriptors& came);

}  // namespace warmpool::ipc
