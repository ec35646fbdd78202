// Tells the service manager how the daemon fares: sd_notify(3) without its library.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/config/setting.hpp"
#include "ipc/fd.hpp"
#include "pool/time.hpp"

namespace warmpool::daemon {

// Does nothing where NOTIFY_SOCKET is not set. Source: sd_notify(3), protocol section.
class ServiceNotifier {
 public:
  explicit ServiceNotifier(const Environment& environment);

  void ready(std::string_view status);
  void stopping();
  void reloading(std::chrono::steady_clock::time_point now);
  void status(std::string_view text);
  void watchdog();
  // Half of what the manager asks for; none if it asks for nothing.
  std::optional<Duration> watchdog_interval() const { return watchdog_interval_; }

 private:
  void send(const std::string& message);

  std::string path_;
  ipc::UniqueFd socket_;
  std::optional<Duration> watchdog_interval_;
};

}  // namespace warmpool::daemon
