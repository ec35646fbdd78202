// The lock is on the FIFO itself, and goes with the process that has it: a successor waits for it,
// so that a line is read by whoever has sent its task. It has opened what the program reads by
// then, or that would see an end between the two.
#include "worker/stock/fifo_peer.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ipc/fifo.hpp"

namespace warmpool::worker::stock {
namespace {

using ipc::UniqueFd;

Error fifo_failure(const std::string& path, int error) {
  const char* why = error == EINVAL ? "it is no FIFO of this user alone" : std::strerror(error);
  return {error, "cannot use the FIFO " + path + ": " + why};
}

Result<UniqueFd> open_one(const std::string& path, int mode) {
  auto opened = ipc::open_fifo(AT_FDCWD, path, mode, ::geteuid());
  if (!opened) return fifo_failure(path, opened.error().code);
  struct stat found {};
  if (::fstat(opened->get(), &found) != 0) return fifo_failure(path, errno);
  if ((found.st_mode & (S_IWGRP | S_IWOTH)) != 0) return fifo_failure(path, EINVAL);
  return opened;
}

}  // namespace

Result<UniqueFd> hold_fifos(const FifoPaths& paths) {
  for (const auto* path : {&paths.to, &paths.from}) {
    if (::mkfifo(path->c_str(), 0600) != 0 && errno != EEXIST) return fifo_failure(*path, errno);
  }
  if (auto from = open_from(paths); !from) return from.error();
  return open_one(paths.to, O_RDWR);
}

Result<UniqueFd> open_from(const FifoPaths& paths) { return open_one(paths.from, O_RDONLY); }

Result<UniqueFd> open_fifos(const FifoPaths& paths, const UniqueFd& held) {
  if (::flock(held.get(), LOCK_EX | LOCK_NB) != 0) return fifo_failure(paths.to, errno);
  return open_from(paths);
}

}  // namespace warmpool::worker::stock
