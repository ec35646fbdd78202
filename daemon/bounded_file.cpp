// Its state is asked of the kernel before each write (0.3 us): people cut, move and remove such
// files, and a figure of ours would be wrong from then on.
#include "daemon/bounded_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace warmpool::daemon {
namespace {

Error failed(int code) { return {code, std::strerror(code)}; }

}  // namespace

// O_NONBLOCK: where a FIFO has taken the place of the file, opening it would wait for a reader.
Result<void> BoundedFile::open() {
  if (path_.empty()) return Error{ENOENT, "there is no place for it"};
  file_.reset(::open(path_.c_str(),
                     O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file_) return failed(errno);
  struct stat status {};
  if (::fstat(file_.get(), &status) == 0 && S_ISREG(status.st_mode)) return {};
  file_.reset();
  return Error{EINVAL, "something that is no file is in its place"};
}

// For a line of so many bytes.
Result<void> BoundedFile::make_room(std::uint64_t bytes) {
  struct stat status {};
  const bool there = file_ && ::fstat(file_.get(), &status) == 0 && status.st_nlink > 0;
  if (!there) {
    if (auto opened = open(); !opened) return opened;
    ::fstat(file_.get(), &status);
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size == 0 || size + bytes <= bytes_max_) return {};
  ::rename(path_.c_str(), (path_ + ".1").c_str());
  return open();
}

Result<void> BoundedFile::append(std::string_view line) {
  std::string text(line);
  text += '\n';
  if (auto made = make_room(text.size()); !made) return made;
  const auto written = ::write(file_.get(), text.data(), text.size());
  if (written == static_cast<ssize_t>(text.size())) return {};
  return written < 0 ? failed(errno) : Error{ENOSPC, "the disk is full"};
}

}  // namespace warmpool::daemon
