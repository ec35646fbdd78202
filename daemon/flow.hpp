// How much goes through the daemon at once: always counted, a few instructions for each read, each
// write and each assignment.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace warmpool::daemon {

// How often a value was met, by powers of two. Bounds: values above kLargest count as that.
class Histogram {
 public:
  static constexpr std::size_t kBuckets = 24;
  static constexpr std::uint64_t largest_of(std::size_t bucket) {
    return (std::uint64_t{1} << bucket) - 1;
  }
  static constexpr std::uint64_t kLargest = (std::uint64_t{1} << (kBuckets - 1)) - 1;

  void add(std::uint64_t value) {
    ++counts_[static_cast<std::size_t>(std::bit_width(std::min(value, kLargest)))];
  }
  // counts()[i]: of values from largest_of(i - 1) + 1 to largest_of(i); [0]: of 0.
  const std::array<std::uint64_t, kBuckets>& counts() const { return counts_; }

 private:
  std::array<std::uint64_t, kBuckets> counts_{};
};

struct Flow {
  Histogram turns_us;                     // of the loop, from the wake-up to the end
  Histogram frames_read, frames_written;  // with one read, with one write
  Histogram in_hand;  // of a worker when it is given a task, with that one: credits in use
};

}  // namespace warmpool::daemon
