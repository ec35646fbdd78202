// What the oracle knows of circuit breakers.
#pragma once

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

struct BreakerWatch {
  Oracle& oracle;

  void configured(const event::TypeConfigured& event) const;
  void set(const event::SetBreaker& event) const;
  void tick() const;  // before the core takes it
  // A run has left the hand of its worker.
  void ended(const HeldAttempt& attempt, EndCause cause, Charge charge) const;
  void told(const Notification& notification) const;
  void judge_given(SeenWorker& worker, const SeenTask& task) const;
  bool recall_is_asked(const HeldAttempt& attempt) const;
  void judge_step() const;
  void judge_after_tick(const Pool& pool) const;

 private:
  void open(SeenType& type, Duration wanted) const;
  void close(SeenType& type, std::uint64_t at_once) const;
  void change(SeenType& type, BreakerState to) const;
};

}  // namespace warmpool::sim
