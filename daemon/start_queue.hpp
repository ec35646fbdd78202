// Workers that are to be started, a few in each turn. A start holds the loop for half a
// millisecond, and on a busy machine for five; a class that is made larger by 200, or dies as a
// whole, would keep everybody else waiting for as many of them.
#pragma once

#include <deque>
#include <functional>

#include "daemon/templates.hpp"

namespace warmpool::daemon {

// Order: as added, those of critical classes before all others; more() in each turn as long as any
//   waits, end_turn() last in every one.
class StartQueue {
 public:
  using Start = std::function<void(const Wanted&)>;
  using IsCritical = std::function<bool(ClassId)>;
  StartQueue(Start start, IsCritical is_critical)
      : start_(std::move(start)), is_critical_(std::move(is_critical)) {}

  // Starts it at once if it is among the first of this turn.
  void add(Wanted wanted);
  // False: it does not wait.
  bool remove(WorkerId worker);
  // Of those that wait, as many as this turn has room for.
  void more();
  void end_turn() { room_ = kTurnMax; }
  bool empty() const { return critical_.empty() && waiting_.empty(); }

  static constexpr std::size_t kTurnMax = 4;

 private:
  Start start_;
  IsCritical is_critical_;
  std::deque<Wanted> critical_, waiting_;
  std::size_t room_ = kTurnMax;  // that this turn has left
};

}  // namespace warmpool::daemon
