// The oracle's books: tasks by id, the daemon's lives, and the sums that must agree with the
// core's.
#include <algorithm>
#include <numeric>

#include "tests/sim/oracle_admission.hpp"
#include "tests/sim/oracle_breaker.hpp"
#include "tests/sim/oracle_checkpoints.hpp"
#include "tests/sim/oracle_health.hpp"
#include "tests/sim/oracle_memory.hpp"
#include "tests/sim/oracle_recovery.hpp"

namespace warmpool::sim {
namespace {

constexpr std::uint64_t kCounterMask = (1ULL << 40) - 1;
constexpr std::uint64_t kCounterMax = 1'000'000;

std::string both(std::string_view what, std::uint64_t core, std::uint64_t seen) {
  return std::string(what) + ": the core says " + std::to_string(core) + ", seen were " +
         std::to_string(seen);
}

void agree(std::string_view what, std::uint64_t core, std::uint64_t seen) {
  require_rule(core == seen, "counters", [&] { return both(what, core, seen); });
}

}  // namespace

Oracle::Oracle(const Scenario& scenario) : Books(scenario) {
  for (const auto& declared : scenario.classes) {
    classes_.push_back({declared.options, declared.options.size});
  }
  types_.resize(scenario.types.size());
}

std::uint32_t Oracle::index_of(TaskId id) const {
  const std::uint64_t life = id.value >> 40, counter = id.value & kCounterMask;
  if (life >= by_life_.size() || counter >= by_life_[life].size()) return 0;
  return by_life_[life][counter];
}

SeenTask* Oracle::find_task(TaskId id) {
  const std::uint32_t index = index_of(id);
  return index == 0 ? nullptr : &tasks_[index - 1];
}

SeenTask& Oracle::task_of(TaskId id) {
  SeenTask* task = find_task(id);
  require_rule(task != nullptr, "task-id", [&] { return "never accepted: " + task_name(id); });
  return *task;
}

void Oracle::add_task(SeenTask task) {
  const std::uint64_t life = task.id.value >> 40, counter = task.id.value & kCounterMask;
  require_rule(life >= 1 && life <= life_ && counter >= 1 && counter <= kCounterMax, "task-id",
               [&] { return "not life << 40 | counter: " + task_name(task.id); });
  require_rule(index_of(task.id) == 0, "task-id",
               [&] { return "given out twice: " + task_name(task.id); });
  if (by_life_.size() <= life) by_life_.resize(life + 1);
  if (by_life_[life].size() <= counter) by_life_[life].resize(counter + 1);
  tasks_.push_back(std::move(task));
  by_life_[life][counter] = static_cast<std::uint32_t>(tasks_.size());
  place_.push_back(0);
  add_unsettled(static_cast<std::uint32_t>(tasks_.size() - 1));
}

void Oracle::add_unsettled(std::uint32_t index) {
  place_[index] = static_cast<std::uint32_t>(unsettled_.size());
  unsettled_.push_back(index);
  payload_bytes_ += tasks_[index].spec.payload_bytes;
}

void Oracle::drop_unsettled(std::uint32_t index) {
  payload_bytes_ -= tasks_[index].spec.payload_bytes;
  const std::uint32_t place = place_[index], last = unsettled_.back();
  unsettled_[place] = last;
  place_[last] = place;
  unsettled_.pop_back();
}

void Oracle::judge_counters(const Pool& pool) const {
  const Counters core = pool.counters();
  agree("accepted", core.accepted, seen_.accepted);
  for (std::size_t i = 0; i < core.settled.size(); ++i) {
    agree(name_of(static_cast<Verdict>(i)), core.settled[i], seen_.settled[i]);
  }
  agree("attempts", core.attempts, seen_.attempts);
  agree("parked", core.parked, seen_.parked);
  agree("spawns", core.spawns, seen_.spawns);
  agree("registrations", core.registrations, seen_.registrations);
  agree("exits", core.exits, seen_.exits);
  agree("failures", core.failures, seen_.failures);
  agree("crashes", core.crashes, seen_.crashes);
  agree("interruptions", core.interruptions, seen_.interruptions);
  agree("recalls", core.recalls, seen_.recalls);
  agree("refused submits", core.refused_submits, seen_.refused_submits);
  agree("refused results", core.refused_results, seen_.refused_results);
  agree("duplicates", core.duplicates, seen_.duplicates);
}

void Oracle::judge_balance(const Pool& pool) const {
  const Counters core = pool.counters();
  const QueueView queue = pool.queue();
  const auto settled = std::accumulate(core.settled.begin(), core.settled.end(), std::uint64_t{0});
  require_rule(core.accepted == settled + queue.waiting() + queue.running, "balance", [&] {
    return both("accepted", core.accepted, settled + queue.waiting() + queue.running) +
           " as settled + waiting + running";
  });
  agree("dead letters", queue.dead_letters, letters_.size());
  agree("payload bytes", queue.payload_bytes, payload_bytes_);
  agree("unsettled", queue.waiting() + queue.running, unsettled_.size());
  std::uint64_t held = 0;
  for (const SeenSlot& slot : slots_) held += slot.worker.hand.size();
  agree("running", queue.running, held);
}

void Oracle::begin_turn(Instant now, Instant promised, Duration late) {
  require_rule(now >= now_, "time", [] { return std::string("the world went back in time"); });
  const bool overdue = promised != kNever && now > promised;
  stalled_turn_ = overdue || late.ns > 0;
  if (stalled_turn_) stall_at_ = now;
  const Duration stall = std::max(late, overdue ? now - promised : Duration{});
  if (stall > options_.heartbeat_interval) {
    grace_until_ = now + options_.heartbeat_interval;
    for (SeenSlot& slot : slots_) slot.worker.check_failures = 0;
    for (SeenSlot& slot : slots_) {
      SeenWorker& worker = slot.worker;
      worker.heard_at = worker.stopped_at = now;
      worker.motion = Motion::Unknown;
      for (HeldAttempt& held : worker.hand) held.moves(now);
      if (!worker.ready) worker.spawned_at = now;
    }
  }
  const Duration late_core = core_promised_ == kNever ? Duration{} : now - core_promised_;
  if (late_core > milliseconds(1)) {
    for (SeenSlot& slot : slots_) {
      for (HeldAttempt& held : slot.worker.hand) {
        const auto& its = classes_[slot.worker_class.value].options;
        const bool stalled = late_core * 2 >= its.progress_timeout;
        if (!held.started || its.progress_timeout.ns == 0) continue;
        if (stalled) held.moves(now);
        if (!stalled) held.late = std::min(now - held.moved_at, held.late + late_core * 2);
      }
    }
  }
  now_ = now;
  commands_of_turn_ = 0;
  cleared_.clear();
  shared_ = 0;
}

void Oracle::life_begins(Instant now, WallTime wall) {
  now_ = now;
  wall_offset_ = Duration{wall.ns - now.ns};
}

void Oracle::after(const Pool& pool) {
  for (const HeldAttempt& attempt : dying_) {
    violate("exit-ends-all", "attempt of " + task_name(attempt.key.task) + " outlives its worker " +
                                 worker_name(dead_.id));
  }
  if (returned_) {
    violate("recall-returns", task_name(returned_->task) + " was given back and is still in hand");
  }
  if (answered_ != nullptr) {
    const std::uint64_t refused = pool.counters().refused_results - seen_.refused_results;
    if (doubtful_answer_) seen_.refused_results += refused;
    if (stale_answer_) {
      require_rule(refused == 1, "fencing", [&] {
        return "a stale result of " + task_name(answered_->key.task) + " was not refused";
      });
      ++seen_.refused_results;
    }
    if (fresh_answer_) {
      violate("answer-counts",
              "the answer of " + task_name(answered_->key.task) + " was current and ended nothing");
    }
    answered_ = nullptr;
  }
  if (const auto* submit = std::get_if<event::Submit>(event_)) judge_duplicate(*submit);
  MemoryWatch{*this}.judge_after_event();
  HealthWatch{*this}.judge_after_event(pool);
  CheckpointWatch{*this}.judge_after_event();
  judge_unanswered();
  BreakerWatch{*this}.judge_step();
  RecoveryWatch{*this}.judge_step();
  judge_notices();
  judge_counters(pool);
  judge_balance(pool);
  AdmissionWatch{*this}.look(pool);
  event_ = nullptr;
}

void Oracle::daemon_died(Instant now) {
  now_ = now;
  ++life_;
  ++daemon_deaths_;
  for (SeenSlot& slot : slots_) slot = SeenSlot{};
  held_.clear();
  for (SeenClass& seen : classes_) seen.peers.clear();
  for (SeenRequest& request : requests_) request.answered = true;
  open_.clear();
  open_requests_ = unannounced_ = 0;
  keys_.clear();
  for (auto& done : done_keys_) done.clear();
  lanes_.clear();
  const Counters fresh{};
  seen_ = fresh;
  letters_.clear();
  archiving_.clear();
  letter_bytes_ = payload_bytes_ = 0;
  archiving_bytes_ = archived_ = archive_failures_ = 0;
  archive_again_ = {};
  listening_ = true;
  initialized_ = false;
  stall_at_ = now;
  grace_until_ = Instant{};
  options_ = scenario_.options;
  last_record_ = kept_record_ = RecordNumber{};
  draining_ = stopping_ = paused_ = false;
  accepting_ = true;
  accept_gates_.clear();
  first_gate_ = 0;
  outlived_.clear();
  registrations_.clear();
  for (SeenType& type : types_) type = SeenType{};
  memory_taken_ = 0;
  awaited_.reset();
  awaited_at_tick_.reset();
  kept_from_ = kNever;
  for (std::size_t i = 0; i < classes_.size(); ++i) {
    classes_[i] = {scenario_.classes[i].options, scenario_.classes[i].options.size};
  }
  replaying_ = true;
  // Everything is rebuilt from what was kept; promises to clients stay.
  for (SeenTask& task : tasks_) {
    task.phase = Phase::Removed;
    task.accept_kept = false;
    task.vanished = true;
    task.cancel_asked = task.dropped = task.received = false;
  }
  unsettled_.clear();
}

std::string Oracle::why_unsettled() const {
  std::string text = std::to_string(unsettled_.size()) + " unsettled:";
  for (std::uint32_t index : unsettled_) {
    const SeenTask& task = tasks_[index];
    text += " " + task_name(task.id) + "(type " + std::to_string(task.spec.type.value) +
            ", phase " + std::to_string(static_cast<int>(task.phase)) + ")";
  }
  return text + "; " + std::to_string(open_requests_) + " requests open, " +
         std::to_string(unannounced_) + " verdicts not announced";
}

void Oracle::check_settled(const Pool& pool) const {
  require_rule(unsettled_.empty(), "liveness", [&] { return why_unsettled(); });
  require_rule(archiving_.empty() && !letters_over_bounds(), "liveness",
               [] { return std::string("dead letters over their bounds were not archived"); });
  for (const SeenRequest& request : requests_) {
    require_rule(request.answered, "one-answer", [&] {
      return "request " + std::to_string(request.request.value) + " was never answered";
    });
  }
  for (const SeenTask& task : tasks_) {
    require_rule(task.phase != Phase::Settled || task.announced, "announce",
                 [&] { return "settled, kept and never announced: " + task_name(task.id); });
  }
  judge_counters(pool);
  judge_balance(pool);
  require_rule(slots_are_back(), "slots-back", [&] {
    std::string text;
    for (std::size_t c = 0; c < classes_.size(); ++c) {
      std::size_t ready = 0;
      for (const SeenSlot& slot : slots_) {
        ready += slot.worker.worker_class.value == c && slot.worker.assignable() &&
                 !slot.worker.registered;
      }
      text += "class " + std::to_string(c) + " has " + std::to_string(ready) + " of " +
              std::to_string(classes_[c].target) + " ready; ";
    }
    return text;
  });
}

bool Oracle::slots_are_back() const {
  for (std::size_t c = 0; c < classes_.size(); ++c) {
    std::uint64_t ready = 0;
    for (const SeenSlot& slot : slots_) {
      if (slot.worker.registered) continue;
      ready += slot.worker.live && slot.worker.worker_class.value == c && slot.worker.assignable();
      const AdmissionWatch admission{const_cast<Oracle&>(*this)};
      const bool held = admission.holds_successors(slot.worker.worker_class);
      if (slot.worker.live && slot.worker.restart_asked && !held) return false;
    }
    if (ready != classes_[c].target - classes_[c].parked) return false;
  }
  return true;
}

// A killed worker that does not go is waited for no longer than a second. Where the loop is late at
// its deadlines, each of both waits ends as late.
void Oracle::check_stopped(Instant asked, Instant now, std::uint64_t lost) const {
  constexpr Duration kExits = seconds(1), kTurn = milliseconds(1);
  const Duration late = scenario_.turn_late;
  const Duration bound =
      (stop_now_ ? Duration{} : options_.drain_timeout) + kExits + kTurn + late * 2;
  require_rule(now - asked <= bound, "stop-in-time", [&] {
    return "took " + std::to_string((now - asked).ns / 1'000'000) + " ms, bound is " +
           std::to_string(bound.ns / 1'000'000) + " ms";
  });
  for (const SeenSlot& slot : slots_) {
    const bool unkillable = slot.worker.kill_ordered && now - slot.worker.kill_at >= kExits - late;
    require_rule(!slot.worker.live || unkillable, "stop-leaves-none",
                 [&] { return worker_name(slot.worker.id) + " still lives at Finished"; });
  }
  require_rule(lost == unsettled_.size(), "stop-counts",
               [&] { return both("lost", lost, unsettled_.size()); });
}

}  // namespace warmpool::sim
