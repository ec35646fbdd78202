// Descriptors that travel beside the bytes of a Unix socket. Source: unix(7), SCM_RIGHTS.
#pragma once

#include <cstddef>
#include <span>
#include <sys/types.h>
#include <sys/uio.h>

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

}  // namespace warmpool::ipc
