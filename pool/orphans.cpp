// Tasks that are to be cancelled with their clients, when it is not the client that went.
//
// The daemon's own death is no disconnect: after a replay the clients of such tasks have
// reconnect_grace to come back by key. All have the same deadline, so one list without an order is
// enough; who came back meanwhile is seen at its end.
#include "pool/core.hpp"

namespace warmpool {

void Core::drop(TaskIndex index) {
  if (tasks[index].state != TaskState::Running) {
    settle(index, Verdict::Cancelled, End{.cause = EndCause::Dropped});
  } else if (!tasks[index].cancelling) {
    cancel_running(index, EndCause::Dropped);
  }
}

// A client wants it whatever becomes of clients. A dead letter's next round is nobody's anyway.
void Core::take_back(TaskIndex index) {
  Task& task = tasks[index];
  const bool was_to_go = task.cancel_on_disconnect && !is_settled(task.state);
  task.cancel_on_disconnect = false;
  if (!was_to_go || task.durability == Durability::None) return;
  recorder.persist(record::Kept{task.id, now}, *out_);
}

void Core::collect_orphans() {
  orphaned_at_ = now;
  tasks.each([this](TaskIndex index) {
    const Task& task = tasks[index];
    if (task.cancel_on_disconnect && !is_settled(task.state)) orphans_.push_back(task.id);
  });
}

// A pool that stops hears no new clients; the next life gives them their time.
Instant Core::orphans_due() const {
  return orphans_.empty() || stopping_ ? kNever : orphaned_at_ + options.reconnect_grace;
}

void Core::drop_orphans() {
  const auto orphans = std::move(orphans_);
  orphans_.clear();
  for (TaskId id : orphans) {
    const auto index = tasks.find(id);
    if (!index) continue;
    const Task& task = tasks[*index];
    if (!task.owner && task.cancel_on_disconnect && !is_settled(task.state)) drop(*index);
  }
}

}  // namespace warmpool
