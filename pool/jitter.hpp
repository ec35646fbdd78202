// Seeded jitter, so that a run can be repeated and retries of one instant spread out.
// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014 (SplitMix64).
#pragma once

#include <cstdint>
#include <tuple>

#include "pool/time.hpp"

namespace warmpool {

class Jitter {
 public:
  explicit Jitter(std::uint64_t seed) : state_(seed) {}

  // Between three quarters of `delay` and all of it.
  Duration shorten(Duration delay) {
    const auto quarter = static_cast<std::uint64_t>(delay.ns / 4);
    return quarter == 0 ? delay : delay - Duration{static_cast<std::int64_t>(draw() % quarter)};
  }

  // Between nothing and less than `whole`.
  Duration part(Duration whole) {
    return whole.ns <= 0
               ? Duration{}
               : Duration{static_cast<std::int64_t>(draw() % static_cast<std::uint64_t>(whole.ns))};
  }

  std::uint64_t state() const { return state_; }
  static auto fields(auto& self) {
    auto& [state] = self;
    return std::tie(state);
  }

 private:
  std::uint64_t draw() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
};

// first * multiplier^(nth - 1), at most `most`; nth from 1.
inline Duration backoff(Duration first, std::uint64_t multiplier, std::uint64_t nth,
                        Duration most) {
  Duration delay = first;
  for (std::uint64_t i = 1; i < nth && delay < most; ++i) {
    if (delay.ns > most.ns / static_cast<std::int64_t>(multiplier == 0 ? 1 : multiplier))
      return most;
    delay = delay * static_cast<std::int64_t>(multiplier);
    if (multiplier <= 1) break;
  }
  return delay < most ? delay : most;
}

}  // namespace warmpool
