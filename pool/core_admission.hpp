// What the core does about the memory that workers are declared to take: a start that does not fit
// beside those that live is held, and goes in its turn.
#pragma once

#include "pool/core_task_memory.hpp"

namespace warmpool {

class CoreAdmission : public CoreTaskMemory {
 protected:
  using CoreTaskMemory::CoreTaskMemory;

  // Whether it fits, and nobody who is held is to be started before it. A worker in the slot has
  // exited and counts no more.
  bool may_start(const Slot& slot) const;
  void hold(Slot& slot, SlotTrigger trigger);
  // Its places that wait for room, without those of successors: how many, and one of them; null:
  // none.
  std::uint64_t held_places(const WorkerClass& worker_class) const;
  Slot* held_place(const WorkerClass& worker_class);
  // Who of those that are held is to be started now; null: nobody.
  Slot* next_held();
  // Whether no breaker, and nobody's wish, keeps it from starting.
  bool admits(const Slot& slot) const;
  // A place of the class that died is held: it will try for its breaker.
  bool holds_probe(const WorkerClass& worker_class) const;
  // Whether so many workers of the class could live at once if there were no others.
  bool could_fit(const WorkerClass& worker_class, std::uint64_t size) const;

 private:
  bool fits(const Slot& slot, std::uint64_t declared) const;
  bool is_held_place(SlotId id, const WorkerClass& worker_class) const;
  bool is_waited_for(const Slot& slot) const;
  int rank(const Slot& slot) const;
};

}  // namespace warmpool
