// Where in a slab an id stands. Open addressing, linear probes, deletion by shifting back, as in
// flat_map.hpp; but the id is read from the slab, so that an entry is 4 bytes and not 16.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "pool/require.hpp"

namespace warmpool {

// `id_at(place)` is the id that stands there, or 0. What has an id in the slab is in here, and
// nothing else. Bounds: places below 2^32 - 1. Cost: 6 to 12 bytes of memory per id; growth reads
// the slab once.
class SlabIndex {
 public:
  static constexpr std::uint32_t kNowhere = 0xffffffff;

  template <class IdAt>
  std::uint32_t find(std::uint64_t id, IdAt id_at) const {
    if (entries_.empty()) return kNowhere;
    for (std::size_t at = home(id);; at = next(at)) {
      if (entries_[at] == kNowhere || id_at(entries_[at]) == id) return entries_[at];
    }
  }

  // Order: the id stands at `place`, and at no other. `places`: those of the whole slab.
  template <class IdAt>
  void insert(std::uint32_t place, std::uint32_t places, IdAt id_at) {
    ++size_;
    if (3 * size_ > 2 * entries_.size()) {
      grow(places, id_at);
    } else {
      put(place, id_at(place));
    }
  }

  // Order: the id still stands there.
  template <class IdAt>
  void erase(std::uint32_t place, IdAt id_at) {
    std::size_t hole = home(id_at(place));
    while (entries_[hole] != place) {
      REQUIRE(entries_[hole] != kNowhere);
      hole = next(hole);
    }
    for (std::size_t at = next(hole); entries_[at] != kNowhere; at = next(at)) {
      const std::size_t wanted = home(id_at(entries_[at]));
      if (((at - wanted) & mask_) >= ((at - hole) & mask_)) {
        entries_[hole] = entries_[at];
        hole = at;
      }
    }
    entries_[hole] = kNowhere;
    --size_;
  }

  std::size_t size() const { return size_; }

 private:
  std::size_t home(std::uint64_t id) const {
    id *= 0x9E3779B97F4A7C15ULL;
    return static_cast<std::size_t>(id ^ (id >> 32)) & mask_;
  }
  std::size_t next(std::size_t at) const { return (at + 1) & mask_; }

  void put(std::uint32_t place, std::uint64_t id) {
    std::size_t at = home(id);
    while (entries_[at] != kNowhere) at = next(at);
    entries_[at] = place;
  }

  // In the order of the slab, which the processor reads ahead; that of the entries jumps.
  template <class IdAt>
  void grow(std::uint32_t places, IdAt id_at) {
    const std::size_t wanted = std::max<std::size_t>(64, 2 * entries_.size());
    entries_ = {};  // both at once would be half more
    entries_.assign(wanted, kNowhere);
    mask_ = entries_.size() - 1;
    for (std::uint32_t place = 0; place < places; ++place) {
      if (const std::uint64_t id = id_at(place); id != 0) put(place, id);
    }
  }

  std::vector<std::uint32_t> entries_;
  std::size_t mask_ = 0, size_ = 0;
};

}  // namespace warmpool
