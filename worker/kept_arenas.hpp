// Mappings of arenas, kept for the next payload in the same one: docs/protocol.md, section 13.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <sys/types.h>
#include <vector>

#include "ipc/channel.hpp"
#include "ipc/shared_memory.hpp"
#include "pool/result.hpp"

namespace warmpool::worker {

// Bounds: kCountMax, and kBytesMax of all; one alone may be larger. What was not used for kIdleMax
// goes, because its owner may have gone, and the memory stays as long as anybody has it mapped.
// Threads: one at a time.
class KeptArenas {
 public:
  using Clock = std::chrono::steady_clock;

  // All of an arena of `bytes` bytes; ipc::is_own_arena(). Errors: it has more or fewer, or errno.
  Result<std::shared_ptr<const ipc::Mapping>> map(int fd, std::uint64_t bytes,
                                                  Clock::time_point now);
  void forget_idle(Clock::time_point now);
  // When forget_idle() has something to do; kNoDeadline if nothing.
  ipc::Deadline due() const;

  static constexpr std::size_t kCountMax = 16;
  static constexpr std::uint64_t kBytesMax = std::uint64_t{1} << 30;
  static constexpr std::chrono::seconds kIdleMax{10};

 private:
  struct Kept {
    dev_t device;
    ino_t inode;
    std::shared_ptr<const ipc::Mapping> mapping;
    Clock::time_point used_at;
  };
  void make_room(std::uint64_t bytes);

  std::vector<Kept> kept_;  // the longest unused first
};

}  // namespace warmpool::worker
