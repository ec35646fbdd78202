// Who has too much is killed at once; who has much is replaced, but not for what any successor
// would have too; and a task that ended for want of memory or time is given what was promised.
#include "tests/sim/oracle_memory.hpp"

#include <algorithm>

#include "tests/sim/oracle_health.hpp"
#include "tests/sim/oracle_task_memory.hpp"

namespace warmpool::sim {
namespace {

// first x factor^n, no more than `most`, and no less than `first`.
std::uint64_t grown(std::uint64_t first, std::uint64_t factor, std::uint64_t n,
                    std::uint64_t most) {
  long double value = static_cast<long double>(first);
  for (std::uint64_t i = 0; i < n; ++i) value *= static_cast<long double>(factor);
  const auto bound = static_cast<long double>(std::max(first, most));
  return value >= bound ? std::max(first, most) : static_cast<std::uint64_t>(value);
}

std::uint64_t hard_limit(const ClassOptions& options, std::uint64_t ends) {
  const std::uint64_t hard = options.memory_hard ? *options.memory_hard : options.memory_soft * 2;
  if (hard == 0 || hard == kUnlimited) return kUnlimited;
  return grown(hard, options.retry_memory_factor, ends,
               options.retry_memory_max.value_or(kUnlimited));
}

}  // namespace

const ClassOptions& MemoryWatch::options_of(const SeenWorker& worker) const {
  return oracle.classes_[worker.worker_class.value].options;
}

std::uint64_t MemoryWatch::most(const SeenWorker& worker) const {
  std::uint64_t ends = 0;
  for (const HeldAttempt& held : worker.hand) {
    if (held.started) {
      ends = std::max<std::uint64_t>(ends, oracle.tasks_[held.task].used.memory_ends);
    }
  }
  return hard_limit(options_of(worker), ends);
}

bool MemoryWatch::over(const SeenWorker& worker) const {
  return !worker.registered && worker.memory > most(worker);
}

void MemoryWatch::comes(const event::WorkerSampled& event) const {
  SeenWorker* worker = oracle.find_worker(event.worker);
  if (worker == nullptr || worker->kill_ordered) return;
  TaskMemoryWatch{oracle}.sampled(*worker, event.memory_bytes);
  if (worker->registered) return;
  worker->memory = event.memory_bytes;
  if (!worker->memory_base && worker->answers > 0) {
    worker->memory_base = event.memory_bytes;
    SeenClass& seen = oracle.classes_[worker->worker_class.value];
    const std::uint64_t soft = seen.options.memory_soft;
    if (soft != 0 && event.memory_bytes > soft && !std::exchange(seen.oversized_told, true)) {
      oracle.owe(Notice::WorkerOversized);
    }
  }
  judge_due(*worker);
}

void MemoryWatch::options_come(ClassId worker_class) const {
  oracle.classes_[worker_class.value].oversized_told = false;
  for (SeenSlot& slot : oracle.slots_) {
    if (slot.worker.live && slot.worker.worker_class == worker_class) judge_due(slot.worker);
  }
}

void MemoryWatch::judge_due(SeenWorker& worker) const {
  if (!worker.memory_base || over(worker)) return;
  const ClassOptions& options = options_of(worker);
  const std::uint64_t soft = options.memory_soft, base = *worker.memory_base;
  std::uint64_t due = soft;
  if (soft == 0) due = kUnlimited;
  if (soft != 0 && base > soft) {
    const std::uint64_t hard = hard_limit(options, 0);
    due = hard == kUnlimited ? kUnlimited : base + (std::max(hard, base) - base) / 2;
  }
  const std::uint64_t growth = options.memory_growth;
  if (worker.memory > due || (growth != 0 && worker.memory > base + growth)) {
    worker.memory_due = true;
  }
}

void MemoryWatch::judge_after_event() const {
  for (const SeenSlot& slot : oracle.slots_) {
    const SeenWorker& worker = slot.worker;
    if (!worker.live || worker.memory == 0 || worker.kill_ordered) continue;
    require_rule(!over(worker), "memory-killed", [&] {
      return worker_name(worker.id) + " has " + std::to_string(worker.memory) + " of " +
             std::to_string(most(worker)) + " and lives";
    });
  }
}

void MemoryWatch::judge_given(const SeenTask& task, const command::Assign& assign) const {
  const ClassOptions& options =
      oracle.classes_[oracle.slot_of(assign.worker).worker.worker_class.value].options;
  const std::uint64_t timeout =
      grown(static_cast<std::uint64_t>(task.spec.timeout.ns), options.retry_timeout_factor,
            task.used.timeouts,
            static_cast<std::uint64_t>(options.retry_timeout_max.value_or(kDurationMax).ns));
  require_rule(assign.memory_max == hard_limit(options, task.used.memory_ends) &&
                   static_cast<std::uint64_t>(assign.timeout.ns) == timeout,
               "assign-limits",
               [&] { return task_name(task.id) + " is given a wrong timeout or memory"; });
}

void MemoryWatch::judge_reason(const SeenWorker& replaced) const {
  const ClassOptions& options = options_of(replaced);
  const bool tasks = options.max_tasks != 0 && replaced.answers >= options.max_tasks;
  const bool age = options.max_age.ns != 0 && oracle.now_ >= replaced.born_at + options.max_age;
  const bool ill = replaced.ill_once || HealthWatch{oracle}.is_ill(replaced);
  require_rule(replaced.restart_asked || tasks || age || replaced.memory_due || ill,
               "recycle-reason",
               [&] { return worker_name(replaced.id) + " is replaced without reason"; });
}

record::Used MemoryWatch::counted(record::Used used, EndCause cause, Charge charge) {
  if (charge == Charge::Nothing) return used;
  used.memory_ends = static_cast<std::uint8_t>(used.memory_ends + (cause == EndCause::Memory));
  used.timeouts = static_cast<std::uint8_t>(used.timeouts + (cause == EndCause::Timeout));
  return used;
}

}  // namespace warmpool::sim
