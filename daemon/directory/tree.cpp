// By descriptors and single names, so that a name which is exchanged for a symlink meanwhile leads
// nowhere. A level takes a descriptor; where there are too many, what lies deeper is moved up and
// removed after. Source: openat2(2): RESOLVE_NO_XDEV also stops at bind mounts, which the number
// of the device does not tell.
#include "daemon/directory/tree.hpp"

#include <cerrno>
#include <cstring>
#include <deque>
#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <memory>
#include <string_view>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ipc/fd.hpp"

namespace warmpool::daemon {
namespace {

constexpr int kDepthMax = 32, kMeasuredDepthMax = 256;
// Entries that come while a directory is read are seen at the latest then.
constexpr int kPassesMax = 3;

ipc::UniqueFd open_in(int parent, const char* name, std::uint64_t flags) {
  open_how how{};
  how.flags = flags | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
  return ipc::UniqueFd(static_cast<int>(::syscall(SYS_openat2, parent, name, &how, sizeof how)));
}

// Root may do anything; others may be kept out of what is their own, and give themselves the right.
void give_rights(int parent, const char* name) {
  if (::geteuid() == 0) return;
  const auto fd = open_in(parent, name, O_PATH | O_DIRECTORY);
  if (!fd) return;
  (void)!::chmod(("/proc/self/fd/" + std::to_string(fd.get())).c_str(), 0700);
}

ipc::UniqueFd open_directory(int parent, const char* name) {
  auto fd = open_in(parent, name, O_RDONLY | O_DIRECTORY);
  if (fd || errno != EACCES) return fd;
  give_rights(parent, name);
  return open_in(parent, name, O_RDONLY | O_DIRECTORY);
}

struct Close {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Listing = std::unique_ptr<DIR, Close>;

Listing list(ipc::UniqueFd fd) {
  Listing listing(::fdopendir(fd.get()));
  if (listing) (void)fd.release();
  return listing;
}

bool is_entry(const dirent& entry) {
  const std::string_view name(entry.d_name);
  return name != "." && name != "..";
}

std::string reason_of(int error) {
  if (error == EXDEV || error == EBUSY) return "something is mounted there; unmount it";
  if (error == EPERM) return "the kernel does not permit it (chattr -i makes it mutable again)";
  return std::strerror(error);
}

class Remover {
 public:
  Remover(int top, std::string path, const std::atomic<bool>& stop)
      : top_(top), path_(std::move(path)), stop_(stop) {}

  TreeRemoval run(const std::string& name) {
    deep_.push_back(name);
    while (!deep_.empty() && !stop_) {
      const auto next = std::move(deep_.front());
      deep_.pop_front();
      remove(top_, next.c_str(), path_ + "/" + next, 0);
    }
    return std::move(removal_);
  }

 private:
  void remove(int parent, const char* name, const std::string& path, int depth) {
    if (stop_) return;
    if (::unlinkat(parent, name, 0) == 0) {
      ++removal_.removed;
      return;
    }
    if (errno == ENOENT) return;
    if (errno != EISDIR) return note(path, errno);
    if (depth >= kDepthMax) return move_up(parent, name, path);
    empty(parent, name, path, depth);
    if (stop_) return;
    if (::unlinkat(parent, name, AT_REMOVEDIR) == 0) {
      ++removal_.removed;
    } else if (errno != ENOENT) {
      note(path, errno);
    }
  }

  void empty(int parent, const char* name, const std::string& path, int depth) {
    auto opened = open_directory(parent, name);
    if (!opened) return note(path, errno);
    if (::geteuid() != 0) (void)!::fchmod(opened.get(), 0700);
    const auto listing = list(std::move(opened));
    if (!listing) return note(path, errno);
    const int fd = ::dirfd(listing.get());
    for (int pass = 0; pass < kPassesMax; ++pass) {
      bool any = false;
      const auto left_before = removal_.left;
      while (const auto* entry = ::readdir(listing.get())) {
        if (!is_entry(*entry)) continue;
        any = true;
        remove(fd, entry->d_name, path + "/" + entry->d_name, depth + 1);
        if (stop_) return;
      }
      if (!any || removal_.left != left_before) return;
      ::rewinddir(listing.get());
    }
  }

  void move_up(int parent, const char* name, const std::string& path) {
    const auto fresh = ".deep." + std::to_string(::getpid()) + "." + std::to_string(++moved_);
    if (::renameat(parent, name, top_, fresh.c_str()) != 0) return note(path, errno);
    deep_.push_back(fresh);
  }

  // A directory that is not empty because of what was left in it is not told again.
  void note(const std::string& path, int error) {
    ++removal_.left;
    if (removal_.fault.empty()) removal_.fault = path + ": " + reason_of(error);
  }

  int top_;
  std::string path_;
  const std::atomic<bool>& stop_;
  std::deque<std::string> deep_;  // in `top_`
  std::uint64_t moved_ = 0;
  TreeRemoval removal_;
};

constexpr std::uint64_t kBlockBytes = 512;  // stat(2): of st_blocks

Result<std::uint64_t> bytes_in(ipc::UniqueFd opened, const std::string& path, int depth,
                               const std::atomic<bool>& stop) {
  std::uint64_t bytes = 0;
  const auto listing = list(std::move(opened));
  if (!listing) return Error{errno, path + ": " + std::strerror(errno)};
  const int fd = ::dirfd(listing.get());
  while (const auto* entry = stop ? nullptr : ::readdir(listing.get())) {
    if (!is_entry(*entry)) continue;
    struct stat found {};
    if (::fstatat(fd, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) continue;  // gone
    bytes += static_cast<std::uint64_t>(found.st_blocks) * kBlockBytes;
    if (!S_ISDIR(found.st_mode)) continue;
    const auto inner = path + "/" + entry->d_name;
    if (depth >= kMeasuredDepthMax) return Error{ELOOP, inner + ": is nested too deep"};
    auto below = open_in(fd, entry->d_name, O_RDONLY | O_DIRECTORY);
    if (!below && (errno == ENOENT || errno == EXDEV)) continue;
    if (!below) return Error{errno, inner + ": " + std::strerror(errno)};
    auto more = bytes_in(std::move(below), inner, depth + 1, stop);
    if (!more) return more;
    bytes += *more;
  }
  return bytes;
}

}  // namespace

TreeRemoval remove_tree(int parent, const std::string& path, const std::string& name,
                        const std::atomic<bool>& stop) {
  return Remover(parent, path, stop).run(name);
}

Result<std::uint64_t> tree_bytes(const std::string& path, const std::atomic<bool>& stop) {
  ipc::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return Error{errno, path + ": " + std::strerror(errno)};
  return bytes_in(std::move(fd), path, 0, stop);
}

}  // namespace warmpool::daemon
