// What subscribers are told: one table of events with their fields. The core fills a Notification;
// the daemon numbers it, stamps it and turns it into JSON by the rows. Section 11 of
// docs/protocol.md is made of both tables, and a test compares them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "pool/notice.hpp"
#include "pool/notice_field.hpp"

namespace warmpool {

struct NoticeRow {
  Notice notice;
  std::string_view name;
  std::array<NoticeField, 7> fields;
  std::uint8_t field_count;
  std::string_view meaning;
};

template <class... Fields>
constexpr NoticeRow notice_row(Notice notice, std::string_view name, std::string_view meaning,
                               Fields... fields) {
  return {notice, name, {fields...}, sizeof...(fields), meaning};
}

inline constexpr std::array<NoticeRow, 47> kNoticeRows = [] {
  using F = NoticeField;
  return std::array<NoticeRow, 47>{{
      notice_row(Notice::PoolInitialized, "pool-initialized", "the minimum of workers is ready",
                 F::PoolSize),
      notice_row(Notice::PoolDraining, "pool-draining", "nothing new is taken", F::Count),
      notice_row(Notice::PoolShutdown, "pool-shutdown", "the pool has stopped", F::Count),
      notice_row(Notice::PoolScaledUp, "pool-scaled-up", "slots were added", F::Class, F::Count,
                 F::Size),
      notice_row(Notice::PoolScaledDown, "pool-scaled-down", "slots are being removed", F::Class,
                 F::Count, F::Size),
      notice_row(Notice::TaskSubmitted, "task-submitted", "a task was accepted", F::Task, F::Round,
                 F::Type),
      notice_row(Notice::TaskStarted, "task-started", "an attempt was given to a worker", F::Task,
                 F::Round, F::Attempt, F::Type, F::Slot, F::Worker),
      notice_row(Notice::TaskProgress, "task-progress", "a handler reported progress", F::Task,
                 F::Round, F::Attempt, F::Slot),
      notice_row(Notice::TaskSlow, "task-slow", "an attempt runs for longer than slow_after",
                 F::Task, F::Round, F::Attempt, F::Type, F::Slot, F::Duration),
      notice_row(Notice::TaskCompleted, "task-completed", "a handler finished a task", F::Task,
                 F::Round, F::Attempt, F::Type, F::Slot, F::Duration),
      notice_row(Notice::TaskFailed, "task-failed", "an attempt ended without success", F::Task,
                 F::Round, F::Attempt, F::Type, F::Slot, F::EndError, F::Retried),
      notice_row(Notice::TaskDead, "task-dead", "a task became a dead letter", F::Task, F::Round,
                 F::Attempt, F::Type, F::EndCause),
      notice_row(Notice::TaskCancelled, "task-cancelled", "a task was cancelled", F::Task, F::Round,
                 F::Type, F::EndCause),
      notice_row(Notice::TaskExpired, "task-expired", "a task waited too long", F::Task, F::Round,
                 F::Type, F::EndCause),
      notice_row(Notice::TaskHeld, "task-held", "a task waits for a person", F::Task, F::Round,
                 F::Type),
      notice_row(Notice::TaskRevived, "task-revived", "a dead letter was given a new round",
                 F::Task, F::Round, F::Type),
      notice_row(Notice::WorkerStarted, "worker-started", "a worker process was asked for",
                 F::Worker, F::Slot, F::Class),
      notice_row(Notice::WorkerReady, "worker-ready", "a worker said hello", F::Worker, F::Slot,
                 F::Class, F::Duration),
      notice_row(Notice::WorkerRecycled, "worker-recycled",
                 "a successor is ready, so this worker finishes and ends", F::Worker, F::Slot,
                 F::Class, F::DueReason),
      notice_row(Notice::WorkerExited, "worker-exited", "a worker process is gone", F::Worker,
                 F::Slot, F::Class, F::ExitCause, F::Code, F::Signal),
      notice_row(Notice::WorkerError, "worker-error", "a worker is being killed, or died unasked",
                 F::Worker, F::Slot, F::Class, F::ExitError, F::Code, F::Signal),
      notice_row(Notice::WorkerHealthChanged, "worker-health-changed", "a worker's health changed",
                 F::Worker, F::Slot, F::Class, F::From, F::To, F::Why, F::Score),
      notice_row(Notice::ZombieDetected, "zombie-detected", "a worker was silent for dead_after",
                 F::Worker, F::Slot, F::Class, F::Silence),
      notice_row(Notice::RecoveryAttempted, "recovery-attempted", "a dead worker is being replaced",
                 F::Slot, F::Class, F::Strategy, F::Tries, F::ExitCause, F::Former),
      notice_row(Notice::RecoverySucceeded, "recovery-succeeded", "a replacement is ready", F::Slot,
                 F::Class, F::Strategy, F::Duration),
      notice_row(Notice::RecoveryGivenUp, "recovery-given-up", "a slot failed and waits longer",
                 F::Slot, F::Class, F::Strategy, F::Tries, F::Duration),
      notice_row(Notice::TypePaused, "type-paused", "a type was paused", F::Type),
      notice_row(Notice::TypeResumed, "type-resumed", "a type was resumed", F::Type),
      notice_row(Notice::ClassPaused, "class-paused", "the workers of a class are given nothing",
                 F::Class),
      notice_row(Notice::ClassResumed, "class-resumed", "the workers of a class are given tasks",
                 F::Class),
      notice_row(Notice::PoolPaused, "pool-paused", "nothing is started any more"),
      notice_row(Notice::PoolResumed, "pool-resumed", "tasks are started again"),
      notice_row(Notice::ResultRefused, "result-refused",
                 "a result that is not current was refused", F::Task, F::Round, F::Attempt,
                 F::Worker),
      notice_row(Notice::DeadArchived, "dead-archived", "a dead letter was moved to the archive",
                 F::Task, F::Round, F::Type),
      notice_row(Notice::WorkerRegistered, "worker-registered",
                 "a worker that somebody else started was given a place", F::Worker, F::Slot,
                 F::Class),
      notice_row(Notice::BreakerOpened, "breaker-opened",
                 "a type fails too often: none of its tasks is started for a while", F::Type,
                 F::Failures, F::Cooldown, F::BreakerWhy),
      notice_row(Notice::BreakerHalfOpen, "breaker-half-open",
                 "a few tasks of the type try whether it is well again", F::Type, F::BreakerWhy),
      notice_row(Notice::BreakerClosed, "breaker-closed", "tasks of the type run again", F::Type,
                 F::BreakerWhy),
      notice_row(Notice::AlertRaised, "alert-raised", "somebody should look at the pool", F::Alert,
                 F::Level, F::Subject, F::Text),
      notice_row(Notice::AlertResolved, "alert-resolved", "the cause of an alert is gone", F::Alert,
                 F::Level, F::Subject, F::Times),
      notice_row(Notice::WorkerOversized, "worker-oversized",
                 "a worker has more than memory_soft after its first task: replacing it is no use",
                 F::Worker, F::Slot, F::Class, F::Memory, F::Limit),
      notice_row(Notice::RecoveryOpened, "recovery-opened",
                 "replacements of a class keep dying: none is started for a while", F::Class,
                 F::Deaths, F::Cooldown, F::RecoveryWhy),
      notice_row(Notice::RecoveryHalfOpen, "recovery-half-open",
                 "one replacement tries whether the class is well again", F::Class, F::RecoveryWhy),
      notice_row(Notice::RecoveryClosed, "recovery-closed",
                 "workers of the class are replaced again", F::Class, F::RecoveryWhy),
      notice_row(Notice::WorkerParked, "worker-parked",
                 "a worker was idle for max_idle and ends; its class has more than size_min",
                 F::Worker, F::Slot, F::Class, F::Idle),
      notice_row(Notice::WorkerUnparked, "worker-unparked",
                 "tasks wait and no worker is free: one that was parked comes back", F::Slot,
                 F::Class),
      notice_row(Notice::TaskCheckpointed, "task-checkpointed",
                 "a handler said what the next attempt could go on from", F::Task, F::Round,
                 F::Attempt, F::Slot, F::CheckpointBytes),
  }};
}();

}  // namespace warmpool
