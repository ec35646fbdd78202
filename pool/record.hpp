// What the store keeps. Each record holds drawn values and absolute counts, never differences, so
// that applying one twice changes nothing; replaying all of them rebuilds the core.
#pragma once

#include <optional>
#include <variant>

#include "pool/ids.hpp"
#include "pool/pause.hpp"
#include "pool/task_spec.hpp"
#include "pool/time.hpp"
#include "pool/words.hpp"

namespace warmpool::record {

// Budgets used up so far in this round; and how many of these ends were for memory, or over time,
// at most 255 of each.
struct Used {
  std::uint16_t failures = 0, crashes = 0, interruptions = 0;
  std::uint8_t memory_ends = 0, timeouts = 0;
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
  bool held;                 // waits for a person
  bool suspect;              // runs next alone
  ClassId bound = kNoClass;  // the class that alone runs it in this round
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

// A dead letter was given a new round, perhaps with another payload. Its key, if it has one, goes
// on standing for what was submitted first.
struct Revived {
  TaskId task;
  std::uint16_t round;
  Instant at, eligible_at;
  std::optional<std::uint32_t> payload_bytes{};
};

// A task that was held for a person may run again.
struct Released {
  TaskId task;
  Instant at, eligible_at;
};

// A dead letter was removed by a person, or because of a bound, once the archive has it.
struct Removed {
  TaskId task;
  bool archived;
  Instant at;
};

// Its client came back without the wish that its leaving cancels the task.
struct Kept {
  TaskId task;
};

// What a handler had so far, for the next attempt; the bytes go beside the record.
struct Checkpointed {
  TaskId task;
  std::uint16_t round, attempt;
  std::uint32_t bytes;
  Instant at;
};

struct Paused {
  PauseTarget target;
  bool paused;
};

}  // namespace warmpool::record

namespace warmpool {

using Record = std::variant<record::Accepted, record::Started, record::Ended, record::Settled,
                            record::Revived, record::Released, record::Removed, record::Paused,
                            record::Kept, record::Checkpointed>;

}  // namespace warmpool
