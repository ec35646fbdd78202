// What the core shows of itself: copies, for status pages, oracles and tests.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "pool/breaker_words.hpp"
#include "pool/first_ids.hpp"
#include "pool/health.hpp"
#include "pool/ids.hpp"
#include "pool/record.hpp"
#include "pool/recovery_words.hpp"
#include "pool/task_memory.hpp"
#include "pool/time.hpp"
#include "pool/words.hpp"

namespace warmpool {

// Since the store was made (rounds) or since this life began (the rest).
// accepted = done + dead + cancelled + expired + skipped + waiting + running, at any time.
struct Counters {
  std::uint64_t accepted = 0;              // rounds: first ones and revived ones
  std::array<std::uint64_t, 5> settled{};  // rounds by Verdict
  std::uint64_t attempts = 0, spawns = 0, exits = 0, registrations = 0;
  std::uint64_t failures = 0, crashes = 0, interruptions = 0;  // charged
  std::uint64_t suspects = 0, recalls = 0, free_ends = 0;      // not charged
  std::uint64_t refused_submits = 0, refused_results = 0, duplicates = 0;
  std::uint64_t unproductive_deaths = 0, zombies = 0;
  std::uint64_t recycles = 0;  // workers that were replaced while they worked
  std::uint64_t parked = 0;    // workers that ended because they were idle for too long
};

struct QueueView {
  std::uint64_t recording = 0, ready = 0, delayed = 0, blocked = 0, held = 0, running = 0;
  std::uint64_t dead_letters = 0, payload_bytes = 0;
  std::uint64_t keys = 0;   // of live tasks and dead letters, and remembered ones
  Duration oldest_ready{};  // age of the first of the oldest lane
  std::uint64_t waiting() const { return recording + ready + delayed + blocked + held; }
};

struct AttemptView {
  AttemptKey key;
  TypeId type;
  Instant assigned_at, started_at, deadline;
  bool started = false, cancelling = false, slow = false;
};

struct SlotView {
  SlotId slot;
  std::uint16_t index = 0;  // in its class: the n of "worker-n"
  SlotId home;              // the slot whose number people know it by
  ClassId worker_class;
  WorkerId worker;  // 0 while there is none
  SlotState state{};
  ExitCause last_cause{};
  bool unresponsive = false, stopped = false, slow = false, reserved = false;
  bool successor = false, leaving = false;  // beside the worker of the same home
  bool registered = false;                  // its worker was started by somebody else
  DueReason due{};                          // to be replaced, and why
  WorkerHealth health{};
  Motion motion{};  // of one that is not heard
  std::uint8_t credits = 0;
  std::uint32_t unproductive_deaths = 0;  // in a row
  // After a death that nobody wanted: how and for which time it is replaced since it was of use.
  RecoveryStrategy strategy{};
  std::uint32_t tries = 0;
  bool recovering = false;  // its replacement is not ready yet
  bool held_back = false;   // it waits for the breaker over the recovery of its class
  SlotId former{0xffff};    // the place that was given up for this one; 0xffff: none
  // As the core was told; after its first task, 0 before; where it is killed, kUnlimited: nowhere.
  std::uint64_t memory = 0, memory_base = 0, memory_max = 0;
  Health health_state;
  PartScores parts{};  // that its score is made of
  std::uint64_t attempts = 0, attempts_of_worker = 0, spawns = 0;
  Duration busy_time{};
  Instant spawned_at, ready_at, last_heard, state_since;
  Instant retry_at;  // kNever: when its breaker or a person says so
  std::vector<AttemptView> attempts_held;
};

// The breaker over the recovery of a class.
struct RecoveryView {
  RecoveryState state{};
  RecoveryWhy why{};
  Instant since, until;       // until: while it is open
  std::uint64_t opened = 0;   // in this life
  std::uint32_t deaths = 0;   // of replacements that were of no use, within recovery_window
  std::uint32_t waiting = 0;  // places that wait for their next start
};

struct ClassView {
  ClassId worker_class;
  std::uint16_t target = 0, slots = 0, ready = 0, running = 0, failed = 0, registered = 0;
  std::uint16_t parked = 0;    // places of the target that nobody needs at the moment
  std::uint16_t held = 0;      // that wait for memory, successors included
  std::uint16_t suspects = 0;  // that run a task which may have killed a worker
  std::uint32_t capacity = 0, in_flight = 0;
  bool paused = false;
  RecoveryView recovery{};
};

// How workers that died were replaced; see recovery_figures.hpp.
struct RecoveriesView {
  std::uint64_t attempts = 0, succeeded = 0, failed = 0;
  Duration mean, median, longest;  // from a death to the next worker that is ready
  // Of places that are wanted, all together: how long, and how much of it after a death without a
  // worker.
  Duration wanted, down;
};

// What living workers of the pool are declared to take, and how much all may; 0: no bound.
struct MemoryView {
  std::uint64_t total = 0, declared = 0;
  std::vector<SlotId> held;  // whose start waits for some, in the order they came
  // What tasks that run need, and how much all may; 0: no bound; for whom it is kept.
  std::uint64_t tasks_total = 0, tasks_taken = 0;
  std::optional<MemoryGroup> awaited{};
};

struct BreakerView {
  BreakerState state{};
  BreakerWhy why{};
  Instant since, until;                  // until: while it is open
  std::uint64_t in_a_row = 0;            // failures
  std::uint64_t runs = 0, failures = 0;  // within its window
  std::uint64_t limit = 0;               // that may run at once; 0: any number
  std::uint64_t running = 0, opened = 0;
};

// `paused`: none of it is started; by the pool's pause, its own, or that of all its classes.
struct TypeView {
  TypeId type;
  bool paused = false, paused_itself = false;
  PauseScope paused_by{};
  std::uint64_t waiting = 0;
  Duration service{};  // smoothed
  bool service_known = false;
  std::optional<BreakerView> breaker{};
  TypeMemoryView memory{};
};

struct TaskView {
  TaskId task;
  TypeId type;
  TenantId tenant;
  TaskState state{};
  std::uint8_t priority = 0, holds = 0;  // bits by Hold
  std::uint16_t round = 0, attempt = 0, retries = 0, crashes_max = 0;
  record::Used used;
  std::optional<ClassId> bound{};  // the class that alone runs it, after a death for memory or time
  WorkerId worker;
  std::optional<TaskId> behind{};  // it was given to its worker ahead, and this one runs before it
  Instant eligible_at;
  Duration timeout, deadline, expiry;  // 0: none
  EndCause last_cause{};
  std::uint32_t payload_bytes = 0;
};

// OfNote: those of which tasks wait, and those with a breaker; of 65,536 types mostly a few.
enum class TypesShown : std::uint8_t { All, OfNote };

struct Snapshot {
  Instant now;
  Counters counters;
  QueueView queue;
  std::vector<ClassView> classes;
  std::vector<SlotView> slots;
  std::vector<TypeView> types;
  RecoveriesView recoveries;
  MemoryView memory;
  bool draining = false, stopping = false, paused = false, store_accepting = true;
};

// How often each row of kSlotRows, kTaskRows, kBreakerRows and kRecoveryRows was taken in this
// life.
struct RowHits {
  std::vector<std::uint64_t> slots, tasks, breakers, recoveries;
};

struct TaskQuery {
  TaskId after;  // only ids above
  std::uint32_t limit = 100;
  std::optional<TaskState> state{};
  std::optional<TypeId> type{};
};

// A list that is made in pieces, so that one over a million tasks holds up nothing. A task that is
// there all the time is in it, one that comes or goes meanwhile may be.
struct TaskScan {
  explicit TaskScan(const TaskQuery& wanted) : query(wanted), ids(wanted.after, wanted.limit) {}
  TaskQuery query;
  FirstIds ids;
  std::uint32_t next = 0;  // place in the core's table
};

}  // namespace warmpool
