// An arena is known by its file: an inode number is not given again while a mapping holds it, but
// for 2^32 further files in memory.
#include "worker/kept_arenas.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/stat.h>

namespace warmpool::worker {

Result<std::shared_ptr<const ipc::Mapping>> KeptArenas::map(int fd, std::uint64_t bytes,
                                                            Clock::time_point now) {
  struct stat found {};
  if (::fstat(fd, &found) != 0) return Error{errno, std::strerror(errno)};
  if (static_cast<std::uint64_t>(found.st_size) != bytes) {
    return Error{EINVAL, "it has " + std::to_string(found.st_size) + " bytes, and " +
                             std::to_string(bytes) + " were announced"};
  }
  const auto its = std::ranges::find_if(kept_, [&](const Kept& one) {
    return one.device == found.st_dev && one.inode == found.st_ino;
  });
  if (its != kept_.end()) {
    its->used_at = now;
    std::rotate(its, its + 1, kept_.end());
    return kept_.back().mapping;
  }
  auto mapping = ipc::Mapping::of(fd, bytes, ipc::Mapping::Access::Read);
  if (!mapping) return mapping.error();
  make_room(bytes);
  auto shared = std::make_shared<const ipc::Mapping>(std::move(*mapping));
  kept_.push_back({found.st_dev, found.st_ino, shared, now});
  return shared;
}

void KeptArenas::make_room(std::uint64_t bytes) {
  std::uint64_t all = bytes;
  for (const auto& one : kept_) all += one.mapping->bytes();
  while (!kept_.empty() && (kept_.size() >= kCountMax || all > kBytesMax)) {
    all -= kept_.front().mapping->bytes();
    kept_.erase(kept_.begin());
  }
}

void KeptArenas::forget_idle(Clock::time_point now) {
  while (!kept_.empty() && now - kept_.front().used_at >= kIdleMax) kept_.erase(kept_.begin());
}

ipc::Deadline KeptArenas::due() const {
  return kept_.empty() ? ipc::kNoDeadline : kept_.front().used_at + kIdleMax;
}

}  // namespace warmpool::worker
