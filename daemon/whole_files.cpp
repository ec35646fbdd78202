#include "daemon/whole_files.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "ipc/fd.hpp"

namespace warmpool::daemon {

bool write_all(int fd, ipc::Bytes bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

bool read_all_at(int fd, std::span<char> room, std::uint64_t at) {
  while (!room.empty()) {
    const auto got = ::pread(fd, room.data(), room.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) errno = EIO;
    if (got <= 0) return false;
    room = room.subspan(static_cast<std::size_t>(got));
    at += static_cast<std::uint64_t>(got);
  }
  return true;
}

Result<void> sync_directory(const std::string& directory) {
  const ipc::UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd && ::fsync(fd.get()) == 0) return {};
  return Error{0, "cannot sync " + directory + ": " + std::strerror(errno)};
}

Result<void> sync_parent(const std::string& path) {
  const auto slash = path.rfind('/');
  return sync_directory(slash == path.npos ? "." : path.substr(0, slash + 1));
}

}  // namespace warmpool::daemon
