// Which task an idempotency key stands for: while the task lives or is a dead letter, and for a
// stated memory after it was done.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "pool/flat_map.hpp"
#include "pool/ids.hpp"
#include "pool/task_spec.hpp"
#include "pool/time.hpp"

namespace warmpool {

class KeyTable {
 public:
  struct Owner {
    TaskId task;
    std::uint64_t digest = 0;
  };

  std::optional<Owner> find(const IdempotencyKey& key) const;
  // Order: the key is not in use.
  void insert(const IdempotencyKey& key, TaskId task);
  void erase(const IdempotencyKey& key, TaskId task);
  // The task is done: the key is remembered for a while. Bounds: `most` of such.
  void remember(const IdempotencyKey& key, TaskId task, Instant now, std::uint64_t most);
  void expire(Instant now, Duration age_max);
  Instant next_expiry(Duration age_max) const;
  std::size_t size() const { return index_.size(); }

 private:
  struct Entry {
    IdempotencyKey key;
    TaskId task;
    std::uint32_t next = 0xffffffff;  // of the same `low`, which is the hash
  };
  struct Done {
    Instant at;
    IdempotencyKey key;
    TaskId task;
  };

  FlatMap<std::uint32_t> index_;  // low -> first entry
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::deque<Done> done_;
};

}  // namespace warmpool
