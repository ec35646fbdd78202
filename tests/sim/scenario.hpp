// What one run is made of: which faults exist in it and a small random configuration ("swarm":
// leaving faults out at random finds more than having all of them all the time).
// Source: Groce et al., "Swarm testing" (ISSTA 2012).
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string_view>
#include <vector>

#include "pool/event.hpp"
#include "pool/options.hpp"
#include "pool/result.hpp"
#include "pool/words.hpp"

namespace warmpool::sim {

enum class Fault : std::uint8_t {
  DieIdle,
  DieStarting,
  DieInTask,
  DieWhileKilled,
  OutOfMemory,
  Hang,
  HangAndReturn,
  IgnoreTerm,
  IgnoreCancel,
  IgnoreRetire,
  IgnoreRecall,
  FailTask,
  FailForGood,
  RetryAfter,
  HoldTask,
  Poison,
  SpawnFails,
  NeverHello,
  SlowDisk,
  StoreRefuses,
  DaemonCrash,
  WallJump,
  LoopStall,
  Overload,
  StopWorker,
  SilentIdle,
  WrongResult,
  DuplicateResult,
  BrokenChannel,
  ClientDrops,
  SlowTask,
  Operator,
  Cancels,
  LyingPage,
  Unkillable,
  ArchiveFails,
  Strangers,
  TypesDown,
  Memory,
  Looks,
  NoProgress,
  ClassDown,
  RecoveryFails,
  Idle,
  Rotten,
  Figures,
  Checks,
  Admission,
  Checkpoints,
  NextClasses,
  TaskMemory,
  GoesOnUnseen,
  ByHand,
  PrepareFails,
  NoRoom
};
inline constexpr std::size_t kFaults = 55;
using Faults = std::bitset<kFaults>;

struct FaultRow {
  Fault fault;
  std::string_view name;
};
extern const std::array<FaultRow, kFaults> kFaultRows;

struct TypePlan {
  event::TypeDeclared declared;
  Duration service_min, service_max;
  bool later = false;  // declared without classes first
  BreakerOptions breaker{};
  TaskMemory memory{};
  Instant down_from = kNever, down_until = kNever;  // all its runs fail, where the fault exists
};

// All workers of the class die before they say hello, or never say it, where the fault exists.
struct Outage {
  Instant from = kNever, until = kNever;
  bool silent = false;
};

struct Scenario {
  std::uint64_t seed = 0;
  Faults faults;
  Options options;
  std::vector<event::ClassDeclared> classes;
  std::vector<TypePlan> types;
  std::vector<Outage> outages;  // by class
  std::uint32_t tenants = 1, clients = 1, submissions = 0;
  std::uint32_t mishaps_per_mille = 0;  // how often a fault that exists strikes
  std::uint32_t page_per_mille = 0;     // workers that say what they run
  std::uint32_t recall_per_mille = 1000, keys_per_mille = 300, prompt_per_mille = 900;
  Duration submit_every{}, wire_max{}, disk_min{}, disk_max{}, turn_window{}, safety{};
  Duration turn_late{};     // so late is the loop at each of its deadlines
  bool stop_early = false;  // stops in the middle of the faults instead of running to the end

  bool has(Fault fault) const { return faults.test(static_cast<std::size_t>(fault)); }
};

Scenario draw_scenario(std::uint64_t seed);
class Random;
BreakerOptions draw_breaker(Random& random);
TaskMemory draw_need(Random& random);

// Forces parts of each scenario: "poison,slots=2,credits=16". Faults named are on and all others
// off; "calm" turns all off; "slots", "credits", "concurrency", "classes", "submissions" set
// figures.
struct Forced {
  bool any_fault = false;
  Faults faults;
  std::uint64_t slots = 0, credits = 0, concurrency = 0, submissions = 0;
};
// Errors: a word that is none of these; lists what may be given.
Result<Forced> parse_forced(std::string_view text);
void force(Scenario& scenario, const Forced& forced);

}  // namespace warmpool::sim
