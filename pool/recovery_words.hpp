// How a place whose worker died gets its next one, and what the breaker over that can be.
#pragma once

#include "pool/word.hpp"

namespace warmpool {

enum class RecoveryStrategy : std::uint8_t { Restart, Reset, Recreate, Custom };
template <>
struct Words<RecoveryStrategy> {
  static constexpr std::array<Word<RecoveryStrategy>, 4> rows{{
      {RecoveryStrategy::Restart, "restart", "a new process in the same place"},
      {RecoveryStrategy::Reset, "reset", "the state of the place is cleared first"},
      {RecoveryStrategy::Recreate, "recreate",
       "the place is given up with all of it; another one with a new number takes over"},
      {RecoveryStrategy::Custom, "custom", "recovery_command runs first, and must succeed"},
  }};
};

enum class RecoveryState : std::uint8_t { Closed, Open, HalfOpen };
template <>
struct Words<RecoveryState> {
  static constexpr std::array<Word<RecoveryState>, 3> rows{{
      {RecoveryState::Closed, "closed", "workers of the class that die are replaced"},
      {RecoveryState::Open, "open", "none is replaced for a while"},
      {RecoveryState::HalfOpen, "half-open", "one replacement tries whether the class is well"},
  }};
};

enum class RecoveryWhy : std::uint8_t { Deaths, Probe, Cooled, Recovered, Nobody, ByHand, Off };
template <>
struct Words<RecoveryWhy> {
  static constexpr std::array<Word<RecoveryWhy>, 7> rows{{
      {RecoveryWhy::Deaths, "replacements-died",
       "recovery_deaths replacements died within recovery_window and were of no use"},
      {RecoveryWhy::Probe, "probe-died", "the replacement that was to try died and was of no use"},
      {RecoveryWhy::Cooled, "cooled-down", "its time to stay open is over"},
      {RecoveryWhy::Recovered, "probe-works",
       "the replacement that was to try has settled a task, or works for recovery_cooldown"},
      {RecoveryWhy::Nobody, "nobody-waits", "no place of the class waits for a replacement"},
      {RecoveryWhy::ByHand, "by-hand", "somebody restarted the class"},
      {RecoveryWhy::Off, "switched-off", "its option was switched off"},
  }};
};

}  // namespace warmpool
