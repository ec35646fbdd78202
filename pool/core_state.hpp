// What the core holds: its parts and its own state. What it does is in core.hpp.
#pragma once

#include <map>
#include <tuple>

#include "pool/breaker_table.hpp"
#include "pool/core_parts.hpp"
#include "pool/dead_letters.hpp"
#include "pool/jitter.hpp"
#include "pool/key_table.hpp"
#include "pool/lane_table.hpp"
#include "pool/pool.hpp"
#include "pool/recorder.hpp"
#include "pool/slot_table.hpp"
#include "pool/task_memory.hpp"
#include "pool/task_table.hpp"
#include "pool/task_timers.hpp"

namespace warmpool {

struct CoreState {
  explicit CoreState(const Genesis& made)
      : genesis(made),
        options(made.options),
        lanes(tasks, made.options.priority_step),
        timers(tasks),
        now(made.now),
        jitter_(made.jitter_seed),
        wall_offset_(made.wall.ns - made.now.ns) {}

  const Genesis genesis;
  Options options;
  TaskTable tasks;
  LaneTable lanes;
  TaskTimers timers;
  SlotTable slots;
  KeyTable keys;
  BreakerTable breakers;
  MemoryNeeds memory_needs;
  Recorder recorder;
  Counters counters;
  RecoveryFigures recoveries;
  std::vector<WorkerClass> classes;
  std::vector<TypeState> types;
  Instant now;

  // In order of id. Cost: as many as there are, not all tasks.
  std::vector<TaskIndex> dead_letters() const;
  std::optional<BreakerView> breaker_view(TypeId type) const;
  RecoveryView recovery_view(const WorkerClass& worker_class) const;
  RecoveriesView recoveries_view() const;
  MemoryView memory_view() const;
  TypeMemoryView memory_view(TypeId type) const;

  std::uint64_t generator() const { return jitter_.state(); }
  // All but the place where commands go during a step, and `genesis`, which a core is made of.
  static auto fields(auto& self) {
    auto& [genesis, options, tasks, lanes, timers, slots, keys, breakers, memory_needs, recorder,
           counters, recoveries, classes, types, now, out, jitter, tasks_made, wall_offset,
           promised, grace_until, initialized, draining, stopping, finished, forced,
           store_accepting, task_notices, paused, resized, stop_at, cancels, cancels_due, owned,
           orphans, orphans_until, dead, open_attempts, outlived, ways, behind, free,
           health_changed] = self;
    return std::tie(options, tasks, lanes, timers, slots, keys, breakers, memory_needs, recorder,
                    counters, recoveries, classes, types, now, jitter, tasks_made, wall_offset,
                    promised, grace_until, initialized, draining, stopping, finished, forced,
                    store_accepting, task_notices, paused, resized, stop_at, cancels, cancels_due,
                    owned, orphans, orphans_until, dead, open_attempts, outlived, ways, behind,
                    free, health_changed);
  }

 protected:
  bool is_kept(RecordNumber number) const { return number <= recorder.kept(); }
  std::optional<PauseScope> paused_by(TypeId type) const;
  // `serving`: the classes of which a task of the type may run in.
  std::optional<PauseScope> paused_by(TypeId type, std::span<const ClassId> serving) const;
  // Makes room for its number.
  TypeState& type_state(TypeId type);
  WorkerClass& class_of(const Slot& slot) { return classes[slot.worker_class.value]; }
  void emit(auto&& emitted) { out_->emplace_back(std::forward<decltype(emitted)>(emitted)); }
  void notify(const Notification& notification) { emit(command::Notify{notification}); }

  Duration expected(TypeId type) const;
  // When its age makes it due; never if it is already.
  Instant old_at(const Slot& slot) const;
  // After which what it runs is slow.
  Duration slow_time(const Held& held) const;
  // When it has been idle for so long that its class may do without it.
  Instant idle_at(const Slot& slot) const;
  // Of all living workers that the pool started, as their classes say.
  std::uint64_t memory_declared() const;
  // Whether the class may run one more suspect now.
  bool has_turn(const WorkerClass& worker_class) const;
  // For a worker of the class, and not for its turn.
  bool suspect_waits(const WorkerClass& worker_class) const;
  // To the class that the one where it ran names for this end, if it names one.
  void bind(Task& task, EndCause cause);
  // Of one run of the type, as far as it is known.
  std::uint64_t memory_of(const MemoryNeed& need) const;
  bool memory_is_unknown(const MemoryNeed& need) const;
  // Whether its workers are given anything.
  bool is_open(const WorkerClass& worker_class) const;
  // How far the end of an attempt got, for those who asked for it.
  void mark_rung(TaskId id, Rung rung);
  // What was said of an attempt that is not current.
  void refuse_result(WorkerId worker, const AttemptKey& key);
  // What its worker may have while it runs what it runs. Of several tasks the one that may most.
  std::uint64_t memory_max(const Slot& slot) const;

  Notification about(TaskIndex index, Notice notice) const;
  Notification about(const Slot& slot, Notice notice) const;
  // Nothing to a client 0.
  void refuse(ClientId client, RequestId request, TaskId task, Refusal code, Duration after = {});
  void complete(ClientId client, RequestId request, std::uint64_t before, std::uint64_t after);

  Commands* out_ = nullptr;
  Jitter jitter_;
  std::uint64_t tasks_made_ = 0;
  std::int64_t wall_offset_ = 0;  // wall = now + offset
  Instant promised_ = kNever;     // the deadline told after the last Tick
  Instant grace_until_{};         // after a stall nobody is judged before
  bool initialized_ = false, draining_ = false, stopping_ = false, finished_ = false;
  bool forced_ = false, store_accepting_ = true, task_notices_ = true, paused_ = false;
  bool resized_ = false;  // within the turn
  Instant stop_at_ = kNever;
  std::multimap<TaskId, CancelRequest> cancels_;
  std::deque<CancelDue> cancels_due_;  // of tasks that have settled, and some that were answered
  std::map<ClientId, Owned> owned_;
  // Their clients left with an earlier life and may come back until then.
  std::vector<TaskId> orphans_;
  Instant orphans_until_ = kNever;
  DeadLetters dead_;
  std::map<TaskId, record::Started> open_attempts_;  // during a replay
  std::vector<TaskId> outlived_;        // may still run in a process of an earlier life
  std::vector<Way> ways_;               // within make_way
  std::vector<Behind> behind_;          // within recall_for_idle
  std::vector<std::size_t> free_;       // places by class, within recall_for_idle
  std::vector<SlotId> health_changed_;  // within the turn
};

}  // namespace warmpool
