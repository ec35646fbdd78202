// The place where a daemon is found: a directory of its own with a lock and a socket in it.
//
// Order: RuntimeDirectory, RuntimeLock, Listener; the lock must outlive the listener.
#pragma once

#include <optional>
#include <string>
#include <sys/stat.h>

#include "ipc/fd.hpp"
#include "pool/result.hpp"

namespace warmpool::ipc {

inline constexpr char kSocketName[] = "warmpool.sock";
inline constexpr char kLockName[] = "warmpool.lock";

// Error::code of everything here, so that a daemon can tell its exit status.
enum class EndpointFault : int {
  System = 1,         // errno is in the text
  NoParent = 2,       // the directory cannot be made: its parent is missing or not ours to write
  NotADirectory = 3,  // also: a symlink
  NotOurs = 4,        // the directory belongs to another user
  Unsafe = 5,         // the directory can be written by others
  LockTaken = 6,      // another daemon runs here
  InTheWay = 7,       // something that is no socket has the socket's name
  Unreachable = 8,    // (clients) nobody listens there
  Untrusted = 9,      // (clients) who listens there is neither this user nor root
  PathTooLong = 10,   // and /proc is not there to go around that
};

// What a directory is for, and the option that names another: for the texts of errors.
struct DirectoryUse {
  const char* noun;
  const char* option;
};
inline constexpr DirectoryUse kRuntimeUse{"runtime directory", "--runtime-dir"};
inline constexpr DirectoryUse kFifoUse{"directory of FIFOs", "--fifo-dir"};
inline constexpr DirectoryUse kStateUse{"state directory", "--state-dir"};
inline constexpr DirectoryUse kWorkUse{"root of workers' directories", "--directory-root"};

// A directory that only one user writes to. Also of what a daemon keeps (kStateUse).
class RuntimeDirectory {
 public:
  // Made with mode 0700 if it is missing (not its parents), else verified through its descriptor:
  // a directory, no symlink, owned by the effective user, not writable by group or others.
  // `group`: it becomes 0710 and of that group, so that members can reach the socket.
  static Result<RuntimeDirectory> open(std::string path, std::optional<gid_t> group = {},
                                       const DirectoryUse& use = kRuntimeUse);

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }  // absolute, without a slash at the end
  std::optional<gid_t> group() const { return group_; }
  const DirectoryUse& use() const { return use_; }
  // False when the path leads elsewhere by now.
  bool still_there() const;

 private:
  UniqueFd fd_;
  std::string path_;
  std::optional<gid_t> group_;
  DirectoryUse use_ = kRuntimeUse;
};

// Owns: the right to be the daemon of a directory, until it is destroyed or the process ends. The
// file stays; its text (a pid) is for people, nothing decides by it.
class RuntimeLock {
 public:
  // Blocks: for a second where another has it. Errors: LockTaken names the pid that the file tells.
  static Result<RuntimeLock> take(const RuntimeDirectory& directory);
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
};

class Listener {
 public:
  // Takes the place of a stale socket in one rename, listening and with its final mode: nobody
  // finds it missing, refusing or too open, whatever the umask. Mode 0600, or 0660 with a group.
  // Works for paths of any length. May be called again when still_ours() turns false.
  static Result<Listener> open(const RuntimeDirectory& directory, const RuntimeLock& lock);

  // Non-blocking, close-on-exec, accepting.
  int fd() const { return fd_.get(); }
  // Owns: from here on the caller does. still_ours() and remove() go on working.
  [[nodiscard]] int release_fd() { return fd_.release(); }
  std::string path() const;
  // False when the file was removed or replaced, or the directory was.
  bool still_ours() const;
  // Unlinks the file if it is still ours. The destructor does not.
  void remove();

 private:
  UniqueFd fd_, directory_;
  std::string directory_path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace warmpool::ipc
