// The one source of chance in the simulator: a seed decides everything that happens in a run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "pool/time.hpp"

namespace warmpool::sim {

// splitmix64. Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // 0 .. bound - 1; bound is at least 1.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  // Both ends may be drawn.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) {
    return low + below(high - low + 1);
  }
  Duration between(Duration low, Duration high) {
    const auto span = static_cast<std::uint64_t>(high.ns - low.ns) + 1;
    return {low.ns + static_cast<std::int64_t>(below(span))};
  }
  bool chance(std::uint64_t per_mille) { return below(1000) < per_mille; }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[static_cast<std::size_t>(below(from.size()))];
  }

 private:
  std::uint64_t state_;
};

}  // namespace warmpool::sim
