// The name is looked at before each group of lines: people move and remove such files, and what is
// written to one that has no name is as good as lost.
#include "daemon/archive_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/whole_files.hpp"

namespace warmpool::daemon {
namespace {

// None: there is no such file.
std::optional<std::uint64_t> lines_of(const std::string& path) {
  const ipc::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return std::nullopt;
  std::array<char, 64U << 10> piece{};
  std::uint64_t lines = 0;
  while (true) {
    const auto got = ::read(file.get(), piece.data(), piece.size());
    if (got <= 0) return lines;
    lines += static_cast<std::uint64_t>(std::count(piece.data(), piece.data() + got, '\n'));
  }
}

bool ends_a_line(int fd, std::uint64_t size) {
  char last = 0;
  return size == 0 || (::pread(fd, &last, 1, static_cast<off_t>(size) - 1) == 1 && last == '\n');
}

}  // namespace

void ArchiveFile::set_bounds(std::uint64_t bytes_max, std::uint64_t files_max) {
  bytes_max_ = bytes_max;
  files_max_ = files_max;
}

std::string ArchiveFile::name(std::uint64_t number) const {
  return number == 0 ? path_ : path_ + "." + std::to_string(number);
}

Error ArchiveFile::failed(const std::string& what) const {
  return {errno, what + " " + path_ + ": " + std::strerror(errno)};
}

bool ArchiveFile::has_room(std::uint64_t bytes) const {
  struct stat found {};
  if (::lstat(path_.c_str(), &found) != 0 || found.st_size == 0) return true;
  return static_cast<std::uint64_t>(found.st_size) + bytes <= bytes_max_;
}

Result<void> ArchiveFile::rotate() {
  REQUIRE(!unsynced_);
  file_.reset();
  names_changed_ = true;
  for (std::uint64_t number = files_max_ - 1;; ++number) {
    const auto lines = lines_of(name(number));
    if (!lines) break;
    if (::unlink(name(number).c_str()) != 0) return failed("cannot remove the oldest of");
    lost_ += *lines;
  }
  for (std::uint64_t number = files_max_ - 1; number > 0; --number) {
    const bool moved = ::rename(name(number - 1).c_str(), name(number).c_str()) == 0;
    if (!moved && errno != ENOENT) return failed("cannot rename");
  }
  return {};
}

// O_NONBLOCK: where a FIFO has taken the place of the file, opening it would wait for a reader.
Result<void> ArchiveFile::open() {
  if (path_.empty()) return Error{ENOENT, "there is no place for an archive"};
  struct stat named {
  }, opened{};
  const bool same = file_ && ::lstat(path_.c_str(), &named) == 0 &&
                    ::fstat(file_.get(), &opened) == 0 && named.st_ino == opened.st_ino &&
                    named.st_dev == opened.st_dev;
  if (same) return {};
  file_.reset(::open(path_.c_str(),
                     O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file_) return failed("cannot open");
  names_changed_ = true;
  if (::fstat(file_.get(), &opened) == 0 && S_ISREG(opened.st_mode)) return {};
  file_.reset();
  return Error{EINVAL, "something that is no file is in the place of " + path_};
}

Result<void> ArchiveFile::append(const ArchiveLine& line) {
  if (!unsynced_) {
    if (auto opened = open(); !opened) return opened;
  }
  struct stat found {};
  if (::fstat(file_.get(), &found) != 0) return failed("cannot look at");
  const auto size = static_cast<std::uint64_t>(found.st_size);
  if (!unsynced_) synced_size_ = size;
  constexpr std::string_view line_feed = "\n";
  if (!ends_a_line(file_.get(), size) && !write_all(file_.get(), ipc::bytes_of(line_feed))) {
    return take_back(size, failed("cannot write to"));
  }
  if (auto written = line.write(file_.get()); !written) {
    return take_back(size, failed("cannot write to"));
  }
  unsynced_ = true;
  return {};
}

// What cannot be cut off is ended by the next line.
Result<void> ArchiveFile::take_back(std::uint64_t size, Error why) {
  (void)!::ftruncate(file_.get(), static_cast<off_t>(size));
  return why;
}

// After a sync that failed the kernel takes for clean what never came to the disk: it is cut off,
// and comes again as new lines.
Result<void> ArchiveFile::sync() {
  if (!std::exchange(unsynced_, false)) return {};
  if (::fdatasync(file_.get()) != 0) {
    auto undone = take_back(synced_size_, failed("cannot sync"));
    file_.reset();
    return undone;
  }
  if (!names_changed_) return {};
  if (auto synced = sync_parent(path_); !synced) return take_back(synced_size_, synced.error());
  names_changed_ = false;
  return {};
}

}  // namespace warmpool::daemon
