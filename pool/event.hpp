// Everything that can happen to the pool. The core takes one at a time; the daemon and the
// simulator make them. What they promise is in contracts 1 to 9 of docs/architecture.md.
#pragma once

#include <array>
#include <optional>
#include <variant>

#include "pool/breaker_options.hpp"
#include "pool/ids.hpp"
#include "pool/options.hpp"
#include "pool/pause.hpp"
#include "pool/task_memory.hpp"
#include "pool/task_spec.hpp"
#include "pool/time.hpp"
#include "pool/words.hpp"
#include "pool/worker_event.hpp"

namespace warmpool::event {

// --- configuration -------------------------------------------------------------------------------

// Order: before any event that names the class. Declaring a known class again changes its options.
struct ClassDeclared {
  ClassId worker_class;
  ClassOptions options;
};

// A new name of a task type. Bounds: at most 8 classes serve one type; the first is preferred.
// `count` may be 0: the type waits until a class serves it. May come again with other classes.
struct TypeDeclared {
  TypeId type;
  std::array<ClassId, 8> classes{};
  std::uint8_t count = 0;
};

// What holds of a type beside who serves it. Nothing is configured of one that was not named here.
// Order: after the type was declared. May come again with other options.
struct TypeConfigured {
  TypeId type;
  BreakerOptions breaker;
  TaskMemory memory{};
};

struct OptionsChanged {
  Options options;
};

// --- clients -------------------------------------------------------------------------------------

struct Submit {
  ClientId client;
  RequestId request;
  TaskSpec spec;
};

struct Cancel {
  ClientId client;
  RequestId request;
  TaskId task;
};

// Its submitter has what it waited for (the acceptance, or the verdict): a key of use Reconnect is
// of no use any more.
struct Received {
  TaskId task;
};

// All that this client asked to be cancelled on disconnect is; no more replies go to it.
struct ClientGone {
  ClientId client;
};

// `payload_bytes`: with another payload, of so many; none: with the one that it has.
struct RetryDead {
  ClientId client;
  RequestId request;
  TaskId task;
  std::optional<std::uint32_t> payload_bytes{};
};

struct RemoveDead {
  ClientId client;
  RequestId request;
  TaskId task;
};

// A task that its handler held for a person may run again.
struct Release {
  ClientId client;
  RequestId request;
  TaskId task;
};

enum class ScaleMode : std::uint8_t { To, Up, Down };

struct Scale {
  ClientId client;
  RequestId request;
  ClassId worker_class;
  ScaleMode mode;
  std::uint16_t number;
};

// Replaces workers while they work: each successor is ready before its predecessor is asked to end,
// and at most recycle_share of a class are replaced at once. What waits for its next start is
// started now.
struct Restart {
  ClientId client;
  RequestId request;
  std::optional<ClassId> worker_class{};  // all of this class; neither: all
  std::optional<SlotId> home{};           // this one
};

// What runs goes on. A type that is resumed enters with its age capped (reopen_age_max); a class or
// the pool keeps its order, since all that waited for it waited alike.
struct Pause {
  ClientId client;
  RequestId request;
  PauseTarget target;
  bool paused;
};

// Opens the breaker of a type by hand for a time (0: as long as if it had tripped), or closes it.
// Refused where the type has none. Not kept: a new life begins with breakers closed.
struct SetBreaker {
  ClientId client;
  RequestId request;
  TypeId type;
  bool open;
  Duration time{};
};

// On: nothing new is accepted, what was accepted is worked off. Off: accepts again.
struct Drain {
  ClientId client;
  RequestId request;
  bool on;
};

// Ends the pool: nothing new is started; what runs gets drain_timeout (none if `now`).
struct Stop {
  ClientId client;  // 0 when a signal asked
  RequestId request;
  bool now;
};

// --- store and time ------------------------------------------------------------------------------

// Every record up to and with this number is kept as its durability asks.
struct Persisted {
  RecordNumber through;
};

// The archive has the dead letter of this round, for good, or could not take it.
struct Archived {
  TaskId task;
  std::uint16_t round;
  bool kept;
};

// The store takes new work, or refuses it (full, broken). Undone: of what was not kept by now
// nothing is on disk, and it comes there only together with what this step asks to keep.
struct StoreState {
  bool accepting;
  bool undone = false;
};

// The wall clock of `now` is this. At the start, and whenever it moved against the monotonic one.
struct WallStepped {
  WallTime wall;
};

// Whether anybody listens to notices about single tasks (submitted, started, progress, completed).
// Until the first of these they are given.
struct Listen {
  bool to_tasks;
};

// Order: the last event of each turn. Deadlines are judged and tasks are assigned here.
struct Tick {};

}  // namespace warmpool::event

namespace warmpool {

using Event =
    std::variant<event::ClassDeclared, event::TypeDeclared, event::TypeConfigured,
                 event::OptionsChanged, event::Submit, event::Cancel, event::Received,
                 event::ClientGone, event::RetryDead, event::RemoveDead, event::Release,
                 event::Scale, event::Restart, event::Pause, event::SetBreaker, event::Drain,
                 event::Stop, event::WorkerReady, event::WorkerBeat, event::WorkerStopped,
                 event::WorkerBroken, event::WorkerExited, event::AttemptAnswered,
                 event::AttemptProgressed, event::RecallAnswered, event::Persisted, event::Archived,
                 event::StoreState, event::WallStepped, event::Listen, event::WorkerRegistered,
                 event::WorkerLeaving, event::Outlived, event::WorkerSampled, event::WorkerObserved,
                 event::WorkerMeasured, event::WorkerChecked, event::WorkerFlagged,
                 event::WorkerPrepares, event::AttemptCheckpointed, event::LoopLate, event::Tick>;

}  // namespace warmpool
