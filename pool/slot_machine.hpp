// The lifecycle of a slot and its workers: the whole of it is this table.
#pragma once

#include "pool/table.hpp"
#include "pool/words.hpp"

namespace warmpool {

enum class SlotTrigger : std::uint8_t {
  Spawn,
  Hello,
  Take,
  Empty,
  Drain,
  Kill,
  ExitedNow,
  ExitedBackoff,
  ExitedFailed,
  ExitedGone,
  RetryDue,
  Remove,
  Hold,
  ExitedHeld,
  Admit
};
template <>
struct Words<SlotTrigger> {
  static constexpr std::array<Word<SlotTrigger>, 15> rows{{
      {SlotTrigger::Spawn, "spawn", "a place was added"},
      {SlotTrigger::Hello, "hello", "its worker said hello"},
      {SlotTrigger::Take, "take", "it was given its first task"},
      {SlotTrigger::Empty, "empty", "it has nothing in hand any more"},
      {SlotTrigger::Drain, "drain", "it is to end after what it has in hand"},
      {SlotTrigger::Kill, "kill", "it is ended by force"},
      {SlotTrigger::ExitedNow, "exited, replaced at once", "its process is gone"},
      {SlotTrigger::ExitedBackoff, "exited, replaced later",
       "its process is gone, again of no use"},
      {SlotTrigger::ExitedFailed, "exited too often", "its process is gone, too often of no use"},
      {SlotTrigger::ExitedGone, "exited, not replaced", "its process is gone and wanted no more"},
      {SlotTrigger::RetryDue, "retry due", "the wait is over"},
      {SlotTrigger::Remove, "remove", "the place is not wanted any more"},
      {SlotTrigger::Hold, "hold", "its start does not fit into memory_total"},
      {SlotTrigger::ExitedHeld, "exited, held",
       "its process is gone, and the next does not fit into memory_total"},
      {SlotTrigger::Admit, "admit", "its start fits now"},
  }};
};

using SlotRow = Row<SlotState, SlotTrigger>;

inline constexpr auto kSlotRows = [] {
  using S = SlotState;
  using T = SlotTrigger;
  return std::to_array<SlotRow>({
      {S::Gone, T::Spawn, S::Starting},
      {S::Starting, T::Hello, S::Ready},
      {S::Starting, T::Drain, S::Completing},
      {S::Starting, T::Kill, S::Recovery},
      {S::Starting, T::ExitedNow, S::Starting},
      {S::Starting, T::ExitedBackoff, S::Backoff},
      {S::Starting, T::ExitedFailed, S::Failed},
      {S::Starting, T::ExitedGone, S::Gone},
      {S::Ready, T::Take, S::Running},
      {S::Ready, T::Drain, S::Completing},
      {S::Ready, T::Kill, S::Recovery},
      {S::Ready, T::ExitedNow, S::Starting},
      {S::Ready, T::ExitedBackoff, S::Backoff},
      {S::Ready, T::ExitedFailed, S::Failed},
      {S::Ready, T::ExitedGone, S::Gone},
      {S::Running, T::Empty, S::Ready},
      {S::Running, T::Drain, S::Draining},
      {S::Running, T::Kill, S::Recovery},
      {S::Running, T::ExitedNow, S::Starting},
      {S::Running, T::ExitedBackoff, S::Backoff},
      {S::Running, T::ExitedFailed, S::Failed},
      {S::Running, T::ExitedGone, S::Gone},
      {S::Draining, T::Empty, S::Completing},
      {S::Draining, T::Kill, S::Recovery},
      {S::Draining, T::ExitedGone, S::Gone},
      {S::Completing, T::Kill, S::Recovery},
      {S::Completing, T::ExitedGone, S::Gone},
      {S::Recovery, T::ExitedNow, S::Starting},
      {S::Recovery, T::ExitedBackoff, S::Backoff},
      {S::Recovery, T::ExitedFailed, S::Failed},
      {S::Recovery, T::ExitedGone, S::Gone},
      {S::Backoff, T::RetryDue, S::Starting},
      {S::Backoff, T::Remove, S::Gone},
      {S::Failed, T::RetryDue, S::Starting},
      {S::Failed, T::Remove, S::Gone},
      {S::Gone, T::Hold, S::Held},
      {S::Starting, T::ExitedHeld, S::Held},
      {S::Ready, T::ExitedHeld, S::Held},
      {S::Running, T::ExitedHeld, S::Held},
      {S::Recovery, T::ExitedHeld, S::Held},
      {S::Backoff, T::Hold, S::Held},
      {S::Failed, T::Hold, S::Held},
      {S::Held, T::Admit, S::Starting},
      {S::Held, T::Remove, S::Gone},
  });
}();

// A process may live in this state.
constexpr bool has_process(SlotState state) {
  return state != SlotState::Gone && state != SlotState::Backoff && state != SlotState::Failed &&
         state != SlotState::Held;
}

namespace proof {

constexpr bool every_process_may_die() {
  for (const auto& row : kSlotRows) {
    if (!has_process(row.from)) continue;
    bool dies = false;
    for (const auto& other : kSlotRows) {
      dies = dies || (other.from == row.from && other.on >= SlotTrigger::ExitedNow &&
                      other.on <= SlotTrigger::ExitedGone);
    }
    if (!dies) return false;
  }
  return true;
}

// A new process starts only where none lives.
constexpr bool starts_only_when_none_lives() {
  for (const auto& row : kSlotRows) {
    const bool starts = row.to == SlotState::Starting;
    const bool exited = row.on == SlotTrigger::ExitedNow;
    if (starts && has_process(row.from) && !exited) return false;
  }
  return true;
}

static_assert(deterministic(kSlotRows));
static_assert(connected(kSlotRows, SlotState::Gone, SlotState::Gone));
static_assert(every_process_may_die());
static_assert(starts_only_when_none_lives());

}  // namespace proof
}  // namespace warmpool
