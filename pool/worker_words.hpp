// The closed vocabularies of slots and workers; the rules of words.hpp hold.
#pragma once

#include <array>
#include <cstdint>

#include "pool/word.hpp"

namespace warmpool {

// A place in a class, and the worker in it.
enum class SlotState : std::uint8_t {
  Starting,
  Ready,
  Running,
  Completing,
  Draining,
  Recovery,
  Backoff,
  Failed,
  Gone,
  Held
};
template <>
struct Words<SlotState> {
  static constexpr std::array<Word<SlotState>, 10> rows{{
      {SlotState::Starting, "starting", "its process was asked for and has not said hello"},
      {SlotState::Ready, "ready", "idle, may be given a task"},
      {SlotState::Running, "running", "has at least one task in hand"},
      {SlotState::Completing, "completing",
       "was asked to end, has nothing in hand; its exit is awaited"},
      {SlotState::Draining, "draining", "finishes what it has in hand and is given nothing more"},
      {SlotState::Recovery, "recovery", "is being killed; its exit is awaited"},
      {SlotState::Backoff, "backoff", "waits before its next start"},
      {SlotState::Failed, "failed", "died too often before being of use; tries again by itself"},
      {SlotState::Gone, "gone", "removed"},
      {SlotState::Held, "held", "waits until its memory_declared fits into memory_total"},
  }};
};

// How a slot and its worker fare, for people. Slow: what it runs is over slow_after.
enum class WorkerHealth : std::uint8_t {
  Unknown,
  Healthy,
  Working,
  Slow,
  Unresponsive,
  Stopped,
  Recovering,
  Dead,
  Computing,
  Waiting,
  Spinning,
  Wedged,
  Unkillable,
  Degraded,
  Unhealthy
};
template <>
struct Words<WorkerHealth> {
  static constexpr std::array<Word<WorkerHealth>, 15> rows{{
      {WorkerHealth::Unknown, "unknown", "has not said hello, or is on its way out"},
      {WorkerHealth::Healthy, "healthy", "idle and beating"},
      {WorkerHealth::Working, "working", "runs a task"},
      {WorkerHealth::Slow, "slow", "runs a task for longer than slow_after or slow_percent allow"},
      {WorkerHealth::Unresponsive, "unresponsive", "idle and silent for unresponsive_after"},
      {WorkerHealth::Stopped, "stopped", "its process is stopped by a signal"},
      {WorkerHealth::Recovering, "recovering", "is being ended, or waits for its next start"},
      {WorkerHealth::Dead, "dead", "died too often before being of use"},
      {WorkerHealth::Computing, "computing",
       "runs a task, is not heard, and uses a CPU without a pause"},
      {WorkerHealth::Waiting, "waiting", "runs a task, is not heard, and sleeps in one call"},
      {WorkerHealth::Spinning, "spinning", "idle and silent, and uses a CPU without a pause"},
      {WorkerHealth::Wedged, "wedged", "idle and silent, and sleeps in one call"},
      {WorkerHealth::Unkillable, "unkillable", "was killed and does not go"},
      {WorkerHealth::Degraded, "degraded",
       "its score is below health_degraded, or it said so itself: is given less"},
      {WorkerHealth::Unhealthy, "unhealthy",
       "its score is below health_unhealthy, or its check fails: is given nothing"},
  }};
};

// What a process that is not heard was seen to do.
enum class Motion : std::uint8_t { Unknown, Moving, Computing, Waiting, Blocked };
template <>
struct Words<Motion> {
  static constexpr std::array<Word<Motion>, 5> rows{{
      {Motion::Unknown, "unknown", "it is heard, or nobody has looked twice"},
      {Motion::Moving, "moving", "used some CPU time, or changed its state"},
      {Motion::Computing, "computing", "used a CPU and did not give it up"},
      {Motion::Waiting, "waiting", "slept in one call"},
      {Motion::Blocked, "blocked", "slept in the kernel where no signal reaches it"},
  }};
};

// Why a worker ended or is being ended. One list for the order and for the observation.
enum class ExitCause : std::uint8_t {
  Requested,
  Exited,
  Signalled,
  SpawnFailed,
  StartTimeout,
  Unresponsive,
  Stopped,
  Timeout,
  Cancel,
  ChannelClosed,
  Protocol,
  Memory,
  OutOfMemory,
  Shutdown,
  Spinning,
  Wedged,
  Hung,
  RecoveryFailed,
  CheckFailed
};
template <>
struct Words<ExitCause> {
  static constexpr std::array<Word<ExitCause>, 19> rows{{
      {ExitCause::Requested, "requested", "was asked to end and did"},
      {ExitCause::Exited, "exited", "ended by itself with a status"},
      {ExitCause::Signalled, "signalled", "was ended by a signal that is not ours"},
      {ExitCause::SpawnFailed, "spawn-failed", "could not be started"},
      {ExitCause::StartTimeout, "start-timeout", "did not say hello in time"},
      {ExitCause::Unresponsive, "unresponsive", "idle and silent for longer than dead_after"},
      {ExitCause::Stopped, "stopped", "was stopped by a signal for longer than dead_after"},
      {ExitCause::Timeout, "timeout", "did not end a task whose time was up"},
      {ExitCause::Cancel, "cancel", "did not end a task that was cancelled"},
      {ExitCause::ChannelClosed, "channel-closed", "closed its channel and lived on"},
      {ExitCause::Protocol, "protocol", "broke the protocol"},
      {ExitCause::Memory, "memory", "was over its hard memory limit"},
      {ExitCause::OutOfMemory, "out-of-memory", "was killed by the kernel for memory"},
      {ExitCause::Shutdown, "shutdown", "was ended because the pool stops"},
      {ExitCause::Spinning, "spinning",
       "idle and silent for longer than dead_after, using a CPU without a pause"},
      {ExitCause::Wedged, "wedged",
       "idle and silent for longer than dead_after, asleep in one call"},
      {ExitCause::Hung, "hung", "did not end a task that made no progress"},
      {ExitCause::RecoveryFailed, "recovery-failed",
       "its recovery_command failed, or took longer than recovery_timeout"},
      {ExitCause::CheckFailed, "check-failed", "idle, and its check failed check_threshold times"},
  }};
};

// Why a worker is to be replaced though it works.
enum class DueReason : std::uint8_t { None, Restart, Tasks, Age, Memory, Health };
template <>
struct Words<DueReason> {
  static constexpr std::array<Word<DueReason>, 6> rows{{
      {DueReason::None, "none", "it is not to be replaced"},
      {DueReason::Restart, "restart", "somebody asked for it"},
      {DueReason::Tasks, "tasks", "it has run max_tasks tasks"},
      {DueReason::Age, "age", "it is older than max_age"},
      {DueReason::Memory, "memory", "it has more than memory_soft, or grew by memory_growth"},
      {DueReason::Health, "health", "it has been unhealthy for health_replace_after"},
  }};
};

}  // namespace warmpool
