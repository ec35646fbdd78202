// The memory that runs of a type need, as its option `memory` says, and who waits for some.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "pool/ids.hpp"
#include "pool/lane_group.hpp"
#include "pool/result.hpp"
#include "pool/time.hpp"

namespace warmpool {

// Of one run. Learned: what runs of the type had (memory_peaks.hpp).
struct TaskMemory {
  std::uint64_t bytes = 0;
  bool learned = false;
  constexpr bool any() const { return bytes != 0 || learned; }
  friend constexpr bool operator==(const TaskMemory&, const TaskMemory&) = default;
};

// "200MiB", "learned", or nothing. Bounds: 1 TiB. Errors: says what may be given.
Result<TaskMemory> parse_task_memory(std::string_view text);

// Who waits for memory is told apart so: else what one class alone may run would be passed for ever
// by what any may, and a suspect, which needs an empty worker too, by what needs none.
struct MemoryGroup {
  TypeId type;
  LaneGroup lanes{};
  friend constexpr bool operator==(const MemoryGroup&, const MemoryGroup&) = default;
};

// Tasks of a group wait for memory and for nothing else.
struct MemoryWait {
  LaneGroup lanes{};
  Instant since;
};

// Of a type that has the option.
struct MemoryNeed {
  TypeId type;
  TaskMemory wanted{};
  std::vector<MemoryWait> waits{};
};

struct MemoryNeeds {
  std::vector<MemoryNeed> types;       // in order of id
  std::uint64_t taken = 0;             // by what is in the hands of workers
  std::optional<MemoryGroup> awaited;  // what it needs is kept for it
  Instant kept_since = kNever;         // it fits, and none of it was started
  Instant due = kNever;  // when who waits has waited for long enough, or room was kept for long
};

// What runs of a type had (memory_peaks.hpp), and what one counts with.
struct TypeMemoryView {
  std::uint64_t high = 0, most = 0, runs = 0;
  TaskMemory wanted{};
  std::uint64_t need = 0;
  bool unknown = false;    // one runs at a time until it is known
  Instant since = kNever;  // its tasks wait for memory
};

}  // namespace warmpool
