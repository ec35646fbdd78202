// Judges which class alone may run a task after a death for memory or time.
#pragma once

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

struct BoundWatch {
  Oracle& oracle;

  // Order: the attempt has been taken from its worker.
  void judge(SeenTask& task, const record::Ended& record) const;
  void judge_shown(const Pool& pool) const;
};

// Of the classes that serve its type the one that it is bound to serves a task alone.
bool serves_bound(const std::vector<ClassId>& classes, ClassId bound, ClassId worker_class);

}  // namespace warmpool::sim
