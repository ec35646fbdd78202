// Written as it happens and not synced: it is a courtesy to people, the bound is what protects the
// daemon. A file that cannot be written is told once, not for every letter.
#include "daemon/archive.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace warmpool::daemon {

bool Archive::open() {
  if (file_ && bytes_ < kBytesMax) return true;
  if (path_.empty()) return false;
  if (file_) ::rename(path_.c_str(), (path_ + ".1").c_str());
  file_.reset(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  struct stat status {};
  bytes_ =
      file_ && ::fstat(file_.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
  return static_cast<bool>(file_);
}

void Archive::tell(const std::string& fault) {
  if (told_) return;
  told_ = true;
  log_.error("dead letters beyond dead_max, dead_bytes_max or dead_age_max are lost: " + fault);
}

void Archive::add(TaskId task) {
  if (++count_ == 1) {
    log_.warn("dead letters exceed their bounds; the oldest move to " +
              (path_.empty() ? "nowhere" : path_) + "; see dead_max, and: warmpool dlq ls");
  }
  auto line = describe_ ? describe_(task) : std::nullopt;
  if (!line) return;
  if (!open()) return tell(path_.empty() ? "there is no archive" : std::strerror(errno));
  *line += '\n';
  const auto written = ::write(file_.get(), line->data(), line->size());
  if (written == static_cast<ssize_t>(line->size())) {
    bytes_ += line->size();
  } else {
    tell(written < 0 ? std::strerror(errno) : "the disk is full");
  }
}

}  // namespace warmpool::daemon
