// One datagram a message. What cannot be sent is not worth an error: the manager's own timeouts say
// so better.
#include "daemon/service_notifier.hpp"

#include <charconv>
#include <cstddef>
#include <cstring>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace warmpool::daemon {
namespace {

std::string value_of(const Environment& environment, std::string_view name) {
  const auto found = environment.find(name);
  return found == environment.end() ? std::string() : found->second;
}

std::optional<std::int64_t> number_of(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number <= 0) return std::nullopt;
  return number;
}

}  // namespace

ServiceNotifier::ServiceNotifier(const Environment& environment)
    : path_(value_of(environment, "NOTIFY_SOCKET")) {
  const bool named = path_.starts_with('/') || path_.starts_with('@');
  if (!named || path_.size() >= sizeof(sockaddr_un::sun_path)) return;
  socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const auto pid = number_of(value_of(environment, "WATCHDOG_PID"));
  const auto time = number_of(value_of(environment, "WATCHDOG_USEC"));
  if (time && (!pid || *pid == ::getpid())) watchdog_interval_ = microseconds(*time / 2);
}

void ServiceNotifier::send(const std::string& message) {
  if (!socket_) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path_.data(), path_.size());
  if (path_.front() == '@') address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
  [[maybe_unused]] const auto sent =
      ::sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL,
               reinterpret_cast<const sockaddr*>(&address), length);
}

void ServiceNotifier::ready(std::string_view text) { send("READY=1\nSTATUS=" + std::string(text)); }
void ServiceNotifier::stopping() { send("STOPPING=1\nSTATUS=stopping"); }
void ServiceNotifier::reloading(std::chrono::steady_clock::time_point now) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(now.time_since_epoch());
  send("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(us.count()));
}
void ServiceNotifier::status(std::string_view text) { send("STATUS=" + std::string(text)); }
void ServiceNotifier::watchdog() { send("WATCHDOG=1"); }

}  // namespace warmpool::daemon
