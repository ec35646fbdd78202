// Everything that the pool can ask for. Order: commands to one destination are carried out in the
// order given; all commands of a turn are carried out after its Tick.
#pragma once

#include <variant>
#include <vector>

#include "pool/ids.hpp"
#include "pool/notification.hpp"
#include "pool/record.hpp"
#include "pool/refusal.hpp"
#include "pool/time.hpp"
#include "pool/words.hpp"

namespace warmpool::command {

// The answers to requests; each request gets exactly one, unless its client is gone.

// To a Submit, after its record is kept. `duplicate`: an earlier task with this key.
struct Accepted {
  ClientId client;
  RequestId request;
  TaskId task;
  bool duplicate;
};

struct Refused {
  ClientId client;
  RequestId request;
  TaskId task;
  Refusal code;
  Duration retry_after;  // 0: it makes no sense to try again
};

// To a Cancel, when the task has settled as cancelled and that is kept; while the store takes
// nothing as soon as it has settled, and not kept: if the daemon dies before it is, the task comes
// back.
struct Cancelled {
  ClientId client;
  RequestId request;
  TaskId task;
  Rung rung;
  bool kept = true;
};

// To everything else. For Scale: sizes before and after; for Drain and Stop: what is left; for
// Restart: how many workers are to be replaced.
struct Completed {
  ClientId client;
  RequestId request;
  std::uint64_t before, after;
};

// --- workers -------------------------------------------------------------------------------------

// Of a worker that replaces one that died: how, and what is known of the death.
struct Recovery {
  RecoveryStrategy strategy{};
  ExitCause cause{};
  std::int32_t code = 0;      // exit status, or minus the signal
  std::uint32_t deaths = 0;   // in a row without use
  std::uint32_t attempt = 0;  // which try since it was last of use; 0: it replaces nobody that died
  SlotId former{0xffff};      // the place that was given up for this one; 0xffff: none
};

// `home`: the place that it will serve in; of a successor that of the worker it replaces.
// Custom: recovery_command runs first; where it fails, or is not through within recovery_timeout,
// the worker ends as RecoveryFailed.
struct Spawn {
  WorkerId worker;
  SlotId slot;
  ClassId worker_class;
  SlotId home;
  Recovery recovery{};
};

// The answers to WorkerRegistered.
struct Admit {
  RegistrationId registration;
  WorkerId worker;
  SlotId slot;
  ClassId worker_class;
  SlotId home;
};
struct TurnAway {
  RegistrationId registration;
  Refusal code;
};

struct Assign {
  WorkerId worker;
  AttemptKey key;
  TypeId type;
  Duration timeout;
  Duration deadline_left;  // of the whole; 0: none
  std::uint16_t failures, crashes;
  std::uint64_t memory_max;  // its worker may have so much while it runs this; kUnlimited: any
};

struct CancelAttempt {
  WorkerId worker;
  AttemptKey key;
  EndCause cause;
};

struct Recall {
  WorkerId worker;
  AttemptKey key;
};

// The handler of this attempt is to say what the next one could go on from.
struct AskCheckpoint {
  WorkerId worker;
  AttemptKey key;
};

// Ask it to finish and end.
struct Retire {
  WorkerId worker;
};

// Signal the process (Term), or kill it with all its descendants (Kill).
enum class Force : std::uint8_t { Term, Kill };
struct EndWorker {
  WorkerId worker;
  Force force;
  ExitCause cause;
};

// A registered worker that was to be killed and is still there has no place any more: its
// connection ends, and what it may still say is refused.
struct Disown {
  WorkerId worker;
};

// --- store, subscribers, life --------------------------------------------------------------------

struct Persist {
  RecordNumber number;
  Record record;
};

// This dead letter is over a bound: it is to be written to the archive, for good. Answered by
// Archived; until then it stays.
struct Archive {
  TaskId task;
  std::uint16_t round;
};

// The round is over and that is kept: whoever waits for it may be told.
struct Announce {
  TaskId task;
  std::uint16_t round, attempt;
  Verdict verdict;
  EndCause cause;
  record::Used used;
};

struct Notify {
  Notification notification;
};

// Stop has been carried out: no worker is left, or what was killed did not go within a second.
// `lost` tasks were still unsettled; of these `in_memory` are kept nowhere else (durability none).
struct Finished {
  std::uint64_t lost;
  std::uint64_t in_memory = 0;
};

}  // namespace warmpool::command

namespace warmpool {

using Command =
    std::variant<command::Accepted, command::Refused, command::Cancelled, command::Completed,
                 command::Spawn, command::Assign, command::CancelAttempt, command::Recall,
                 command::Retire, command::EndWorker, command::Persist, command::Archive,
                 command::Announce, command::Notify, command::Finished, command::Admit,
                 command::TurnAway, command::Disown, command::AskCheckpoint>;

using Commands = std::vector<Command>;

}  // namespace warmpool
