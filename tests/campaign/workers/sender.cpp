#include "tests/campaign/workers/sender.hpp"

#include <algorithm>

namespace warmpool::campaign {

using namespace std::chrono_literals;

Sender::Sender(const std::string& socket, std::string name) : name_(std::move(name)) {
  client::ConnectOptions options;
  options.socket = socket;
  options.name = name_;
  options.reconnect.delay_max = 20ms;
  options.reconnect.give_up_after = 1h;
  auto connected = client::Client::connect(options);
  if (connected) {
    client_.emplace(std::move(*connected));
  } else {
    oddities_.push_back(name_ + " cannot connect: " + connected.error().text);
  }
}

std::size_t Sender::submit(const std::string& type, const std::string& payload, unsigned runs_max,
                           std::optional<Duration> timeout) {
  const auto at = sent_.size();
  Sent& sent = sent_.emplace_back();
  sent.runs_max = runs_max;
  sent.submitted_at = monotonic_nanoseconds();
  auto& task = sent.entry.task;
  task.type = type;
  task.payload = payload;
  task.timeout = timeout;
  task.key = name_ + "-" + std::to_string(at);
  task.wait = true;
  if (!client_) return at;
  open_.emplace(client_->submit(task).value, at);
  const auto deadline = test::patience_ends();
  while (sent.entry.ids.empty() && take(deadline)) {
  }
  return at;
}

std::uint64_t Sender::flood(const std::string& type, std::uint64_t count) {
  constexpr std::uint64_t kInFlight = 500;
  if (!client_) return 0;
  const auto done_before = flooded_done_;
  std::uint64_t submitted = 0;
  for (auto deadline = test::patience_ends(); submitted < count || client_->open() > 0;) {
    while (submitted < count && client_->open() < kInFlight) {
      client_->submit({.type = type, .payload = "0", .auto_key = true, .wait = true});
      ++submitted;
    }
    if (!take(deadline)) break;
    deadline = test::patience_ends();
  }
  flooded_ += submitted;
  return flooded_done_ - done_before;
}

const Sent* Sender::settled(std::size_t at, std::chrono::milliseconds usual) {
  const auto deadline = test::patience_ends(usual);
  while (sent_[at].entry.told.empty() && take(deadline)) {
  }
  return sent_[at].entry.told.empty() ? nullptr : &sent_[at];
}

void Sender::cancel(std::size_t at) {
  sent_[at].entry.cancel_asked = true;
  if (client_ && id_of(at) != 0) client_->cancel_later(TaskId{id_of(at)});
}

std::uint64_t Sender::id_of(std::size_t at) const {
  return sent_[at].entry.ids.empty() ? 0 : sent_[at].entry.ids.back();
}

std::string Sender::ask(const ipc::RequestMeta& request) {
  if (!client_) return {};
  const auto answer = client_->request(request, test::patience_ends());
  return answer ? *answer : std::string();
}

// False: nothing more can come in time.
bool Sender::take(std::chrono::steady_clock::time_point deadline) {
  if (!client_ || client_->open() == 0) return false;
  const auto event = client_->wait_any(deadline);
  if (!event || !*event) return false;
  std::visit([this](const auto& one) { on(one); }, **event);
  return true;
}

void Sender::on(const client::Accepted& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) return;
  auto& ids = sent_[found->second].entry.ids;
  if (std::find(ids.begin(), ids.end(), event.task.value) == ids.end()) {
    ids.push_back(event.task.value);
  }
}

void Sender::on(const client::Settled& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) {  // of a flood
    flooded_done_ += event.verdict == Verdict::Done ? 1U : 0U;
    return;
  }
  Sent& sent = sent_[found->second];
  sent.entry.told.push_back({event.task.value, event.verdict, event.round, event.attempt,
                             event.result, monotonic_nanoseconds()});
  sent.crashes = event.crashes;
  sent.failures = event.failures;
  open_.erase(found);
}

void Sender::on(const client::Refused& event) {
  if (!open_.contains(event.ticket.value)) return;  // a cancel that came too late
  oddities_.push_back(name_ + " was refused: " + event.text);
  open_.erase(event.ticket.value);
}

void Sender::on(const client::Unknown& event) {
  if (!open_.contains(event.ticket.value)) return;
  oddities_.push_back(name_ + ": unknown in spite of its key: " + event.text);
  open_.erase(event.ticket.value);
}

}  // namespace warmpool::campaign
