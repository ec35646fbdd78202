// Slots, the workers in them, what these hold, and when each must be looked at next. The one
// function that changes a slot's state is here.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

#include "pool/health.hpp"
#include "pool/ids.hpp"
#include "pool/lane_table.hpp"
#include "pool/slot_machine.hpp"
#include "pool/task_table.hpp"
#include "pool/time.hpp"
#include "pool/worker_class.hpp"

namespace warmpool {

// An attempt in the hand of a worker, in the order given to it.
struct Held {
  AttemptKey key;
  TaskIndex task = kNone;
  LaneKey place;  // that it had in the queue
  Duration timeout{};
  Duration expected{};  // smoothed service time of its type; 0 where unknown
  Instant assigned_at, started_at = kNever, end_at = kNever;
  Instant recalled_at = kNever;      // when it was asked for; the answer is awaited
  Instant rung_at = kNever;          // next step of ending it
  Instant moved_at = kNever;         // when it last showed progress, or its worker printed
  Duration forgiven{};               // since then, because the loop was late
  Instant saved_at = kNever;         // started, or last asked for a checkpoint or sent one
  std::uint64_t memory = 0;          // that it counts with
  std::uint64_t peak = 0;            // that its worker had since it started; 0: not measured
  EndCause ending = EndCause::Done;  // why it is being ended; Done: it is not
  Rung rung = Rung::NotRunning;
  bool slow = false;
  bool started() const { return started_at != kNever; }
  bool recalling() const { return recalled_at != kNever; }
  bool is_behind() const { return !started() && !recalling(); }
  bool is_ending() const { return ending != EndCause::Done; }
  void moves(Instant now) { moved_at = now, forgiven = {}; }
};

// What holds of any in a hand, as counted last.
struct HandWords {
  bool known = true;  // how long each takes
  bool ending = false, recalling = false;
  std::uint8_t unstarted = 0;  // so many
};

struct Slot {
  SlotId id;
  SlotId home;               // the place that people name: a successor has that of its predecessor
  SlotId partner = kNoSlot;  // of a pending successor its predecessor, and the other way round
  SlotId heir = kNoSlot;     // of one that leaves: who has its place
  SlotId leaver = kNoSlot;   // of the heir, while the other has not gone
  ClassId worker_class;
  std::uint16_t index = 0;  // in its class
  SlotState state = SlotState::Gone;
  WorkerId worker;
  std::vector<Held> held;
  ExitCause last_cause = ExitCause::Requested;
  ExitCause order = ExitCause::Exited;        // why we end it; Exited: we do not
  ExitCause order_later = ExitCause::Exited;  // why we will at force_at, if it lives on
  bool removing = false, unresponsive = false, stopped = false, alone = false, recall = false;
  bool successor = false;    // pending: starts beside its predecessor and counts for nothing yet
  bool replaced = false;     // while it lives there is one worker more than wanted
  bool leaving = false;      // that one is ready, and has its place
  bool registered = false;   // its worker was started by somebody else: nobody replaces it
  bool checkpoints = false;  // has the feature
  bool useful = false;       // its worker has settled a task
  DueReason due_for = DueReason::None;  // why its worker is to be replaced
  bool slow = false;                    // what it runs is over slow_after
  Motion motion{};                      // what it was seen to do since it was last heard
  WorkerHealth told{};                  // that subscribers know of; Unknown: none of note
  bool recovering = false;       // its last worker died unasked and the next is not ready yet
  bool prepares = false;         // there is no process yet: what comes before is not over
  bool killed = false;           // the kill was ordered; its exit is all that is awaited
  std::uint8_t offered = 1;      // what the worker said that it may hold
  std::uint8_t credits = 1;      // may hold
  std::uint8_t concurrency = 1;  // may start at once
  Duration expected{};           // work in hand, as far as it is known
  Duration behind{};             // of it, what is not started and is not being taken back
  HandWords words;
  std::uint64_t memory = 0;       // as sampled last
  std::uint64_t memory_base = 0;  // after its first task
  bool based = false;             // that is known
  Health health;
  std::uint32_t unproductive = 0;
  RecoveryStrategy strategy{};  // that its last or next start after a death is of
  std::uint32_t tries = 0;      // such starts since it was last of use
  std::int32_t last_code = 0;   // of the death
  SlotId former = kNoSlot;      // the place that was given up for this one
  bool by_hand = false;         // somebody asked for its next start: no breaker holds it
  std::uint64_t attempts = 0, attempts_of_worker = 0, answers_of_worker = 0, spawns = 0;
  Duration busy{};
  Instant spawned_at, ready_at, last_heard, stopped_at, state_since, retry_at, busy_since, died_at;
  Instant force_at = kNever;  // next step of ending the worker
  Instant due = kNever;       // when it is looked at next; never later than needed
  std::uint32_t due_place = kNone;

