// What the oracle knows of silence: who is told to be how, who is ended for it and with which word,
// and runs that show no progress.
#pragma once

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

constexpr bool is_silence(ExitCause cause) {
  return cause == ExitCause::Unresponsive || cause == ExitCause::Spinning ||
         cause == ExitCause::Wedged;
}

constexpr bool is_silence(WorkerHealth health) {
  return health == WorkerHealth::Unresponsive || health == WorkerHealth::Spinning ||
         health == WorkerHealth::Wedged;
}

struct LivenessWatch {
  Oracle& oracle;

  void observed(const event::WorkerObserved& event) const;
  // The word for an end by silence is what was seen of it.
  void judge_cause(const SeenWorker& worker, ExitCause cause) const;
  void judge_told(const Notification& notification) const;
  void note_slow(const Notification& notification) const;
  // What was seen was told, and what shows no progress is ended.
  void judge_after_tick(const SeenWorker& worker) const;
  Instant hung_at(const SeenWorker& worker, const HeldAttempt& held) const;
  Instant hung_by(const SeenWorker& worker, const HeldAttempt& held) const;

 private:
  bool answers() const;
  bool is_slow(const HeldAttempt& held) const;
  bool is_so(const SeenWorker& worker, WorkerHealth health) const;
  bool is_over(const SeenWorker& worker) const;
};

}  // namespace warmpool::sim
