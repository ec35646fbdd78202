// The board must lie in memory. A page of a file on a disk is written back now and then, and a
// store into it then waits until the disk is done: for the daemon's only thread that is a stall of
// seconds under load. Source: E. Jones, "The four month bug: JVM statistics cause garbage
// collection pauses" (2015), the same with the files of jvmstat in /tmp. So where the runtime
// directory is on a disk, the file lies in /dev/shm and the directory has a symlink to it.
//
// All its bytes are allocated at once: a store to a page that a full file system cannot give ends
// the process. Its mode allows nobody to write, its owner neither, so that it is not truncated
// under us by accident; our own descriptor was opened as it was made.
#include "daemon/board_file.hpp"

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "ipc/board_layout.hpp"

namespace warmpool::daemon {
namespace {

Error failed(const std::string& what) {
  const int code = errno;
  return {code, what + ": " + std::strerror(code)};
}

bool lies_in_memory(int fd) {
  struct statfs found {};
  return ::fstatfs(fd, &found) == 0 && (found.f_type == TMPFS_MAGIC || found.f_type == RAMFS_MAGIC);
}

std::string new_name(const std::string& name) { return name + ".new"; }

std::string our_prefix() { return "warmpool-" + std::to_string(::geteuid()) + "-"; }

// One name for each runtime directory that there is.
std::string name_outside(const struct stat& directory) {
  char place[64];
  std::snprintf(place, sizeof place, "%jx-%jx.board", static_cast<uintmax_t>(directory.st_dev),
                static_cast<uintmax_t>(directory.st_ino));
  return our_prefix() + place;
}

bool is_locked(int fd) {
  struct flock whole {};
  whole.l_type = F_RDLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_GETLK, &whole) != 0 || whole.l_type != F_UNLCK;
}

// A board of this user that nobody holds and that was made more than a day ago.
bool is_left_behind(int directory, const std::string& name) {
  constexpr std::time_t day_s = 86'400;
  const ipc::UniqueFd fd(
      ::openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat found {};
  return fd && ::fstat(fd.get(), &found) == 0 && S_ISREG(found.st_mode) &&
         found.st_uid == ::geteuid() && found.st_mtime + day_s < ::time(nullptr) &&
         !is_locked(fd.get());
}

// What killed daemons left in a directory that is not theirs, so that nothing piles up there. A
// younger one still says what its daemon did last.
void sweep_outside(const std::string& path, int directory) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(path, ignored)) {
    const std::string name = entry.path().filename();
    const bool ours = name.starts_with(our_prefix()) && name.ends_with(".board");
    if (ours && is_left_behind(directory, name)) ::unlinkat(directory, name.c_str(), 0);
  }
}

// Readers ask whether anybody holds it. It belongs to the open file and not to the process, and
// ends with the daemon however that ends. Source: fcntl(2), open file description locks.
bool lock_whole(int fd) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return ::fcntl(fd, F_OFD_SETLK, &whole) == 0;
}

}  // namespace

Result<void> BoardFile::choose_place() {
  name_ = ipc::kBoardName;
  if (lies_in_memory(place_->directory.get())) return {};
  struct stat directory {};
  if (::fstat(place_->directory.get(), &directory) != 0)
    return failed("cannot look at the directory");
  outside_.reset(::open(place_->memory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!outside_ || !lies_in_memory(outside_.get()) ||
      ::faccessat(outside_.get(), ".", W_OK, AT_EACCESS) != 0) {
    outside_.reset();
    in_memory_ = false;
    return {};
  }
  sweep_outside(place_->memory, outside_.get());
  name_ = name_outside(directory);
  outside_path_ = place_->memory + "/" + name_;
  return {};
}

Result<void> BoardFile::fill(std::size_t bytes) {
  const auto name = new_name(name_);
  ::unlinkat(directory(), name.c_str(), 0);
  const mode_t mode = place_->group ? 0440 : 0400;
  fd_.reset(::openat(directory(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                     mode));
  if (!fd_) return failed("cannot make " + name);
  const bool given =
      !place_->group || ::fchown(fd_.get(), static_cast<uid_t>(-1), *place_->group) == 0;
  if (!given || ::fchmod(fd_.get(), mode) != 0)
    return failed("cannot set group and mode of " + name);
  errno = ::posix_fallocate(fd_.get(), 0, static_cast<off_t>(bytes));
  if (errno != 0) return failed("cannot have " + std::to_string(bytes) + " bytes for " + name);
  if (!lock_whole(fd_.get())) return failed("cannot lock " + name);
  auto mapping = ipc::Mapping::of(fd_.get(), bytes, ipc::Mapping::Access::ReadWrite);
  if (!mapping) return mapping.error();
  mapping_ = std::move(*mapping);
  return {};
}

Result<BoardFile> BoardFile::make(const BoardPlace& place, std::size_t bytes) {
  BoardFile file;
  file.place_ = &place;
  if (auto chosen = file.choose_place(); !chosen) return chosen.error();
  if (auto filled = file.fill(bytes); !filled) {
    ::unlinkat(file.directory(), new_name(file.name_).c_str(), 0);
    return filled.error();
  }
  return file;
}

Result<void> BoardFile::publish() {
  struct stat made {};
  const auto name = new_name(name_);
  if (::fstat(fd_.get(), &made) != 0 ||
      ::renameat(directory(), name.c_str(), directory(), name_.c_str()) != 0) {
    return failed("cannot put the board in its place");
  }
  device_ = made.st_dev;
  inode_ = made.st_ino;
  if (!outside_) return {};
  const auto link = new_name(ipc::kBoardName);
  const int runtime = place_->directory.get();
  ::unlinkat(runtime, link.c_str(), 0);
  if (::symlinkat(outside_path_.c_str(), runtime, link.c_str()) != 0 ||
      ::renameat(runtime, link.c_str(), runtime, ipc::kBoardName) != 0) {
    return failed("cannot make the link to the board");
  }
  return {};
}

bool BoardFile::still_there() const {
  struct stat found {};
  return ::fstatat(place_->directory.get(), ipc::kBoardName, &found, 0) == 0 &&
         found.st_dev == device_ && found.st_ino == inode_;
}

void BoardFile::remove() {
  if (!still_there()) return;
  ::unlinkat(place_->directory.get(), ipc::kBoardName, 0);
  if (outside_) ::unlinkat(outside_.get(), name_.c_str(), 0);
}

}  // namespace warmpool::daemon
