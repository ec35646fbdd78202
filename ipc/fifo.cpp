// O_NONBLOCK makes every open return at once: for reading without a writer, for writing with ENXIO.
// A path is never judged before it is open, because it may lead elsewhere a moment later.
//
// What Linux does with an end that is read (Source: fs/pipe.c, fifo_open and pipe_poll): with
// O_NONBLOCK and no writer yet, read() says 0 and poll() says nothing; POLLHUP comes only once a
// writer has been there and has gone. So a reader that waits for readiness sees no end before the
// worker has opened; FrameStream asks poll() where a read says 0.
#include "ipc/fifo.hpp"

#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

namespace warmpool::ipc {
namespace {

constexpr char kPrefix[] = "fifo.";
constexpr char kIn[] = ".in";
constexpr char kOut[] = ".out";

Error fifo_error(int code, const std::string& path, const std::string& what) {
  return {code, path + ": " + what};
}

Error cannot_open(int code, const std::string& path) {
  if (code == ELOOP) return fifo_error(code, path, "is a symlink and no FIFO");
  if (code == ENXIO) return fifo_error(code, path, "nobody has this FIFO open for reading");
  return fifo_error(code, path, std::string("cannot be opened: ") + std::strerror(code));
}

bool same_file(int a, int b) {
  struct stat one {
  }, other{};
  return ::fstat(a, &one) == 0 && ::fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

// A new one, open for reading. Whatever fails, no file is left.
Result<UniqueFd> make_fifo(const RuntimeDirectory& directory, const std::string& name,
                           FileName& file) {
  if (::mkfifoat(directory.fd(), name.c_str(), 0600) != 0) {
    const int failed = errno;
    const std::string what = std::string("cannot be made: ") + std::strerror(failed);
    return fifo_error(failed, directory.path() + "/" + name,
                      what + "; name a directory that can hold FIFOs with --fifo-dir");
  }
  auto fd = open_fifo(directory.fd(), name, O_RDONLY, ::geteuid());
  if (fd) {
    file = FileName(directory, name, fd->get());
  } else {
    ::unlinkat(directory.fd(), name.c_str(), 0);
  }
  return fd;
}

Result<void> give(int fd, const std::string& path, uid_t owner) {
  if (::fchown(fd, owner, static_cast<gid_t>(-1)) == 0) return {};
  const int failed = errno;
  return fifo_error(
      failed, path,
      "cannot be given to user " + std::to_string(owner) + ": " + std::strerror(failed));
}

}  // namespace

Result<UniqueFd> open_fifo(int directory, const std::string& name, int mode, uid_t owner) {
  UniqueFd fd(
      ::openat(directory, name.c_str(), mode | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY));
  if (!fd) return cannot_open(errno, name);
  struct stat found {};
  if (::fstat(fd.get(), &found) != 0) return cannot_open(errno, name);
  if (!S_ISFIFO(found.st_mode)) return fifo_error(EINVAL, name, "is no FIFO");
  if (found.st_uid != owner) {
    return fifo_error(
        EINVAL, name,
        "belongs to user " + std::to_string(found.st_uid) + " and not to " + std::to_string(owner));
  }
  if (found.st_nlink > 1) return fifo_error(EINVAL, name, "has another name too");
  return fd;
}

FileName::FileName(const RuntimeDirectory& directory, std::string name, int fd)
    : directory_(&directory), name_(std::move(name)) {
  struct stat made {};
  REQUIRE(::fstat(fd, &made) == 0);
  device_ = made.st_dev;
  inode_ = made.st_ino;
}

FileName& FileName::operator=(FileName&& other) noexcept {
  if (this == &other) return *this;
  remove();
  directory_ = std::exchange(other.directory_, nullptr);
  name_ = std::move(other.name_);
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

bool FileName::still_ours() const {
  struct stat found {};
  return directory_ != nullptr && directory_->still_there() &&
         ::fstatat(directory_->fd(), name_.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 &&
         found.st_dev == device_ && found.st_ino == inode_;
}

void FileName::remove() {
  struct stat found {};
  if (directory_ == nullptr) return;
  const bool ours = ::fstatat(directory_->fd(), name_.c_str(), &found, AT_SYMLINK_NOFOLLOW) == 0 &&
                    found.st_dev == device_ && found.st_ino == inode_;
  if (ours) ::unlinkat(directory_->fd(), name_.c_str(), 0);
  directory_ = nullptr;
}

std::string FileName::path() const {
  return directory_ == nullptr ? std::string() : directory_->path() + "/" + name_;
}

Result<FifoPair> FifoPair::make(const RuntimeDirectory& directory, const std::string& name,
                                std::optional<uid_t> owner) {
  FifoPair pair;
  const std::string in = kPrefix + name + kIn;
  auto spare = make_fifo(directory, in, pair.in_);
  if (!spare) return spare.error();
  auto read_end = make_fifo(directory, kPrefix + name + kOut, pair.out_);
  if (!read_end) return read_end.error();
  auto write_end = open_fifo(directory.fd(), in, O_WRONLY, ::geteuid());
  if (!write_end) return write_end.error();
  if (!same_file(spare->get(), write_end->get())) {
    return fifo_error(EINVAL, pair.in_path(), "was exchanged while it was opened");
  }
  if (owner) {
    if (auto given = give(spare->get(), pair.in_path(), *owner); !given) return given.error();
    if (auto given = give(read_end->get(), pair.out_path(), *owner); !given) return given.error();
  }
  pair.spare_ = std::move(*spare);
  pair.read_end_ = std::move(*read_end);
  pair.write_end_ = std::move(*write_end);
  return pair;
}

std::size_t sweep_fifos(const RuntimeDirectory& directory) {
  // A descriptor of its own: closedir closes it, and reading moves its place.
  UniqueFd copy(::openat(directory.fd(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const std::unique_ptr<DIR, int (*)(DIR*)> list(copy ? ::fdopendir(copy.get()) : nullptr,
                                                 ::closedir);
  if (list) (void)copy.release();
  std::size_t removed = 0;
  for (const dirent* entry = nullptr; list && (entry = ::readdir(list.get())) != nullptr;) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(kPrefix) || !(name.ends_with(kIn) || name.ends_with(kOut))) continue;
    struct stat found {};
    const bool fifo = ::fstatat(directory.fd(), entry->d_name, &found, AT_SYMLINK_NOFOLLOW) == 0 &&
                      S_ISFIFO(found.st_mode);
    if (fifo && ::unlinkat(directory.fd(), entry->d_name, 0) == 0) ++removed;
  }
  return removed;
}

}  // namespace warmpool::ipc
