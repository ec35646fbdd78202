#include "client/cli/input.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace warmpool::cli {

Result<std::string> read_all(int fd, const std::string& name, std::uint64_t bytes_max) {
  constexpr std::size_t kStep = 256U << 10;
  std::string all;
  while (true) {
    const std::size_t had = all.size();
    all.resize(had + kStep);
    const ssize_t got = ::read(fd, all.data() + had, kStep);
    all.resize(had + static_cast<std::size_t>(got < 0 ? 0 : got));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{errno, "cannot read " + name + ": " + std::strerror(errno)};
    if (got == 0) return all;
    if (all.size() > bytes_max) {
      return Error{0, name + " has more than payload_bytes_max (" + std::to_string(bytes_max) +
                          " bytes); give a path as the payload instead, or raise it"};
    }
  }
}

Result<ipc::UniqueFd> open_to_read(const std::string& path) {
  ipc::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Error{errno, "cannot open " + path + ": " + std::strerror(errno)};
  return fd;
}

}  // namespace warmpool::cli
