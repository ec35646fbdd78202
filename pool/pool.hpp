// The pool: decides, touches nothing. One object runs in the daemon and in the simulator.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pool/command.hpp"
#include "pool/event.hpp"
#include "pool/options.hpp"
#include "pool/record.hpp"
#include "pool/view.hpp"

namespace warmpool {

// What a life begins with. `secret` is drawn from the kernel, fresh in each life: tokens of
// attempts are keyed with it. `jitter_seed` drives retry jitter, so that a run can be repeated.
struct Genesis {
  std::uint64_t life = 1;  // from 1; task ids of this life start with it
  std::array<std::uint64_t, 2> secret{};
  std::uint64_t jitter_seed = 0;
  Instant now;
  WallTime wall;
  Options options = default_options();
};

struct PoolSettings;  // pool_settings.hpp

// Order: replay() of all records of earlier lives first (or none), then step(). `now` never goes
//   back. A turn is any number of events, then Tick, then its commands are carried out.
// Bounds: 65,535 slots; tasks by options.tasks_max. Threads: one at a time. Blocks: never.
// Errors: none; a request that cannot be met is a Refused command, a broken contract ends the
//   process.
class Pool {
 public:
  explicit Pool(const Genesis& genesis);
  ~Pool();
  Pool(Pool&&) noexcept;
  Pool& operator=(Pool&&) noexcept;

  // Appends what is to be done to `out`.
  void step(Instant now, const Event& event, Commands& out);

  // When the next Tick is due though nothing happened; kNever if none. May be early, never late.
  Instant next_deadline() const;

  // A record of an earlier life, in order; classes and types are declared first. Attempts that
  // were started and have no end are closed as interrupted by finish_replay().
  void replay(const Record& record);
  void finish_replay(Instant now, Commands& out);
  // Rounds by Verdict since the store was made, where records of old ones are gone. Order: after
  // the last replay(), before finish_replay().
  void replay_totals(const std::array<std::uint64_t, 5>& settled);

  Snapshot snapshot(TypesShown shown = TypesShown::All) const;
  // A snapshot without slots and types: its cost does not grow with either.
  Snapshot overview() const;
  Counters counters() const;
  QueueView queue() const;
  MemoryView memory() const;
  std::optional<SlotView> slot(SlotId slot) const;
  std::optional<BreakerView> breaker(TypeId type) const;
  // Bounds: of a type that was declared.
  TypeMemoryView memory(TypeId type) const;
  // Live tasks, dead letters, and settled ones whose record is not yet kept.
  std::optional<TaskView> task(TaskId task) const;
  // How many of the class that it will be run by come before a ready task, counted up to `most`;
  // nothing where it is not ready or nobody serves it.
  std::optional<std::size_t> tasks_before(TaskId task, std::size_t most) const;
  // In order of id. Cost: one pass over all tasks the core holds.
  std::vector<TaskView> list(const TaskQuery& query) const;
  // The same as ids, over at most `places` of the core's table a call, or over the dead letters at
  // once. Returns whether it is through.
  bool scan(TaskScan& scan, std::uint32_t places) const;
  RowHits row_hits() const;

  // All that it holds, as bytes from which the same core comes back (pool_image.cpp); no payloads,
  // no commands, no environments, but the secret of the tokens. Nothing where they would be more
  // than `bytes_max`. Order: after a turn.
  std::optional<std::string> image(std::size_t bytes_max) const;
  // Nothing where these bytes are no image of this program's shape. Errors: beyond that they are
  // believed; an image that contradicts itself breaks the contract of a later step.
  static std::optional<Pool> from_image(std::string_view bytes);
  PoolSettings settings() const;
  // Differs where images, events, records or commands have other fields.
  static std::uint32_t shape();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace warmpool
