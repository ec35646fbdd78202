// What the oracle has written down so far: all tasks, requests, slots and types that it saw, and
// what the step in progress is about.
#pragma once

#include <algorithm>
#include <array>
#include <deque>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "pool/notification.hpp"
#include "pool/view.hpp"
#include "tests/sim/ledger.hpp"
#include "tests/sim/scenario.hpp"
#include "tests/sim/seen_admission.hpp"

namespace warmpool::sim {

// The core may look at one worker at most so often.
inline constexpr Duration kSlack = microseconds(100);

class Books {
 protected:
  explicit Books(const Scenario& scenario) : scenario_(scenario), options_(scenario.options) {}

  bool outlives(TaskId task) const {
    return std::find(outlived_.begin(), outlived_.end(), task) != outlived_.end();
  }

  // oracle_breaker.cpp
  std::uint64_t probes(TypeId type) const;
  bool admits(TypeId type) const;
  // oracle_suspects.cpp: as many of them run in the class as may.
  std::uint64_t suspects_in(ClassId worker_class) const;
  bool full_of_suspects(ClassId worker_class) const;
  // oracle_order.cpp
  bool ready_but_for_memory(const SeenTask& task) const;
  bool ready_now(const SeenTask& task) const;
  // oracle_task_memory.cpp
  std::uint64_t memory_need(TypeId type) const;
  bool memory_unknown(TypeId type) const;
  MemoryGroup memory_group(const SeenTask& task) const;
  bool fits_memory(const MemoryGroup& group) const;
  // No stall lately, so that all deadlines were met on time.
  bool calm() const {
    return stall_at_.ns < 0 || now_ - stall_at_ > options_.cancel_grace + options_.term_grace +
                                                      options_.unresponsive_after;
  }

  const Scenario& scenario_;
  Options options_;
  Instant now_, previous_tick_, stall_at_{-1}, grace_until_, options_at_{-1};
  bool stalled_turn_ = false, draining_ = false, stopping_ = false, stop_now_ = false;
  bool finished_ = false, accepting_ = true, replaying_ = false, paused_ = false;
  Instant stop_at_, orphans_until_ = kNever;
  Instant core_promised_ = kNever;          // the deadline that the core holds itself to
  std::vector<std::uint32_t> orphans_due_;  // their clients have not come back in time
  Duration wall_offset_{};
  std::uint64_t lost_ = 0, life_ = 1, daemon_deaths_ = 0, quiet_ticks_ = 0;
  std::uint64_t commands_of_turn_ = 0, ticks_ = 0;
  RecordNumber last_record_, kept_record_, kept_at_tick_;

  std::vector<SeenTask> tasks_;
  std::vector<std::vector<std::uint32_t>> by_life_;  // life, counter -> index + 1
  std::vector<std::uint32_t> unsettled_, place_;     // place_: where a task stands in unsettled_
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> keys_;  // high word -> task indexes
  std::vector<TaskId> outlived_;                    // may still run in a worker of an earlier life
  std::map<std::uint64_t, ClassId> registrations_;  // not answered yet
  std::array<std::deque<DoneKey>, 2> done_keys_;    // by use
  std::unordered_set<std::uint64_t> tokens_;
  std::vector<SeenRequest> requests_;
  std::unordered_map<std::uint64_t, std::uint32_t> open_;  // request number -> index
  std::unordered_set<std::uint64_t> gone_;
  std::size_t open_requests_ = 0, unannounced_ = 0;
  std::vector<SeenSlot> slots_;
  std::vector<SeenHeld> held_;                  // in the order they came
  std::uint64_t memory_taken_ = 0;              // by tasks in the hands of workers
  std::optional<MemoryGroup> awaited_;          // room is kept for it
  std::optional<MemoryGroup> awaited_at_tick_;  // the last
  Instant awaited_from_{};                      // since when it had waited by then
  Instant kept_from_ = kNever;                  // it fits since then
  std::vector<SeenClass> classes_;
  std::vector<SeenType> types_;
  std::map<LaneName, SeenLane> lanes_;
  std::vector<std::pair<RecordNumber, std::uint32_t>> accept_gates_;  // accepted, not yet kept
  std::size_t first_gate_ = 0;

  // What the step in progress is about.
  const Event* event_ = nullptr;
  const event::AttemptAnswered* answered_ = nullptr;
  std::vector<HeldAttempt> dying_;  // what the worker that just exited had in hand, not yet ended
  std::size_t dying_count_ = 0;
  SeenWorker dead_;
  const SeenWorker* ended_on_ = nullptr;  // the worker that the last attempt was taken from
  std::size_t ended_with_ = 0;            // how many it had, if it died or was given up; else 0
  bool submit_answered_ = false;          // by a refusal or a new task; else it is a duplicate
  std::optional<AttemptKey> returned_;    // by a recall, not yet ended
  bool fresh_answer_ = false, stale_answer_ = false, doubtful_answer_ = false;

  Counters seen_;
  std::uint64_t payload_bytes_ = 0;  // of what has not settled
  std::map<std::uint64_t, std::uint32_t>
      letters_;  // dead ones, in the order of death -> task index
  std::uint64_t deaths_ = 0, letter_bytes_ = 0;
  // Those on their way to the archive; the one that it has and that is to go, by its death; how
  // often it failed, and until when it is left alone.
  std::map<std::uint64_t, std::uint32_t> archiving_;
  std::uint64_t archiving_bytes_ = 0, archived_ = 0, archive_failures_ = 0;
  Instant archive_again_;

  std::uint64_t letters_over() const {
    return letters_.size() - std::min<std::uint64_t>(letters_.size(), options_.dead_max);
  }
  std::uint64_t letter_bytes_over() const {
    return letter_bytes_ - std::min(letter_bytes_, options_.dead_bytes_max);
  }

  // Of the turn in progress: what was taken back only for a more urgent task, or for a free worker.
  std::vector<std::pair<WorkerId, Place>> cleared_;
  std::size_t shared_ = 0;

  // Of the step in progress: notices that were given, and that had to be.
  std::array<int, kNoticeRows.size()> given_{}, owed_{};
  bool listening_ = true, initialized_ = false;
  void owe(Notice notice) { ++owed_[static_cast<std::size_t>(notice)]; }
  std::optional<AttemptKey> checkpoint_owed_;  // a record of it, in the step in progress
};

}  // namespace warmpool::sim
