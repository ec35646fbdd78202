// Two limits. Over the soft one a worker is replaced as for its age: nobody waits, no task is lost.
// Over the hard one it is killed at once, and what it ran alone is charged. What a process has when
// it has served its first task is its baseline: a program that needs more than the soft limit for
// itself would be replaced after each task for ever (celery#4125), so it is told and let be.
#include "pool/memory.hpp"

#include <algorithm>

#include "pool/core.hpp"

namespace warmpool {
namespace {

// first x factor^ends, at most `most` where that is more than `first`.
std::uint64_t raised(std::uint64_t first, std::uint64_t factor, unsigned ends, std::uint64_t most) {
  most = std::max(first, most);
  std::uint64_t value = first;
  for (unsigned i = 0; i < ends && factor > 1 && value < most; ++i) {
    value = value > most / factor ? most : value * factor;
  }
  return value;
}

}  // namespace

std::uint64_t memory_max_of(const ClassOptions& options, unsigned ends) {
  const std::uint64_t hard = options.memory_hard.value_or(options.memory_soft * 2);
  if (hard == 0 || hard == kUnlimited) return kUnlimited;
  const std::uint64_t most = options.retry_memory_max.value_or(kUnlimited);
  return raised(hard, options.retry_memory_factor, ends, most);
}

std::uint64_t memory_due_of(const ClassOptions& options, std::uint64_t base) {
  const std::uint64_t soft = options.memory_soft;
  if (soft == 0) return kUnlimited;
  if (base <= soft) return soft;
  const std::uint64_t hard = memory_max_of(options, 0);
  return hard == kUnlimited ? kUnlimited : base + (hard - std::min(base, hard)) / 2;
}

Duration timeout_of(const ClassOptions& options, Duration timeout, unsigned ends) {
  const auto most = options.retry_timeout_max.value_or(kDurationMax);
  return Duration{static_cast<std::int64_t>(raised(static_cast<std::uint64_t>(timeout.ns),
                                                   options.retry_timeout_factor, ends,
                                                   static_cast<std::uint64_t>(most.ns)))};
}

std::uint64_t CoreState::memory_max(const Slot& slot) const {
  unsigned ends = 0;
  for (const Held& held : slot.held) {
    if (held.started()) ends = std::max<unsigned>(ends, tasks[held.task].used.memory_ends);
  }
  return memory_max_of(classes[slot.worker_class.value].options, ends);
}

// Who was started by somebody else is not judged: nobody would take its place.
void Core::on(const event::WorkerSampled& event) {
  Slot* slot = slots.find(event.worker);
  if (slot == nullptr || slot->killed) return;
  note_peaks(*slot, event.memory_bytes);
  if (slot->registered) return;
  slot->memory = event.memory_bytes;
  if (!slot->based && slot->answers_of_worker != 0) set_baseline(*slot);
  judge_memory(*slot);
}

// Order: after each sample, and whenever what it may have may have become less. Before its first
// answer a worker is not due: what it takes for itself is not known, and it would have been of no
// use.
void Core::judge_memory(Slot& slot) {
  if (slot.killed || slot.registered) return;
  if (slot.memory > memory_max(slot)) {
    return end_by_force(slot, ExitCause::Memory, command::Force::Kill);
  }
  const bool works = slot.state == SlotState::Ready || slot.state == SlotState::Running;
  if (!works || !slot.based) return;
  const ClassOptions& limits = class_of(slot).options;
  const bool over = slot.memory > memory_due_of(limits, slot.memory_base);
  const bool grown =
      limits.memory_growth != 0 && slot.memory > slot.memory_base + limits.memory_growth;
  if (over || grown) become_due(slot, DueReason::Memory);
}

void Core::set_baseline(Slot& slot) {
  WorkerClass& worker_class = class_of(slot);
  slot.memory_base = slot.memory;
  slot.based = true;
  const std::uint64_t soft = worker_class.options.memory_soft;
  if (soft == 0 || slot.memory_base <= soft || worker_class.oversized_told) return;
  worker_class.oversized_told = true;
  auto told = about(slot, Notice::WorkerOversized);
  told.memory_bytes = slot.memory_base;
  told.limit_bytes = soft;
  notify(told);
}

}  // namespace warmpool
