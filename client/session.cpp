// What is open, and the loop that moves it.
//
// The loop is poll(2) over one socket and not an Asio context: a caller has descriptors of its own
// to watch (a terminal, a pipe, signals), and a library that owns the loop would need threads for
// that. A round trip costs a write, a poll and a read: a read is only tried where a poll has said
// that it will find something, because tried on the off chance it found nothing in half of all
// cases. Waiting in the read itself would save the poll, and costs more: the peer's read of what we
// wrote wakes it too (unix_write_space wakes whoever sleeps on the socket, poll alone tells what
// for), a second switch for each task (bench/speed.py --where).
#include "client/session.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <utility>

#include "client/random_key.hpp"
#include "pool/refusal.hpp"

namespace warmpool::client {

namespace {

using std::chrono::steady_clock;

constexpr std::size_t kQueuedBytesMax = 256U << 10;
constexpr std::size_t kQueuedBytesLow = 64U << 10;

timespec until(Deadline deadline) {
  const auto now = steady_clock::now();
  const auto left = deadline > now ? deadline - now : Deadline::duration::zero();
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(left);
  return {static_cast<time_t>(whole.count()),
          static_cast<long>(std::chrono::nanoseconds(left - whole).count())};
}

bool is_last(const Event& event, bool acceptance_is) {
  if (std::holds_alternative<Accepted>(event)) return acceptance_is;
  return !std::holds_alternative<Progressed>(event) && !std::holds_alternative<Happened>(event);
}

}  // namespace

Session::Session(ConnectOptions options)
    : options_(std::move(options)),
      address_(ipc::socket_address(options_.socket, ipc::Surroundings::of_process())),
      arenas_(options_.arena_bytes_max, options_.arena_idle_max) {
  options_.spin = std::min(options_.spin, ipc::kSpinMax);
  if (options_.stamps) stamps_ = std::make_unique<StampLog>();
}

Ticket Session::submit(SubmitOptions options) {
  if (options.auto_key && !options.key) {
    options.key = random_key();
    options.key_use = KeyUse::Reconnect;
  }
  OpenRequest request;
  auto checked = make_large(options, request.arena);
  if (checked) {
    checked = check_task(options, daemon_.payload_bytes_max, daemon_.large_bytes_max);
  }
  if (!checked) {
    const Ticket ticket{++ticket_last_};
    push_last(Refused{.ticket = ticket,
                      .task = {},
                      .code = static_cast<std::uint16_t>(checked.error().code),
                      .text = checked.error().text});
    return ticket;
  }
  request.kind = OpenRequest::Kind::Submit;
  request.repeatable = options.key.has_value();
  request.wait = options.wait;
  request.drop_result = options.wait && !options.keep_result;
  request.drop_key = options.key && options.key_use == KeyUse::Reconnect;
  const Ticket ticket = connected() && !request.repeatable
                            ? send_once(std::move(request), std::move(options))
                            : keep_and_send(std::move(request), std::move(options));
  if (link_ && link_->channel().out_bytes() > kQueuedBytesMax) {
    if (!drain_to(kQueuedBytesLow, steady_clock::now() + options_.stall_timeout) && link_) {
      lose({static_cast<int>(Fault::Lost), "the daemon at " + address_.path + " reads nothing"});
    }
  }
  return ticket;
}

// An arena is lent where it will be known that it is free again: the result comes here, and no key
// lets others ask for what was in it.
Result<void> Session::make_large(SubmitOptions& options, Arenas::Lease& arena) {
  const auto bytes = options.payload.size();
  if (bytes <= daemon_.payload_bytes_max || bytes > daemon_.large_bytes_max) return {};
  const bool ends_here = options.wait && (!options.key || options.key_use == KeyUse::Reconnect);
  if (ends_here && connected() && link_->takes_arenas()) {
    arena = arenas_.lend(ipc::bytes_of(options.payload));
  }
  if (arena) {
    options.large = arena.fd();
  } else {
    auto sealed = ipc::sealed_copy(ipc::bytes_of(options.payload));
    if (!sealed) return Error{static_cast<int>(Refusal::LargeFull), sealed.error().text};
    options.large = std::make_shared<const ipc::UniqueFd>(std::move(*sealed));
  }
  options.large_bytes = bytes;
  options.payload = {};
  return {};
}

// One that will never be sent again leaves nothing behind that would have to be kept.
Ticket Session::send_once(OpenRequest request, SubmitOptions options) {
  const Ticket ticket{++ticket_last_};
  if (stamps_ && request.wait) stamps_->submitted(ticket);
  request.sent = true;
  if (options.progress) request.flags = ipc::flag::kProgress;
  link_->submit(ticket, options, std::move(options.payload));
  moved_ = true;
  open_.emplace(ticket.value, std::move(request));
  return ticket;
}

Ticket Session::keep_and_send(OpenRequest request, SubmitOptions options) {
  request.options = std::make_unique<SubmitOptions>(std::move(options));
  return open(std::move(request));
}

Ticket Session::open(OpenRequest request) {
  const std::uint64_t ticket = ++ticket_last_;
  auto& stored = open_.emplace(ticket, std::move(request)).first->second;
  if (dead_) {
    end_unknown(ticket, stored, dead_->text);
    open_.erase(ticket);
  } else if (connected()) {
    send(ticket, stored);
  }
  return Ticket{ticket};
}

std::vector<TaskStamps> Session::take_stamps() {
  return stamps_ ? stamps_->take() : std::vector<TaskStamps>();
}

void Session::turn() {
  arenas_.forget_idle();
  if (dead_) return;
  if (!link_) {
    if (steady_clock::now() < dial_at_) return;
    dial();
    if (!link_) return;
  }
  if (!link_->greeted() && steady_clock::now() >= greet_until_) {
    lose({static_cast<int>(Fault::TimedOut),
          "the daemon at " + address_.path + " took the connection and said nothing; see its log"});
    return;
  }
  // In company of a frame an acknowledgement costs nothing; alone it can wait until wait().
  if (link_->channel().wants_write()) acknowledge();
  if (stamps_) stamps_->written();
  if (readable_) {
    link_->channel().pump();
    readable_ = !link_->channel().drained();
  } else {
    link_->channel().push();
  }
  if (!take_frames()) link_failed();
}

Session::Woke Session::wait(Deadline deadline, std::span<pollfd> also) {
  acknowledge();
  if (stamps_) stamps_->written();
  if (connected()) link_->channel().push();
  auto& polled = polled_;
  polled.assign(also.begin(), also.end());
  Deadline wake_at = std::min(deadline, arenas_.due());
  if (link_) {
    auto& channel = link_->channel();
    // Readable and writable alike are news; which it was, pump finds out.
    const auto write = static_cast<short>(channel.wants_write() ? POLLOUT : 0);
    polled.push_back({channel.read_fd(), static_cast<short>(POLLIN | write), 0});
    wake_at = std::min(wake_at, channel.retry_at());
    if (!link_->greeted()) wake_at = std::min(wake_at, greet_until_);
  } else if (!dead_) {
    wake_at = std::min(wake_at, dial_at_);
  }
  const int ready = poll(wake_at);
  if (ready < 0) return Woke::Other;  // EINTR: the caller may want to look at what the signal did
  constexpr int kReadable = POLLIN | POLLHUP | POLLERR;
  if (link_ && ready > 0 && (polled.back().revents & kReadable) != 0) readable_ = true;
  bool other = false;
  for (std::size_t i = 0; i < also.size(); ++i) {
    also[i].revents = ready == 0 ? short{0} : polled[i].revents;
    other |= also[i].revents != 0;
  }
  if (other) return Woke::Other;
  if (ready > 0) return Woke::Link;
  return steady_clock::now() >= deadline ? Woke::TimedOut : Woke::Link;
}

// Of what is polled. Before it sleeps it looks for so long as it was told, where something has been
// sent or has come since the last time.
int Session::poll(Deadline deadline) {
  const auto count = static_cast<nfds_t>(polled_.size());
  const auto spin = std::exchange(moved_, false) ? options_.spin : Duration{};
  const int found = awake_.look(spin, deadline, [&] { return ::poll(polled_.data(), count, 0); });
  if (found != 0) return found;
  if (deadline == ipc::kNoDeadline) return ::ppoll(polled_.data(), count, nullptr, nullptr);
  const timespec time = until(deadline);
  return ::ppoll(polled_.data(), count, &time, nullptr);
}

bool Session::advance(Deadline deadline, std::span<pollfd> also) {
  const std::size_t events = events_.size(), answers = answers_.size();
  turn();
  if (events_.size() != events || answers_.size() != answers || dead_) return true;
  return wait(deadline, also) == Woke::Link;
}

bool Session::drain_to(std::size_t bytes, Deadline deadline) {
  while (true) {
    turn();
    if (dead_) return false;
    if (link_ && link_->greeted() && link_->channel().out_bytes() <= bytes) return true;
    if (wait(deadline) == Woke::TimedOut) return false;
  }
}

void Session::close(Deadline deadline) {
  if (!connected()) return;
  acknowledge();
  // Frames that come meanwhile are taken in and thrown away: nobody will ask for them.
  if (link_->channel().out_bytes() != 0) link_->channel().flush(deadline);
  link_.reset();
}

void Session::push_last(Event event) {
  untaken_.emplace(ticket_of(event).value, std::holds_alternative<Accepted>(event));
  events_.push_back(std::move(event));
}

void Session::taken(const Event& event) {
  const auto* settled = std::get_if<Settled>(&event);
  const auto* accepted = std::get_if<Accepted>(&event);
  const auto last = untaken_.find(ticket_of(event).value);
  if (last != untaken_.end() && is_last(event, last->second)) untaken_.erase(last);
  if (settled == nullptr && accepted == nullptr) return;
  const auto found = drops_.find(ticket_of(event).value);
  if (found == drops_.end()) return;
  const auto task = settled != nullptr ? settled->task : accepted->task;
  (found->second == Drop::Result ? received_ : keys_received_).push_back(task.value);
  drops_.erase(found);
}

std::optional<Result<std::string>> Session::answer(Ticket ticket) {
  const auto found = answers_.find(ticket.value);
  if (found == answers_.end()) return std::nullopt;
  auto result = std::move(found->second);
  answers_.erase(found);
  return result;
}

Ticket Session::waiting_for(TaskId task) const {
  for (const auto& [ticket, request] : open_) {
    const bool waits =
        request.kind == OpenRequest::Kind::Submit
            ? request.wait
            : request.kind == OpenRequest::Kind::Await && (request.flags & ipc::flag::kNow) == 0;
    if (waits && request.task == task) return Ticket{ticket};
  }
  return {};
}

}  // namespace warmpool::client
