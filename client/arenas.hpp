// Memory for large payloads that a client fills again: docs/client.md, "Large payloads and
// results".
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "ipc/arena.hpp"
#include "ipc/channel.hpp"

namespace warmpool::client {

// Each is lent to one task, and comes back only if nobody can read that task's payload any more.
// Bounds: kCountMax and `bytes_max` of all that there are, lent or not; one alone may be larger.
// Threads: one at a time.
class Arenas {
  struct Held;

 public:
  // Of a task. Owns: the arena, which goes with it. Outlives what lent it.
  class Lease {
   public:
    Lease() = default;
    explicit operator bool() const { return held_ != nullptr; }
    const ipc::SharedFd& fd() const;

   private:
    friend Arenas;
    explicit Lease(std::shared_ptr<Held> held) : held_(std::move(held)) {}
    std::shared_ptr<Held> held_;
  };

  // `bytes_max` 0: none is lent. One that was not lent for `idle_max` goes.
  Arenas(std::uint64_t bytes_max, std::chrono::milliseconds idle_max);

  // One that holds these bytes. None: they are too many, all are lent, the kernel gives none, or a
  // payload of this size was not seen lately: of most there will be no second one, and what is kept
  // for it would be memory for nothing.
  Lease lend(ipc::Bytes bytes);
  // Order: its task is done in its first attempt, so that nothing reads it any more.
  void take_back(Lease lease);
  void forget_idle();
  // When forget_idle() has something to do; kNoDeadline if nothing.
  ipc::Deadline due() const;

  static constexpr std::size_t kCountMax = 16;

 private:
  struct Tally {
    std::size_t count = 0;
    std::uint64_t bytes = 0;
  };
  struct Idle {
    Lease lease;
    ipc::Deadline since;
  };
  bool seen(std::uint64_t bytes);
  bool make_room(std::uint64_t bytes);

  std::uint64_t bytes_max_;
  std::chrono::milliseconds idle_max_;
  std::shared_ptr<Tally> tally_;
  std::vector<Idle> idle_;  // the longest first
  std::array<std::uint64_t, 8> sizes_{};
  std::size_t next_size_ = 0;
};

}  // namespace warmpool::client
