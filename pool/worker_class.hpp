// A class of workers as the core holds it: its options, its places, and who of them may be given
// what.
#pragma once

#include <cstdint>
#include <deque>
#include <tuple>
#include <vector>

#include "pool/health.hpp"
#include "pool/ids.hpp"
#include "pool/lane_table.hpp"
#include "pool/options.hpp"
#include "pool/recovery_figures.hpp"
#include "pool/recovery_gate.hpp"
#include "pool/recovery_rules.hpp"
#include "pool/slot_set.hpp"
#include "pool/time.hpp"

namespace warmpool {

inline constexpr SlotId kNoSlot{0xffff};

// What the health of its workers means for a class.
struct ClassHealth {
  SlotSet well;    // of those that are free the healthy ones
  SlotSet ailing;  // would be free, and are unhealthy
  SlotSet sound;   // work, and are not unhealthy
  PeerRates rates;
};

struct WorkerClass {
  // Who may be given one more task at once; unhealthy ones where there are no others.
  const SlotSet& places() const;
  // Of these the best.
  const SlotSet& candidates() const;
  Band best() const;

  ClassId id;
  ClassOptions options;
  std::uint16_t target = 0;
  bool declared = false, paused = false;
  std::vector<SlotId> members;  // by index in the class
  std::vector<ClassId> peers;   // other classes that serve a type which this one serves
  SlotSet gone;                 // places that may be used again
  SlotSet free;                 // ready for one more to start at once
  SlotSet credit;               // busy, but may be given more of short types
  SlotSet ahead;                // hold tasks that have not started, and can be asked for them
  SlotSet over;                 // of these, with more than overtake_max of such work
  SlotSet suspects;             // run a task that may have killed a worker
  SlotSet cleared;             // gave tasks back for a more urgent one and were given nothing since
  LaneKey latest;              // nothing that waits in a slot of `over` has a later place
  Instant ahead_due = kNever;  // nothing in `ahead` has waited for recall_idle_after before
  std::uint16_t cursor = 0;    // of round-robin
  SlotId reserved{};           // kept empty for a suspect
  std::deque<SlotId> due;      // to be replaced, in the order they came; those not ready are stale
  std::uint16_t replacing = 0;  // pairs of successor and predecessor
  bool has_reserved = false;
  bool oversized_told = false;  // since its options were declared
  ClassHealth health;
  RecoveryRules recovery;  // as its options say
  RecoveryGate gate;
  bool idle_due = false;     // one of its workers may have been idle for too long
  std::uint16_t parked = 0;  // places that are not filled because nobody needs them
  Instant wanted_at;         // some task waited for it then
  PlaceTime place_time;

  // How many places are to be filled.
  std::uint16_t wanted() const { return static_cast<std::uint16_t>(target - parked); }

  static auto fields(auto& self) {
    auto& [id, options, target, declared, paused, members, peers, gone, free, credit, ahead, over,
           suspects, cleared, latest, ahead_due, cursor, reserved, due, replacing, has_reserved,
           oversized_told, health, recovery, gate, idle_due, parked, wanted_at, place_time] = self;
    return std::tie(id, options, target, declared, paused, members, peers, gone, free, credit,
                    ahead, over, suspects, cleared, latest, ahead_due, cursor, reserved, due,
                    replacing, has_reserved, oversized_told, health, recovery, gate, idle_due,
                    parked, wanted_at, place_time);
  }
};

}  // namespace warmpool
