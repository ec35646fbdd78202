// Memory for large payloads that its owner fills again and again: docs/protocol.md, section 13,
// Arenas.
#pragma once

#include <cstdint>

#include "ipc/bytes.hpp"
#include "ipc/fd.hpp"
#include "ipc/shared_memory.hpp"
#include "pool/result.hpp"

namespace warmpool::ipc {

// Told by its seals alone: of a size that stays, and written by nobody but whoever made it.
bool is_arena(int fd);
// Whether it is one of exactly `bytes` bytes that can be handed on. Errors: a text that says what
// it is instead.
Result<void> check_arena(int fd, std::uint64_t bytes);
// Whether it is one, and this process's user has made it: what it holds does not change while its
// task runs. Of another user's nobody can know that.
bool is_own_arena(int fd);

// Owns: the memory and the one mapping that can write to it. Who was given its descriptor keeps the
// memory when this ends.
class Arena {
 public:
  // One that holds these bytes. Errors: errno; EINVAL where the kernel has no F_SEAL_FUTURE_WRITE
  // (before 5.1).
  static Result<Arena> of(Bytes bytes);
  // Order: nobody reads what it held any more. Bounds: as many bytes as it was made of (REQUIREd).
  void fill(Bytes bytes);
  const SharedFd& fd() const { return fd_; }
  std::uint64_t bytes() const { return mapping_.bytes(); }

 private:
  Arena(SharedFd fd, Mapping mapping) : fd_(std::move(fd)), mapping_(std::move(mapping)) {}
  SharedFd fd_;
  Mapping mapping_;
  bool touched_ = false;  // its pages are in the mapping
};

}  // namespace warmpool::ipc
