// Steps are an eighth of an octave, so that a figure is at most an eighth too large and a type
// costs half a kilobyte; all of it is whole numbers, so that a replay learns the same. A run whose
// figure is much larger than all others is forgotten after some hundreds of runs, not at once.
#include "pool/memory_peaks.hpp"

#include <algorithm>
#include <bit>

namespace warmpool {
namespace {

constexpr unsigned kFirstBit = 10, kLastBit = 40, kStepBits = 3;
constexpr std::size_t kSteps = ((kLastBit - kFirstBit) << kStepBits) + 1;
constexpr std::uint32_t kPercent = 95;

// The first step is all below 1 KiB.
std::size_t step_of(std::uint64_t bytes) {
  bytes = std::min(bytes, (std::uint64_t{1} << kLastBit) - 1);
  if (bytes < std::uint64_t{1} << kFirstBit) return 0;
  const auto octave = static_cast<unsigned>(std::bit_width(bytes)) - 1;
  const std::uint64_t within = bytes >> (octave - kStepBits) & ((1U << kStepBits) - 1);
  return (std::size_t{octave - kFirstBit} << kStepBits) + within + 1;
}

// What is in the step is less.
std::uint64_t end_of(std::size_t step) {
  const std::uint64_t parts = (step & ((1U << kStepBits) - 1)) + (1U << kStepBits);
  return parts << ((step >> kStepBits) + kFirstBit - kStepBits);
}

}  // namespace

void MemoryPeaks::add(std::uint64_t bytes) {
  if (counts_.empty()) counts_.resize(kSteps);
  if (weight_ + kRunWeight > kWeightMax) fade();
  std::uint16_t& count = counts_[step_of(bytes)];
  count = static_cast<std::uint16_t>(count + kRunWeight);
  weight_ += kRunWeight;
  ++runs_;
  most_ = std::max(most_, bytes);
  high_ = std::min(find_high(), most_);
}

bool MemoryPeaks::is_sound() const {
  if (counts_.empty()) return weight_ == 0 && high_ == 0 && most_ == 0 && runs_ == 0;
  std::uint64_t sum = 0;
  for (const std::uint16_t count : counts_) sum += count;
  return counts_.size() == kSteps && sum == weight_ && weight_ <= kWeightMax && high_ <= most_;
}

void MemoryPeaks::fade() {
  weight_ = 0;
  for (std::uint16_t& count : counts_) {
    count = static_cast<std::uint16_t>(count / 2);
    weight_ += count;
  }
}

std::uint64_t MemoryPeaks::find_high() const {
  const std::uint32_t rank = (weight_ * kPercent + 99) / 100;
  std::size_t step = 0;
  for (std::uint32_t sum = counts_[0]; sum < rank; sum += counts_[step]) ++step;
  return end_of(step);
}

}  // namespace warmpool
