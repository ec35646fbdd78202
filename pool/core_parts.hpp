// Small values that the parts of the core hand to each other.
#pragma once

#include <vector>

#include "pool/ids.hpp"
#include "pool/lane_table.hpp"
#include "pool/memory_peaks.hpp"
#include "pool/time.hpp"
#include "pool/words.hpp"

namespace warmpool {

// After so many runs the time that they take is known.
inline constexpr std::uint32_t kRunsKnown = 8;

// How long runs of a type take, so that short ones may be given ahead; and the memory they had.
struct TypeState {
  Duration service{};
  std::uint32_t runs = 0;  // counted up to kRunsKnown
  std::uint32_t done = 0;  // of these that did what they were to do, counted up to kRunsKnown
  std::uint32_t in_hands = 0;
  MemoryPeaks peaks;
  bool declared = false;
  bool breaker = false;  // it has one
};

// How an attempt ends, before it is decided what becomes of its task.
struct End {
  EndCause cause{};
  Charge charge = Charge::Nothing;
  Duration retry_after{};
  std::int32_t code = 0;
  WorkerId worker{};
};

constexpr bool is_crash(EndCause cause) {
  return cause == EndCause::Crashed || cause == EndCause::Memory || cause == EndCause::Hung;
}

struct CancelRequest {
  ClientId client;
  RequestId request;
  Rung rung = Rung::NotRunning;
};

// Who asked for this cancel is answered by then, kept or not.
struct CancelDue {
  TaskId task;
  Instant at;
};

// Tasks to be cancelled when their client leaves. Settled ones are swept out when it doubles.
struct Owned {
  std::vector<TaskId> tasks;
  std::size_t sweep_at = 1024;
};

// A worker in whose hand too much would run before tasks with a place before `limit`.
struct Way {
  LaneKey limit;
  SlotId slot;
};

// A task that has waited behind another for too long.
struct Behind {
  LaneKey place;
  AttemptKey key;
  SlotId slot;
  TaskIndex task;
};

}  // namespace warmpool
