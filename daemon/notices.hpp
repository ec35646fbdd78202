// What the core tells to whoever listens: counted, written to the log by its importance, and put
// into words by the rows of the table.
#pragma once

#include <array>
#include <functional>

#include "daemon/alerts/alert_book.hpp"
#include "daemon/services.hpp"
#include "daemon/workers.hpp"
#include "pool/notification.hpp"

namespace warmpool::daemon {

class Notices {
 public:
  Notices(Services& services, const Workers& workers) : services_(services), workers_(workers) {}

  void carry(const command::Notify& command);
  // Called at each notice, after it was counted.
  void on_notice(std::function<void(const Notification&)> handler) {
    handler_ = std::move(handler);
  }
  // Whose fields a notice about an alert has.
  void describe_alert_by(std::function<const RaisedAlert*()> alert) { alert_ = std::move(alert); }
  std::uint64_t count(Notice notice) const { return counts_[static_cast<std::size_t>(notice)]; }

  // Its fields as members of a JSON object, each with a ',' before it.
  void append_members(const Notification& notification, std::string& out) const;

 private:
  std::string value(NoticeField field, const Notification& notification) const;
  std::string failure_value(NoticeField field, const Notification& notification) const;
  std::string alert_value(NoticeField field) const;
  std::string line(const NoticeRow& row, const Notification& notification) const;

  Services& services_;
  const Workers& workers_;
  std::function<void(const Notification&)> handler_;
  std::function<const RaisedAlert*()> alert_;
  std::array<std::uint64_t, kNoticeRows.size()> counts_{};
};

}  // namespace warmpool::daemon
