// The most memory that runs of a type had, as a histogram: what nineteen in twenty of the last
// hundreds of them had no more than.
// Bounds: 1 KiB to 1 TiB in steps of an eighth of what doubles; 482 bytes once one was measured.
#pragma once

#include <cstdint>
#include <tuple>
#include <vector>

namespace warmpool {

class MemoryPeaks {
 public:
  // Of one run. Those before count half as much whenever 256 of them are in it.
  void add(std::uint64_t bytes);

  // 0: nothing was measured. At most an eighth more than what is so, and no more than most().
  std::uint64_t high() const { return high_; }
  std::uint64_t most() const { return most_; }
  std::uint64_t runs() const { return runs_; }  // that were measured in this life

  // Whether add() can have made it; of what was read from an image.
  bool is_sound() const;

  static constexpr std::uint16_t kRunWeight = 8;  // so that one alone is halved some times
  static constexpr std::uint32_t kWeightMax = 256 * kRunWeight;

  static auto fields(auto& self) {
    auto& [counts, weight, high, most, runs] = self;
    return std::tie(counts, weight, high, most, runs);
  }

 private:
  void fade();
  std::uint64_t find_high() const;

  std::vector<std::uint16_t> counts_;  // by step; empty until the first
  std::uint32_t weight_ = 0;           // their sum
  std::uint64_t high_ = 0, most_ = 0, runs_ = 0;
};

}  // namespace warmpool
