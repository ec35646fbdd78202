// A line per task is written at debug only: at 100,000 tasks a second the log would be the load.
#include "daemon/notices.hpp"

namespace warmpool::daemon {
namespace {

// In the order of NoticeField. A slot's name is what people call a worker.
constexpr std::array<std::string_view, 17> kFieldNames{
    "task", "round", "attempt", "type",  "worker_id", "worker",  "class", "ms", "cause",
    "exit", "code",  "verdict", "count", "size",      "retried", "from",  "to"};

LogLevel level_of(Notice notice) {
  switch (notice) {
    case Notice::WorkerError:
    case Notice::ZombieDetected:
    case Notice::ResultRefused:
    case Notice::TaskSlow:
      return LogLevel::Warn;
    case Notice::RecoveryGivenUp:
      return LogLevel::Error;
    case Notice::PoolInitialized:
    case Notice::PoolDraining:
    case Notice::PoolShutdown:
    case Notice::PoolScaledUp:
    case Notice::PoolScaledDown:
    case Notice::WorkerExited:
    case Notice::RecoveryAttempted:
    case Notice::RecoverySucceeded:
    case Notice::WorkerHealthChanged:
    case Notice::TypePaused:
    case Notice::TypeResumed:
    case Notice::ClassPaused:
    case Notice::ClassResumed:
    case Notice::PoolPaused:
    case Notice::PoolResumed:
      return LogLevel::Info;
    default:
      return LogLevel::Debug;
  }
}

const NoticeRow* row_of(Notice notice) {
  for (const auto& row : kNoticeRows) {
    if (row.notice == notice) return &row;
  }
  return nullptr;
}

}  // namespace

void Notices::carry(const command::Notify& command) {
  const auto& notification = command.notification;
  ++counts_[static_cast<std::size_t>(notification.notice)];
  const auto level = level_of(notification.notice);
  const auto* row = row_of(notification.notice);
  if (row != nullptr && services_.log.enabled(level)) {
    services_.log.write(level, line(*row, notification));
  }
  if (handler_) handler_(notification);
}

std::string Notices::value(NoticeField field, const Notification& n) const {
  switch (field) {
    case NoticeField::Task:
      return std::to_string(n.task.value);
    case NoticeField::Round:
      return std::to_string(n.round);
    case NoticeField::Attempt:
      return std::to_string(n.attempt);
    case NoticeField::Type:
      return services_.types.at(n.type).name;
    case NoticeField::Worker:
      return std::to_string(n.worker.value);
    case NoticeField::Slot:
      return workers_.slot_name(n.slot);
    case NoticeField::Class:
      return services_.options_of(n.worker_class).name;
    case NoticeField::Duration:
      return std::to_string(n.duration_ns / 1'000'000);
    case NoticeField::EndCause:
      return std::string(name_of(n.end_cause));
    case NoticeField::ExitCause:
      return std::string(name_of(n.exit_cause));
    case NoticeField::Code:
      return std::to_string(n.code);
    case NoticeField::Verdict:
      return std::string(name_of(n.verdict));
    case NoticeField::Count:
      return std::to_string(n.count);
    case NoticeField::Size:
      return std::to_string(n.size);
    case NoticeField::Retried:
      return n.retried ? "yes" : "no";
    case NoticeField::From:
      return std::string(name_of(n.from));
    case NoticeField::To:
      return std::string(name_of(n.to));
  }
  return {};
}

std::string Notices::line(const NoticeRow& row, const Notification& notification) const {
  std::string text(row.name);
  for (std::uint8_t i = 0; i < row.field_count; ++i) {
    const auto field = row.fields[i];
    text.append(" ").append(kFieldNames[static_cast<std::size_t>(field)]).append("=");
    text += value(field, notification);
  }
  return text;
}

}  // namespace warmpool::daemon
