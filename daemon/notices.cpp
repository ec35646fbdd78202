// A line per task is written at debug only: at 100,000 tasks a second the log would be the load.
#include "daemon/notices.hpp"

#include <algorithm>
#include <cstdio>

#include "daemon/json.hpp"

namespace warmpool::daemon {
namespace {

constexpr SlotId kNoSlotId = Notification{}.former;

LogLevel level_of(Notice notice) {
  switch (notice) {
    case Notice::WorkerError:
    case Notice::ZombieDetected:
    case Notice::ResultRefused:
    case Notice::TaskSlow:
    case Notice::BreakerOpened:
    case Notice::AlertRaised:
    case Notice::WorkerOversized:
      return LogLevel::Warn;
    case Notice::RecoveryOpened:
    case Notice::RecoveryGivenUp:
      return LogLevel::Error;
    case Notice::PoolInitialized:
    case Notice::PoolDraining:
    case Notice::PoolShutdown:
    case Notice::PoolScaledUp:
    case Notice::PoolScaledDown:
    case Notice::WorkerExited:
    case Notice::WorkerRecycled:
    case Notice::RecoveryAttempted:
    case Notice::RecoverySucceeded:
    case Notice::WorkerHealthChanged:
    case Notice::TypePaused:
    case Notice::TypeResumed:
    case Notice::ClassPaused:
    case Notice::ClassResumed:
    case Notice::PoolPaused:
    case Notice::PoolResumed:
    case Notice::BreakerHalfOpen:
    case Notice::BreakerClosed:
    case Notice::AlertResolved:
    case Notice::RecoveryHalfOpen:
    case Notice::RecoveryClosed:
    case Notice::WorkerParked:
    case Notice::WorkerUnparked:
      return LogLevel::Info;
    default:
      return LogLevel::Debug;
  }
}

const NoticeRow& row_of(Notice notice) { return kNoticeRows[static_cast<std::size_t>(notice)]; }

std::string milliseconds_text(std::int64_t ns) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", static_cast<double>(ns) / 1e6);
  return text;
}

std::string_view why_changed(const Notification& n) {
  const auto from = n.from;
  switch (n.to) {
    case WorkerHealth::Recovering:
      return "it is being ended";
    case WorkerHealth::Degraded:
    case WorkerHealth::Unhealthy:
      return Words<HealthReason>::rows[static_cast<std::size_t>(n.health_reason)].meaning;
    case WorkerHealth::Unresponsive:
      return "idle and silent";
    case WorkerHealth::Slow:
      return "its task runs for longer than slow_after";
    case WorkerHealth::Stopped:
      return "its process was stopped by a signal";
    case WorkerHealth::Spinning:
      return "idle and silent, and uses a CPU without a pause";
    case WorkerHealth::Wedged:
      return "idle and silent, and sleeps in one call";
    case WorkerHealth::Computing:
      return "not heard, and uses a CPU without a pause";
    case WorkerHealth::Waiting:
      return "not heard, and sleeps in one call";
    case WorkerHealth::Unkillable:
      return "it was killed and does not go";
    default:
      break;
  }
  if (from == WorkerHealth::Degraded || from == WorkerHealth::Unhealthy) {
    return "its score is well again, and neither its check nor itself says otherwise";
  }
  if (from == WorkerHealth::Stopped) return "its process goes on";
  return from == WorkerHealth::Slow ? "its slow task ended" : "it moves or was heard again";
}

// Of fields that are nothing but a number.
std::uint64_t number_of(NoticeField field, const Notification& n) {
  switch (field) {
    case NoticeField::Task:
      return n.task.value;
    case NoticeField::Round:
      return n.round;
    case NoticeField::Attempt:
      return n.attempt;
    case NoticeField::Worker:
      return n.worker.value;
    case NoticeField::Memory:
      return n.memory_bytes;
    case NoticeField::Limit:
      return n.limit_bytes;
    case NoticeField::Score:
      return n.score;
    case NoticeField::Size:
    case NoticeField::PoolSize:
      return n.size;
    default:
      return n.count;
  }
}

std::string_view cause_of(NoticeField field, const Notification& n) {
  if (field == NoticeField::DueReason) return name_of(n.due);
  const bool of_worker = field == NoticeField::ExitCause || field == NoticeField::ExitError;
  return of_worker ? name_of(n.exit_cause) : name_of(n.end_cause);
}

// Types are the only texts that others choose; most need no escape.
void append_quoted(std::string_view text, std::string& out) {
  const bool plain = std::ranges::all_of(
      text, [](unsigned char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
  if (plain) {
    out.append(1, '"').append(text).append(1, '"');
  } else {
    out += text_of(Json(text));
  }
}

}  // namespace

void Notices::carry(const command::Notify& command) {
  const auto& notification = command.notification;
  ++counts_[static_cast<std::size_t>(notification.notice)];
  const auto level = level_of(notification.notice);
  if (services_.log.enabled(level)) {
    services_.log.write(level, line(row_of(notification.notice), notification));
  }
  if (handler_) handler_(notification);
}

// Empty: it has none, which is null in JSON.
std::string Notices::value(NoticeField field, const Notification& n) const {
  switch (field) {
    case NoticeField::Task:
    case NoticeField::Round:
    case NoticeField::Attempt:
    case NoticeField::Worker:
    case NoticeField::Memory:
    case NoticeField::Limit:
    case NoticeField::Score:
    case NoticeField::CheckpointBytes:
    case NoticeField::Count:
    case NoticeField::Tries:
    case NoticeField::Failures:
    case NoticeField::Deaths:
    case NoticeField::Size:
    case NoticeField::PoolSize:
      return std::to_string(number_of(field, n));
    case NoticeField::Type:
      return services_.types.at(n.type).name;
    case NoticeField::Slot:
      return workers_.places().slot_name(n.slot);
    case NoticeField::Class:
      return services_.options_of(n.worker_class).name;
    case NoticeField::Duration:
    case NoticeField::Silence:
    case NoticeField::Cooldown:
    case NoticeField::Idle:
      return milliseconds_text(n.duration_ns);
    case NoticeField::EndCause:
    case NoticeField::EndError:
    case NoticeField::ExitCause:
    case NoticeField::ExitError:
    case NoticeField::DueReason:
      return std::string(cause_of(field, n));
    case NoticeField::Code:
      return n.code < 0 ? "" : std::to_string(n.code);
    case NoticeField::Signal:
      return n.code < 0 ? std::to_string(-n.code) : "";
    case NoticeField::Strategy:
    case NoticeField::BreakerWhy:
    case NoticeField::RecoveryWhy:
    case NoticeField::Former:
      return failure_value(field, n);
    case NoticeField::Retried:
      return n.retried ? "true" : "false";
    case NoticeField::From:
      return std::string(name_of(n.from));
    case NoticeField::To:
      return std::string(name_of(n.to));
    case NoticeField::Why:
      return std::string(why_changed(n));
    case NoticeField::Alert:
    case NoticeField::Level:
    case NoticeField::Subject:
    case NoticeField::Text:
    case NoticeField::Times:
      return alert_value(field);
  }
  return {};
}

// Of breakers, and of how workers are replaced.
std::string Notices::failure_value(NoticeField field, const Notification& n) const {
  if (field == NoticeField::Strategy) return std::string(name_of(n.strategy));
  if (field == NoticeField::BreakerWhy) return std::string(name_of(n.breaker));
  if (field == NoticeField::RecoveryWhy) return std::string(name_of(n.recovery));
  return n.former == kNoSlotId ? "" : workers_.places().slot_name(n.former);
}

std::string Notices::alert_value(NoticeField field) const {
  const auto* alert = alert_ ? alert_() : nullptr;
  if (alert == nullptr) return {};
  const auto& row = warmpool::daemon::row_of(alert->what.alert);
  switch (field) {
    case NoticeField::Alert:
      return std::string(row.name);
    case NoticeField::Level:
      return std::string(name_of(row.level));
    case NoticeField::Subject:
      return alert->what.subject;
    case NoticeField::Times:
      return std::to_string(alert->count);
    default:
      return alert->what.text;
  }
}

std::string Notices::line(const NoticeRow& row, const Notification& notification) const {
  std::string text(row.name);
  for (std::uint8_t i = 0; i < row.field_count; ++i) {
    const auto& field = warmpool::row_of(row.fields[i]);
    const auto shown = value(field.field, notification);
    if (shown.empty()) continue;
    const bool quoted = shown.find(' ') != std::string::npos;
    text.append(" ").append(field.name).append(quoted ? "=\"" : "=").append(shown);
    if (quoted) text += '"';
  }
  return text;
}

void Notices::append_members(const Notification& notification, std::string& out) const {
  const auto& row = row_of(notification.notice);
  for (std::uint8_t i = 0; i < row.field_count; ++i) {
    const auto& field = warmpool::row_of(row.fields[i]);
    const auto shown = value(field.field, notification);
    out.append(",\"").append(field.name).append("\":");
    if (shown.empty()) {
      out += "null";
    } else if (field.value == NoticeValue::Text) {
      append_quoted(shown, out);
    } else {
      out += shown;
    }
  }
}

}  // namespace warmpool::daemon
