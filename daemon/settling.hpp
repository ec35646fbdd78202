// Tasks that have settled and whose record is not yet kept: nobody may be told of them before.
#pragma once

#include "pool/flat_map.hpp"
#include "pool/ids.hpp"

namespace warmpool::daemon {

class Settling {
 public:
  // Its record went to the store.
  void begin(TaskId task) {
    if (!tasks_.find(task.value)) tasks_.insert(task.value, true);
  }
  // The core announced it.
  void end(TaskId task) { tasks_.erase(task.value); }
  bool contains(TaskId task) const { return task && tasks_.find(task.value) != nullptr; }

 private:
  FlatMap<bool> tasks_;
};

}  // namespace warmpool::daemon
