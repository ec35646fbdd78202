// An attempt in hand.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ipc/fd.hpp"
#include "ipc/large_body.hpp"
#include "ipc/shared_bytes.hpp"
#include "pool/ids.hpp"
#include "pool/time.hpp"
#include "pool/words.hpp"
#include "worker/worker.hpp"

namespace warmpool::worker {

struct Attempt {
  AttemptKey key;
  const Handler* handler = nullptr;  // none: a type that this program does not handle
  std::string type;
  std::string payload;
  ipc::SharedBytes shared;              // set: the payload, where it was received
  std::optional<ipc::LargeView> large;  // set: the payload, which came by descriptor
  ipc::UniqueFd descriptor;             // that one
  Content content = Content::Bytes;
  Duration timeout{};
  std::chrono::steady_clock::time_point deadline;  // of the whole task; max(): none
  std::uint16_t failures = 0, crashes = 0;
  std::string directory;   // of this attempt alone; empty: none was made
  std::string checkpoint;  // that an earlier attempt left; empty: none
  Content checkpoint_content = Content::Bytes;
  std::uint64_t taken_at = 0;  // a stamp (ipc/stamps.hpp); 0: the daemon wants none
  // Threads: set by who holds the baton while the handler of this one, which reads it, runs.
  mutable std::atomic<bool> checkpoint_wanted{false};
};

// Those that have not started, in the order given. Keeps used ones, so that a warm queue allocates
// nothing for small payloads. Threads: one at a time.
class AttemptQueue {
 public:
  using Owned = std::unique_ptr<Attempt>;

  bool empty() const { return waiting_.empty(); }
  std::size_t size() const { return waiting_.size(); }
  // A fresh or used one, to be filled and pushed.
  Owned blank();
  void push(Owned attempt) { waiting_.push_back(std::move(attempt)); }
  Owned pop();
  // Null when it is not among them.
  Owned remove(const AttemptKey& key);
  void recycle(Owned attempt);
  void clear() { waiting_.clear(); }

 private:
  static constexpr std::size_t kSpareMax = 64;
  static constexpr std::size_t kSparePayloadMax = 64 * 1024;
  std::deque<Owned> waiting_;
  std::vector<Owned> spare_;
};

}  // namespace warmpool::worker
