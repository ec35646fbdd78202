// What the oracle knows of workers that others start.
#pragma once

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

struct StrangerWatch {
  Oracle& oracle;

  void comes(const event::WorkerRegistered& event) const;
  void leaves(const event::WorkerLeaving& event) const;
  void outlived(const event::Outlived& event) const;
  void judge(const command::Admit& admit) const;
  void judge(const command::TurnAway& away) const;
  void judge(const command::Disown& disown) const;
  // None who may not be killed has a place for ever, and none who wants to go is kept.
  void judge_after_tick() const;
  void judge_given(const SeenTask& task) const;

 private:
  // Whether one more would be too many.
  bool full(ClassId worker_class) const;
};

}  // namespace warmpool::sim
