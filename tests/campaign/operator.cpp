// One thing after another, each gone on with until it is done. All its results are kept, so that
// what is gone is gone because it said so.
#include "tests/campaign/operator.hpp"

#include <algorithm>
#include <filesystem>
#include <poll.h>
#include <variant>

namespace warmpool::campaign {
namespace {

using namespace std::chrono_literals;

constexpr std::uint16_t kNoSuchTask = 301;
constexpr const char* kName = "operator";
constexpr const char* kPausedType = "paused";

ipc::RequestMeta request_of(ipc::Verb verb) { return {.verb = verb}; }

ipc::RequestMeta clean_of_expired() {
  auto request = request_of(ipc::Verb::Clean);
  request.arguments[0] = std::uint64_t{1};
  request.arguments[1] = std::string_view("expired");
  return request;
}

ipc::RequestMeta for_letter(ipc::Verb verb, TaskId task) {
  auto request = request_of(verb);
  request.arguments[0] = std::vector<std::uint64_t>{task.value};
  return request;
}

ipc::RequestMeta for_type(ipc::Verb verb) {
  auto request = request_of(verb);
  request.arguments[0] = std::string_view(kPausedType);
  return request;
}

}  // namespace

Operator::Operator(Direction& direction, Ledger& ledger, std::string directory)
    : direction_(direction), ledger_(ledger), directory_(std::move(directory)) {}

void Operator::run() {
  constexpr std::pair<const char*, bool (Operator::*)()> deeds[] = {
      {"dead letters retried", &Operator::revive},
      {"dead letters removed", &Operator::remove},
      {"types paused, a task expired and cleaned, the type resumed", &Operator::pause},
      {"tasks held and released", &Operator::hold},
      {"tasks gone on with from a checkpoint", &Operator::save},
      {"backups", &Operator::copy}};
  for (std::size_t turn = 0; !direction_.give_up && !direction_.drain;) {
    if (!client_ && !connect(direction_, kName, client_)) {
      ::poll(nullptr, 0, 20);
      continue;
    }
    const auto& [name, deed] = deeds[turn++ % std::size(deeds)];
    if ((this->*deed)()) ++deeds_[name];
  }
}

std::size_t Operator::submit(const char* type, std::optional<Duration> expiry) {
  Entry entry;
  auto& task = entry.task;
  task.type = type;
  task.payload = "0";
  task.key = "operator-" + std::to_string(entries_.size());
  task.retries = entry.task.type == "saving" ? 1000 : 0;
  task.expiry = expiry;
  task.keep_result = true;
  task.wait = true;
  entry.submitted_at = monotonic_nanoseconds();
  entries_.push_back(entry);
  open_.emplace(client_->submit(std::move(entry.task)).value, entries_.size() - 1);
  return entries_.size() - 1;
}

bool Operator::accepted(std::size_t at) {
  while (!direction_.give_up && entries_[at].ids.empty()) take();
  return !direction_.give_up;
}

// False: it is given up.
bool Operator::settled(std::size_t at, std::uint16_t round) {
  const auto is_told = [&] {
    return std::ranges::any_of(entries_[at].told,
                               [&](const auto& told) { return told.round >= round; });
  };
  while (!direction_.give_up && !is_told()) {
    const bool awaits =
        std::ranges::any_of(open_, [&](const auto& open) { return open.second == at; });
    if (!awaits) return false;
    take();
  }
  return !direction_.give_up;
}

void Operator::await(std::size_t at) { open_.emplace(client_->await(id_of(at)).value, at); }

Result<std::string> Operator::ask(const ipc::RequestMeta& request) {
  return client_->request(request, client::in(30s));
}

bool Operator::insist(const ipc::RequestMeta& request) {
  while (!direction_.give_up) {
    const auto reply = ask(request);
    if (reply || reply.error().code == kNoSuchTask) return true;
    ::poll(nullptr, 0, 5);
  }
  return false;
}

// A retry that was lost leaves the letter what it was, and an await says so.
bool Operator::revive() {
  const auto at = submit("reviving");
  if (!settled(at)) return false;
  while (!direction_.give_up) {
    (void)ask(for_letter(ipc::Verb::DeadRetry, id_of(at)));
    await(at);
    if (settled(at, 2)) return true;
  }
  return false;
}

bool Operator::remove() {
  const auto at = submit("doomed");
  if (!settled(at) || !insist(for_letter(ipc::Verb::DeadRemove, id_of(at)))) return false;
  gone_.push_back(id_of(at).value);
  return true;
}

bool Operator::pause() {
  if (!insist(for_type(ipc::Verb::Pause))) return false;
  const auto expiring = submit(kPausedType, milliseconds(1)), waiting = submit(kPausedType);
  if (!accepted(waiting) || !settled(expiring)) return false;
  if (!insist(clean_of_expired())) return false;
  for (const auto& told : entries_[expiring].told) gone_.push_back(told.id);
  not_before_.emplace_back(waiting, monotonic_nanoseconds());
  return insist(for_type(ipc::Verb::Resume)) && settled(waiting);
}

// It is not held where an attempt was interrupted.
bool Operator::hold() {
  const auto at = submit("holding");
  if (!accepted(at)) return false;
  auto release = request_of(ipc::Verb::Release);
  while (!direction_.give_up && entries_[at].told.empty()) {
    release.arguments[0] = id_of(at).value;
    (void)ask(release);
    take();
  }
  return !entries_[at].told.empty();
}

bool Operator::save() {
  const auto at = submit("saving");
  if (!settled(at)) return false;
  if (entries_[at].told.back().result != "gone on with") {
    oddities_.push_back("a checkpoint is lost of task " + std::to_string(id_of(at).value));
  }
  return true;
}

bool Operator::copy() {
  // What an earlier try may have left whose answer was lost; FILE.part is the daemon's affair.
  const auto file = directory_ + "/backup-" + std::to_string(backups_);
  std::error_code none;
  std::filesystem::remove(file, none);
  auto backup = request_of(ipc::Verb::Backup);
  backup.arguments[0] = std::string_view(file);
  if (!ask(backup)) return false;
  ++backups_;
  if (!backup_.empty()) std::filesystem::remove(backup_, none);
  backup_ = file;
  return true;
}

void Operator::take() {
  if (client_->open() == 0) {
    ::poll(nullptr, 0, 5);
    return;
  }
  auto event = client_->wait_any(client::in(20ms));
  if (!event) return;
  if (*event) std::visit([this](const auto& one) { on(one); }, **event);
}

void Operator::on(const client::Accepted& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) return;
  auto& entry = entries_[found->second];
  ledger_.note("accepted " + std::to_string(event.task.value) + " " + *entry.task.key);
  if (std::ranges::find(entry.ids, event.task.value) != entry.ids.end()) return;
  entry.ids.push_back(event.task.value);
}

