// One connection to a daemon, from connect to its end. Knows frames, and nothing of what is open.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "client/events.hpp"
#include "client/options.hpp"
#include "ipc/channel.hpp"
#include "ipc/client_address.hpp"
#include "ipc/metas.hpp"
#include "ipc/type_names.hpp"

namespace warmpool::client {

// Owns: the socket. Threads: one at a time.
// Order: after open() frames other than welcome are refused by the channel until greet() was given
// the welcome; send nothing before.
class Link {
 public:
  // Connects and queues hello; `stamps`: with that feature. Blocks: until `deadline` when the
  // daemon's backlog is full. Errors: an EndpointFault.
  static Result<Link> open(const ipc::SocketAddress& address, std::string_view name, bool stamps,
                           ipc::Deadline deadline);

  // Takes welcome; from here on limits and features hold. Errors: a number of Refusal.
  Result<void> greet(const ipc::Frame& welcome);
  bool greeted() const { return greeted_; }
  const std::string& server() const { return server_; }
  std::uint64_t payload_bytes_max() const { return payload_bytes_max_; }
  std::uint64_t result_bytes_max() const { return result_bytes_max_; }
  // 0: this daemon takes no descriptors.
  std::uint64_t large_bytes_max() const { return large_bytes_max_; }
  bool takes_arenas() const { return (features_ & ipc::feature::kArena) != 0; }
  std::uint64_t in_flight_max() const { return in_flight_max_; }

  // `options` must have passed check_task; its payload may be moved away.
  void submit(Ticket ticket, const SubmitOptions& options, std::string&& payload);
  void await(Ticket ticket, TaskId task, std::uint8_t flags);
  void cancel(Ticket ticket, TaskId task);
  void request(Ticket ticket, std::string_view meta, const std::string& payload);
  void events(Ticket ticket, const EventsOptions& options);
  void ping(Ticket ticket);
  void pong(std::uint64_t token);
  void received(std::span<const std::uint64_t> tasks, std::uint8_t flags);

  ipc::Channel& channel() { return channel_; }

 private:
  explicit Link(ipc::Channel channel) : channel_(std::move(channel)) {}
  void hello(std::string_view name, bool stamps);

  ipc::Channel channel_;
  ipc::TypeNumbers types_;
  std::string meta_;  // kept, so that encoding allocates nothing
  bool greeted_ = false;
  std::uint64_t features_ = 0, payload_bytes_max_ = 0, result_bytes_max_ = 0, in_flight_max_ = 0,
                large_bytes_max_ = 0;
  std::string server_;
};

// What can be told of a task without asking the daemon: texts too long or not UTF-8, values out of
// range, a payload above `payload_bytes_max`, or `large_bytes_max` where it is handed over as a
// descriptor. Errors: a number of Refusal.
Result<void> check_task(const SubmitOptions& options, std::uint64_t payload_bytes_max,
                        std::uint64_t large_bytes_max);

}  // namespace warmpool::client
