// Tasks that run at once need no more than there is, or one needs more and runs alone; and one that
// does not fit is passed by smaller ones only for as long as that may be.
#include "tests/sim/oracle_task_memory.hpp"

#include <algorithm>

namespace warmpool::sim {
namespace {

std::string need_text(TypeId type) { return "type " + std::to_string(type.value); }

}  // namespace

std::uint64_t Books::memory_need(TypeId type) const {
  const SeenTaskMemory& memory = types_[type.value].memory;
  return memory.wanted.learned ? memory.peaks.high() : memory.wanted.bytes;
}

// Room that is kept for another type is as good as taken.
bool Books::fits_memory(TypeId type) const {
  const SeenType& known = types_[type.value];
  const std::uint64_t total = options_.memory_tasks_total;
  if (total == 0 || !known.memory.wanted.any()) return true;
  if (known.memory.wanted.learned && known.memory.peaks.all.empty() && known.answers < 8) {
    return std::ranges::none_of(slots_, [&](const SeenSlot& slot) {
      return std::ranges::count(slot.worker.hand, type, &HeldAttempt::type) != 0;
    });
  }
  const std::uint64_t need = memory_need(type);
  const bool kept = awaited_ && *awaited_ != type;
  const std::uint64_t gone = memory_taken_ + (kept ? memory_need(*awaited_) : 0);
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
  if (!event.memory.any() && oracle.awaited_ == event.type) oracle.awaited_.reset();
}

void TaskMemoryWatch::options_come() const { changed(); }

void TaskMemoryWatch::sampled(SeenWorker& worker, std::uint64_t bytes) const {
  for (HeldAttempt& held : worker.hand) {
    if (held.started) held.peak = std::max(held.peak, bytes);
  }
}

void TaskMemoryWatch::judge_given(const SeenWorker& worker, const SeenTask& task) const {
  const TypeId type = task.spec.type;
  require_rule(oracle.fits_memory(type), "task-memory", [&] {
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
  memory.held_from = memory.surely_from = kNever;
  if (oracle.awaited_ != attempt.type) return;
  oracle.awaited_.reset();
  changed();
}

void TaskMemoryWatch::left(const HeldAttempt& attempt) const {
  oracle.memory_taken_ -= attempt.memory;
  changed();
}

void TaskMemoryWatch::ended(const HeldAttempt& attempt, EndCause cause, Charge charge) const {
  if (attempt.peak == 0 || (cause != EndCause::Done && charge == Charge::Nothing)) return;
  oracle.types_[attempt.type.value].memory.peaks.add(attempt.peak);
}

bool TaskMemoryWatch::waits(TypeId type) const {
  return std::ranges::any_of(oracle.unsettled_, [&](std::uint32_t index) {
    const SeenTask& task = oracle.tasks_[index];
    return task.spec.type == type && oracle.ready_but_for_memory(task);
  });
}

// Surely: whoever may be on its way out does not count, nor who waits for a turn.
bool TaskMemoryWatch::has_worker(TypeId type) const {
  const auto may_run_one = [&](ClassId worker_class) {
    return std::ranges::any_of(oracle.unsettled_, [&](std::uint32_t index) {
      const SeenTask& task = oracle.tasks_[index];
      return task.spec.type == type && !task.suspect && oracle.ready_but_for_memory(task) &&
             oracle.served_by(task, worker_class);
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

void TaskMemoryWatch::look() const {
  for (std::uint32_t i = 0; i < oracle.types_.size(); ++i) {
    const TypeId type{i};
    SeenTaskMemory& memory = oracle.types_[i].memory;
    const bool held = oracle.memory_need(type) != 0 && !oracle.fits_memory(type) && waits(type);
    const bool surely = held && has_worker(type);
    memory.held_from = held ? std::min(memory.held_from, oracle.now_) : kNever;
    memory.surely_from = surely ? std::min(memory.surely_from, oracle.now_) : kNever;
  }
}

void TaskMemoryWatch::judge_awaited(Instant promised) const {
  require_rule(promised <= oracle.now_, "memory-wakes",
               [] { return std::string("room is kept for another, and no Tick is asked for"); });
  changed();
  if (!oracle.awaited_) return;
  const SeenTaskMemory& memory = oracle.types_[oracle.awaited_->value].memory;
  const Duration patience = oracle.options_.memory_pass_max;
  const bool long_enough = memory.held_from != kNever && oracle.now_ >= memory.held_from + patience;
  require_rule(long_enough, "memory-awaited", [&] {
    return "room is kept for " + need_text(*oracle.awaited_) + ", which has not waited for long";
  });
  oracle.awaited_from_ = memory.held_from;
  const bool other = oracle.awaited_at_tick_.has_value();  // and only it had its time
  if (!other && memory.surely_from != kNever && oracle.options_at_ < oracle.previous_tick_) {
    oracle.judge_due(memory.surely_from + patience, "who has waited for memory for too long");
  }
}

void TaskMemoryWatch::judge_starving() const {
  for (std::uint32_t i = 0; i < oracle.types_.size(); ++i) {
    const Instant since = oracle.types_[i].memory.surely_from;
    if (since == kNever || oracle.now_ < since + oracle.options_.memory_pass_max) continue;
    const bool its = oracle.awaited_ == TypeId{i};
    require_rule(its || (oracle.awaited_ && oracle.awaited_from_ <= since), "memory-starves", [&] {
      return need_text(TypeId{i}) + " waits for memory since " +
             std::to_string((oracle.now_ - since).ns / 1000) + " us and none is kept for it";
    });
  }
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
  if (after != before) oracle.awaited_.reset();  // who is awaited no more is in nobody's way
  look();
  oracle.awaited_ = after;
  if (!oracle.stopping_ && after != before) judge_awaited(promised);
  oracle.awaited_at_tick_ = after;
  if (!oracle.stopping_) judge_starving();
  if (oracle.ticks_ % 16 == 0) judge_shown(pool);
}

}  // namespace warmpool::sim
