// The lifecycle of a task: the whole of it is this table. Blocked and skipped have no rows until
// dependencies exist.
#pragma once

#include "pool/table.hpp"
#include "pool/words.hpp"

namespace warmpool {

enum class TaskTrigger : std::uint8_t {
  KeptReady,
  KeptDelayed,
  KeptHeld,
  Due,
  Assign,
  Return,
  Charge,
  Finish,
  Bury,
  Cancel,
  Expire,
  Revive,
  Release
};
template <>
struct Words<TaskTrigger> {
  static constexpr std::array<Word<TaskTrigger>, 13> rows{{
      {TaskTrigger::KeptReady, "kept, due", "its last change is kept and its time has come"},
      {TaskTrigger::KeptDelayed, "kept, not due", "its last change is kept; its time is later"},
      {TaskTrigger::KeptHeld, "kept, held", "its last change is kept; it waits for a person"},
      {TaskTrigger::Due, "due", "its time has come"},
      {TaskTrigger::Assign, "assign", "it was given to a worker"},
      {TaskTrigger::Return, "return", "it came back uncharged"},
      {TaskTrigger::Charge, "charge", "its attempt ended and it goes on"},
      {TaskTrigger::Finish, "finish", "its handler finished it"},
      {TaskTrigger::Bury, "bury", "out of budget or failed for good"},
      {TaskTrigger::Cancel, "cancel", "it was cancelled"},
      {TaskTrigger::Expire, "expire", "its expiry or deadline passed"},
      {TaskTrigger::Revive, "revive", "a dead letter is retried: a new round"},
      {TaskTrigger::Release, "release", "a person released it"},
  }};
};

using TaskRow = Row<TaskState, TaskTrigger>;

inline constexpr auto kTaskRows = [] {
  using S = TaskState;
  using T = TaskTrigger;
  return std::to_array<TaskRow>({
      {S::Recording, T::KeptReady, S::Ready},  {S::Recording, T::KeptDelayed, S::Delayed},
      {S::Recording, T::KeptHeld, S::Held},    {S::Recording, T::Bury, S::Dead},
      {S::Recording, T::Cancel, S::Cancelled}, {S::Recording, T::Expire, S::Expired},
      {S::Delayed, T::Due, S::Ready},          {S::Delayed, T::Cancel, S::Cancelled},
      {S::Delayed, T::Expire, S::Expired},     {S::Ready, T::Assign, S::Running},
      {S::Ready, T::Cancel, S::Cancelled},     {S::Ready, T::Expire, S::Expired},
      {S::Running, T::Return, S::Ready},       {S::Running, T::Charge, S::Recording},
      {S::Running, T::Finish, S::Done},        {S::Running, T::Bury, S::Dead},
      {S::Running, T::Cancel, S::Cancelled},   {S::Running, T::Expire, S::Expired},
      {S::Held, T::Release, S::Recording},     {S::Held, T::Cancel, S::Cancelled},
      {S::Held, T::Expire, S::Expired},        {S::Dead, T::Revive, S::Recording},
  });
}();

constexpr bool is_settled(TaskState state) { return state >= TaskState::Done; }
constexpr bool is_waiting(TaskState state) { return state < TaskState::Running; }

namespace proof {

static_assert(deterministic(kTaskRows));
static_assert(terminal(kTaskRows, TaskState::Done) && terminal(kTaskRows, TaskState::Cancelled) &&
              terminal(kTaskRows, TaskState::Expired));

// Whatever is accepted can settle in each of the ways there are.
constexpr bool can_settle(TaskState state) {
  return reaches(kTaskRows, state, TaskState::Done) && reaches(kTaskRows, state, TaskState::Dead) &&
         reaches(kTaskRows, state, TaskState::Cancelled) &&
         reaches(kTaskRows, state, TaskState::Expired);
}
static_assert(can_settle(TaskState::Recording) && can_settle(TaskState::Delayed) &&
              can_settle(TaskState::Ready) && can_settle(TaskState::Running) &&
              can_settle(TaskState::Held) && can_settle(TaskState::Dead));

// Only what is ready starts, and only what runs finishes.
constexpr bool starts_and_finishes_in_one_place() {
  for (const auto& row : kTaskRows) {
    if (row.to == TaskState::Running && row.from != TaskState::Ready) return false;
    if (row.to == TaskState::Done && row.from != TaskState::Running) return false;
  }
  return true;
}
static_assert(starts_and_finishes_in_one_place());

}  // namespace proof
}  // namespace warmpool
