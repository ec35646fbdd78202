// Apart from the rows of tasks: few tasks have one, and a row is counted in bytes.
#include "daemon/store/checkpoints.hpp"

namespace warmpool::daemon {

void Checkpoints::keep(TaskId task, Checkpoint checkpoint) {
  drop(task);
  if (checkpoint.body.size() == 0) return;
  bytes_ += checkpoint.body.size();
  order_.emplace(++sequence_, task);
  kept_.emplace(task.value, Kept{std::move(checkpoint), sequence_});
  while (bytes_ > bytes_max_) {
    const TaskId oldest = order_.begin()->second;
    drop(oldest);
    ++dropped_;
    gone_.push_back(oldest);
  }
}

void Checkpoints::drop(TaskId task) {
  if (kept_.empty()) return;
  const auto found = kept_.find(task.value);
  if (found == kept_.end()) return;
  bytes_ -= found->second.checkpoint.body.size();
  order_.erase(found->second.sequence);
  kept_.erase(found);
}

const Checkpoint* Checkpoints::find(TaskId task) const {
  if (kept_.empty()) return nullptr;
  const auto found = kept_.find(task.value);
  return found == kept_.end() ? nullptr : &found->second.checkpoint;
}

}  // namespace warmpool::daemon
