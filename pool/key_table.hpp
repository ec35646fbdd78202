// Which task an idempotency key stands for: while the task lives or is a dead letter, and for a
// stated memory after it has settled.
#pragma once

#include <array>
#include <optional>
#include <tuple>
#include <vector>

#include "pool/flat_map.hpp"
#include "pool/ids.hpp"
#include "pool/options.hpp"
#include "pool/task_spec.hpp"
#include "pool/time.hpp"

namespace warmpool {

// How long keys of each use are remembered.
struct KeyAges {
  explicit KeyAges(const Options& options)
      : lasting(options.keys_age_max), reconnect(options.reconnect_age_max) {}
  Duration lasting, reconnect;
};

// Cost: 64 bytes a key and 24 to 48 of index; of a remembered one of use Reconnect twice the index.
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
  // The task has settled: the key is remembered for a while. Bounds: `most` of each use.
  void remember(const IdempotencyKey& key, TaskId task, Instant now, std::uint64_t most);
  // Its submitter has all: a remembered key of use Reconnect is forgotten.
  void received(TaskId task);
  void expire(Instant now, const KeyAges& ages);
  Instant next_expiry(const KeyAges& ages) const;
  // Remembered keys of use Reconnect count from now on: their clients could not come before.
  void renew(Instant now);
  std::size_t size() const { return entries_.size() - free_.size(); }

  static auto fields(auto& self) {
    auto& [index, reconnect, entries, free, lists] = self;
    return std::tie(index, reconnect, entries, free, lists);
  }

 private:
  static constexpr std::uint32_t kEnd = 0xffffffff;
  struct Entry {
    IdempotencyKey key;
    TaskId task;
    Instant at;                                // since when it is remembered
    std::uint32_t next = kEnd;                 // of the same `low`, which is the hash
    std::uint32_t older = kEnd, newer = kEnd;  // in its list
    bool remembered = false;
  };
  struct List {
    std::uint32_t oldest = kEnd, newest = kEnd;
    std::size_t count = 0;
  };

  List& list_of(const Entry& entry) { return lists_[static_cast<std::size_t>(entry.key.use)]; }
  std::uint32_t locate(const IdempotencyKey& key, TaskId task) const;
  void unlink(std::uint32_t at);
  void forget(std::uint32_t at) { erase(IdempotencyKey(entries_[at].key), entries_[at].task); }
  void expire(List& list, Instant now, Duration age_max);

  FlatMap<std::uint32_t> index_;      // low -> first entry
  FlatMap<std::uint32_t> reconnect_;  // task -> its remembered entry of that use
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::array<List, 2> lists_;
};

}  // namespace warmpool
