#include "daemon/process/oom_count.hpp"

#include <utility>

#include "daemon/process/cgroup_leaf.hpp"

namespace warmpool::daemon {

OomCount::OomCount(std::string source)
    : source_(std::move(source)), before_(counted()), latest_(before_) {}

std::uint64_t OomCount::counted() const { return number_in(source_, "oom_kill"); }

void OomCount::note() {
  if (++age_ < kNotesKept) return;
  age_ = 0;
  before_ = latest_;
  latest_ = counted();
}

bool OomCount::rose() {
  if (counted() <= before_) return false;
  ++before_;
  return true;
}

}  // namespace warmpool::daemon
