// Of the oracle: tasks that end with their clients, when the daemon dies before those do.
#pragma once

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

struct OrphanWatch {
  Oracle& oracle;

  // A client submits the key of a task again.
  void comes(SeenTask& task, const event::Submit& submit) const;
  void note(const record::Kept& record) const;
  void after() const;     // each event
  void replayed() const;  // Order: when the new life has its tasks
  void tick() const;      // Order: before the core takes it
  void after_tick(Instant promised) const;
};

}  // namespace warmpool::sim
