// Asked when the configuration is read: a user database on the network may take seconds, and a
// wrong name is then refused with the rest of the configuration.
#include "daemon/process/identity.hpp"

#include <cerrno>
#include <cstring>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

namespace warmpool::daemon {
namespace {

constexpr int kGroupsMax = 1024;  // what warmpool-launch takes

Error refused(int code, const std::string& user, const std::string& why) {
  return Error{code, "cannot run workers as user " + user + ": " + why};
}

Result<std::vector<gid_t>> groups_of(const std::string& user, gid_t gid) {
  std::vector<gid_t> groups(kGroupsMax);
  int count = kGroupsMax;
  if (getgrouplist(user.c_str(), gid, groups.data(), &count) < 0) {
    return refused(E2BIG, user, "it is in more than 1024 groups; use another user");
  }
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

Result<void> may_become(const std::string& user, uid_t uid) {
  if (geteuid() == 0 || geteuid() == uid) return {};
  return refused(EPERM, user,
                 "warmpoold runs as uid " + std::to_string(geteuid()) +
                     " and is not root; leave `user` of the class empty, or start it as root");
}

}  // namespace

Result<Identity> find_identity(const std::string& user) {
  std::vector<char> buffer(1024);
  passwd entry{};
  passwd* found = nullptr;
  int error = 0;
  while ((error = getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found)) ==
         ERANGE) {
    buffer.resize(buffer.size() * 2);
  }
  if (error != 0) {
    return refused(error, user, std::string("the user database says: ") + strerrordesc_np(error));
  }
  if (found == nullptr) {
    return refused(ENOENT, user, "there is no such user; create it, or change `user` of the class");
  }
  if (auto allowed = may_become(user, entry.pw_uid); !allowed) return allowed.error();
  auto groups = groups_of(user, entry.pw_gid);
  if (!groups) return groups.error();
  return Identity{entry.pw_name, entry.pw_dir, entry.pw_shell, entry.pw_uid, entry.pw_gid, *groups};
}

}  // namespace warmpool::daemon
