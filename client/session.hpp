// What is open with a daemon, over as many connections as it takes. Client is its face.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <poll.h>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "client/arenas.hpp"
#include "client/client.hpp"
#include "client/link.hpp"
#include "ipc/spin.hpp"

namespace warmpool::client {

// A ticket without its last event.
struct OpenRequest {
  enum class Kind : std::uint8_t { Submit, Await, Cancel, Request, Ping, Events };
  Kind kind{};
  bool sent = false;                       // queued on the present connection
  bool repeatable = false;                 // may be sent again on the next one
  bool wait = false;                       // of a submit: Settled is awaited
  bool drop_result = false;                // of a submit: tell the daemon when its result is here
  bool drop_key = false;                   // of a submit: likewise when all of it is here
  std::uint8_t flags = 0;                  // of an await
  TaskId task;                             // of a submit: 0 until it is accepted
  std::unique_ptr<SubmitOptions> options;  // of a submit that may have to be sent (again)
  Arenas::Lease arena;                     // of a submit: to be taken back when it is done
  std::string meta, payload;               // of a request
  std::unique_ptr<EventsOptions> events;   // `after` moves on with what came
};

// Threads: one at a time.
class Session {
 public:
  explicit Session(ConnectOptions options);

  // Errors: Unreachable, Protocol, TimedOut or a number of Refusal.
  Result<void> connect();
  void close(Deadline deadline);

  Ticket submit(SubmitOptions options);
  Ticket open(OpenRequest request);
  // No event of this ticket comes any more.
  void abandon(Ticket ticket) { open_.erase(ticket.value); }

  enum class Woke : std::uint8_t { Link, Other, TimedOut };
  // Reads, writes and reconnects what can be done at once.
  void turn();
  // Blocks: until the connection can do something, one of `also` is ready, or `deadline`.
  Woke wait(Deadline deadline, std::span<pollfd> also = {});
  // turn, and wait where nothing came. False: the deadline passed, or wait woke for another reason.
  bool advance(Deadline deadline, std::span<pollfd> also = {});
  // Blocks: until at most `bytes` are queued. False: deadline or no connection for good.
  bool drain_to(std::size_t bytes, Deadline deadline);

  std::vector<TaskStamps> take_stamps();
  std::deque<Event>& events() { return events_; }
  // The event was given to the caller: acknowledges a result.
  void taken(const Event& event);
  // The answer of a request or ping, once.
  std::optional<Result<std::string>> answer(Ticket ticket);
  // Ticket of a wait for this task; 0 if there is none.
  Ticket waiting_for(TaskId task) const;

  bool connected() const { return link_ && link_->greeted(); }
  bool dead() const { return dead_.has_value(); }
  const Error& death() const { return *dead_; }
  std::size_t open_count() const { return open_.size(); }
  std::size_t untaken_count() const { return untaken_.size(); }
  const Client::Daemon& daemon() const { return daemon_; }
  const std::string& path() const { return address_.path; }

 private:
  using Open = std::unordered_map<std::uint64_t, OpenRequest>;

  int poll(Deadline deadline);

  // session_link.cpp: the life of connections.
  void dial();
  void lose(Error error);
  void die(Error error);
  void schedule_dial();
  void link_failed();
  void unsend(std::uint64_t ticket, OpenRequest& request, std::vector<std::uint64_t>& ended);
  void end_unknown(std::uint64_t ticket, const OpenRequest& request, const std::string& why);
  void push_last(Event event);
  void send_all_unsent();
  void send_or_end(std::uint64_t ticket, OpenRequest& request);
  // What this link's daemon takes of a payload by descriptor. Errors: a number of Refusal.
  Result<void> make_acceptable(OpenRequest& request) const;
  void send(std::uint64_t ticket, OpenRequest& request);
  void send_submit(std::uint64_t ticket, OpenRequest& request);
  void acknowledge();
  void acknowledge(std::vector<std::uint64_t>& tasks, std::uint8_t flags);
  bool was_useful() const;

  // A payload that no frame can have is moved into a descriptor. Errors: a number of Refusal.
  Result<void> make_large(SubmitOptions& options, Arenas::Lease& arena);
  Ticket send_once(OpenRequest request, SubmitOptions options);
  Ticket keep_and_send(OpenRequest request, SubmitOptions options);

  // session_frames.cpp: what the daemon says. False: the connection is lost.
  bool take_frames();
  bool on_frame(const ipc::Frame& frame);
  bool on_welcome(const ipc::Frame& frame);
  bool on_error(const ipc::Frame& frame);
  bool on_accepted(const ipc::Frame& frame);
  bool on_refused(const ipc::Frame& frame);
  bool on_settled(const ipc::Frame& frame);
  void take_back(OpenRequest& request, const ipc::Header& header, const ipc::SettledMeta& meta);
  bool resubmit_dropped(std::uint64_t ticket, OpenRequest& request, const ipc::SettledMeta& meta);
  bool on_progressed(const ipc::Frame& frame);
  bool on_cancelled(const ipc::Frame& frame);
  bool on_event(const ipc::Frame& frame);
  bool on_stamps(const ipc::Frame& frame);
  void on_answer(const ipc::Frame& frame, std::string text);
  bool broken(const Error& error);
  Open::iterator find(const ipc::Frame& frame);

  ConnectOptions options_;
  std::unique_ptr<StampLog> stamps_;  // null: they are not asked for
  ipc::SocketAddress address_;
  std::optional<Link> link_;
  std::optional<Error> dead_;
  Client::Daemon daemon_;
  Deadline greet_until_{};             // while a link has not greeted
  Deadline dial_at_{}, give_up_at_{};  // while there is no link, or none that answered yet
  std::chrono::milliseconds dial_delay_{};
  Deadline greeted_at_{};
  bool readable_ = true;  // as far as we know: a read may find something
  ipc::Spin awake_;
  bool moved_ = false;     // something was sent or came since the last wait
  bool answered_ = false;  // this connection has said more than welcome
  bool greeted_once_ = false;
  std::string lost_because_;

  Arenas arenas_;
  Open open_;
  std::uint64_t ticket_last_ = 0;
  std::deque<Event> events_;
  // Tickets whose last event is among events_; true: it is their Accepted.
  std::unordered_map<std::uint64_t, bool> untaken_;
  std::vector<pollfd> polled_;  // kept for its memory
  std::unordered_map<std::uint64_t, Result<std::string>> answers_;
  // Tickets to be acknowledged when their last event is taken: with their result, or the key alone.
  enum class Drop : std::uint8_t { Result, Key };
  std::unordered_map<std::uint64_t, Drop> drops_;
  std::vector<std::uint64_t> received_, keys_received_;  // tasks
};

}  // namespace warmpool::client
