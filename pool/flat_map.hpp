// A lookup table from a 64-bit key to a small value: open addressing, linear probes, deletion by
// shifting back, so that it never fills with tombstones. It cannot be iterated: order would leak.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "pool/require.hpp"

namespace warmpool {

// Bounds: keys other than 0. Cost: 1.5 to 3 entries of memory per key; growth copies once.
template <class Value>
class FlatMap {
 public:
  using Mapped = Value;

  Value* find(std::uint64_t key) {
    if (entries_.empty()) return nullptr;
    for (std::size_t at = home(key);; at = next(at)) {
      if (entries_[at].key == key) return &entries_[at].value;
      if (entries_[at].key == 0) return nullptr;
    }
  }
  const Value* find(std::uint64_t key) const { return const_cast<FlatMap*>(this)->find(key); }

  void insert(std::uint64_t key, Value value) {
    REQUIRE(key != 0);
    if (3 * (size_ + 1) > 2 * entries_.size()) grow();
    place(key, std::move(value));
    ++size_;
  }

  void erase(std::uint64_t key) {
    Value* value = find(key);
    if (value == nullptr) return;
    auto hole = static_cast<std::size_t>(
        reinterpret_cast<Entry*>(reinterpret_cast<char*>(value) - offsetof(Entry, value)) -
        entries_.data());
    for (std::size_t at = next(hole); entries_[at].key != 0; at = next(at)) {
      const std::size_t wanted = home(entries_[at].key);
      if (((at - wanted) & mask_) >= ((at - hole) & mask_)) {
        entries_[hole] = std::move(entries_[at]);
        hole = at;
      }
    }
    entries_[hole] = Entry{};
    --size_;
  }

  std::size_t size() const { return size_; }

  // For images alone: a copy, in the order of the keys.
  std::vector<std::pair<std::uint64_t, Value>> sorted() const {
    std::vector<std::pair<std::uint64_t, Value>> pairs;
    for (const auto& entry : entries_) {
      if (entry.key != 0) pairs.emplace_back(entry.key, entry.value);
    }
    std::sort(pairs.begin(), pairs.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    return pairs;
  }

 private:
  struct Entry {
    std::uint64_t key = 0;
    Value value{};
  };

  std::size_t home(std::uint64_t key) const {
    key *= 0x9E3779B97F4A7C15ULL;
    return static_cast<std::size_t>(key ^ (key >> 32)) & mask_;
  }
  std::size_t next(std::size_t at) const { return (at + 1) & mask_; }

  void place(std::uint64_t key, Value value) {
    std::size_t at = home(key);
    while (entries_[at].key != 0) {
      REQUIRE(entries_[at].key != key);
      at = next(at);
    }
    entries_[at] = Entry{key, std::move(value)};
  }

  void grow() {
    std::vector<Entry> old(entries_.empty() ? 64 : 2 * entries_.size());
    old.swap(entries_);
    mask_ = entries_.size() - 1;
    for (auto& entry : old) {
      if (entry.key != 0) place(entry.key, std::move(entry.value));
    }
  }

  std::vector<Entry> entries_;
  std::size_t mask_ = 0, size_ = 0;
};

}  // namespace warmpool
