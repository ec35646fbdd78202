// What a circuit breaker can be, and why it became so.
#pragma once

#include "pool/word.hpp"

namespace warmpool {

enum class BreakerState : std::uint8_t { Closed, Open, HalfOpen };
template <>
struct Words<BreakerState> {
  static constexpr std::array<Word<BreakerState>, 3> rows{{
      {BreakerState::Closed, "closed", "tasks of the type run"},
      {BreakerState::Open, "open", "none is started; they wait"},
      {BreakerState::HalfOpen, "half-open", "a few at once try whether the type is well again"},
  }};
};

enum class BreakerWhy : std::uint8_t { InARow, Share, Probe, ByHand, Cooled, Recovered, Off };
template <>
struct Words<BreakerWhy> {
  static constexpr std::array<Word<BreakerWhy>, 7> rows{{
      {BreakerWhy::InARow, "failures-in-a-row", "breaker_failures runs in a row failed"},
      {BreakerWhy::Share, "share-of-failures",
       "breaker_percent of the runs within breaker_window failed"},
      {BreakerWhy::Probe, "probe-failed", "a run that was to try failed"},
      {BreakerWhy::ByHand, "by-hand", "somebody asked for it"},
      {BreakerWhy::Cooled, "cooled-down", "its time to stay open is over"},
      {BreakerWhy::Recovered, "probes-succeeded", "breaker_successes runs in a row succeeded"},
      {BreakerWhy::Off, "switched-off", "its option was switched off"},
  }};
};

}  // namespace warmpool
