// What tasks could go on from: of each the last checkpoint that one of its runs sent.
#pragma once

#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/store/blob.hpp"
#include "pool/ids.hpp"
#include "pool/time.hpp"
#include "pool/words.hpp"

namespace warmpool::daemon {

struct Checkpoint {
  std::uint16_t round = 0, attempt = 0;  // of the run that sent it
  Instant at;
  Content content{};
  Blob body;
};

// Bounds: `bytes_max` of all together; beyond it those go that were sent longest ago.
class Checkpoints {
 public:
  static constexpr std::uint64_t kBytesMax = 64U << 20;
  explicit Checkpoints(std::uint64_t bytes_max = kBytesMax) : bytes_max_(bytes_max) {}

  // In place of the one before; one without bytes only takes that away.
  void keep(TaskId task, Checkpoint checkpoint);
  void drop(TaskId task);
  // Null: it has none. Order: valid until the next keep() or drop().
  const Checkpoint* find(TaskId task) const;
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t count() const { return kept_.size(); }
  // Those that had to go because of the bound: how many, and which since the last call.
  std::uint64_t dropped() const { return dropped_; }
  std::vector<TaskId> take_dropped() { return std::exchange(gone_, {}); }

 private:
  struct Kept {
    Checkpoint checkpoint;
    std::uint64_t sequence;
  };

  std::uint64_t bytes_max_;
  std::unordered_map<std::uint64_t, Kept> kept_;  // by task
  std::map<std::uint64_t, TaskId> order_;         // by sequence
  std::uint64_t sequence_ = 0, bytes_ = 0, dropped_ = 0;
  std::vector<TaskId> gone_;
};

}  // namespace warmpool::daemon
