// What the core tells subscribers: which events there are, and what is known of one.
#pragma once

#include <cstdint>
#include <tuple>

#include "pool/breaker_words.hpp"
#include "pool/health_words.hpp"
#include "pool/ids.hpp"
#include "pool/recovery_words.hpp"
#include "pool/words.hpp"

namespace warmpool {

enum class Notice : std::uint8_t {
  PoolInitialized,
  PoolDraining,
  PoolShutdown,
  PoolScaledUp,
  PoolScaledDown,
  TaskSubmitted,
  TaskStarted,
  TaskProgress,
  TaskSlow,
  TaskCompleted,
  TaskFailed,
  TaskDead,
  TaskCancelled,
  TaskExpired,
  TaskHeld,
  TaskRevived,
  WorkerStarted,
  WorkerReady,
  WorkerRecycled,
  WorkerExited,
  WorkerError,
  WorkerHealthChanged,
  ZombieDetected,
  RecoveryAttempted,
  RecoverySucceeded,
  RecoveryGivenUp,
  TypePaused,
  TypeResumed,
  ClassPaused,
  ClassResumed,
  PoolPaused,
  PoolResumed,
  ResultRefused,
  DeadArchived,
  WorkerRegistered,
  BreakerOpened,
  BreakerHalfOpen,
  BreakerClosed,
  AlertRaised,
  AlertResolved,
  WorkerOversized,
  RecoveryOpened,
  RecoveryHalfOpen,
  RecoveryClosed,
  WorkerParked,
  WorkerUnparked,
  TaskCheckpointed
};

// Every member is present; a row (notification.hpp) says which ones mean something.
struct Notification {
  Notice notice{};
  TaskId task{};
  std::uint16_t round = 0, attempt = 0;
  TypeId type{};
  WorkerId worker{};
  SlotId slot{};
  ClassId worker_class{};
  std::int64_t duration_ns = 0;
  EndCause end_cause{};
  ExitCause exit_cause{};
  DueReason due{};
  std::int32_t code = 0;  // exit status, or minus the signal
  std::uint32_t count = 0, size = 0;
  bool retried = false;
  WorkerHealth from{}, to{};
  BreakerWhy breaker{};
  std::uint64_t alert = 0;  // its number; of notices that the daemon makes itself
  std::uint64_t memory_bytes = 0, limit_bytes = 0;
  RecoveryStrategy strategy{};
  RecoveryWhy recovery{};
  SlotId former{0xffff};  // the place that it was; 0xffff: the same
  std::uint16_t score = 0;
  HealthReason health_reason{};

  static auto fields(auto& self) {
    auto& [notice, task, round, attempt, type, worker, slot, worker_class, duration, end_cause,
           exit_cause, due, code, count, size, retried, from, to, breaker, alert, memory_bytes,
           limit_bytes, strategy, recovery, former, score, health_reason] = self;
    return std::tie(notice, task, round, attempt, type, worker, slot, worker_class, duration,
                    end_cause, exit_cause, due, code, count, size, retried, from, to, breaker,
                    alert, memory_bytes, limit_bytes, strategy, recovery, former, score,
                    health_reason);
  }
};

}  // namespace warmpool
