// A client of warmpoold: submits tasks, many at once, and takes what becomes of them.
//
//   auto client = Client::connect({});
//   Ticket ticket = client->submit({.type = "echo", .payload = "hi", .wait = true});
//   auto event = client->wait_any(ipc::kNoDeadline);  // Accepted, later Settled
//
// Threads: one at a time for each Client; several Clients are independent.
// Blocks: only where it says so, and then it goes on reading while it writes.
// Errors: Error::code below 100 is a Fault, from 101 up a number of Refusal.
#pragma once

#include <memory>
#include <optional>
#include <poll.h>
#include <span>
#include <string>
#include <vector>

#include "client/events.hpp"
#include "client/fault.hpp"
#include "client/options.hpp"
#include "client/stamps.hpp"
#include "ipc/channel.hpp"
#include "ipc/metas.hpp"
#include "pool/result.hpp"

namespace warmpool::client {

class Session;
using ipc::Deadline;

// Of `duration` from now.
Deadline in(std::chrono::nanoseconds duration);

// Reconnects by itself (ConnectOptions::reconnect). What then happens to what is open:
//   submit with a key      is sent again; the key makes it the same task
//   submit without a key   Unknown, unless it was never sent or is accepted (then it is awaited)
//   await, cancel, events  are sent again
//   request                is sent again if it only reads, else it fails with Fault::Lost
class Client {
 public:
  // Blocks: up to connect_timeout. Errors: Unreachable, Protocol, TimedOut or a Refusal.
  static Result<Client> connect(ConnectOptions options);
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  // Writes what is queued, for at most one second.
  ~Client();

  // Queues a task. Order: in that of the calls. It is written at the latest by the next call that
  // blocks, or by flush. Errors: come as the event Refused, also what can be told here.
  // Blocks: while more than 256 KiB are queued and the daemon reads nothing.
  Ticket submit(SubmitOptions options);
  std::vector<Ticket> submit_many(std::span<const SubmitOptions> many);
  // Settled will come for a task that somebody submitted; Refused if there is none.
  // `now`: Refused (NoResult) instead of waiting. `progress`: Progressed come too.
  Ticket await(TaskId task, bool now = false, bool progress = false);
  // Cancelled will come when it has taken effect, or Refused.
  Ticket cancel_later(TaskId task);

  // Happened come, then HappenedAll unless `follow`; Refused for a name that no event has. After a
  // reconnect it goes on where it was; what is lost meanwhile comes as a gap.
  Ticket events(EventsOptions options);

  // The next event. Nothing: the deadline passed, a signal came, or one of `also` is ready (its
  // revents say which; they are looked at only when no event is there).
  // Blocks: until then. Errors: NothingOpen when no event can come and `also` is empty;
  // Unreachable or Protocol after all open tickets have ended as Unknown.
  Result<std::optional<Event>> wait_any(Deadline deadline, std::span<pollfd> also = {});
  // Takes the ticket's Accepted out of the stream of events; its Refused or Unknown become errors.
  // Blocks: until one of them is there.
  Result<TaskId> accepted(Ticket ticket, Deadline deadline);
  // The Settled of all these tasks, in this order, whoever submitted them. At TimedOut what has
  // settled stays in the stream of events.
  Result<std::vector<Settled>> await_all(std::span<const TaskId> tasks, Deadline deadline);
  // Blocks: until the cancel has taken effect.
  Result<Cancelled> cancel(TaskId task, Deadline deadline);
  // Blocks: until all that is queued is written.
  Result<void> flush(Deadline deadline);

  // A JSON document. The verbs and their arguments: docs/protocol.md, section 6. `payload`: for the
  // verb that takes one, dead-retry.
  Result<std::string> request(const ipc::RequestMeta& request, Deadline deadline,
                              std::string payload = {});
  Result<std::string> status(Deadline deadline);
  // `worker_class` empty: the only class, or the first.
  enum class Scale : std::uint64_t { To, Up, Down };
  Result<std::string> scale(std::string_view worker_class, Scale mode, std::uint64_t number,
                            Deadline deadline);
  // `now`: without waiting for running tasks. Returns when the daemon has begun to stop.
  Result<std::string> stop(bool now, Deadline deadline);
  // One round trip.
  Result<Duration> ping(Deadline deadline);
  // Of tasks that were submitted with `wait` and have settled, since the last call; none without
  // ConnectOptions::stamps, or of a daemon that does not know them. They come a little after their
  // Settled: all are there after a ping.
  std::vector<TaskStamps> take_stamps();

  // Tickets whose last event was not yet taken; those of submits without `wait` end with Accepted.
  // 0: wait_any has nothing more to give.
  std::size_t open() const;
  bool connected() const;
  // What the daemon said in its last welcome.
  struct Daemon {
    std::string server;
    std::uint64_t payload_bytes_max = 0, in_flight_max = 0, result_bytes_max = 0;
    std::uint64_t large_bytes_max = 0;  // 0: nothing is handed over as a descriptor
  };
  const Daemon& daemon() const;
  const std::string& socket_path() const;

 private:
  explicit Client(std::unique_ptr<Session> session);
  std::unique_ptr<Session> session_;
};

}  // namespace warmpool::client
