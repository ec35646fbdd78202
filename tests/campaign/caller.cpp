// All keys are of use "lasting", so that any of them may be submitted again at any time, and must
// then be the same task with the same end.
#include "tests/campaign/caller.hpp"

#include <algorithm>
#include <poll.h>
#include <variant>

#include "pool/time.hpp"

namespace warmpool::campaign {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kInFlight = 16;
constexpr std::size_t kLarge = 66'000;  // so large that it has a file of its own
// Of the script: a task that runs until it is cancelled, for 20 s at most.
constexpr const char* kForCancel = "20000";

// Large results are compared by their hash and length.
std::string brief(const std::string& result) {
  if (result.size() < 1'000) return result;
  return std::to_string(result.size()) + " bytes, hash " +
         std::to_string(std::hash<std::string>()(result));
}

void pause_for(int milliseconds) { ::poll(nullptr, 0, milliseconds); }

}  // namespace

Caller::Caller(std::string name, std::uint64_t seed, Play play, Direction& direction,
               Ledger& ledger)
    : name_(std::move(name)), random_(seed), play_(play), direction_(direction), ledger_(ledger) {}

void Caller::run() {
  while (!direction_.give_up) {
    if (!client_ && !connect(direction_, name_, client_)) {
      pause_for(20);
      continue;
    }
    if (!direction_.drain) {
      fill();
      if (play_ == Play::Random) disturb();
    } else if (open_.empty() && again_.empty()) {
      client_.reset();
      return;
    }
    for (const auto at : std::exchange(again_, {})) submit(at);
    take();
  }
}

bool connect(const Direction& direction, const std::string& name,
             std::optional<client::Client>& client) {
  client::ConnectOptions options;
  options.socket = direction.socket;
  options.name = name;
  options.reconnect.delay_max = 50ms;
  options.reconnect.give_up_after = 1h;
  auto connected = client::Client::connect(options);
  if (!connected) return false;
  client.emplace(std::move(*connected));
  return true;
}

// As a client that dies: what is open is submitted again by the next one.
void Caller::leave() {
  for (const auto& [ticket, at] : open_) again_.push_back(at);
  open_.clear();
  client_.reset();
  ++departures_;
}

Entry Caller::make() {
  auto entry = play_ == Play::Script ? scripted() : drawn();
  entry.task.key = name_ + "-" + std::to_string(entries_.size());
  entry.task.wait = true;
  return entry;
}

// One that is cancelled, one that becomes a dead letter, two large ones, one whose worker dies.
Entry Caller::scripted() const {
  Entry entry;
  auto& task = entry.task;
  const auto at = entries_.size() % kScript;
  task.type = at == 1 ? "doomed" : at == 2 ? "flaky" : at == 3 ? "crashing" : "work";
  task.payload = at == 0 ? kForCancel : at == 2 ? "1" : "0";
  task.retries = at == 1 ? 0 : 3;
  if (at == 4 || at == 5) entry.padding = kLarge;
  if (at == 6) task.delay = milliseconds(5);
  if (at == 7) task.durability = Durability::Relaxed;
  return entry;
}

Entry Caller::drawn() {
  Entry entry;
  auto& task = entry.task;
  const auto kind = random_() % 20;
  task.type = kind < 13 ? "work" : kind < 17 ? "flaky" : kind < 19 ? "doomed" : "crashing";
  task.payload = task.type == "work" ? std::to_string(one_in(20) ? 80 : random_() % 4)
                                     : std::to_string(random_() % 3);
  task.retries = task.type == "doomed" ? 1 : 3;
  const auto kept = random_() % 10;
  task.durability = kept < 7 ? Durability::Full : kept < 9 ? Durability::Relaxed : Durability::None;
  // In memory a task is as young as its daemon: with a delay, or behind more urgent ones, it would
  // never run in lives as short as these.
  if (one_in(8) && task.durability != Durability::None)
    task.delay = milliseconds(static_cast<std::int64_t>(random_() % 300));
  task.priority = task.durability == Durability::None ? 0 : random_() % 30;
  if (one_in(80)) entry.padding = kLarge + random_() % 30'000;
  return entry;
}

void Caller::fill() {
  while (open_.size() < kInFlight && entries_.size() < direction_.quota) {
    entries_.push_back(make());
    submit(entries_.size() - 1);
  }
}

void Caller::submit(std::size_t at) {
  if (!client_) return again_.push_back(at);
  if (entries_[at].submitted_at == 0) entries_[at].submitted_at = monotonic_nanoseconds();
  auto task = entries_[at].task;
  task.payload.append(entries_[at].padding, ' ');
  open_.emplace(client_->submit(std::move(task)).value, at);
}

void Caller::cancel(std::size_t at) {
  auto& entry = entries_[at];
  if (entry.ids.empty()) return;
  entry.cancel_asked = true;
  ++cancels_;
  client_->cancel_later(TaskId{entry.ids.back()});
}

void Caller::disturb() {
  if (one_in(10) && !open_.empty()) cancel(open_.begin()->second);
  if (one_in(10)) {
    const auto at = random_() % entries_.size();
    const auto& entry = entries_[at];
    if (!entry.told.empty() && !entry.cancel_asked && entry.task.durability != Durability::None) {
      ++resubmits_;
      submit(at);
    }
  }
  if (one_in(300)) leave();
}

void Caller::take() {
  if (!client_) return;
  if (client_->open() == 0) return pause_for(5);
  auto event = client_->wait_any(client::in(20ms));
  while (event && *event) {
    std::visit([this](const auto& one) { on(one); }, **event);
    if (client_->open() == 0) return;
    event = client_->wait_any(ipc::kAtOnce);
  }
  if (!event) leave();
}

void Caller::odd(std::size_t at, const std::string& text) {
  oddities_.push_back(*entries_[at].task.key + ": " + text);
}

// A result ends with the payload that it is of.
void Caller::note_large(std::size_t at, const std::string& result) {
  ++large_results_;
  const auto& entry = entries_[at];
  const auto wanted = entry.task.payload + std::string(entry.padding, ' ');
  if (!result.ends_with("/" + wanted)) odd(at, "a large result is not what it should be");
}

void Caller::on(const client::Accepted& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) return;
  auto& entry = entries_[found->second];
  ++direction_.accepted;
  ledger_.note("accepted " + std::to_string(event.task.value) + " " + *entry.task.key);
  if (event.durability != entry.task.durability) odd(found->second, "kept in another way");
  const bool known = std::ranges::find(entry.ids, event.task.value) != entry.ids.end();
  if (!known) entry.ids.push_back(event.task.value);
  // Again each time it is said to be accepted: a cancel of an earlier life may be forgotten.
  if (play_ == Play::Script && entry.task.payload == kForCancel) cancel(found->second);
}

void Caller::on(const client::Settled& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) return;
  auto& entry = entries_[found->second];
  if (entry.padding != 0 && event.verdict == Verdict::Done) note_large(found->second, event.result);
  entry.told.push_back({event.task.value, event.verdict, event.round, event.attempt,
                        brief(event.result), monotonic_nanoseconds(), event.failures,
                        event.crashes});
  ledger_.note("settled " + std::to_string(event.task.value) + " " + *entry.task.key + " " +
               std::string(name_of(event.verdict)) + " " + std::to_string(event.round) + " " +
               std::to_string(event.attempt));
  open_.erase(found);
  ++direction_.settled;
}

void Caller::on(const client::Refused& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) return;  // a cancel that came too late
  if (event.retry_after.ns == 0) {
    odd(found->second, "refused: " + event.text);
  } else {
    again_.push_back(found->second);
  }
  open_.erase(found);
}

void Caller::on(const client::Unknown& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) return;
  odd(found->second, "unknown in spite of its key: " + event.text);
  open_.erase(found);
}

}  // namespace warmpool::campaign
