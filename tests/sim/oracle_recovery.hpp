// What the oracle knows of the recovery of classes, and of workers that end because nobody needs
// them.
#pragma once

#include "tests/sim/oracle.hpp"

namespace warmpool::sim {

struct RecoveryWatch {
  Oracle& oracle;

  void options_come(ClassId worker_class, bool resized) const;
  void restart_comes(const event::Restart& event) const;
  // By what was recorded after an answer: the task's round is over, and was not taken from it.
  void settled(const record::Settled& record) const;
  // Order: after the slot's deaths are counted.
  void died(const SeenSlot& slot, const SeenWorker& worker) const;
  void told(const Notification& notification) const;
  // Order: before anything else is judged of it.
  void judge_spawn(SeenSlot& slot, const command::Spawn& spawn, bool was_held) const;
  void judge_step() const;
  void judge_after_tick(const Pool& pool) const;
  // A place of this slot waits, or may: its breaker holds it, or has just let it go.
  bool holds(const SeenSlot& slot) const;

 private:
  SeenClass& class_of(const Notification& notification) const {
    return oracle.classes_[notification.worker_class.value];
  }
  void opened(SeenClass& seen, const Notification& notification) const;
  static bool is_unfit(const SeenWorker& worker);
  bool has_proved(const SeenClass& known) const;
  bool stays(WorkerId id) const;
  bool is_stuck(const SeenWorker& worker) const;
  void half_opened(SeenClass& seen) const;
  void closed(SeenClass& seen, const Notification& notification) const;
  void parked_held(SeenClass& seen, const Notification& notification) const;
  void parked(SeenClass& seen, const Notification& notification) const;
  void unparked(SeenClass& seen, const Notification& notification) const;
  void judge_strategy(const SeenSlot& slot, const command::Spawn& spawn) const;
  void move(SeenSlot& slot, const command::Spawn& spawn) const;
  std::uint64_t coming(ClassId worker_class) const;
  bool only_ill(ClassId worker_class, bool surely) const;
  bool needs_more(std::size_t worker_class, bool suspect) const;
  bool could_run(ClassId worker_class) const;
  void judge_successors() const;
  void judge_stuck() const;
  void judge_idle(ClassId worker_class, SeenClass& known) const;
};

}  // namespace warmpool::sim
