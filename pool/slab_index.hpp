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

  // Cost: one read of the slab where the id is the last one that was found, or follows it and
  // stands beside it, as what is submitted in a row does; else one of the entries more, which is
  // rarely in a cache.
  template <class IdAt>
  std::uint32_t find(std::uint64_t id, IdAt id_at) const {
    if (entries_.empty()) return kNowhere;
    if (const auto step = id - last_id_; step <= 1 && id != 0) {
      const auto ahead = static_cast<std::uint32_t>(last_ + step);
      const auto behind = static_cast<std::uint32_t>(last_ - step);
      if (ahead < places_ && id_at(ahead) == id) return found(id, ahead);
      if (behind < places_ && id_at(behind) == id) return found(id, behind);
    }
    for (std::size_t at = home(id);; at = next(at)) {
      if (entries_[at] == kNowhere) return kNowhere;
      if (id_at(entries_[at]) == id) return found(id, entries_[at]);
    }
  }

  // Order: the id stands at `place`, and at no other. `places`: those of the whole slab.
  template <class IdAt>
  void insert(std::uint32_t place, std::uint32_t places, IdAt id_at) {
    ++size_;
    places_ = std::max(places_, places);
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
  std::uint32_t found(std::uint64_t id, std::uint32_t place) const {
    last_id_ = id;
    last_ = place;
    return place;
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
  std::uint32_t places_ = 0;  // of the slab, which never becomes shorter
  // What was found last.
  mutable std::uint64_t last_id_ = 0;
  mutable std::uint32_t last_ = 0;
};

}  // namespace warmpool
