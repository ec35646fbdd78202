// What can happen to workers, as the daemon sees them; part of event.hpp.
#pragma once

#include <optional>

#include "pool/ids.hpp"
#include "pool/time.hpp"
#include "pool/words.hpp"

namespace warmpool::event {

// A worker that somebody else started asks for a place in this class. Answered by Admit, or
// TurnAway. Order: its hello (WorkerReady) after Admit was carried out.
struct WorkerRegistered {
  RegistrationId registration;
  ClassId worker_class;
};

// A registered worker wants to go: it finishes what it has in hand, and is given nothing more.
struct WorkerLeaving {
  WorkerId worker;
};

// An attempt of an earlier life may still run in a process that outlived the daemon. The task is
// not started again until that is `over`: the process has ended, has let go of it, or was waited
// for long enough.
// Order: the first before the replay.
struct Outlived {
  TaskId task;
  bool over;
};

// The worker said hello. `credits` is what it may hold at once, at least 1.
struct WorkerReady {
  WorkerId worker;
  std::uint8_t credits;
  bool recall;               // has the feature
  bool checkpoints = false;  // likewise
};

// Before there is a process something is done for it: a command runs, its directory is made, or it
// waits for its turn to that. Its start_timeout begins when that is `over`.
// Order: the first soon after the spawn, the second at most once; an end may come instead of
// either.
struct WorkerPrepares {
  WorkerId worker;
  bool over;
};

struct WorkerBeat {
  WorkerId worker;
};

// The kernel says that its process is stopped (state T), or goes on.
struct WorkerStopped {
  WorkerId worker;
  bool stopped;
};

// So much memory it and all that descends from it have of their own. Said when that has changed or
// a task was given to it since, as soon as it has answered its first task, and before the answer of
// one that ran for long.
struct WorkerSampled {
  WorkerId worker;
  std::uint64_t memory_bytes;
};

// What a process used since the look before, and what it has. Units: shares are per mille of that
// time, of one CPU. A figure that cannot be had is empty, or 0 where 0 cannot be.
struct Measures {
  std::uint32_t cpu = 0;
  std::optional<std::uint16_t> throttled{};  // kept from the CPU by its cgroup
  std::optional<std::uint16_t> disk_wait{};
  std::uint32_t descriptors = 0, descriptors_max = 0;
  bool moved = false;  // it printed, read or wrote something
};
struct WorkerMeasured {
  WorkerId worker;
  Measures measures;
};

// Its check was carried out. `took`: until its answer; of one that failed until that was known.
struct WorkerChecked {
  WorkerId worker;
  bool passed;
  Duration took;
};

// It says that it is degraded, or that it is well again.
struct WorkerFlagged {
  WorkerId worker;
  bool degraded;
};

// What its process was seen to do since the last look, and whether anything was printed there
// meanwhile. A motion counts of one that is not heard for unresponsive_after.
struct WorkerObserved {
  WorkerId worker;
  Motion motion;
  bool printed;
};

// Its channel cannot be used any more: closed, or broken protocol. It lives until WorkerExited.
struct WorkerBroken {
  WorkerId worker;
  ExitCause cause;  // ChannelClosed or Protocol
};

// Order: the last event of its worker. Also the end of a spawn that failed.
// `code`: exit status, or minus the signal. `cause`: what the daemon saw: Exited, Signalled,
// SpawnFailed, OutOfMemory; the core knows itself what it had ordered. Of a registered worker also
// ChannelClosed: it left, its process lives on, and nothing that it was given runs there any more.
// `running`: the token of the attempt that it said it was in, 0 if it said nothing. A hint that may
// be wrong in any way.
struct WorkerExited {
  WorkerId worker;
  ExitCause cause;
  std::int32_t code;
  std::uint64_t running = 0;
};

struct AttemptAnswered {
  WorkerId worker;
  AttemptKey key;
  Outcome outcome;
  Duration retry_after{};  // of Outcome::RetryAfter
  Duration service{};      // what the worker measured; bounded by 65,535 us
  std::uint32_t result_bytes = 0;
  bool out_of_memory = false;  // the kernel killed for memory what the run had started
  bool ungiven = false;        // the daemon says it: the worker never heard of it
  bool no_room = false;        // likewise: it was done, and its result could not be taken
};

struct AttemptProgressed {
  WorkerId worker;
  AttemptKey key;
};

// What the next attempt could go on from, of so many bytes. Answered by a record Checkpointed, or
// refused as a result that is not current; nothing follows while the store takes nothing.
struct AttemptCheckpointed {
  WorkerId worker;
  AttemptKey key;
  std::uint32_t bytes = 0;
};

// `returned`: the worker had not started it and has forgotten it. Else it runs.
struct RecallAnswered {
  WorkerId worker;
  AttemptKey key;
  bool returned;
};

// The loop was held for so long: what it has not read yet may be older than it looks. Said because
// the core may not see it: its own deadlines may have been far away all that time.
// Order: the first event of its turn. The daemon says it only where that is more than one
// heartbeat; the core, of its own deadlines, finds less than that too, and of what is over a
// millisecond forgives each run twice that, at most its progress_timeout in all.
struct LoopLate {
  Duration by;
};

}  // namespace warmpool::event