void Operator::on(const client::Settled& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) return;
  auto& entry = entries_[found->second];
  entry.told.push_back({event.task.value, event.verdict, event.round, event.attempt, event.result,
                        monotonic_nanoseconds(), event.failures, event.crashes});
  ledger_.note("settled " + std::to_string(event.task.value) + " " + *entry.task.key + " " +
               std::string(name_of(event.verdict)) + " " + std::to_string(event.round) + " " +
               std::to_string(event.attempt));
  open_.erase(found);
}

void Operator::on(const client::Refused& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) return;
  const auto at = found->second;
  open_.erase(found);
  if (event.retry_after.ns > 0) {
    ::poll(nullptr, 0, 20);
    open_.emplace(client_->submit(entries_[at].task).value, at);
  } else {
    oddities_.push_back(*entries_[at].task.key + ": refused: " + event.text);
  }
}

void Operator::on(const client::Unknown& event) {
  const auto found = open_.find(event.ticket.value);
  if (found == open_.end()) return;
  oddities_.push_back(*entries_[found->second].task.key + ": unknown: " + event.text);
  open_.erase(found);
}

void Operator::check(const Runs& runs, Report& report) {
  for (const auto& waited : not_before_) {
    const auto moment = waited.second;
    for (const auto id : entries_[waited.first].ids) {
      const auto [begin, end] = runs.equal_range(id);
      const bool ran =
          std::any_of(begin, end, [&](const auto& run) { return run.second.at < moment; });
      if (ran) report.violation("task " + std::to_string(id) + " ran while its type was paused");
    }
  }
  if (!client_ && !connect(direction_, kName, client_))
    return report.violation("the operator finds nobody");
  // A clean is answered before it is kept: one that was killed has brought back what it took.
  (void)ask(clean_of_expired());
  for (const auto id : gone_) {
    const TaskId task[] = {TaskId{id}};
    const auto told = client_->await_all(task, client::in(20s));
    if (told || told.error().code != kNoSuchTask) {
      report.violation("task " + std::to_string(id) + " was removed and is there");
    }
  }
  client_.reset();
}

}  // namespace warmpool::campaign
