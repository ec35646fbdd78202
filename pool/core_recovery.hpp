// What the core does about workers that died: when, how and where the next one starts, and when
// none does for a while.
#pragma once

#include "pool/core_admission.hpp"

namespace warmpool {

class CoreRecovery : public CoreAdmission {
 protected:
  using CoreAdmission::CoreAdmission;

  using CoreAdmission::on;
  void on(const event::WorkerPrepares& event);
  void begin_life(Slot& slot);
  // Every start: of a place that was added, or whose worker died, or whose wait is over
  // (`trigger`). Where its memory does not fit it is held, and is no attempt and no probe until it
  // starts.
  void start_or_hold(Slot& slot, SlotTrigger trigger);
  // Those that were held and fit now.
  void judge_admission();
  // Its worker ended and nobody had asked for that.
  void recover(Slot& slot);
  // A successor that is held has the place of one that died.
  void inherit(Slot& successor, const Slot& dead);
  // Its wait is over.
  void try_again(Slot& slot);
  // Its worker has said hello; has settled a task (done or dead), the first of its life; or its
  // place is wanted no more.
  void replaced(Slot& slot);
  void of_use(Slot& slot);
  void unwanted(Slot& slot);
  // It is still there long after it was killed. Order: stays() first; then what it had is gone.
  void stays(const Slot& slot);
  // Another one starts in its place, where nothing speaks against that.
  void substitute(Slot& slot);
  // Breakers whose time has come.
  void judge_recovery();
  Instant next_recovery() const;
  // Somebody restarts the class.
  void close_by_hand(WorkerClass& worker_class);
  // Order: after its options changed.
  void set_recovery(WorkerClass& worker_class);
  // By when a starting worker must have said hello.
  Instant hello_due(const Slot& slot) const;

 private:
  RecoveryStrategy strategy_of(const Slot& slot) const;
  void start_worker(Slot& slot);
  void judge_death(Slot& slot);
  void start_again(Slot& slot, SlotTrigger trigger);
  Slot& recreate(Slot& former);
  void back_off(Slot& slot);
  void tell_given_up(const Slot& slot, Duration wait);
  void wait_for_hand(Slot& slot);
  void judge_gate(WorkerClass& worker_class);
  void open(WorkerClass& worker_class, RecoveryTrigger trigger, RecoveryWhy why);
  void close(WorkerClass& worker_class, RecoveryTrigger trigger, RecoveryWhy why);
  void release(WorkerClass& worker_class);
  void substitute_all(WorkerClass& worker_class);
  Slot* next_probe(WorkerClass& worker_class);
  void tell(Notice notice, const WorkerClass& worker_class);
  void tell(const Slot& slot, const command::Recovery& how);
};

}  // namespace warmpool
