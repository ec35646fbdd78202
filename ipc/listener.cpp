// The socket is made under a private name, gets its mode and starts to listen, and only then takes
// its public name by rename. So there is no moment in which a client finds nothing, is refused, or
// in which a stranger can connect: bind() makes the file with the mode of the socket's own inode,
// which fchmod() sets before, and the umask can only take from it (Source: unix_bind() in the
// kernel).
#include <cerrno>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/endpoint.hpp"
#include "ipc/unix_address.hpp"

namespace warmpool::ipc {
namespace {

constexpr char kNewName[] = "warmpool.sock.new";
constexpr int kBacklog = 4096;  // the kernel caps it at net.core.somaxconn

// A stale socket may be replaced; nothing else may.
Result<void> check_place(const RuntimeDirectory& directory, const char* name) {
  struct stat found {};
  if (::fstatat(directory.fd(), name, &found, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return system_error(EndpointFault::System, "cannot look at " + directory.path() + "/" + name,
                        errno);
  }
  if (S_ISSOCK(found.st_mode)) return {};
  return endpoint_error(EndpointFault::InTheWay,
                        directory.path() + "/" + name + " is in the way and no socket; remove it");
}

Result<void> bind_at(int fd, const RuntimeDirectory& directory) {
  auto address = unix_address(path_through(directory.fd(), kNewName));
  if (!address) return address.error();
  if (::bind(fd, address->get(), address->bytes) == 0) return {};
  const int failed = errno;
  // Without /proc: by the path itself, if it fits.
  if (failed == ENOENT) {
    auto direct = unix_address(directory.path() + "/" + kNewName);
    if (!direct) return direct.error();
    if (::bind(fd, direct->get(), direct->bytes) == 0) return {};
  }
  return system_error(EndpointFault::System,
                      "cannot make the socket " + directory.path() + "/" + kSocketName, errno);
}

// By name, in our own directory: a socket's file has another inode than its descriptor.
Result<void> set_rights(const RuntimeDirectory& directory) {
  const auto group = directory.group();
  const bool owned = !group || ::fchownat(directory.fd(), kNewName, static_cast<uid_t>(-1), *group,
                                          AT_SYMLINK_NOFOLLOW) == 0;
  if (owned && ::fchmodat(directory.fd(), kNewName, group ? 0660 : 0600, 0) == 0) return {};
  return system_error(EndpointFault::System, "cannot set owner and mode of the socket", errno);
}

Result<UniqueFd> make_listening(const RuntimeDirectory& directory) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return system_error(EndpointFault::System, "cannot make a socket", errno);
  if (::fchmod(fd.get(), 0600) != 0) {
    return system_error(EndpointFault::System, "cannot set the mode of a socket", errno);
  }
  if (auto free = check_place(directory, kNewName); !free) return free.error();
  ::unlinkat(directory.fd(), kNewName, 0);
  if (auto bound = bind_at(fd.get(), directory); !bound) return bound.error();
  if (auto set = set_rights(directory); !set) return set.error();
  if (::listen(fd.get(), kBacklog) != 0) {
    return system_error(EndpointFault::System, "cannot listen", errno);
  }
  return fd;
}

}  // namespace

Result<Listener> Listener::open(const RuntimeDirectory& directory, const RuntimeLock& lock) {
  REQUIRE(lock.fd() >= 0);
  if (auto free = check_place(directory, kSocketName); !free) return free.error();
  auto fd = make_listening(directory);
  if (!fd) return fd.error();
  Listener listener;
  listener.fd_ = std::move(*fd);
  listener.directory_.reset(::fcntl(directory.fd(), F_DUPFD_CLOEXEC, 3));
  listener.directory_path_ = directory.path();
  struct stat made {};
  if (!listener.directory_ ||
      ::fstatat(directory.fd(), kNewName, &made, AT_SYMLINK_NOFOLLOW) != 0 ||
      ::renameat(directory.fd(), kNewName, directory.fd(), kSocketName) != 0) {
    return system_error(EndpointFault::System, "cannot put the socket in its place", errno);
  }
  listener.device_ = made.st_dev;
  listener.inode_ = made.st_ino;
  return listener;
}

std::string Listener::path() const { return directory_path_ + "/" + kSocketName; }

bool Listener::still_ours() const {
  struct stat held {
  }, there{}, found{};
  return ::fstat(directory_.get(), &held) == 0 && ::lstat(directory_path_.c_str(), &there) == 0 &&
         held.st_dev == there.st_dev && held.st_ino == there.st_ino &&
         ::fstatat(directory_.get(), kSocketName, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
         found.st_dev == device_ && found.st_ino == inode_;
}

void Listener::remove() {
  if (still_ours()) ::unlinkat(directory_.get(), kSocketName, 0);
}

}  // namespace warmpool::ipc
