// What the core does about the health of workers: it hears of their figures, checks and runs, and
// notes whose band has changed. Who is chosen by the band is in dispatch.cpp.
#pragma once

#include "pool/core_recovery.hpp"

namespace warmpool {

class CoreHealth : public CoreRecovery {
 protected:
  using CoreRecovery::CoreRecovery;

  using CoreRecovery::on;
  void on(const event::WorkerMeasured& event);
  void on(const event::WorkerChecked& event);
  void on(const event::WorkerFlagged& event);
  // Order: for each answer, before its task is settled.
  void note_run(Slot& slot, const Held& held, const event::AttemptAnswered& event);
  // Order: for each answer, before that.
  void answers_ping(Slot& slot);
  // Order: where its class has no check any more.
  void uncheck(Slot& slot);
  Situation situation_of(const Slot& slot) const;
  // When it has been unhealthy for so long that it is to be replaced; never if it is already.
  Instant ill_at(const Slot& slot) const;

 private:
  void judge_health(Slot& slot);
  void note(const Slot& slot, bool changed);
};

}  // namespace warmpool
