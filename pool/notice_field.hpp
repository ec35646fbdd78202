// The fields that events have: their names in JSON and in the log, and what they are.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace warmpool {

// What a notification may tell. Several may read the same member of it under another name.
enum class NoticeField : std::uint8_t {
  Task,
  Round,
  Attempt,
  Type,
  Worker,
  Slot,
  Class,
  Duration,
  Silence,
  EndCause,
  EndError,
  ExitCause,
  ExitError,
  DueReason,
  Memory,
  Limit,
  Code,
  Signal,
  Count,
  Size,
  PoolSize,
  Tries,
  Strategy,
  Retried,
  From,
  To,
  Why,
  Failures,
  Cooldown,
  BreakerWhy,
  Alert,
  Level,
  Subject,
  Text,
  Times,
  Deaths,
  RecoveryWhy,
  Former,
  Idle,
  Score,
  CheckpointBytes
};

enum class NoticeValue : std::uint8_t { Number, Milliseconds, Text, Flag };

struct NoticeFieldRow {
  NoticeField field;
  std::string_view name;  // in JSON and in the log
  NoticeValue value;
  std::string_view meaning;
};

inline constexpr std::array<NoticeFieldRow, 41> kNoticeFieldRows{{
    {NoticeField::Task, "task", NoticeValue::Number, "id of a task"},
    {NoticeField::Round, "round", NoticeValue::Number, "of the task, from 1"},
    {NoticeField::Attempt, "attempt", NoticeValue::Number, "of the round, from 1"},
    {NoticeField::Type, "type", NoticeValue::Text, "of the task"},
    {NoticeField::Worker, "worker_id", NoticeValue::Number, "one process life in a slot"},
    {NoticeField::Slot, "worker", NoticeValue::Text, "name of the slot, as in warmpool workers"},
    {NoticeField::Class, "class", NoticeValue::Text, "worker class"},
    {NoticeField::Duration, "duration_ms", NoticeValue::Milliseconds, "how long it took"},
    {NoticeField::Silence, "time_since_heartbeat_ms", NoticeValue::Milliseconds,
     "since the worker was last heard"},
    {NoticeField::EndCause, "cause", NoticeValue::Text, "end cause of the last attempt"},
    {NoticeField::EndError, "error", NoticeValue::Text,
     "end cause of the attempt; its text is in warmpool show"},
    {NoticeField::ExitCause, "cause", NoticeValue::Text, "why the worker ended"},
    {NoticeField::ExitError, "error", NoticeValue::Text, "why the worker is being ended, or ended"},
    {NoticeField::DueReason, "reason", NoticeValue::Text,
     "restart, tasks (max_tasks), age (max_age), memory (memory_soft, memory_growth) or health "
     "(health_replace_after)"},
    {NoticeField::Memory, "memory_bytes", NoticeValue::Number, "that the worker has of its own"},
    {NoticeField::Limit, "limit_bytes", NoticeValue::Number, "that it is held against"},
    {NoticeField::Code, "code", NoticeValue::Number, "exit status; null after a signal"},
    {NoticeField::Signal, "signal", NoticeValue::Number, "that ended it; null after an exit"},
    {NoticeField::Count, "count", NoticeValue::Number, "how many"},
    {NoticeField::Size, "new_size", NoticeValue::Number, "workers that the class shall have"},
    {NoticeField::PoolSize, "pool_size", NoticeValue::Number,
     "workers that all classes shall have"},
    {NoticeField::Tries, "attempt", NoticeValue::Number,
     "which try it is since the worker was last of use, from 1; of one that is given up: deaths in "
     "a row"},
    {NoticeField::Strategy, "strategy", NoticeValue::Text,
     "how the worker is replaced: restart, reset, recreate or custom"},
    {NoticeField::Retried, "retried", NoticeValue::Flag, "it will be tried again"},
    {NoticeField::From, "from", NoticeValue::Text, "health before"},
    {NoticeField::To, "to", NoticeValue::Text, "health now"},
    {NoticeField::Why, "why", NoticeValue::Text, "of the change"},
    {NoticeField::Failures, "failures", NoticeValue::Number,
     "in a row, or within breaker_window where their share opened it"},
    {NoticeField::Cooldown, "cooldown_ms", NoticeValue::Milliseconds, "how long it stays open"},
    {NoticeField::BreakerWhy, "why", NoticeValue::Text,
     "failures-in-a-row, share-of-failures, probe-failed, by-hand, cooled-down, probes-succeeded "
     "or switched-off"},
    {NoticeField::Alert, "alert", NoticeValue::Text, "name of an alert, as in docs/daemon.md"},
    {NoticeField::Level, "level", NoticeValue::Text, "warning or critical"},
    {NoticeField::Subject, "subject", NoticeValue::Text,
     "slot, class, type or channel that it is about; null: the pool"},
    {NoticeField::Text, "text", NoticeValue::Text, "what is wrong, and what to do"},
    {NoticeField::Times, "count", NoticeValue::Number, "how often it came"},
    {NoticeField::Deaths, "deaths", NoticeValue::Number,
     "of replacements that were of no use, within recovery_window"},
    {NoticeField::RecoveryWhy, "why", NoticeValue::Text,
     "replacements-died, probe-died, cooled-down, probe-works, nobody-waits, by-hand or "
     "switched-off"},
    {NoticeField::Former, "former_worker", NoticeValue::Text,
     "the place that was given up for this one; null: it is the same"},
    {NoticeField::Idle, "idle_ms", NoticeValue::Milliseconds, "how long it was idle"},
    {NoticeField::Score, "score", NoticeValue::Number, "of its health, 0 to 1000"},
    {NoticeField::CheckpointBytes, "bytes", NoticeValue::Number, "of the checkpoint"},
}};

constexpr const NoticeFieldRow& row_of(NoticeField field) {
  return kNoticeFieldRows[static_cast<std::size_t>(field)];
}

}  // namespace warmpool
