#include "daemon/process/oom_count.hpp"

#include "daemon/process/cgroup_leaf.hpp"

namespace warmpool::daemon {

std::uint64_t oom_kills_counted() { return number_in("/proc/vmstat", "oom_kill"); }

OomCount::OomCount() : before_(oom_kills_counted()), latest_(before_) {}

void OomCount::note() {
  if (++age_ < kNotesKept) return;
  age_ = 0;
  before_ = latest_;
  latest_ = oom_kills_counted();
}

bool OomCount::rose() {
  if (oom_kills_counted() <= before_) return false;
  ++before_;
  return true;
}

}  // namespace warmpool::daemon