  static auto fields(auto& slot) {
    auto& [id, home, partner, heir, leaver, worker_class, index, state, worker, held, last_cause,
           order, order_later, removing, unresponsive, stopped, alone, recall, successor, replaced,
           leaving, registered, checkpoints, useful, due_for, slow, motion, told, recovering,
           prepares, killed, offered, credits, concurrency, expected, behind, words, memory,
           memory_base, based, health, unproductive, strategy, tries, last_code, former, by_hand,
           attempts, attempts_of_worker, answers_of_worker, spawns, busy, spawned_at, ready_at,
           last_heard, stopped_at, state_since, retry_at, busy_since, died_at, force_at, due,
           due_place] = slot;
    return std::tie(id, home, partner, heir, leaver, worker_class, index, state, worker, held,
                    last_cause, order, order_later, removing, unresponsive, stopped, alone, recall,
                    successor, replaced, leaving, registered, checkpoints, useful, due_for, slow,
                    motion, told, recovering, prepares, killed, offered, credits, concurrency,
                    expected, behind, words, memory, memory_base, based, health, unproductive,
                    strategy, tries, last_code, former, by_hand, attempts, attempts_of_worker,
                    answers_of_worker, spawns, busy, spawned_at, ready_at, last_heard, stopped_at,
                    state_since, retry_at, busy_since, died_at, force_at, due, due_place);
  }
};

// When a run that shows no progress has hung, with so much patience; 0: never. No loop is so late
// that it is forgiven more than its patience again.
Instant hung_at(const Held& held, Duration patience);

// Where an attempt stands in the hand; held.size() if it is not in it.
std::size_t find_held(const Slot& slot, const AttemptKey& key);

// The place of the least urgent of what waits behind others in a hand; kFirstPlace if nothing does.
LaneKey latest_behind(const Slot& slot);

class SlotTable {
 public:
  static constexpr std::size_t kSlotsMax = 0xffff;

  // `home`: of its predecessor; else the first of its class that nobody has.
  Slot& add(WorkerClass& worker_class, Instant now, SlotId home = kNoSlot);
  // A place with another number than `former`, and than those given up lately.
  Slot& add_anew(WorkerClass& worker_class, Instant now, SlotId former);
  // Places that are not being removed, without those of successors and of registered workers.
  std::size_t active(const WorkerClass& worker_class) const;
  // How many places the class could have: those of the past come free when their worker is gone.
  int room(const WorkerClass& worker_class) const;
  // How many registered workers there are: in this class, or in all.
  std::size_t registered(std::optional<ClassId> worker_class = {}) const;
  Slot& operator[](SlotId id) { return *slots_[id.value]; }
  const Slot& operator[](SlotId id) const { return *slots_[id.value]; }
  std::size_t size() const { return slots_.size(); }
  // The slot whose present worker this is; null for workers of the past.
  Slot* find(WorkerId worker);
  const Slot* find(SlotId id) const;
  WorkerId next_worker(SlotId slot);

  void fire(Slot& slot, SlotTrigger trigger, Instant now);
  const std::array<std::uint64_t, kSlotRows.size()>& row_hits() const { return row_hits_; }
  std::size_t processes() const { return processes_; }
  // Processes of the class that the pool started.
  std::uint64_t living(ClassId worker_class) const {
    return worker_class.value < living_.size() ? living_[worker_class.value] : 0;
  }
  // Those in the state Held, the first that came to it first.
  const std::vector<SlotId>& held() const { return held_; }

  // Look at it at `at` or earlier. A later time than the one set is ignored: looking early is
  // cheap, moving the entry at every task is not.
  void look_at(Slot& slot, Instant at);
  Instant next_due() const;
  Slot* pop_due(Instant now);

  static auto fields(auto& self) {
    auto& [slots, due, row_hits, workers, processes, living, held] = self;
    return std::tie(slots, due, row_hits, workers, processes, living, held);
  }

 private:
  Slot& renew(Slot& slot, Instant now);
  void count(const Slot& slot, SlotState to);

  struct Before {
    const SlotTable* table;
    bool operator()(SlotId a, SlotId b) const;
  };

  SlotId free_home(const WorkerClass& worker_class) const;
  std::vector<bool> taken_homes(const WorkerClass& worker_class) const;
  Slot& append(WorkerClass& worker_class, Instant now);

  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<SlotId> due_;
  std::array<std::uint64_t, kSlotRows.size()> row_hits_{};
  std::uint64_t workers_ = 0;
  std::size_t processes_ = 0;
  std::vector<std::uint64_t> living_;  // by class
  std::vector<SlotId> held_;
};

}  // namespace warmpool
