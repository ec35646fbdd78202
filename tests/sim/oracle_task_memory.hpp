// What the oracle knows of the memory that tasks need. For which type room is kept is read off the
// pool after each Tick; that it has to be, and no other, is judged here.
#pragma once

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

struct TaskMemoryWatch {
  Oracle& oracle;

  void configured(const event::TypeConfigured& event) const;
  void options_come() const;
  void sampled(SeenWorker& worker, std::uint64_t bytes) const;
  void judge_given(const SeenWorker& worker, const SeenTask& task) const;
  void given(HeldAttempt& attempt) const;
  // A run has left the hand of its worker.
  void left(const HeldAttempt& attempt) const;
  void ended(const HeldAttempt& attempt, EndCause cause, Charge charge) const;
  // `promised`: when the core wants its next Tick.
  void judge_after_tick(const Pool& pool, Instant promised) const;

 private:
  void changed() const;
  bool waits(TypeId type) const;
  bool has_worker(TypeId type) const;
  void look() const;
  void judge_awaited(Instant promised) const;
  void judge_starving() const;
  void judge_shown(const Pool& pool) const;
};

}  // namespace warmpool::sim
