// What the oracle knows of the memory of workers.
#pragma once

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

struct MemoryWatch {
  Oracle& oracle;

  void comes(const event::WorkerSampled& event) const;
  void options_come(ClassId worker_class) const;
  // What it may have with what it runs; kUnlimited: any.
  std::uint64_t most(const SeenWorker& worker) const;
  bool over(const SeenWorker& worker) const;
  // None that has more than it may lives on, and none is given anything.
  void judge_after_event() const;
  void judge_given(const SeenTask& task, const command::Assign& assign) const;
  // What is replaced while it works is so for a reason.
  void judge_reason(const SeenWorker& replaced) const;

  static record::Used counted(record::Used used, EndCause cause, Charge charge);

 private:
  const ClassOptions& options_of(const SeenWorker& worker) const;
  void judge_due(SeenWorker& worker) const;
};

}  // namespace warmpool::sim
