// A line per task is written at debug only: at 100,000 tasks a second the log would be the load.
#include "daemon/notices.hpp"

namespace warmpool::daemon {
namespace {

LogLevel level_of(Notice notice) {
  switch (notice) {
    case Notice::WorkerError:
    case Notice::ZombieDetected:
    case Notice::ResultRefused:
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
    case Notice::TypePaused:
    case Notice::TypeResumed:
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

std::string Notices::line(const NoticeRow& row, const Notification& n) const {
  std::string text(row.name);
  const auto add = [&](std::string_view name, std::string value) {
    text.append(" ").append(name).append("=").append(value);
  };
  for (std::uint8_t i = 0; i < row.field_count; ++i) {
    switch (row.fields[i]) {
      case NoticeField::Task:
        add("task", std::to_string(n.task.value));
        break;
      case NoticeField::Round:
        add("round", std::to_string(n.round));
        break;
      case NoticeField::Attempt:
        add("attempt", std::to_string(n.attempt));
        break;
      case NoticeField::Type:
        add("type", services_.types.at(n.type).name);
        break;
      case NoticeField::Worker:
        add("worker_id", std::to_string(n.worker.value));
        break;
      case NoticeField::Slot:
        add("worker", workers_.slot_name(n.slot));
        break;
      case NoticeField::Class:
        add("class", services_.options_of(n.worker_class).name);
        break;
      case NoticeField::Duration:
        add("ms", std::to_string(n.duration_ns / 1'000'000));
        break;
      case NoticeField::EndCause:
        add("cause", std::string(name_of(n.end_cause)));
        break;
      case NoticeField::ExitCause:
        add("exit", std::string(name_of(n.exit_cause)));
        break;
      case NoticeField::Code:
        add("code", std::to_string(n.code));
        break;
      case NoticeField::Verdict:
        add("verdict", std::string(name_of(n.verdict)));
        break;
      case NoticeField::Count:
        add("count", std::to_string(n.count));
        break;
      case NoticeField::Size:
        add("size", std::to_string(n.size));
        break;
      case NoticeField::Retried:
        add("retried", n.retried ? "yes" : "no");
        break;
      case NoticeField::From:
        add("from", std::to_string(n.from));
        break;
      case NoticeField::To:
        add("to", std::to_string(n.to));
        break;
    }
  }
  return text;
}

}  // namespace warmpool::daemon
