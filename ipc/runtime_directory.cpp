// Everything is judged by descriptor: a path may lead elsewhere between two looks. What is in the
// directory can then only be changed by its owner, which is what lock and socket stand on.
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <filesystem>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/endpoint.hpp"
#include "ipc/unix_address.hpp"

namespace warmpool::ipc {
namespace {

constexpr mode_t kOthersMayWrite = 0022;
constexpr mode_t kGroupMayEnter = 0010;

// "the runtime directory /run/x"
std::string the(const DirectoryUse& use, const std::string& path) {
  return std::string("the ") + use.noun + " " + path;
}

std::string choose_another(const DirectoryUse& use) {
  return std::string("choose another with ") + use.option;
}

// Without slashes at the end: with one, O_NOFOLLOW would follow.
Result<std::string> clean_path(const std::string& path, const DirectoryUse& use) {
  if (path.empty() || path.find('\0') != path.npos) {
    return endpoint_error(EndpointFault::NotADirectory,
                          std::string("the path of the ") + use.noun + " is empty");
  }
  std::error_code failed;
  std::string absolute = std::filesystem::absolute(path, failed).string();
  if (failed) {
    return system_error(EndpointFault::NoParent, "cannot tell where '" + path + "' is",
                        failed.value());
  }
  while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();
  return absolute;
}

Result<bool> make_if_missing(const std::string& path, const DirectoryUse& use) {
  if (::mkdir(path.c_str(), 0700) == 0) return true;
  const int failed = errno;
  if (failed == EEXIST) return false;
  return system_error(
      EndpointFault::NoParent,
      "cannot make " + the(use, path) + " (make its parent, or " + choose_another(use) + ")",
      failed);
}

// A strict umask may have taken our own rights from what we made, so that it cannot even be opened.
// The descriptor that chmod goes through cannot be exchanged for another directory.
void give_ourselves_rights(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat found {};
  if (!fd || ::fstat(fd.get(), &found) != 0 || found.st_uid != ::geteuid()) return;
  // If it fails, opening it says so.
  (void)!::chmod(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), 0700);
}

Result<UniqueFd> open_directory(const std::string& path, const DirectoryUse& use) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd) return fd;
  const int failed = errno;
  if (failed == ENOTDIR || failed == ELOOP) {
    return endpoint_error(
        EndpointFault::NotADirectory,
        the(use, path) + " is a symlink or no directory; remove it or choose another");
  }
  const auto fault = failed == EACCES ? EndpointFault::NotOurs : EndpointFault::System;
  return system_error(fault, "cannot open " + the(use, path), failed);
}

Result<void> verify(const struct stat& found, const std::string& path, const DirectoryUse& use) {
  if (found.st_uid != ::geteuid()) {
    return endpoint_error(EndpointFault::NotOurs,
                          the(use, path) + " belongs to user " + std::to_string(found.st_uid) +
                              ", this is user " + std::to_string(::geteuid()) + "; " +
                              choose_another(use));
  }
  if ((found.st_mode & kOthersMayWrite) != 0) {
    return endpoint_error(EndpointFault::Unsafe,
                          "others may write to " + the(use, path) + "; " + choose_another(use) +
                              ", or, if nobody else needs it: chmod go-w " + path);
  }
  return {};
}

Result<void> open_to_group(int fd, const std::string& path, const struct stat& found, gid_t group) {
  const mode_t mode = (found.st_mode & 07777) | kGroupMayEnter;
  const bool changed = found.st_gid == group || ::fchown(fd, static_cast<uid_t>(-1), group) == 0;
  if (changed && ::fchmod(fd, mode) == 0) return {};
  return system_error(EndpointFault::System,
                      "cannot give the runtime directory " + path + " to group " +
                          std::to_string(group) +
                          " (only a member of it may, or root; see socket_group)",
                      errno);
}

