// What a worker is doing, and what follows from that: the whole of it is one table. Only an idle
// worker is ended for silence; while it runs a task this table ends it for one reason, a stopped
// process. All else that ends a task has a clock of its own: timeout, deadline, progress_timeout.
// docs/daemon.md has the same table, and a test compares them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "pool/time.hpp"
#include "pool/words.hpp"

namespace warmpool {

// What the daemon saw of a process between two looks.
struct Look {
  char kernel_state = '?';  // R, S, D, T ...: proc(5)
  Duration elapsed;         // from the look before to this one
  Duration cpu_time;        // that it used meanwhile, all threads
  bool yielded = false;     // it gave the processor up by itself meanwhile
};

// Source: a Python whose lock another of its threads holds wakes up 200 times a second to ask for
// it, and uses 1 % of a CPU for that; so how often it yields tells nothing of one that sleeps. On a
// machine with ten times as many to run as it has CPUs, who computes still gets a tenth.
constexpr Motion motion_of(const Look& look) {
  if (look.elapsed <= Duration{}) return Motion::Unknown;
  const bool wants = look.kernel_state == 'R' && !look.yielded;
  if (wants || look.cpu_time >= look.elapsed / 10) return Motion::Computing;
  if (look.cpu_time >= look.elapsed / 20) return Motion::Moving;
  if (look.kernel_state == 'D') return Motion::Blocked;
  return look.kernel_state == 'S' ? Motion::Waiting : Motion::Moving;
}

enum class Hand : std::uint8_t { Idle, Busy };

// The worst of what is known of a worker, worst last.
enum class Sign : std::uint8_t {
  Heard,
  Silent,  // for unresponsive_after; while it runs a task that is no sign, and nobody looks
  Moving,  // these four: silent, and seen to be so
  Computing,
  Waiting,
  Blocked,
  Slow,
  Stopped,
  Unkillable
};

// What follows by itself.
enum class Act : std::uint8_t { Nothing, GiveNothing, KillAfterDead };

struct VerdictRow {
  Hand hand;
  Sign sign;
  std::string_view seen;  // for people
  WorkerHealth health;
  Act act;
  ExitCause cause;  // of the kill, where there is one
};

inline constexpr auto kVerdictRows = [] {
  using enum Act;
  using H = WorkerHealth;
  using S = Sign;
  constexpr auto none = ExitCause::Exited;
  constexpr auto silent = ExitCause::Unresponsive;
  return std::to_array<VerdictRow>({
      {Hand::Idle, S::Heard, "beats", H::Healthy, Nothing, none},
      {Hand::Idle, S::Silent, "no beat for `unresponsive_after`, not seen yet what it does",
       H::Unresponsive, KillAfterDead, silent},
      {Hand::Idle, S::Moving, "no beat, uses some CPU time or changes its state", H::Unresponsive,
       KillAfterDead, silent},
      {Hand::Idle, S::Computing, "no beat, uses CPU time", H::Spinning, KillAfterDead,
       ExitCause::Spinning},
      {Hand::Idle, S::Waiting, "no beat, sleeps in one call", H::Wedged, KillAfterDead,
       ExitCause::Wedged},
      {Hand::Idle, S::Blocked, "no beat, sleeps in the kernel where no signal reaches it (state D)",
       H::Wedged, KillAfterDead, ExitCause::Wedged},
      {Hand::Idle, S::Slow, "cannot be: it runs nothing", H::Healthy, Nothing, none},
      {Hand::Idle, S::Stopped, "stopped by a signal (state T)", H::Stopped, KillAfterDead,
       ExitCause::Stopped},
      {Hand::Idle, S::Unkillable, "was killed and is still there after `unkillable_after`",
       H::Unkillable, GiveNothing, none},
      {Hand::Busy, S::Heard, "runs a task", H::Working, Nothing, none},
      {Hand::Busy, S::Silent, "not heard for `unresponsive_after`: a handler need not beat",
       H::Working, Nothing, none},
      {Hand::Busy, S::Moving, "not heard, uses some CPU time or changes its state", H::Working,
       Nothing, none},
      {Hand::Busy, S::Computing,
       "not heard, uses CPU time: a long computation (an interpreter lock "
       "held), or an endless loop",
       H::Computing, Nothing, none},
      {Hand::Busy, S::Waiting,
       "not heard, sleeps in one call: a long system call, a lock, or a deadlock", H::Waiting,
       Nothing, none},
      {Hand::Busy, S::Blocked,
       "not heard, sleeps in the kernel where no signal reaches it (state D)", H::Waiting, Nothing,
       none},
      {Hand::Busy, S::Slow, "its task is over `slow_after` or `slow_percent`", H::Slow, Nothing,
       none},
      {Hand::Busy, S::Stopped, "stopped by a signal (state T)", H::Stopped, KillAfterDead,
       ExitCause::Stopped},
      {Hand::Busy, S::Unkillable,
       "was killed and is still there after `unkillable_after`; its tasks go on elsewhere",
       H::Unkillable, GiveNothing, none},
  });
}();

constexpr std::size_t kSigns = static_cast<std::size_t>(Sign::Unkillable) + 1;

constexpr const VerdictRow& verdict_row(Hand hand, Sign sign) {
  return kVerdictRows[static_cast<std::size_t>(hand) * kSigns + static_cast<std::size_t>(sign)];
}

// Told when it begins and when it ends; the others change with each task.
constexpr bool is_told(WorkerHealth health) {
  switch (health) {
    case WorkerHealth::Unknown:
    case WorkerHealth::Healthy:
    case WorkerHealth::Working:
    case WorkerHealth::Recovering:
    case WorkerHealth::Dead:
      return false;
    default:
      return true;
  }
}

struct Slot;
Sign sign_of(const Slot& slot);
WorkerHealth health_of(const Slot& slot);

namespace proof {

constexpr bool every_row_is_in_its_place() {
  if (kVerdictRows.size() != 2 * kSigns) return false;
  for (const auto& row : kVerdictRows) {
    if (&verdict_row(row.hand, row.sign) != &row) return false;
  }
  return true;
}

constexpr bool silence_kills_only_the_idle() {
  for (const auto& row : kVerdictRows) {
    const bool silent = row.sign >= Sign::Silent && row.sign <= Sign::Blocked;
    const bool kills = row.act == Act::KillAfterDead;
    if (silent && kills != (row.hand == Hand::Idle)) return false;
    if (kills != (row.cause != ExitCause::Exited)) return false;
    if (row.hand == Hand::Busy && kills && row.sign != Sign::Stopped) return false;
  }
  return true;
}

static_assert(every_row_is_in_its_place());
static_assert(silence_kills_only_the_idle());

}  // namespace proof
}  // namespace warmpool
