// Bodies that are held by descriptor: what comes beside a frame is checked and counted here.
// docs/protocol.md, section 13, says who holds which descriptor.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "daemon/store/blob.hpp"
#include "ipc/descriptor_passing.hpp"
#include "pool/options.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

// Threads: take() is the main thread's. What it gave may end on any.
class LargeBodies {
 public:
  LargeBodies();

  // A payload leaves a quarter of the room to results: a pool that is full of payloads could not
  // end one of them.
  enum class Use : std::uint8_t { Payload, Result };
  // Whether it may be an arena, too: memory that its sender fills again once the task is done.
  enum class Form : std::uint8_t { Sealed, SealedOrArena };
  // What came beside a frame that says `bytes`; at most `most` are taken. The descriptor is closed
  // when the last share of the answer is gone, and at once where it is refused.
  // Errors: a number of Refusal: PayloadTooLarge, BadDescriptor or LargeFull.
  Result<Blob> take(ipc::UniqueFd fd, std::uint64_t bytes, std::uint64_t most, Use use, Form form,
                    const Options& options);

  // One that was held in an earlier life: counted, whatever the bounds say.
  Blob hold(ipc::UniqueFd fd, std::uint64_t bytes);

  std::uint64_t held() const { return tally_->held.load(std::memory_order_relaxed); }
  std::uint64_t bytes() const { return tally_->bytes.load(std::memory_order_relaxed); }

 private:
  // Shared with all that was given, which goes on counting where it ends later than this.
  struct Tally {
    std::atomic<std::uint64_t> held = 0, bytes = 0;
  };
  struct Held;

  std::shared_ptr<Tally> tally_;
};

}  // namespace warmpool::daemon
