// What the oracle knows of the memory that runs of a type had, and of how long its tasks have
// waited for some. Written without a look at pool/memory_peaks.cpp and pool/task_memory.cpp.
#pragma once

#include <algorithm>
#include <map>
#include <vector>

#include "pool/task_memory.hpp"
#include "pool/time.hpp"

namespace warmpool::sim {

struct SeenPeaks {
  std::map<std::uint64_t, std::uint64_t> counts{};  // by the figure that stands for it
  std::vector<std::uint64_t> all{};                 // as they were, in this life
  std::uint64_t most = 0;

  // To within an eighth, and 1 KiB for what is less.
  static std::uint64_t upper(std::uint64_t bytes) {
    std::uint64_t step = 128;
    while (bytes / step >= 16) step *= 2;
    return std::max<std::uint64_t>(1024, (bytes / step + 1) * step);
  }
  std::uint64_t count() const {
    std::uint64_t sum = 0;
    for (const auto& [figure, times] : counts) sum += times;
    return sum;
  }
  void add(std::uint64_t bytes) {
    const bool full = count() + 8 > 2048;
    for (auto& [figure, times] : counts) times /= full ? 2 : 1;
    counts[upper(bytes)] += 8;
    all.push_back(bytes);
    most = std::max(most, bytes);
  }
  // What 95 of a hundred had no more than.
  std::uint64_t high() const {
    const std::uint64_t runs = count();
    std::uint64_t sum = 0;
    for (const auto& [figure, times] : counts) {
      sum += times;
      if (times != 0 && sum * 100 >= runs * 95) return std::min(figure, most);
    }
    return 0;
  }
  // As long as nothing was forgotten it is at most an eighth more than what is exactly so.
  bool is_near(std::uint64_t shown) const {
    if (all.empty() || all.size() > 256) return true;
    std::vector<std::uint64_t> sorted = all;
    std::ranges::sort(sorted);
    const std::uint64_t exact = sorted[(sorted.size() * 95 + 99) / 100 - 1];
    return exact <= shown && shown <= std::max<std::uint64_t>(1024, exact + exact / 8);
  }
};

// Tasks of a group have waited for memory, at the most: but for a worker; at the least: with one.
struct SeenWait {
  Instant held_from = kNever, surely_from = kNever;
};

struct SeenTaskMemory {
  TaskMemory wanted{};
  SeenPeaks peaks{};
  std::uint64_t done = 0;  // runs of it that ended so
  std::map<LaneGroup, SeenWait> waits{};
};

}  // namespace warmpool::sim