// What the file tells, for people.
long holder_of(int fd) {
  char text[32];
  const ssize_t bytes = ::pread(fd, text, sizeof text, 0);
  long pid = 0;
  if (bytes > 0) std::from_chars(text, text + bytes, pid);
  return pid;
}

Error lock_taken(int fd, const RuntimeDirectory& directory) {
  const long pid = holder_of(fd);
  const auto others = choose_another(directory.use());
  if (pid == ::getpid()) {
    return {static_cast<int>(EndpointFault::LockTaken),
            "this daemon has " + directory.path() + " for something else already, and its " +
                directory.use().noun + " is to be one of its own; " + others};
  }
  const auto who = pid > 0 ? " (pid " + std::to_string(pid) + ")" : "";
  return {static_cast<int>(EndpointFault::LockTaken),
          "another warmpoold" + who + " runs in " + directory.path() +
              "; stop it with: warmpool stop, or " + others};
}

void write_holder(int fd) {
  const std::string text = std::to_string(::getpid()) + "\n";
  // For people only: a full disk must not keep the daemon from starting.
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, text.data(), text.size(), 0) < 0) return;
}

// A child of a daemon that was killed holds its descriptors until it has become its own program:
// some milliseconds, under load many more. Returns false with errno.
bool lock_patiently(int fd) {
  constexpr int tries = 50, pause_ms = 20;
  for (int tried = 1; ::flock(fd, LOCK_EX | LOCK_NB) != 0; ++tried) {
    if (errno != EWOULDBLOCK || tried == tries) return false;
    ::poll(nullptr, 0, pause_ms);
  }
  return true;
}

}  // namespace

Result<RuntimeDirectory> RuntimeDirectory::open(std::string path, std::optional<gid_t> group,
                                                const DirectoryUse& use) {
  auto clean = clean_path(path, use);
  if (!clean) return clean.error();
  auto made = make_if_missing(*clean, use);
  if (!made) return made.error();
  if (*made) give_ourselves_rights(*clean);
  auto fd = open_directory(*clean, use);
  if (!fd) return fd.error();
  struct stat found {};
  if (::fstat(fd->get(), &found) != 0) {
    return system_error(EndpointFault::System, "cannot look at " + *clean, errno);
  }
  if (auto good = verify(found, *clean, use); !good) return good.error();
  if (group) {
    if (auto good = open_to_group(fd->get(), *clean, found, *group); !good) return good.error();
  }
  RuntimeDirectory directory;
  directory.fd_ = std::move(*fd);
  directory.path_ = std::move(*clean);
  directory.group_ = group;
  directory.use_ = use;
  return directory;
}

bool RuntimeDirectory::still_there() const {
  struct stat held {
  }, found{};
  return ::fstat(fd_.get(), &held) == 0 && ::lstat(path_.c_str(), &found) == 0 &&
         held.st_dev == found.st_dev && held.st_ino == found.st_ino;
}

Result<RuntimeLock> RuntimeLock::take(const RuntimeDirectory& directory) {
  const std::string path = directory.path() + "/" + kLockName;
  RuntimeLock lock;
  lock.fd_.reset(::openat(directory.fd(), kLockName,
                          O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!lock.fd_) return system_error(EndpointFault::System, "cannot open " + path, errno);
  if (!lock_patiently(lock.fd())) {
    const int failed = errno;
    if (failed != EWOULDBLOCK)
      return system_error(EndpointFault::System, "cannot lock " + path, failed);
    return lock_taken(lock.fd(), directory);
  }
  struct stat held {
  }, found{};
  const bool current = ::fstat(lock.fd(), &held) == 0 &&
                       ::fstatat(directory.fd(), kLockName, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
                       held.st_ino == found.st_ino && held.st_dev == found.st_dev;
  if (!current || !S_ISREG(held.st_mode)) {
    return endpoint_error(EndpointFault::LockTaken, path + " was exchanged meanwhile; start again");
  }
  if (::fchmod(lock.fd(), 0600) == 0) write_holder(lock.fd());
  return lock;
}

}  // namespace warmpool::ipc
