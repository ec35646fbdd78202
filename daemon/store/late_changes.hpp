// What may be written a little later than the records around it, with whatever else is written:
// starts of attempts, and receipts. Most starts are overtaken by the end of their task before their
// time has come, and then they are never written.
#pragma once

#include <deque>
#include <unordered_map>
#include <vector>

#include "daemon/store/change.hpp"

namespace warmpool::daemon {

// Bounds: one start a task that runs, receipts of one kLateness.
class LateChanges {
 public:
  // How late a start or a receipt may be written.
  static constexpr Duration kLateness = milliseconds(50);

  // `life`: tasks of earlier lives are suspected of having ended one of them, so their starts are
  // due at once: a task that ends the daemon each time must not go uncounted twice.
  explicit LateChanges(std::uint64_t life) : life_(life) {}
  // Threads: any.
  bool is_due_at_once(const change::Started& start) const {
    return start.record.task.value >> 40 < life_;
  }

  // Takes starts and receipts of the batch, and drops starts that its changes overtake.
  void take(ChangeBatch& batch, Instant now);
  // When something here is due; kNever if nothing is here.
  Instant due() const;
  // Moves out what is due, and all receipts.
  void collect(Instant now, std::vector<change::Started>& starts,
               std::vector<change::Received>& receipts);

 private:
  struct Waiting {
    change::Started start;
    Instant due;
  };
  struct Place {
    TaskId task;
    Instant due;
  };
  void overtake(const Change& change);
  void drop(TaskId task, const record::Ended* ended);

  std::uint64_t life_;
  std::unordered_map<std::uint64_t, Waiting> starts_;
  std::deque<Place> order_;  // of starts, with those that are gone
  std::vector<change::Received> receipts_;
  Instant receipts_due_ = kNever;
};

}  // namespace warmpool::daemon
