// Alerts of the pool: what is seen goes into the book, what is new there to those who are to know:
// log, events, a file, a command, a webhook.
#pragma once

#include <functional>
#include <string>

#include "daemon/alerts/alert_book.hpp"
#include "daemon/alerts/alert_program.hpp"
#include "daemon/alerts/occurrences.hpp"
#include "daemon/alerts/states.hpp"
#include "daemon/alerts/surroundings.hpp"
#include "daemon/bounded_file.hpp"
#include "daemon/notices.hpp"

namespace warmpool::daemon {

// Order: look() each second or so and before anybody is shown the alerts; tell() ends each turn.
// Blocks: on the disk of alert_file, as the log does on its own.
class Alerts {
 public:
  // `store_directory`: whose disk is watched; empty: none.
  Alerts(Services& services, ProcessPort& processes, const Workers& workers, Notices& notices,
         std::string store_directory);

  // The options are those of now.
  void set_options();
  void look(const Surroundings& now);
  void on_notice(const Notification& notification);
  void tell();
  void sweep();
  Instant due() const { return std::min(command_.due(), webhook_.due()); }

  AlertBook& book() { return book_; }
  const AlertBook& book() const { return book_; }
  const AlertProgram& command() const { return command_; }
  const AlertProgram& webhook() const { return webhook_; }
  const std::string& file_trouble() const { return file_trouble_; }
  // While tell() makes its notice; null at other times.
  const RaisedAlert* told_now() const { return told_now_; }

 private:
  std::vector<Sighting> channels() const;
  void add(std::vector<Sighting> seen, bool happened);
  void write(const std::string& line);

  Services& services_;
  const Workers& workers_;
  Notices& notices_;
  std::string store_directory_;
  std::optional<DiskSpace> disk_;
  Instant disk_seen_;  // 0: never
  Occurrences occurrences_;
  AlertBook book_;
  BoundedFile file_;
  std::string file_trouble_;
  AlertProgram command_, webhook_;
  const RaisedAlert* told_now_ = nullptr;
};

}  // namespace warmpool::daemon
