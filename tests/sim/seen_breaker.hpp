// What the oracle knows of the circuit breaker of a type: how its runs ended, each for itself, and
// what must follow. Written without a look at pool/breaker.cpp.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "pool/breaker_options.hpp"
#include "pool/breaker_words.hpp"

namespace warmpool::sim {

struct SeenBreaker {
  BreakerOptions rules{};
  BreakerState state{};
  Instant since{}, until{};  // until: as was told when it opened
  Instant blind_until{};     // runs that began then or before say nothing
  Instant opened_at{-1};
  std::uint64_t in_a_row = 0, good = 0, at_once = 0, openings = 0;  // at_once: 0: any number
  struct End {
    Instant at;
    bool failed;
  };
  std::vector<End> ends{};
  // Of the step in progress: it opened, for this long by hand, else for at most so long.
  bool opens = false;
  Duration wanted{}, longest{};
  std::optional<Duration> told{};

  bool holds_back() const { return rules.on && (state == BreakerState::Open || at_once != 0); }

  // An eighth of the window is the grain of its counts.
  bool too_many_failed(Instant now) const {
    if (rules.failures != 0 && in_a_row >= rules.failures) return true;
    const std::int64_t grain = std::max<std::int64_t>(1, rules.window.ns / 8);
    std::uint64_t runs = 0, failed = 0;
    for (const End& end : ends) {
      if (end.at.ns / grain + 8 <= now.ns / grain) continue;
      ++runs;
      failed += end.failed;
    }
    return rules.percent != 0 && runs >= rules.runs && failed * 100 >= runs * rules.percent;
  }
};

}  // namespace warmpool::sim
