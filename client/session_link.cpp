// The life of connections: dial, lose, dial again, and what that means for what is open.
//
// Never twice without a key: a submit that was queued on a connection which then broke may have
// been accepted, and only a key lets the daemon see that it is the same task. So one without a key
// ends as Unknown. A task that is known to be accepted needs no second submit, only an await; but
// with a key it is submitted again all the same, because a daemon that lost its memory will take it
// anew, and because one with cancel-on-disconnect needs its new owner.
#include <algorithm>
#include <random>

#include "client/session.hpp"
#include "ipc/endpoint.hpp"
#include "ipc/fault.hpp"
#include "pool/refusal.hpp"

namespace warmpool::client {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Any frame of them is small beside the pages it travels in.
constexpr std::size_t kReceivedBatch = 512;

milliseconds shortened(milliseconds delay) {
  static thread_local std::minstd_rand generator(std::random_device{}());
  std::uniform_int_distribution<milliseconds::rep> part(delay.count() * 3 / 4, delay.count());
  return milliseconds(part(generator));
}

bool is_permanent(int endpoint_fault) {
  return endpoint_fault == static_cast<int>(ipc::EndpointFault::Untrusted) ||
         endpoint_fault == static_cast<int>(ipc::EndpointFault::PathTooLong);
}

}  // namespace

Result<void> Session::connect() {
  const Deadline deadline = steady_clock::now() + options_.connect_timeout;
  dial();
  while (!dead_ && !connected()) {
    turn();
    if (!dead_ && !connected()) wait(deadline);
  }
  if (dead_) return *dead_;
  return {};
}

