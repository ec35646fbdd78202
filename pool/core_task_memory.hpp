// What the core does about the memory that tasks need: one that does not fit beside what runs
// waits, as behind a breaker, and how much a type needs is learned of what its runs had.
#pragma once

#include "pool/core_breakers.hpp"

namespace warmpool {

class CoreTaskMemory : public CoreBreakers {
 protected:
  using CoreBreakers::CoreBreakers;
  using CoreBreakers::on;

  void on(const event::TypeConfigured& event);
  // Order: as those of CoreBreakers, which they call.
  void run_begins(Held& held, TypeId type);
  void run_ends(const Held& held, EndCause cause, Charge charge);
  // All that a worker has is taken to be of each run that has started there.
  void note_peaks(Slot& slot, std::uint64_t bytes);
  // Closes the lanes of types that do not fit, and opens those of types that do. Order: before
  // anything is given to a worker in a turn.
  void gate_memory();
  // Who waits, and for whom room is kept. Order: at the end of a turn.
  void judge_memory_waits();
  // Whether it may be counted while it waits in the hand of a worker.
  bool may_wait_in_hand(TypeId type) const;
  // Tasks that this class could run now wait for memory.
  bool waits_for_memory(const WorkerClass& worker_class) const;

 private:
  // One of the awaited group, or one of all others.
  bool fits(const MemoryNeed& need, bool awaited) const;
  bool is_awaited(TypeId type) const;
  std::vector<LaneGroup> who_wants_room(const MemoryNeed& need) const;
  bool could_take(const WorkerClass& worker_class, LaneKind kind) const;
  bool is_emptied_for(const MemoryGroup& group) const;
  void judge_awaited();
  void note_waits(MemoryNeed& need);
  void await_nobody();
};

}  // namespace warmpool
