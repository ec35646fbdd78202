// What may be written a little later than the records around it, with whatever else is written:
// starts of attempts, and receipts. Most starts are overtaken by the end of their task before their
// time has come, and then they are never written.
#pragma once

#include <deque>
#include <unordered_map>
#include <vector>

#include "daemon/store/change.hpp"

namespace warmpool::daemon {

// Starts that must be on the disk at once. Tasks of earlier lives are suspected of having ended one
// of them, or the machine with it: one that does so each time must not go uncounted twice. Of those
// that never ran, which after a restart may be a whole backlog, some have their turn each
// kLateness, and the others are written as late as any: one that nobody counted is among the first
// of a life.
class Suspects {
 public:
  explicit Suspects(std::uint64_t life) : life_(life) {}
  Demand need_of(const std::vector<change::Started>& starts, Instant now);

 private:
  std::uint64_t life_;
  Instant next_;  // turn of those that never ran
};

// Bounds: one start a task that runs, receipts of one kLateness.
class LateChanges {
 public:
  // How late a start or a receipt may be written.
  static constexpr Duration kLateness = milliseconds(50);

  // Takes starts and receipts of the batch, and drops starts that its changes overtake.
  void take(ChangeBatch& batch, Instant now);
  // When something here is due; kNever if nothing is here.
  Instant due() const;
  // Moves out what is due, and all receipts. Returns what the starts need.
  Demand collect(Instant now, std::vector<change::Started>& starts,
                 std::vector<change::Received>& receipts);

 private:
  struct Waiting {
    change::Started start;
    Instant due;
    Demand need;
  };
  struct Place {
    TaskId task;
    Instant due;
  };
  void overtake(const Change& change);
  void drop(TaskId task, const record::Ended* ended);

  std::unordered_map<std::uint64_t, Waiting> starts_;
  std::deque<Place> order_;  // of starts, with those that are gone
  std::vector<change::Received> receipts_;
  Instant receipts_due_ = kNever;
};

}  // namespace warmpool::daemon
