// What the oracle remembers of tasks, workers and requests: only what clients and workers saw, and
// what was commanded. Nothing here is read from the core.
#pragma once

#include <optional>
#include <vector>

#include "pool/command.hpp"
#include "pool/event.hpp"
#include "pool/record.hpp"
#include "pool/task_spec.hpp"
#include "tests/sim/seen_breaker.hpp"
#include "tests/sim/seen_class.hpp"
#include "tests/sim/seen_lane.hpp"
#include "tests/sim/seen_task_memory.hpp"

namespace warmpool::sim {

enum class Phase : std::uint8_t { Waiting, Held, Running, Settled, Removed };

struct SeenTask {
  TaskId id{};
  TaskSpec spec{};
  Phase phase = Phase::Waiting;
  std::uint16_t round = 1, attempt = 0;
  record::Used used{};
  ClassId bound = kNoClass;  // that alone runs it, where it serves its type
  Instant accepted_at{}, round_at{}, eligible_at{}, waiting_since{};
  RecordNumber gate{};           // may not run before this record is kept; 0: none
  RecordNumber settle_record{};  // of the last verdict
  record::Settled verdict{};
  bool accept_kept = false, promised = false;  // promised: a client was told that it is accepted
  bool suspect = false, announced = false;
  bool spared = false;        // a hint kept it from being a suspect, in this round
  bool began = false;         // was started in this round, not only given
  bool recalled = false;      // was taken back and has not begun since
  bool cancel_asked = false;  // by a request, in this round
  bool dropped = false;       // its owner left and wanted that to cancel it
  bool withdrawn = false;     // its submit was refused after all: the disk had not taken it
  bool kept = false;          // was taken back without that wish, as its client was told
  bool received = false;      // its client said that it has all it waited for
  bool vanished = false;      // lost with the daemon, rightly: not durable
  ClientId owner{}, submitter{};
  std::uint32_t starts = 0, free_ends = 0, life_ends = 0;  // of the round
  Instant settled_at{}, kept_at{};
  Rung rung{};              // that ended it, if it was cancelled
  std::uint64_t death = 0;  // which one it was
};

// Then it runs alone again when somebody retries it.
inline bool died_of_crash(const SeenTask& task) {
  const EndCause cause = task.verdict.cause;
  return cause == EndCause::Crashed || cause == EndCause::Memory || cause == EndCause::Hung;
}

struct HeldAttempt {
  std::uint32_t task = 0;  // index in the ledger
  AttemptKey key{};
  TypeId type{};
  Duration timeout{};
  Place place{};
  Instant assigned_at{}, started_at{}, recall_at{};
  Instant moved_at{};                  // showed progress, or its worker printed
  Duration late{};                     // that it may have been given since
  Instant saved_at{};                  // started, or was asked for a checkpoint or sent one
  std::uint64_t memory = 0, peak = 0;  // that it counts with; that its worker had meanwhile
  bool started = false, recall_ordered = false, cancel_ordered = false;
  bool returned = false;  // by its worker, which had been asked to
  bool alone = false;     // ran as a suspect
  bool probe = false;     // was given while its breaker held others back
  bool slow = false;      // was said to be
  bool ask_owed = false;  // within the step: for a checkpoint
  bool behind = false;    // of a worker that died: behind what it said it was in
  EndCause cancel_cause{};
  Instant cancel_at{};

