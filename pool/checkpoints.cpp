// Whoever sends checkpoints by itself is not asked as well: the time counts from the last one. Only
// before a planned end it is asked at once, because what it sent may be a minute old.
#include <algorithm>

#include "pool/core_checkpoints.hpp"

namespace warmpool {

Instant CoreCheckpoints::ask_at(const Slot& slot, const Held& held) const {
  const Duration every = classes[slot.worker_class.value].options.checkpoint_every;
  if (!slot.checkpoints || every.ns == 0 || !held.started() || held.is_ending()) return kNever;
  return held.saved_at + every;
}

void CoreCheckpoints::ask_due(Slot& slot) {
  for (Held& held : slot.held) {
    if (ask_at(slot, held) <= now) ask(slot, held);
  }
}

void CoreCheckpoints::ask_all(Slot& slot) {
  for (Held& held : slot.held) {
    if (!held.is_ending()) ask(slot, held);
  }
}

void CoreCheckpoints::ask(const Slot& slot, Held& held) {
  if (!slot.checkpoints || !held.started()) return;
  held.saved_at = now;
  emit(command::AskCheckpoint{slot.worker, held.key});
}

// It is a sign of progress as well. While the disk takes nothing none is kept: they would pile up
// before it for as long as that lasts.
void CoreCheckpoints::take_checkpoint(Held& held, std::uint32_t bytes) {
  held.saved_at = now;
  held.moves(now);
  const Task& task = tasks[held.task];
  if (!store_accepting_ && task.durability != Durability::None) return;
  recorder.persist(record::Checkpointed{task.id, task.round, held.key.attempt, bytes, now}, *out_);
  if (!task_notices_) return;
  auto told = about(held.task, Notice::TaskCheckpointed);
  told.count = bytes;
  notify(told);
}

}  // namespace warmpool
