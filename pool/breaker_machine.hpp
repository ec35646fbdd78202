// The lifecycle of a circuit breaker: the whole of it is this table.
#pragma once

#include "pool/breaker_words.hpp"
#include "pool/table.hpp"

namespace warmpool {

enum class BreakerTrigger : std::uint8_t { Trip, Cool, Fail, Recover, OpenByHand, Close };
template <>
struct Words<BreakerTrigger> {
  static constexpr std::array<Word<BreakerTrigger>, 6> rows{{
      {BreakerTrigger::Trip, "trip", "too many runs failed"},
      {BreakerTrigger::Cool, "cool", "its time to stay open is over"},
      {BreakerTrigger::Fail, "fail", "a probe failed"},
      {BreakerTrigger::Recover, "recover", "enough probes succeeded"},
      {BreakerTrigger::OpenByHand, "open by hand", "somebody opens it"},
      {BreakerTrigger::Close, "close", "somebody closes it, or it is switched off"},
  }};
};

using BreakerRow = Row<BreakerState, BreakerTrigger>;

inline constexpr auto kBreakerRows = [] {
  using S = BreakerState;
  using T = BreakerTrigger;
  return std::to_array<BreakerRow>({
      {S::Closed, T::Trip, S::Open},
      {S::Closed, T::OpenByHand, S::Open},
      {S::Closed, T::Close, S::Closed},
      {S::Open, T::Cool, S::HalfOpen},
      {S::Open, T::OpenByHand, S::Open},
      {S::Open, T::Close, S::Closed},
      {S::HalfOpen, T::Fail, S::Open},
      {S::HalfOpen, T::Recover, S::Closed},
      {S::HalfOpen, T::OpenByHand, S::Open},
      {S::HalfOpen, T::Close, S::Closed},
  });
}();

namespace proof {

static_assert(deterministic(kBreakerRows));
static_assert(connected(kBreakerRows, BreakerState::Closed, BreakerState::Closed));

// By itself it never closes but after probes, and never stays open for good.
constexpr bool closes_only_after_probes() {
  for (const auto& row : kBreakerRows) {
    const bool by_itself = row.on != BreakerTrigger::Close && row.on != BreakerTrigger::OpenByHand;
    const bool closes = row.to == BreakerState::Closed;
    if (by_itself && closes && row.from != BreakerState::HalfOpen) return false;
  }
  return find_row(kBreakerRows, BreakerState::Open, BreakerTrigger::Cool) != kNoRow;
}
static_assert(closes_only_after_probes());

// A person can open and close it whatever it is.
constexpr bool obeys_by_hand() {
  for (const auto& row : kBreakerRows) {
    if (find_row(kBreakerRows, row.from, BreakerTrigger::OpenByHand) == kNoRow) return false;
    if (find_row(kBreakerRows, row.from, BreakerTrigger::Close) == kNoRow) return false;
  }
  return true;
}
static_assert(obeys_by_hand());

}  // namespace proof
}  // namespace warmpool
