// The lifecycle of the breaker over the recovery of a class: the whole of it is this table.
#pragma once

#include "pool/recovery_words.hpp"
#include "pool/table.hpp"

namespace warmpool {

enum class RecoveryTrigger : std::uint8_t { Trip, Cool, Fail, Recover, Close };
template <>
struct Words<RecoveryTrigger> {
  static constexpr std::array<Word<RecoveryTrigger>, 5> rows{{
      {RecoveryTrigger::Trip, "trip", "too many replacements died"},
      {RecoveryTrigger::Cool, "cool", "its time to stay open is over"},
      {RecoveryTrigger::Fail, "fail", "the one that tried died"},
      {RecoveryTrigger::Recover, "recover", "the one that tried works, or nobody needs one"},
      {RecoveryTrigger::Close, "close", "somebody restarts the class, or it is switched off"},
  }};
};

using RecoveryRow = Row<RecoveryState, RecoveryTrigger>;

inline constexpr auto kRecoveryRows = [] {
  using S = RecoveryState;
  using T = RecoveryTrigger;
  return std::to_array<RecoveryRow>({
      {S::Closed, T::Trip, S::Open},
      {S::Open, T::Cool, S::HalfOpen},
      {S::Open, T::Close, S::Closed},
      {S::HalfOpen, T::Fail, S::Open},
      {S::HalfOpen, T::Recover, S::Closed},
      {S::HalfOpen, T::Close, S::Closed},
  });
}();

namespace proof {

static_assert(deterministic(kRecoveryRows));
static_assert(connected(kRecoveryRows, RecoveryState::Closed, RecoveryState::Closed));

// A class comes back by itself, whatever happened to it; and never without a probe.
constexpr bool recovers_by_probes_alone() {
  for (const auto& row : kRecoveryRows) {
    const bool by_itself = row.on != RecoveryTrigger::Close;
    const bool closes = row.to == RecoveryState::Closed;
    if (by_itself && closes && row.from != RecoveryState::HalfOpen) return false;
  }
  return find_row(kRecoveryRows, RecoveryState::Open, RecoveryTrigger::Cool) != kNoRow &&
         find_row(kRecoveryRows, RecoveryState::HalfOpen, RecoveryTrigger::Recover) != kNoRow;
}
static_assert(recovers_by_probes_alone());

}  // namespace proof
}  // namespace warmpool
