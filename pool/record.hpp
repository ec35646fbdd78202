// What the store keeps. Each record holds drawn values and absolute counts, never differences, so
// that applying one twice changes nothing; replaying all of them rebuilds the core.
#pragma once

#include <variant>

#include "pool/ids.hpp"
#include "pool/pause.hpp"
#include "pool/task_spec.hpp"
#include "pool/time.hpp"
#include "pool/words.hpp"

namespace warmpool::record {

// Budgets used up so far in this round.
struct Used {
  std::uint16_t failures = 0, crashes = 0, interruptions = 0;
  friend constexpr auto operator<=>(const Used&, const Used&) = default;
};

struct Accepted {
  TaskId task;
  TaskSpec spec;
  Instant at, eligible_at;
};

// Written lazily: its loss means only that a run which the daemon's death cut short is not counted.
struct Started {
  TaskId task;
  std::uint16_t round, attempt;
  WorkerId worker;
  SlotId slot;
  Instant at;
};

// An attempt ended and its round goes on. `eligible_at` is drawn here and never again.
struct Ended {
  TaskId task;
  std::uint16_t round, attempt;
  WorkerId worker;
  EndCause cause;
  Charge charge;
  std::int32_t code;  // exit status of the worker, or minus the signal; 0 where it lives
  Used used;
  Instant at, eligible_at;
  bool held;     // waits for a person
  bool suspect;  // runs next alone
};

// A round is over.
struct Settled {
  TaskId task;
  std::uint16_t round, attempt;
  WorkerId worker;
  Verdict verdict;
  EndCause cause;
  Charge charge;
  std::int32_t code;
  Used used;
  Instant at;
};

// A dead letter was given a new round; also a release of a task that was held for a person.
struct Revived {
  TaskId task;
  std::uint16_t round;
  Instant at, eligible_at;
};

struct Released {
  TaskId task;
  Instant at, eligible_at;
};

// A task that was to be cancelled with its client is not any more.
struct Kept {
  TaskId task;
  Instant at;
};

// A dead letter was removed by a person, or moved to the archive because of a bound.
struct Removed {
  TaskId task;
  bool archived;
  Instant at;
};

struct Paused {
  PauseTarget target;
  bool paused;
};

}  // namespace warmpool::record

namespace warmpool {

using Record =
    std::variant<record::Accepted, record::Started, record::Ended, record::Settled, record::Revived,
                 record::Released, record::Removed, record::Paused, record::Kept>;

}  // namespace warmpool
