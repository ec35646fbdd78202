// What is learned of the memory that runs had.
#include "pool/memory_peaks.hpp"

#include <gtest/gtest.h>

namespace warmpool::test {
namespace {

constexpr std::uint64_t kMeg = 1 << 20;

MemoryPeaks peaks_of(std::uint64_t count, std::uint64_t bytes, MemoryPeaks peaks = {}) {
  for (std::uint64_t i = 0; i < count; ++i) peaks.add(bytes);
  return peaks;
}

TEST(MemoryPeaks, NothingIsKnownBeforeTheFirstRun) {
  EXPECT_EQ(MemoryPeaks().high(), 0U);
  EXPECT_EQ(MemoryPeaks().runs(), 0U);
}

TEST(MemoryPeaks, OfOneRunItIsItsFigure) {
  for (const std::uint64_t bytes : {std::uint64_t{1}, 1023 * kMeg, std::uint64_t{1} << 50}) {
    EXPECT_EQ(peaks_of(1, bytes).most(), bytes);
    EXPECT_EQ(peaks_of(1, bytes).high(), std::min(bytes, std::uint64_t{1} << 40));
  }
}

TEST(MemoryPeaks, AFigureIsAtMostAnEighthTooLarge) {
  for (std::uint64_t bytes = 1024; bytes < std::uint64_t{1} << 39; bytes += bytes / 7 + 1) {
    const auto high = peaks_of(99, bytes, peaks_of(1, std::uint64_t{1} << 40)).high();
    EXPECT_GE(high, bytes);
    EXPECT_LE(high, bytes + bytes / 8) << bytes;
  }
}

TEST(MemoryPeaks, OneInTwentyMayHaveMore) {
  EXPECT_LT(peaks_of(95, 10 * kMeg, peaks_of(5, 900 * kMeg)).high(), 12 * kMeg);
  EXPECT_GE(peaks_of(94, 10 * kMeg, peaks_of(6, 900 * kMeg)).high(), 900 * kMeg);
}

TEST(MemoryPeaks, WhatWasSoLongAgoIsForgotten) {
  auto peaks = peaks_of(200, 900 * kMeg);
  EXPECT_GE(peaks.high(), 900 * kMeg);
  peaks = peaks_of(2000, 10 * kMeg, peaks);
  EXPECT_LT(peaks.high(), 12 * kMeg);
  EXPECT_EQ(peaks.most(), 900 * kMeg);
  EXPECT_EQ(peaks.runs(), 2200U);
}

// Large ones are rare, and each of another size: what is halved to nothing at once would be all of
// them together.
TEST(MemoryPeaks, ATailOfSingleRunsIsNotForgottenAtOnce) {
  MemoryPeaks peaks;
  for (std::uint64_t run = 0; run < 20 * 256; ++run) {
    peaks.add(run % 10 == 0 ? (100 + run * 37 % 700) * kMeg : 50 * kMeg);
    if (run < 100) continue;
    ASSERT_GE(peaks.high(), 100 * kMeg) << run;
  }
}

}  // namespace
}  // namespace warmpool::test
