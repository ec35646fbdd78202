// What holds for the breaker of one type: its own options where they are set, else the pool's.
#pragma once

#include "pool/options.hpp"

namespace warmpool {

struct BreakerOptions {
  bool on = false;
  std::uint64_t failures = 0;  // in a row; 0: they do not open it
  std::uint64_t percent = 0;   // of at least `runs` within `window`; 0: they do not open it
  std::uint64_t runs = 1;
  Duration window = seconds(1);
  Duration cooldown = seconds(1), cooldown_max = seconds(1);
  std::uint64_t probes = 1, successes = 1;
  friend constexpr bool operator==(const BreakerOptions&, const BreakerOptions&) = default;
};

inline BreakerOptions breaker_options(const Options& pool, const TypeOptions& type = {}) {
  return {.on = type.breaker.value_or(pool.breaker),
          .failures = type.breaker_failures.value_or(pool.breaker_failures),
          .percent = type.breaker_percent.value_or(pool.breaker_percent),
          .runs = type.breaker_runs.value_or(pool.breaker_runs),
          .window = type.breaker_window.value_or(pool.breaker_window),
          .cooldown = type.breaker_cooldown.value_or(pool.breaker_cooldown),
          .cooldown_max = type.breaker_cooldown_max.value_or(pool.breaker_cooldown_max),
          .probes = type.breaker_probes.value_or(pool.breaker_probes),
          .successes = type.breaker_successes.value_or(pool.breaker_successes)};
}

// Errors: options that contradict each other, by name and value.
inline Result<void> check_options(const BreakerOptions& options) {
  if (options.cooldown_max < options.cooldown) {
    return Error{0, "breaker_cooldown_max (" + duration_text(options.cooldown_max) +
                        ") must be at least breaker_cooldown (" + duration_text(options.cooldown) +
                        ")"};
  }
  if (options.on && options.failures == 0 && options.percent == 0) {
    return Error{0,
                 "breaker_failures and breaker_percent are both 0, so that the breaker would never "
                 "open; set one of them"};
  }
  return {};
}

}  // namespace warmpool
