// What the oracle knows of the health of workers: their bands as the pool shows them, and what must
// follow from these.
#pragma once

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

// Whose band lets it be given something.
struct Fitness {
  const Oracle& oracle;

  // `surely`: whoever else is on its way out.
  bool may_take(const SeenWorker& worker, bool surely) const;

  bool any_sound(ClassId worker_class, bool surely) const;

 private:
  bool is_sound(const SeenWorker& worker, bool surely) const;
};

struct HealthWatch {
  Oracle& oracle;

  void checked(const event::WorkerChecked& event) const;
  void flagged(const event::WorkerFlagged& event) const;
  // Order: before its task is settled.
  void ran(const event::AttemptAnswered& event) const;
  void judge_after_event(const Pool& pool) const;
  void judge_after_tick(SeenWorker& worker) const;
  void judge_given(const SeenWorker& worker, const SeenTask& task) const;
  bool is_ill(const SeenWorker& worker) const;

 private:
  const ClassOptions& options_of(const SeenWorker& worker) const;
  void take_band(SeenWorker& worker, const Health& shown) const;
};

}  // namespace warmpool::sim