  void moves(Instant now) { moved_at = now, late = {}; }
};

struct SeenWorker {
  WorkerId id{};
  SlotId slot{}, home{};
  ClassId worker_class{};
  bool live = false, ready = false, recall = false, beatless = false, checkpoints = false;
  bool retired = false, term_ordered = false, kill_ordered = false;
  bool stopped = false, broken = false, productive = false;
  bool idle_at_last_tick = false;
  bool restart_asked = false;  // by the operator, of this process
  bool replaced = false;       // its successor is ready
  bool parted = false;         // the one that it was to succeed was not wanted any more
  bool registered = false;     // somebody else started it
  bool leaving = false;        // it wants to go, or somebody wants that
  bool parked = false;         // was idle for long enough to go
  bool prepares = false;       // a command runs first
  bool memory_due = false;     // had so much once that it is to be replaced
  std::uint64_t memory = 0;    // as sampled last
  std::optional<std::uint64_t> memory_base{};  // by the first sample after its first answer
  std::uint64_t answers = 0;
  bool cleared = false;   // gave something back and was given nothing since
  bool recovers = false;  // replaces one that died unasked
  Band band{};            // as the pool shows it
  Instant band_since{};
  bool flagged = false, fails_check = false, ill_once = false;
  std::uint64_t check_failures = 0;  // in a row
  std::uint32_t failed_row = 0;      // of runs that no other worker of its class fails
  WorkerHealth told{};               // what it was said to be, if it was of note
  Motion motion{};                   // that it was seen in since it was heard
  bool may_drain = false;            // its class was made smaller while it worked
  bool may_be_removed = false;       // it was made smaller while this one was being killed
  Instant drained_at{-1};            // and then it had nothing in hand any more
  bool reserved = false;             // is kept for a suspect, as the pool shows
  bool substituted = false;          // it does not go, and another one has its place
  std::size_t given_up = 0;          // what it had when it was given up, though it still lives
  std::uint8_t offered = 0, credits = 0;
  std::size_t concurrency = 1;
  ExitCause end_cause{};
  Instant born_at{}, spawned_at{}, ready_at{}, heard_at{}, stopped_at{}, broken_at{}, retired_at{},
      term_at{}, kill_at{}, empty_since{}, idle_since = kNever;
  std::uint64_t turn = 0;       // of the class's turns, its last
  std::uint64_t free_from = 0;  // and the last before it was seen free; 0: it was not free
  std::vector<HeldAttempt> hand{};

  // Ended by force because its place is not wanted any more.
  bool unwanted() const {
    return (term_ordered || kill_ordered) && end_cause == ExitCause::Requested;
  }
  // Ended for an attempt in its hand, or with the pool: no other one there is to blame.
  bool of_our_order() const {
    const bool ours = end_cause == ExitCause::Cancel || end_cause == ExitCause::Timeout ||
                      end_cause == ExitCause::Hung || end_cause == ExitCause::Shutdown;
    return (term_ordered || kill_ordered) && ours;
  }
  bool assignable() const {
    return live && ready && !replaced && !retired && !leaving && !term_ordered && !kill_ordered;
  }
};

struct SeenSlot {
  SeenWorker worker{};
  bool used = false;
  bool pending = false;  // of its home another worker serves, until this one is ready
  ClassId worker_class{};
  // Unproductive deaths in a row, at least and at most: ends by our own hand are a matter of words.
  std::uint32_t deaths_least = 0, deaths_most = 0;
  Instant died_at{};
  bool asked = false;   // its class was restarted by hand while it waited
  bool wanted = false;  // a person asked for its next start
  bool let_go = false;  // its wait is over: the breaker of its class closed, or tries with it
};

enum class Asked : std::uint8_t {
  Submit,
  Cancel,
  RetryDead,
  RemoveDead,
  Release,
  Scale,
  Restart,
  Pause,
  Breaker,
  Drain,
  Stop
};

struct SeenRequest {
  ClientId client{};
  RequestId request{};
  Asked asked{};
  TaskSpec spec{};                               // of a submit
  TaskId task{};                                 // of the others
  std::optional<std::uint32_t> payload_bytes{};  // of a retry with another payload
  RecordNumber record{};                         // that must be kept before it is answered
  bool answered = false;
  bool unchanged = false;  // it was so already
};

struct SeenType {
  std::vector<ClassId> classes{};
  bool paused = false;
  Instant changed_at{};  // paused, resumed or served by others
  Instant floor{};       // its tasks may claim to be no older
  SeenBreaker breaker{};
  SeenTaskMemory memory{};
  std::uint64_t answers = 0;
  Duration service_least = kDurationMax, service_most{};
};

// A key of a task that is done is remembered for a while.
struct DoneKey {
  std::uint32_t task = 0;
  Instant at{};
};

}  // namespace warmpool::sim
