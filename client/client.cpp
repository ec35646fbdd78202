// The face of the library: calls that block are loops over Session::advance, each looking for its
// own event and leaving the others where they are, in order.
#include "client/client.hpp"

#include <algorithm>

#include "client/session.hpp"
#include "ipc/codec.hpp"

namespace warmpool::client {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kClosePatience{1};

Error timed_out(const std::string& what) {
  return {static_cast<int>(Fault::TimedOut), "no answer in time: " + what};
}

Error error_of(const Refused& refused) { return {static_cast<int>(refused.code), refused.text}; }

Error error_of(const Unknown& unknown) {
  const std::string task = unknown.task ? "task " + std::to_string(unknown.task.value) + ": " : "";
  return {static_cast<int>(Fault::Lost), task + unknown.text};
}

// Waits for an event that `pick` takes (it returns true), and removes it.
template <class Pick>
Result<void> take(Session& session, Deadline deadline, const std::string& what, Pick&& pick) {
  std::size_t looked_at = 0;
  while (true) {
    auto& events = session.events();
    for (; looked_at < events.size(); ++looked_at) {
      if (!pick(events[looked_at])) continue;
      session.taken(events[looked_at]);
      events.erase(events.begin() + static_cast<std::ptrdiff_t>(looked_at));
      return {};
    }
    if (session.dead()) return session.death();
    if (!session.advance(deadline) && steady_clock::now() >= deadline) return timed_out(what);
  }
}

OpenRequest task_request(OpenRequest::Kind kind, TaskId task, std::uint8_t flags = 0) {
  OpenRequest request;
  request.kind = kind;
  request.repeatable = true;
  request.flags = flags;
  request.task = task;
  return request;
}

Result<std::string> ask(Session& session, OpenRequest request, Deadline deadline,
                        const std::string& what) {
  const Ticket ticket = session.open(std::move(request));
  while (true) {
    if (auto answer = session.answer(ticket)) return std::move(*answer);
    if (session.dead()) return session.death();
    if (!session.advance(deadline) && steady_clock::now() >= deadline) {
      session.abandon(ticket);
      return timed_out(what);
    }
  }
}

}  // namespace

Deadline in(std::chrono::nanoseconds duration) { return steady_clock::now() + duration; }