void Session::dial() {
  const auto now = steady_clock::now();
  // A second connect is made inside the caller's wait, so it gets less time.
  const auto patience = greeted_once_ ? std::min(options_.connect_timeout, milliseconds(1'000))
                                      : options_.connect_timeout;
  auto link = Link::open(address_, options_.name, options_.stamps, now + patience);
  if (!link) {
    Error error{static_cast<int>(Fault::Unreachable), link.error().text};
    if (is_permanent(link.error().code)) return die(std::move(error));
    return lose(std::move(error));
  }
  link_.emplace(std::move(*link));
  readable_ = true;
  greet_until_ = now + options_.connect_timeout;
  answered_ = false;
}

void Session::link_failed() {
  const Error& error = link_->channel().error();
  if (error.code >= 200) {
    die({static_cast<int>(Fault::Protocol), "what answers at " + address_.path +
                                                " breaks the protocol (" + error.text +
                                                "); is it warmpoold, and as new as this program?"});
    return;
  }
  lose({static_cast<int>(Fault::Lost), error.text.empty()
                                           ? "the daemon closed the connection"
                                           : "the connection failed: " + error.text});
}

// A daemon that dies of what we send it is welcoming and gone, again and again: only an answer, or
// a connection that lasted, starts the patience anew.
bool Session::was_useful() const {
  return connected() &&
         (answered_ || steady_clock::now() - greeted_at_ >= options_.reconnect.delay_max);
}

// The connection is of no use any more; another may be had.
void Session::lose(Error error) {
  const bool useful = was_useful();
  link_.reset();
  lost_because_ = error.text;
  if (!greeted_once_ || !options_.reconnect.enabled) {
    return die(std::move(error));
  }
  std::vector<std::uint64_t> ended;
  for (auto& [ticket, request] : open_) {
    unsend(ticket, request, ended);
  }
  for (const auto ticket : ended) {
    open_.erase(ticket);
  }
  const auto now = steady_clock::now();
  if (useful || give_up_at_ == Deadline{}) {
    give_up_at_ = now + options_.reconnect.give_up_after;
    dial_delay_ = milliseconds(0);
  }
  if (now >= give_up_at_) {
    return die({static_cast<int>(Fault::Unreachable),
                "no daemon came back for " +
                    std::to_string(options_.reconnect.give_up_after.count()) +
                    " ms: " + error.text});
  }
  schedule_dial();
}

void Session::schedule_dial() {
  const auto& policy = options_.reconnect;
  dial_at_ = std::min(steady_clock::now() + shortened(dial_delay_), give_up_at_);
  dial_delay_ = std::clamp(dial_delay_ * 2, policy.delay_first, policy.delay_max);
}

// Makes one request ready for the next connection, or ends it.
void Session::unsend(std::uint64_t ticket, OpenRequest& request,
                     std::vector<std::uint64_t>& ended) {
  if (!request.sent) return;
  request.sent = false;
  request.arena = {};  // what reads it may go on without the connection
  if (request.kind == OpenRequest::Kind::Submit && !request.repeatable && request.task) {
    request.kind = OpenRequest::Kind::Await;
    request.repeatable = true;
    return;
  }
  if (request.repeatable) return;
  end_unknown(ticket, request, lost_because_);
  ended.push_back(ticket);
}

void Session::end_unknown(std::uint64_t ticket, const OpenRequest& request,
                          const std::string& why) {
  if (request.kind == OpenRequest::Kind::Request || request.kind == OpenRequest::Kind::Ping) {
    const int code = dead_ ? dead_->code : static_cast<int>(Fault::Lost);
    answers_.emplace(ticket, Error{code, dead_ ? why
                                               : why + "; whether it took effect is not known, "
                                                       "look with: warmpool status"});
    return;
  }
  push_last(Unknown{Ticket{ticket}, request.task, why});
}

void Session::die(Error error) {
  link_.reset();
  dead_ = std::move(error);
  std::vector<std::uint64_t> tickets;
  for (const auto& [ticket, request] : open_) {
    tickets.push_back(ticket);
  }
  std::sort(tickets.begin(), tickets.end());
  for (const auto ticket : tickets) {
    end_unknown(ticket, open_.at(ticket), dead_->text);
  }
  open_.clear();
}

void Session::send_all_unsent() {
  std::vector<std::uint64_t> tickets;
  for (const auto& [ticket, request] : open_) {
    if (!request.sent) tickets.push_back(ticket);
  }
  std::sort(tickets.begin(), tickets.end());
  for (const auto ticket : tickets) {
    send_or_end(ticket, open_.at(ticket));
  }
}

// The daemon that came back may be one that takes no descriptors, or no arenas.
void Session::send_or_end(std::uint64_t ticket, OpenRequest& request) {
  const auto fit = make_acceptable(request);
  if (fit) return send(ticket, request);
  push_last(Refused{.ticket = Ticket{ticket},
                    .task = request.task,
                    .code = static_cast<std::uint16_t>(fit.error().code),
                    .text = fit.error().text});
  open_.erase(ticket);
}

Result<void> Session::make_acceptable(OpenRequest& request) const {
  if (!request.options || !request.options->large) return {};
  auto& large = request.options->large;
  const auto bytes = request.options->large_bytes;
  if (bytes > link_->large_bytes_max()) {
    return Error{
        static_cast<int>(Refusal::PayloadTooLarge),
        "the daemon that came back takes no payload of " + std::to_string(bytes) + " bytes"};
  }
  if (link_->takes_arenas() || !ipc::is_arena(large->get())) return {};
  auto sealed = ipc::sealed_or_copied(ipc::UniqueFd(::dup(large->get())), bytes);
  if (!sealed) return Error{static_cast<int>(Refusal::LargeFull), sealed.error().text};
  large = std::make_shared<const ipc::UniqueFd>(std::move(*sealed));
  return {};
}

void Session::send(std::uint64_t ticket, OpenRequest& request) {
  moved_ = true;
  switch (request.kind) {
    case OpenRequest::Kind::Submit:
      send_submit(ticket, request);
      break;
    case OpenRequest::Kind::Await:
      link_->await(Ticket{ticket}, request.task, request.flags);
      break;
    case OpenRequest::Kind::Cancel:
      link_->cancel(Ticket{ticket}, request.task);
      break;
    case OpenRequest::Kind::Request:
      link_->request(Ticket{ticket}, request.meta, request.payload);
      break;
    case OpenRequest::Kind::Ping:
      link_->ping(Ticket{ticket});
      break;
    case OpenRequest::Kind::Events:
      link_->events(Ticket{ticket}, *request.events);
      break;
  }
  request.sent = true;
}

// A payload that will never be sent again is given away; one with a key is copied and kept until
// the task has ended.
void Session::send_submit(std::uint64_t ticket, OpenRequest& request) {
  if (stamps_ && request.wait) stamps_->submitted(Ticket{ticket});
  if (request.repeatable) {
    link_->submit(Ticket{ticket}, *request.options, std::string(request.options->payload));
    return;
  }
  link_->submit(Ticket{ticket}, *request.options, std::move(request.options->payload));
  if (request.options->progress) request.flags = ipc::flag::kProgress;
  request.options.reset();
}

void Session::acknowledge() {
  if (!connected()) return;
  acknowledge(received_, 0);
  acknowledge(keys_received_, ipc::flag::kKeysOnly);
}

void Session::acknowledge(std::vector<std::uint64_t>& tasks, std::uint8_t flags) {
  const std::span<const std::uint64_t> all(tasks);
  for (std::size_t at = 0; at < all.size(); at += kReceivedBatch) {
    link_->received(all.subspan(at, std::min(kReceivedBatch, all.size() - at)), flags);
  }
  tasks.clear();
}

}  // namespace warmpool::client
