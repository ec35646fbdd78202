// Tasks that run at once need no more than there is, or one needs more and runs alone; and one that
// does not fit is passed by smaller ones only for as long as that may be.
#include "tests/sim/oracle_task_memory.hpp"

#include <algorithm>

namespace warmpool::sim {
namespace {

std::string need_text(const MemoryGroup& group) {
  const auto& [bound, kind] = group.lanes;
  return (kind == LaneKind::Suspect ? "suspects of type " : "type ") +
         std::to_string(group.type.value) +
         (bound == kNoClass ? "" : " bound to class " + std::to_string(bound.value));
}

}  // namespace

std::uint64_t Books::memory_need(TypeId type) const {
  const SeenTaskMemory& memory = types_[type.value].memory;
  return memory.wanted.learned ? memory.peaks.high() : memory.wanted.bytes;
}

bool Books::memory_unknown(TypeId type) const {
  const SeenTaskMemory& memory = types_[type.value].memory;
  return memory.wanted.learned && memory.peaks.all.empty() && memory.done < 8;
}

MemoryGroup Books::memory_group(const SeenTask& task) const {
  const auto& classes = types_[task.spec.type.value].classes;
  const bool bound = std::ranges::count(classes, task.bound) != 0;
  const auto kind = task.suspect ? LaneKind::Suspect : LaneKind::Ordinary;
  return {task.spec.type, {bound ? task.bound : kNoClass, kind}};
}

// Room that is kept for another group is as good as taken.
bool Books::fits_memory(const MemoryGroup& group) const {
  const TypeId type = group.type;
  const std::uint64_t total = options_.memory_tasks_total;
  if (total == 0 || !types_[type.value].memory.wanted.any()) return true;
  const bool kept = awaited_ && *awaited_ != group;
  if (memory_unknown(type)) {
    const bool other_of_it = kept && awaited_->type == type;
    return !other_of_it && std::ranges::none_of(slots_, [&](const SeenSlot& slot) {
      return std::ranges::count(slot.worker.hand, type, &HeldAttempt::type) != 0;
    });
  }
  const std::uint64_t need = memory_need(type);
  const std::uint64_t gone = memory_taken_ + (kept ? memory_need(awaited_->type) : 0);
  return need == 0 || gone == 0 || gone + need <= total;
}

// Who may start now could not before.
void TaskMemoryWatch::changed() const {
  for (SeenType& type : oracle.types_) {
    if (type.memory.wanted.any()) type.changed_at = oracle.now_;
  }
}

void TaskMemoryWatch::configured(const event::TypeConfigured& event) const {
  changed();
  oracle.types_[event.type.value].memory.wanted = event.memory;
  oracle.types_[event.type.value].changed_at = oracle.now_;
  if (event.memory.any()) return;
  oracle.types_[event.type.value].memory.waits.clear();
  if (oracle.awaited_ && oracle.awaited_->type == event.type) oracle.awaited_.reset();
}

void TaskMemoryWatch::options_come() const { changed(); }

void TaskMemoryWatch::sampled(SeenWorker& worker, std::uint64_t bytes) const {
  for (HeldAttempt& held : worker.hand) {
    if (held.started) held.peak = std::max(held.peak, bytes);
  }
}

void TaskMemoryWatch::judge_given(const SeenWorker& worker, const SeenTask& task) const {
  const TypeId type = task.spec.type;
  require_rule(oracle.fits_memory(oracle.memory_group(task)), "task-memory", [&] {
    return task_name(task.id) + " is given to " + worker_name(worker.id) + " and needs " +
           std::to_string(oracle.memory_need(type)) + " beside " +
           std::to_string(oracle.memory_taken_) + " of " +
           std::to_string(oracle.options_.memory_tasks_total) +
           (oracle.awaited_ ? ", and room is kept for " + need_text(*oracle.awaited_) : "");
  });
  const bool counts =
      oracle.options_.memory_tasks_total != 0 && oracle.types_[type.value].memory.wanted.any();
  require_rule(!counts || worker.hand.size() < worker.concurrency, "memory-ahead", [&] {
    return task_name(task.id) + " would take memory while it waits in the hand of " +
           worker_name(worker.id);
  });
}

void TaskMemoryWatch::given(HeldAttempt& attempt) const {
  SeenTaskMemory& memory = oracle.types_[attempt.type.value].memory;
  if (!memory.wanted.any()) return;
  attempt.memory = oracle.memory_need(attempt.type);
  oracle.memory_taken_ += attempt.memory;
  const MemoryGroup group = oracle.memory_group(oracle.tasks_[attempt.task]);
  memory.waits.erase(group.lanes);
  if (oracle.awaited_ != group) return;
  oracle.awaited_.reset();
  changed();
}

void TaskMemoryWatch::left(const HeldAttempt& attempt) const {
  oracle.memory_taken_ -= attempt.memory;
  changed();
}

void TaskMemoryWatch::ended(const HeldAttempt& attempt, EndCause cause) const {
  SeenTaskMemory& memory = oracle.types_[attempt.type.value].memory;
  const bool whole = cause == EndCause::Done;
  memory.done += whole;
  if (attempt.peak != 0 && (whole || cause == EndCause::Memory)) memory.peaks.add(attempt.peak);
}

// That are held by nothing else, of types with the option.
std::map<MemoryGroup, std::vector<const SeenTask*>, BeforeGroup> TaskMemoryWatch::waiting() const {
  std::map<MemoryGroup, std::vector<const SeenTask*>, BeforeGroup> groups;
  for (const std::uint32_t index : oracle.unsettled_) {
    const SeenTask& task = oracle.tasks_[index];
    if (!oracle.types_[task.spec.type.value].memory.wanted.any()) continue;
    if (oracle.ready_but_for_memory(task)) groups[oracle.memory_group(task)].push_back(&task);
  }
  return groups;
}

// Surely: whoever may be on its way out does not count, nor who waits for a turn.
bool TaskMemoryWatch::has_worker(const std::vector<const SeenTask*>& tasks) const {
  const auto may_run_one = [&](ClassId worker_class) {
    return std::ranges::any_of(tasks, [&](const SeenTask* task) {
      const bool waits = task->suspect && oracle.full_of_suspects(worker_class);
      return !waits && oracle.served_by(*task, worker_class);
    });
  };
  return std::ranges::any_of(oracle.slots_, [&](const SeenSlot& slot) {
    const SeenWorker& worker = slot.worker;
    const bool silent = worker.hand.empty() && !worker.beatless &&
                        oracle.now_ - worker.heard_at >= oracle.options_.unresponsive_after;
    return worker.assignable() && oracle.is_open(worker.worker_class) && !worker.may_drain &&
           !worker.may_be_removed && !worker.stopped && !worker.broken && !silent &&
           worker.band != Band::Unhealthy && may_run_one(worker.worker_class);
  });
}

// Of a type that is not known only groups are in each other's way.
void TaskMemoryWatch::look() const {
  const auto groups = waiting();
  for (std::uint32_t i = 0; i < oracle.types_.size(); ++i) {
    const TypeId type{i};
    auto before = std::exchange(oracle.types_[i].memory.waits, {});
    const bool unknown = oracle.memory_unknown(type);
    if (!unknown && oracle.memory_need(type) == 0) continue;
    std::uint64_t at_most = 0, at_least = 0;
    std::map<LaneGroup, SeenWait> waits;
    for (const auto& [group, tasks] : groups) {
      if (group.type != type) continue;
      const bool worker = has_worker(tasks);
      ++at_most;
      at_least += worker;
      if (oracle.fits_memory(group)) continue;
      SeenWait wait = before[group.lanes];
      wait.held_from = std::min(wait.held_from, oracle.now_);
      wait.surely_from = worker ? std::min(wait.surely_from, oracle.now_) : kNever;
      waits[group.lanes] = wait;
    }
    if (unknown && at_most < 2) waits.clear();
    if (unknown && at_least < 2) {
      for (auto& [lanes, wait] : waits) wait.surely_from = kNever;
    }
    oracle.types_[i].memory.waits = std::move(waits);
  }
}

void TaskMemoryWatch::judge_awaited(Instant promised) const {
  require_rule(promised <= oracle.now_, "memory-wakes",
               [] { return std::string("room is kept for another, and no Tick is asked for"); });
  changed();
  if (!oracle.awaited_) return;
  const auto& waits = oracle.types_[oracle.awaited_->type.value].memory.waits;
  const auto found = waits.find(oracle.awaited_->lanes);
  const SeenWait wait = found == waits.end() ? SeenWait{} : found->second;
  const Duration patience = oracle.options_.memory_pass_max;
  const bool long_enough = wait.held_from != kNever && oracle.now_ >= wait.held_from + patience;
  require_rule(long_enough, "memory-awaited", [&] {
    return "room is kept for " + need_text(*oracle.awaited_) + ", which has not waited for long";
  });
  oracle.awaited_from_ = wait.held_from;
  const bool other = oracle.awaited_at_tick_.has_value();  // and only it had its time
  if (!other && wait.surely_from != kNever && oracle.options_at_ < oracle.previous_tick_) {
    oracle.judge_due(wait.surely_from + patience, "who has waited for memory for too long");
  }
}

void TaskMemoryWatch::judge_starving() const {
  for (std::uint32_t i = 0; i < oracle.types_.size(); ++i) {
    for (const auto& [lanes, wait] : oracle.types_[i].memory.waits) {
      const Instant since = wait.surely_from;
      if (since == kNever || oracle.now_ < since + oracle.options_.memory_pass_max) continue;
      const MemoryGroup group{TypeId{i}, lanes};
      const bool its = oracle.awaited_ == group;
      require_rule(
          its || (oracle.awaited_ && oracle.awaited_from_ <= since), "memory-starves", [&] {
            return need_text(group) + " waits for memory since " +
                   std::to_string((oracle.now_ - since).ns / 1000) + " us and none is kept for it";
          });
    }
  }
}

// A worker is kept for them.
bool TaskMemoryWatch::is_emptied_for(const MemoryGroup& group) const {
  if (group.lanes.kind != LaneKind::Suspect) return false;
  return std::ranges::any_of(oracle.unsettled_, [&](std::uint32_t index) {
    const SeenTask& task = oracle.tasks_[index];
    if (oracle.memory_group(task) != group || !oracle.ready_but_for_memory(task)) return false;
    return std::ranges::any_of(oracle.slots_, [&](const SeenSlot& slot) {
      return slot.worker.live && slot.worker.reserved &&
             oracle.served_by(task, slot.worker.worker_class);
    });
  });
}

// Room is kept until one of it is started; of what fits and is not started for memory_pass_max and
// no longer, unless a worker is being emptied for it. Order: while what was awaited at the last
// Tick, and has not been given since, still is.
void TaskMemoryWatch::judge_kept(const std::optional<MemoryGroup>& after) const {
  if (!oracle.awaited_) {
    oracle.kept_from_ = kNever;
    return;
  }
  const MemoryGroup group = *oracle.awaited_;
  const bool emptied = is_emptied_for(group);
  if (oracle.fits_memory(group)) {
    oracle.kept_from_ = emptied ? kNever : std::min(oracle.kept_from_, oracle.now_);
  }
  const bool over = oracle.kept_from_ != kNever && oracle.fits_memory(group) &&
                    oracle.now_ >= oracle.kept_from_ + oracle.options_.memory_pass_max;
  if (after == group) {
    require_rule(!over, "memory-kept", [&] {
      return "room is kept for " + need_text(group) + ", which fits and is not started";
    });
    return;
  }
  const bool due = over && oracle.options_at_ < oracle.previous_tick_;
  if (due) oracle.judge_due(oracle.kept_from_ + oracle.options_.memory_pass_max, "room was kept");
  oracle.kept_from_ = kNever;
  const auto groups = waiting();
  const auto its = groups.find(group);
  const bool alone = oracle.memory_unknown(group.type) || oracle.memory_need(group.type) == 0;
  const bool wants = its != groups.end() && !alone && oracle.options_.memory_tasks_total != 0 &&
                     has_worker(its->second);
  require_rule(over || !wants, "memory-given-up", [&] {
    return "room is kept no more for " + need_text(group) + ", which waits for it";
  });
}

void TaskMemoryWatch::judge_shown(const Pool& pool) const {
  bool same = pool.memory().tasks_taken == oracle.memory_taken_;
  for (const TypeView& view : pool.snapshot().types) {
    const SeenPeaks& peaks = oracle.types_[view.type.value].memory.peaks;
    same = same && view.memory.high == peaks.high() && view.memory.most == peaks.most &&
           view.memory.runs == peaks.all.size() && peaks.is_near(view.memory.high);
  }
  require_rule(same, "memory-learned",
               [] { return std::string("what runs had of memory is shown otherwise"); });
}

void TaskMemoryWatch::judge_after_tick(const Pool& pool, Instant promised) const {
  const auto before = oracle.awaited_, after = pool.memory().awaited;
  if (!oracle.stopping_) judge_kept(after);
  if (after != before) oracle.awaited_.reset();  // who is awaited no more is in nobody's way
  look();
  oracle.awaited_ = after;
  if (!oracle.stopping_ && after != before) judge_awaited(promised);
  oracle.awaited_at_tick_ = after;
  if (!oracle.stopping_) judge_starving();
  if (oracle.ticks_ % 16 == 0) judge_shown(pool);
}

}  // namespace warmpool::sim
