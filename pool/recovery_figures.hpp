// How well workers that died are replaced: counts, times, and the share of the time in which places
// that are wanted had a worker. Whole milliseconds, so that ten thousand places over ten years fit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "pool/time.hpp"

namespace warmpool {

// How long the wanted places of a class have been wanted, all together.
struct PlaceTime {
  std::int64_t ms = 0;
  Instant since;

  std::int64_t until(Instant now, std::uint64_t wanted) const {
    return ms + static_cast<std::int64_t>(wanted) * ((now - since).ns / 1'000'000);
  }
  // Order: before `wanted` becomes another number.
  void count(Instant now, std::uint64_t wanted) {
    const Duration whole = milliseconds((now - since).ns / 1'000'000);
    ms = until(now, wanted);
    since = since + whole;
  }
};

// An outage begins with a death that nobody wanted, and ends when a replacement is ready or the
// place is wanted no more. An attempt is a start of a replacement; it fails when that ends before
// it is ready.
struct RecoveryFigures {
  static constexpr std::size_t kTimesMax = 256;

  std::uint64_t attempts = 0, succeeded = 0, failed = 0;
  std::int64_t down_ms = 0;     // of outages that are over
  Duration total{}, longest{};  // of those that ended with a replacement
  std::deque<Duration> times;   // the last kTimesMax of them

  void recovered(Duration took) {
    ++succeeded;
    total = total + took;
    longest = std::max(longest, took);
    times.push_back(took);
    if (times.size() > kTimesMax) times.pop_front();
  }
  Duration mean() const {
    return succeeded == 0 ? Duration{} : total / static_cast<std::int64_t>(succeeded);
  }
  // Of the last kTimesMax.
  Duration median() const {
    if (times.empty()) return {};
    std::vector<Duration> sorted(times.begin(), times.end());
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return *middle;
  }
};

}  // namespace warmpool