Client::Client(std::unique_ptr<Session> session) : session_(std::move(session)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Client::~Client() {
  if (session_) session_->close(in(kClosePatience));
}

Result<Client> Client::connect(ConnectOptions options) {
  auto session = std::make_unique<Session>(std::move(options));
  if (auto connected = session->connect(); !connected) return connected.error();
  return Client(std::move(session));
}

Ticket Client::submit(SubmitOptions options) { return session_->submit(std::move(options)); }

std::vector<Ticket> Client::submit_many(std::span<const SubmitOptions> many) {
  std::vector<Ticket> tickets;
  tickets.reserve(many.size());
  for (const auto& options : many) {
    tickets.push_back(session_->submit(options));
  }
  session_->turn();
  return tickets;
}

Ticket Client::await(TaskId task, bool now, bool progress) {
  std::uint8_t flags = now ? ipc::flag::kNow : std::uint8_t{0};
  if (progress) flags |= ipc::flag::kProgress;
  return session_->open(task_request(OpenRequest::Kind::Await, task, flags));
}

Ticket Client::cancel_later(TaskId task) {
  return session_->open(task_request(OpenRequest::Kind::Cancel, task));
}

Ticket Client::events(EventsOptions options) {
  OpenRequest request;
  request.kind = OpenRequest::Kind::Events;
  request.repeatable = true;
  request.events = std::make_unique<EventsOptions>(std::move(options));
  return session_->open(std::move(request));
}

Result<std::optional<Event>> Client::wait_any(Deadline deadline, std::span<pollfd> also) {
  auto& events = session_->events();
  bool last_look = false;
  while (true) {
    if (!events.empty()) {
      Event event = std::move(events.front());
      events.pop_front();
      session_->taken(event);
      return std::optional<Event>(std::move(event));
    }
    if (session_->dead()) return session_->death();
    if (last_look) return std::optional<Event>();
    if (session_->open_count() == 0 && also.empty()) {
      return Error{static_cast<int>(Fault::NothingOpen), "nothing is open, so no event can come"};
    }
    if (!session_->advance(deadline, also)) {
      session_->turn();
      last_look = true;
    }
  }
}

Result<TaskId> Client::accepted(Ticket ticket, Deadline deadline) {
  Result<TaskId> outcome = TaskId{};
  auto taken = take(*session_, deadline, "acceptance of a task", [&](const Event& event) {
    if (ticket_of(event) != ticket) return false;
    if (const auto* accepted = std::get_if<Accepted>(&event)) {
      outcome = accepted->task;
    } else if (const auto* refused = std::get_if<Refused>(&event)) {
      outcome = error_of(*refused);
    } else if (const auto* unknown = std::get_if<Unknown>(&event)) {
      outcome = error_of(*unknown);
    } else {
      return false;
    }
    return true;
  });
  if (!taken) return taken.error();
  return outcome;
}

Result<std::vector<Settled>> Client::await_all(std::span<const TaskId> tasks, Deadline deadline) {
  // First all are asked for, so that the waits run side by side.
  for (const TaskId task : tasks) {
    const auto is_here = [&](const Event& event) {
      const auto* settled = std::get_if<Settled>(&event);
      return settled && settled->task == task;
    };
    const auto& events = session_->events();
    if (std::any_of(events.begin(), events.end(), is_here)) continue;
    if (!session_->waiting_for(task)) await(task);
  }
  std::vector<Settled> all;
  for (const TaskId task : tasks) {
    Result<void> failed;
    auto taken =
        take(*session_, deadline, "task " + std::to_string(task.value), [&](const Event& event) {
          if (const auto* settled = std::get_if<Settled>(&event)) {
            if (settled->task != task) return false;
            all.push_back(*settled);
            return true;
          }
          if (const auto* refused = std::get_if<Refused>(&event)) {
            if (refused->task != task) return false;
            failed = error_of(*refused);
            return true;
          }
          const auto* unknown = std::get_if<Unknown>(&event);
          if (!unknown || unknown->task != task) return false;
          failed = error_of(*unknown);
          return true;
        });
    if (!taken) return taken.error();
    if (!failed) return failed.error();
  }
  return all;
}

Result<Cancelled> Client::cancel(TaskId task, Deadline deadline) {
  const Ticket ticket = cancel_later(task);
  Result<Cancelled> outcome = Cancelled{};
  auto taken = take(*session_, deadline, "cancel of task " + std::to_string(task.value),
                    [&](const Event& event) {
                      if (ticket_of(event) != ticket) return false;
                      if (const auto* cancelled = std::get_if<Cancelled>(&event)) {
                        outcome = *cancelled;
                      } else if (const auto* refused = std::get_if<Refused>(&event)) {
                        outcome = error_of(*refused);
                      } else if (const auto* unknown = std::get_if<Unknown>(&event)) {
                        outcome = error_of(*unknown);
                      }
                      return true;
                    });
  if (!taken) {
    session_->abandon(ticket);
    return taken.error();
  }
  return outcome;
}

Result<void> Client::flush(Deadline deadline) {
  if (session_->drain_to(0, deadline)) return {};
  return session_->dead() ? session_->death() : timed_out("the daemon reads nothing");
}

Result<std::string> Client::request(const ipc::RequestMeta& request, Deadline deadline,
                                    std::string payload) {
  const auto* row = ipc::find_verb(request.verb);
  REQUIRE(row != nullptr);
  OpenRequest open;
  open.kind = OpenRequest::Kind::Request;
  open.repeatable = row->right == ipc::Right::Read;
  ipc::encode(request, open.meta);
  open.payload = std::move(payload);
  return ask(*session_, std::move(open), deadline, std::string(row->name));
}

Result<std::string> Client::status(Deadline deadline) {
  return request({.verb = ipc::Verb::Status}, deadline);
}

Result<std::string> Client::scale(std::string_view worker_class, Scale mode, std::uint64_t number,
                                  Deadline deadline) {
  ipc::RequestMeta meta{.verb = ipc::Verb::Scale};
  if (!worker_class.empty()) meta.arguments[0] = worker_class;
  meta.arguments[1] = static_cast<std::uint64_t>(mode);
  meta.arguments[2] = number;
  return request(meta, deadline);
}

Result<std::string> Client::stop(bool now, Deadline deadline) {
  return request({.verb = ipc::Verb::Stop, .arguments = {now}}, deadline);
}

Result<Duration> Client::ping(Deadline deadline) {
  OpenRequest open;
  open.kind = OpenRequest::Kind::Ping;
  const auto begun = steady_clock::now();
  auto answer = ask(*session_, std::move(open), deadline, "ping");
  if (!answer) return answer.error();
  return Duration{std::chrono::nanoseconds(steady_clock::now() - begun).count()};
}

std::vector<TaskStamps> Client::take_stamps() { return session_->take_stamps(); }

std::size_t Client::open() const { return session_->open_count() + session_->untaken_count(); }
bool Client::connected() const { return session_->connected(); }
const Client::Daemon& Client::daemon() const { return session_->daemon(); }
const std::string& Client::socket_path() const { return session_->path(); }

}  // namespace warmpool::client
