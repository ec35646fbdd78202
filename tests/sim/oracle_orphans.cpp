// After a death of the daemon clients have reconnect_grace to come back by key: not before its end,
// and at no later Tick, what nobody came for is dropped as if its client had left. What somebody
// took back is written down before that is said.
#include <algorithm>

#include "tests/sim/orphan_watch.hpp"

namespace warmpool::sim {

void OrphanWatch::comes(SeenTask& task, const event::Submit& submit) const {
  const bool to_go = task.phase < Phase::Settled && task.spec.cancel_on_disconnect;
  const bool durable = task.spec.durability != Durability::None;
  if (to_go && durable && !submit.spec.cancel_on_disconnect) oracle.taken_back_ = task.id;
  task.owner = submit.client;
  task.spec.cancel_on_disconnect = submit.spec.cancel_on_disconnect;
  task.orphaned = false;
}

void OrphanWatch::note(const record::Kept& record) const {
  require_rule(oracle.taken_back_ == record.task, "kept-asked",
               [&] { return task_name(record.task) + " was taken back by nobody"; });
  oracle.taken_back_ = {};
  oracle.answer_waits_for(std::get<event::Submit>(*oracle.event_).request);
}

void OrphanWatch::after() const {
  require_rule(!oracle.taken_back_, "kept-recorded", [&] {
    return task_name(oracle.taken_back_) + " was taken back and that was not written down";
  });
}

void OrphanWatch::replayed() const {
  oracle.orphaned_at_ = oracle.now_;
  oracle.core_promised_ = kNever;
  for (std::uint32_t index : oracle.unsettled_) {
    SeenTask& task = oracle.tasks_[index];
    task.orphaned = task.spec.cancel_on_disconnect;
  }
}

void OrphanWatch::tick() const {
  const Instant now = oracle.now_;
  const bool stalled = oracle.core_promised_ != kNever &&
                       now > oracle.core_promised_ + oracle.options_.heartbeat_interval;
  if (stalled) oracle.orphaned_at_ = now;
  const Instant due = oracle.orphaned_at_ + oracle.options_.reconnect_grace;
  if (oracle.stopping_ || now < due) return;
  for (std::uint32_t index : oracle.unsettled_) {
    SeenTask& task = oracle.tasks_[index];
    if (!task.orphaned) continue;
    task.orphaned = false;
    task.dropped = true;
    if (oracle.options_at_ <= oracle.previous_tick_) oracle.judge_due(due, "a reconnect grace");
  }
}

void OrphanWatch::after_tick(Instant promised) const {
  oracle.core_promised_ = std::max(promised, oracle.now_);
  for (std::uint32_t index : oracle.unsettled_) {
    const SeenTask& task = oracle.tasks_[index];
    require_rule(!task.dropped || task.phase == Phase::Running, "drop-ends",
                 [&] { return task_name(task.id) + " waits though its client has left"; });
  }
}

}  // namespace warmpool::sim
