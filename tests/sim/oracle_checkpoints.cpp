// Written from requirement R5 and not from the core: asked for every so often and before a planned
// end, of nobody who has not the feature or has not begun; what a run that is not current says is
// never kept, and what a current one says always is, unless the disk takes nothing.
#include "tests/sim/oracle_checkpoints.hpp"

#include <algorithm>

#include "tests/sim/oracle_liveness.hpp"

namespace warmpool::sim {

void CheckpointWatch::comes(const event::AttemptCheckpointed& event) const {
  SeenWorker* worker = oracle.find_worker(event.worker);
  auto* held = static_cast<HeldAttempt*>(nullptr);
  if (worker != nullptr) {
    const auto found = std::ranges::find(worker->hand, event.key, &HeldAttempt::key);
    if (found != worker->hand.end()) held = &*found;
  }
  if (held == nullptr) {
    ++oracle.seen_.refused_results;
    return oracle.owe(Notice::ResultRefused);
  }
  oracle.heard(event.worker);
  held->saved_at = oracle.now_;
  held->moves(oracle.now_);
  const bool memory_only = oracle.tasks_[held->task].spec.durability == Durability::None;
  if (!oracle.accepting_ && !memory_only) return;
  oracle.checkpoint_owed_ = event.key;
  if (oracle.listening_) oracle.owe(Notice::TaskCheckpointed);
}

void CheckpointWatch::judge(const record::Checkpointed& record) const {
  const auto owed = std::exchange(oracle.checkpoint_owed_, std::nullopt);
  require_rule(owed && owed->task == record.task && owed->round == record.round &&
                   owed->attempt == record.attempt,
               "checkpoint-current", [&] {
                 return "a checkpoint of " + task_name(record.task) +
                        " is kept that no current run has sent, or the disk cannot take";
               });
}

Instant CheckpointWatch::due(const SeenWorker& worker, const HeldAttempt& held) const {
  const Duration every = oracle.classes_[worker.worker_class.value].options.checkpoint_every;
  if (!worker.checkpoints || every.ns == 0 || !held.started) return kNever;
  return held.saved_at + every;
}

bool CheckpointWatch::is_planned_end(const SeenWorker& worker, const HeldAttempt& held) const {
  const bool over = oracle.now_ >= held.started_at + held.timeout;
  const bool hung = oracle.now_ >= LivenessWatch{oracle}.hung_at(worker, held);
  const auto* scaled = std::get_if<event::Scale>(oracle.event_);
  return over || hung || oracle.stopping_ || worker.replaced || worker.leaving ||
         worker.may_drain || (scaled != nullptr && scaled->worker_class == worker.worker_class);
}

void CheckpointWatch::judge(const command::AskCheckpoint& ask) const {
  SeenWorker& worker = oracle.worker_of(ask.worker, "checkpoint-asked");
  const auto held = std::ranges::find(worker.hand, ask.key, &HeldAttempt::key);
  const bool in_hand = held != worker.hand.end() && held->started && !held->cancel_ordered;
  const bool hears = worker.ready && !worker.term_ordered && !worker.kill_ordered;
  require_rule(worker.checkpoints && in_hand && hears, "checkpoint-asked", [&] {
    return worker_name(worker.id) + " is asked for a checkpoint of " + task_name(ask.key.task) +
           " and cannot, does not run it, or is ending it";
  });
  const bool periodic = oracle.now_ >= due(worker, *held);
  require_rule(periodic || is_planned_end(worker, *held), "checkpoint-asked-early", [&] {
    return task_name(ask.key.task) + " is asked for a checkpoint without reason";
  });
  held->saved_at = oracle.now_;
  held->ask_owed = false;
}

void CheckpointWatch::drains(SeenWorker& worker) const {
  const bool ends = worker.term_ordered || worker.kill_ordered || worker.broken || worker.retired;
  if (!worker.live || !worker.ready || !worker.checkpoints || ends) return;
  for (HeldAttempt& held : worker.hand) held.ask_owed = held.started && !held.cancel_ordered;
}

void CheckpointWatch::all_drain() const {
  for (SeenSlot& slot : oracle.slots_) {
    SeenWorker& worker = slot.worker;
    if (!worker.replaced && !worker.leaving && !worker.may_drain) drains(worker);
  }
}

void CheckpointWatch::judge_after_event() const {
  require_rule(!oracle.checkpoint_owed_, "checkpoint-kept", [&] {
    return "the checkpoint of " + task_name(oracle.checkpoint_owed_->task) + " was not kept";
  });
  const bool ends = std::holds_alternative<event::Stop>(*oracle.event_) ||
                    std::holds_alternative<event::WorkerReady>(*oracle.event_);
  if (!ends) return;
  for (const SeenSlot& slot : oracle.slots_) {
    for (const HeldAttempt& held : slot.worker.hand) {
      require_rule(!held.ask_owed, "checkpoint-before-end", [&] {
        return worker_name(slot.worker.id) + " is to end and was not asked for a checkpoint of " +
               task_name(held.key.task);
      });
    }
  }
}

void CheckpointWatch::judge_after_tick(const SeenWorker& worker) const {
  const bool ends = worker.term_ordered || worker.kill_ordered || worker.broken;
  if (!worker.ready || ends || oracle.now_ <= oracle.grace_until_ + kSlack) return;
  for (const HeldAttempt& held : worker.hand) {
    if (held.cancel_ordered) continue;
    require_rule(oracle.now_ - kSlack < due(worker, held), "checkpoint-in-time", [&] {
      return task_name(held.key.task) + " was not asked for a checkpoint for " +
             std::to_string((oracle.now_ - held.saved_at).ns / 1000) + " us";
    });
  }
}

}  // namespace warmpool::sim
