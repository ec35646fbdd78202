// Whom a worker runs as: looked up once, when the configuration is read, never at a spawn.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "pool/result.hpp"

namespace warmpool::daemon {

struct Identity {
  std::string name, home, shell;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // all of them, with gid
};

// Blocks: on the machine's user database, which may be on the network. Not for the loop.
// Errors: ENOENT for a user that does not exist, EPERM where this process may not become that user
//   (it is neither root nor that user), else errno; the text says what to do.
Result<Identity> find_identity(const std::string& user);

}  // namespace warmpool::daemon
