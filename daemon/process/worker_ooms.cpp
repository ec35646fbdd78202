#include "daemon/process/worker_ooms.hpp"

#include <utility>

namespace warmpool::daemon {

WorkerOoms::WorkerOoms(std::optional<CgroupLeaf> leaf, std::optional<ControllerLeaf> memory)
    : memory_(std::move(memory)) {
  if (leaf && leaf->counts_ooms()) leaf_ = std::move(leaf);
}

void WorkerOoms::look_for(pid_t pid) { in_leaf_ = in_leaf_ || (leaf_ && leaf_->holds(pid)); }

std::uint64_t WorkerOoms::counted() const {
  const std::uint64_t own = leaf_ ? leaf_->oom_kills() : 0;
  return own != 0 || !memory_ ? own : memory_->oom_kills();
}

// Its own cgroup knows for sure. Where none counts, a kill that nobody here ordered, at a time when
// the kernel killed for memory, is most likely that one.
WorkerOoms::Verdict WorkerOoms::of_kill(bool ours, OomCount& machine) const {
  if (rose()) return Verdict::Surely;
  const bool would_know = memory_ || in_leaf_;
  return !would_know && !ours && machine.rose() ? Verdict::Probably : Verdict::No;
}

}  // namespace warmpool::daemon
