// What the oracle knows of checkpoints: who is asked for one and when, and which are kept.
#pragma once

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

struct CheckpointWatch {
  Oracle& oracle;

  void comes(const event::AttemptCheckpointed& event) const;
  void judge(const command::AskCheckpoint& ask) const;
  void judge(const record::Checkpointed& record) const;
  // Its worker is to end when it has done what it has in hand: that is asked for at once.
  void drains(SeenWorker& worker) const;
  void all_drain() const;
  void judge_after_event() const;
  void judge_after_tick(const SeenWorker& worker) const;

 private:
  Instant due(const SeenWorker& worker, const HeldAttempt& held) const;
  bool is_planned_end(const SeenWorker& worker, const HeldAttempt& held) const;
};

}  // namespace warmpool::sim
