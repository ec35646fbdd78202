// Who is at the other end of a Unix socket, and what they may do.
#pragma once

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "ipc/verb.hpp"
#include "pool/result.hpp"

namespace warmpool::ipc {

struct Peer {
  uid_t uid;
  gid_t gid;
  pid_t pid;                  // when it connected; for people only
  std::vector<gid_t> groups;  // supplementary
};

// What the kernel knew at connect() (or socketpair()). Bounds: 65,536 groups, as the kernel's.
// Source: unix(7), SO_PEERCRED; socket(7), SO_PEERGROUPS: no user database is asked.
Result<Peer> peer_of(int socket);

// Columns of the role table.
enum class PeerKind : std::uint8_t { Owner, Root, Group, Other };
// Own: only tasks that the same user submitted.
enum class Grant : std::uint8_t { No, Own, Yes };

// The whole table: owner and root may do all; members of the group submit, read, and cancel what
// is theirs; others nothing.
constexpr Grant grant_of(PeerKind kind, Right right) {
  if (kind == PeerKind::Owner || kind == PeerKind::Root) return Grant::Yes;
  if (kind == PeerKind::Other) return Grant::No;
  switch (right) {
    case Right::Submit:
    case Right::Read:
      return Grant::Yes;
    case Right::Cancel:
      return Grant::Own;
    case Right::Control:
    case Right::Shutdown:
      break;
  }
  return Grant::No;
}

class RoleTable {
 public:
  // `owner`: the user of the daemon. `group`: option socket_group, if set.
  RoleTable(uid_t owner, std::optional<gid_t> group) : owner_(owner), group_(group) {}

  // Order: keep the answer for the life of the connection.
  PeerKind kind_of(const Peer& peer) const;

 private:
  uid_t owner_;
  std::optional<gid_t> group_;
};

// Errors: no such group.
Result<gid_t> find_group(const std::string& name);

}  // namespace warmpool::ipc
