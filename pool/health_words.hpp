// The closed vocabularies of the health of workers; the rules of words.hpp hold.
#pragma once

#include <array>
#include <cstdint>

#include "pool/word.hpp"
#include "pool/worker_words.hpp"

namespace warmpool {

// What dispatch sees of a worker's health, the worst last.
enum class Band : std::uint8_t { Healthy, Degraded, Unhealthy };
template <>
struct Words<Band> {
  static constexpr std::array<Word<Band>, 3> rows{{
      {Band::Healthy, "healthy", "is given tasks"},
      {Band::Degraded, "degraded", "is given tasks when no healthy worker is free, and none ahead"},
      {Band::Unhealthy, "unhealthy", "is given tasks when all workers of its class are unhealthy"},
  }};
};

// What a score is made of.
enum class HealthPart : std::uint8_t { Liveness, Activity, Errors, Resources, Velocity };
template <>
struct Words<HealthPart> {
  static constexpr std::array<Word<HealthPart>, 5> rows{{
      {HealthPart::Liveness, "liveness", "whether it is heard, and passes its check"},
      {HealthPart::Activity, "activity", "whether what it runs shows any sign of going on"},
      {HealthPart::Errors, "errors", "whether its tasks fail more often than at its peers"},
      {HealthPart::Resources, "resources", "how near it is to what it may have"},
      {HealthPart::Velocity, "velocity", "how fast and how well it works beside its peers"},
  }};
};

// Why a part is not worth all that it could be, or why a worker is in its band.
enum class HealthReason : std::uint8_t {
  None,
  NotHeard,
  Stopped,
  ShowsNothing,
  FailsMore,
  Spiral,
  Memory,
  Descriptors,
  Leaks,
  Throttled,
  DiskWait,
  IdleCpu,
  Slower,
  SaidSo,
  CheckFails
};
template <>
struct Words<HealthReason> {
  static constexpr std::array<Word<HealthReason>, 15> rows{{
      {HealthReason::None, "none", "all is well"},
      {HealthReason::NotHeard, "not-heard", "it has not been heard for a while"},
      {HealthReason::Stopped, "stopped", "its process is stopped by a signal"},
      {HealthReason::ShowsNothing, "shows-nothing",
       "what it runs has shown no sign of going on for a while"},
      {HealthReason::FailsMore, "fails-more",
       "its tasks fail more often than those of the same types at its peers"},
      {HealthReason::Spiral, "spiral",
       "it fails one task after the other, and its peers do not fail them"},
      {HealthReason::Memory, "memory", "it is near the memory at which it is killed"},
      {HealthReason::Descriptors, "descriptors", "it is near its limit of open files"},
      {HealthReason::Leaks, "leaks", "it has many more open files than it began with"},
      {HealthReason::Throttled, "throttled", "its cgroup keeps it from the CPU"},
      {HealthReason::DiskWait, "disk-wait", "it waits for the disk most of the time"},
      {HealthReason::IdleCpu, "idle-cpu", "it uses the CPU though it has nothing to do"},
      {HealthReason::Slower, "slower", "it takes much longer than its peers"},
      {HealthReason::SaidSo, "said-so", "it said itself that it is degraded"},
      {HealthReason::CheckFails, "check-fails", "its check fails"},
  }};
};

// Workers as they are counted, and as `warmpool check` judges them.
enum class CoarseHealth : std::uint8_t { Unknown, Healthy, Degraded, Unhealthy };
template <>
struct Words<CoarseHealth> {
  static constexpr std::array<Word<CoarseHealth>, 4> rows{{
      {CoarseHealth::Unknown, "unknown", "starts, ends, or waits for its next start"},
      {CoarseHealth::Healthy, "healthy", "nothing is wrong"},
      {CoarseHealth::Degraded, "degraded", "slow, or of a low score, or it said so itself"},
      {CoarseHealth::Unhealthy, "unhealthy", "not heard, stopped, dead, or of a very low score"},
  }};
};

constexpr CoarseHealth coarse_of(WorkerHealth health) {
  switch (health) {
    case WorkerHealth::Healthy:
    case WorkerHealth::Working:
    case WorkerHealth::Computing:
    case WorkerHealth::Waiting:
      return CoarseHealth::Healthy;
    case WorkerHealth::Slow:
    case WorkerHealth::Degraded:
      return CoarseHealth::Degraded;
    case WorkerHealth::Unresponsive:
    case WorkerHealth::Stopped:
    case WorkerHealth::Dead:
    case WorkerHealth::Spinning:
    case WorkerHealth::Wedged:
    case WorkerHealth::Unkillable:
    case WorkerHealth::Unhealthy:
      return CoarseHealth::Unhealthy;
    case WorkerHealth::Unknown:
    case WorkerHealth::Recovering:
      break;
  }
  return CoarseHealth::Unknown;
}

}  // namespace warmpool
