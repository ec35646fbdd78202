// Judges who runs alone: what may have killed a worker, and how many of them at once.
#pragma once

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

struct SuspectWatch {
  Oracle& oracle;

  // It may have waited for its turn, and not for its time.
  bool takes_turns(const SeenWorker& worker, const SeenTask& task) const;
  void judge_given(const SeenWorker& worker, const SeenTask& task) const;
  void judge_reserve(const Pool& pool) const;
  void judge_shown(const Pool& pool) const;
};

}  // namespace warmpool::sim
