// What the oracle knows of the memory that tasks need. For which type room is kept is read off the
// pool after each Tick; that it has to be, and no other, is judged here.
#pragma once

#include <map>

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

struct BeforeGroup {
  bool operator()(const MemoryGroup& a, const MemoryGroup& b) const {
    return std::pair(a.type, a.lanes) < std::pair(b.type, b.lanes);
  }
};

struct TaskMemoryWatch {
  Oracle& oracle;

  void configured(const event::TypeConfigured& event) const;
  void options_come() const;
  void sampled(SeenWorker& worker, std::uint64_t bytes) const;
  void judge_given(const SeenWorker& worker, const SeenTask& task) const;
  void given(HeldAttempt& attempt) const;
  // A run has left the hand of its worker.
  void left(const HeldAttempt& attempt) const;
  void ended(const HeldAttempt& attempt, EndCause cause) const;
  // `promised`: when the core wants its next Tick.
  void judge_after_tick(const Pool& pool, Instant promised) const;

 private:
  void changed() const;
  std::map<MemoryGroup, std::vector<const SeenTask*>, BeforeGroup> waiting() const;
  bool has_worker(const std::vector<const SeenTask*>& tasks) const;
  void look() const;
  void judge_awaited(Instant promised) const;
  bool is_emptied_for(const MemoryGroup& group) const;
  void judge_kept(const std::optional<MemoryGroup>& after) const;
  void judge_starving() const;
  void judge_shown(const Pool& pool) const;
};

}  // namespace warmpool::sim
