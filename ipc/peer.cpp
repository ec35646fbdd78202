// The kernel is asked, never the peer and never the user database: SO_PEERGROUPS tells the groups
// that the process really had when it connected, without a look-up that could block.
#include "ipc/peer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <grp.h>
#include <sys/socket.h>

namespace warmpool::ipc {
namespace {

constexpr std::size_t kGroupsFirstTry = 64;

Error socket_error(const char* option) {
  const int number = errno;
  return {number,
          std::string("cannot ask who the peer is (") + option + "): " + std::strerror(number)};
}

bool ask_groups(int socket, std::vector<gid_t>& groups) {
  auto bytes = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  const bool good = ::getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &bytes) == 0;
  // With ERANGE `bytes` says how much is needed.
  if (good || errno == ERANGE) groups.resize(bytes / sizeof(gid_t));
  return good;
}

}  // namespace

Result<Peer> peer_of(int socket) {
  ucred credentials{};
  socklen_t bytes = sizeof credentials;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0) {
    return socket_error("SO_PEERCRED");
  }
  std::vector<gid_t> groups(kGroupsFirstTry);
  bool good = ask_groups(socket, groups);
  if (!good && errno == ERANGE) good = ask_groups(socket, groups);
  if (!good) return socket_error("SO_PEERGROUPS");
  return Peer{credentials.uid, credentials.gid, credentials.pid, std::move(groups)};
}

PeerKind RoleTable::kind_of(const Peer& peer) const {
  if (peer.uid == owner_) return PeerKind::Owner;
  if (peer.uid == 0) return PeerKind::Root;
  if (!group_) return PeerKind::Other;
  const bool is_member = peer.gid == *group_ || std::ranges::count(peer.groups, *group_) > 0;
  return is_member ? PeerKind::Group : PeerKind::Other;
}

Result<gid_t> find_group(const std::string& name) {
  group found{};
  group* result = nullptr;
  std::vector<char> buffer(16 * 1024);
  int failed = ERANGE;
  while (failed == ERANGE && buffer.size() <= (1U << 20)) {
    failed = ::getgrnam_r(name.c_str(), &found, buffer.data(), buffer.size(), &result);
    if (failed == ERANGE) buffer.resize(2 * buffer.size());
  }
  if (result != nullptr) return found.gr_gid;
  return Error{failed, "no group is named '" + name + "'; see: getent group"};
}

}  // namespace warmpool::ipc
