// What the oracle knows of the memory that workers are declared to take. Which places are held is
// read off the pool; that they have to be, and nobody else is, is judged here.
#pragma once

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

struct AdmissionWatch {
  Oracle& oracle;

  // Order: after each event.
  void look(const Pool& pool) const;
  // Order: before the worker is known. Whether its place was held.
  bool judge_spawn(const SeenSlot& slot, const command::Spawn& spawn) const;
  void judge_after_tick() const;
  bool may_be_scaled(ClassId worker_class, std::uint64_t size) const;
  bool is_held(SlotId slot) const;
  // Without successors.
  std::uint64_t held(ClassId worker_class) const;
  // A successor that is held for the place; null: none.
  SeenHeld* successor_of(const SeenWorker& worker) const;
  // Without its predecessor it is not wanted.
  void forget_successor(const SeenWorker& worker) const;
  bool holds_successors(ClassId worker_class) const;
  // A place that died, and may try for the breaker of its class.
  bool holds_probe(ClassId worker_class) const;

 private:
  std::uint64_t declared() const;
  bool fits(ClassId worker_class, std::uint64_t declared) const;
  bool is_waited_for(const SeenHeld& held) const;
  int rank(ClassId worker_class, bool successor) const;
  bool breaker_lets(const SeenHeld& held) const;
  // Held successors count among those that are replaced at once.
  void judge_share(const SeenHeld& latest) const;
};

}  // namespace warmpool::sim
