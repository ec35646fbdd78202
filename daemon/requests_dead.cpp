// Verbs about dead letters and about what has settled: what they concern is found at once, and done
// some in each turn. New rounds have a rate, so that ten thousand of them do not push aside what
// came today.
#include <algorithm>
#include <limits>

#include "daemon/requests.hpp"
#include "daemon/small_document.hpp"

namespace warmpool::daemon {

using ipc::Argument;
using ipc::Verb;

namespace {

const std::string_view* text_of(const Argument& argument) {
  return std::get_if<std::string_view>(&argument);
}

Duration duration_of(std::uint64_t ns) {
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  return {static_cast<std::int64_t>(std::min(ns, most))};
}

// The first of them, and how many more there are.
std::string named(const std::vector<TaskId>& tasks) {
  constexpr std::size_t named_max = 20;
  std::string text = tasks.size() == 1 ? "task" : "tasks";
  for (std::size_t at = 0; at < std::min(named_max, tasks.size()); ++at) {
    text += (at == 0 ? " " : ", ") + std::to_string(tasks[at].value);
  }
  if (tasks.size() > named_max)
    text += " and " + std::to_string(tasks.size() - named_max) + " more";
  return text;
}

constexpr Duration kLookAgain = milliseconds(2);  // for what is being kept
constexpr Duration kBurst = seconds(1);           // so much of the rate may come at once

}  // namespace

bool Requests::dead_filter(Session& session, std::uint32_t number, const Argument& type,
                           std::span<const Argument, 3> rest, TaskFilter& filter) {
  filter.state = TaskState::Dead;
  if (!type_argument(session, number, type, filter.type)) return false;
  if (const auto* cause = text_of(rest[0])) {
    filter.cause = find_word<EndCause>(*cause);
    if (!filter.cause) {
      std::string known;
      for (const auto& row : Words<EndCause>::rows) known += " " + std::string(row.name);
      clients_.refuse(session, number, {}, Refusal::BadArgument,
                      "there is no such cause; give one of" + known);
      return false;
    }
  }
  if (const auto* older = std::get_if<std::uint64_t>(&rest[1])) {
    filter.older = duration_of(*older);
  }
  if (const auto* text = text_of(rest[2])) filter.text = *text;
  return true;
}

void Requests::dead_ls(Session& session, std::uint32_t number, const Arguments& arguments) {
  auto filter = page_of(arguments[1], arguments[2]);
  const std::span rest(arguments);
  if (!dead_filter(session, number, arguments[0], rest.subspan<3, 3>(), filter)) return;
  const bool whole = static_cast<Verb>(session.open.at(number).verb) == Verb::DeadExport;
  clients_.reply(session, number,
                 whole ? documents_.letters(filter)
                       : documents_.tasks(filter, documents_.dead_letters(filter)));
}

void Requests::dead_change(Session& session, std::uint32_t number, const Arguments& arguments) {
  Bulk bulk{session.id, number, static_cast<Verb>(session.open.at(number).verb), {}, 0};
  if (const auto* ids = std::get_if<std::vector<std::uint64_t>>(&arguments[0])) {
    for (const auto id : *ids) bulk.tasks.push_back(TaskId{id});
  } else {
    TaskFilter filter;
    const std::span rest(arguments);
    if (!dead_filter(session, number, arguments[1], rest.subspan<2, 3>(), filter)) return;
    bulk.tasks = documents_.dead_letters(filter);
  }
  begin_bulk(session, std::move(bulk));
}

// One letter, with another payload: a new round of the same task. What is refused here would be by
// the core, but the payload's file must not be forgotten.
void Requests::retry_with(Session& session, std::uint32_t number, const Arguments& arguments,
                          KeptBody payload) {
  const auto refuse = [&](TaskId task, Refusal code, std::string_view detail = {}) {
    if (payload.file) services_.store.drop_body(payload.file);
    clients_.refuse(session, number, task, code, detail);
  };
  const auto* ids = std::get_if<std::vector<std::uint64_t>>(&arguments[0]);
  if (ids == nullptr || ids->size() != 1) {
    return refuse({}, Refusal::BadArgument, "another payload is for one dead letter: give its id");
  }
  const TaskId task{ids->front()};
  const auto stored = services_.store.find(task);
  if (!stored) return refuse(task, Refusal::NoSuchTask);
  if (!session.may_touch(ipc::Right::Cancel, stored->uid)) return refuse(task, Refusal::NotYours);
  const auto name = *text_of(arguments[5]);
  const auto content = name.empty() ? stored->content : find_word<Content>(name);
  if (!content) {
    return refuse({}, Refusal::BadArgument,
                  "there is no such content; give bytes, utf8, json or msgpack");
  }
  const auto bytes = static_cast<std::uint32_t>(payload.body.size());
  const auto commands =
      services_.engine.step(event::RetryDead{session.id, id_of(number), task, bytes});
  const auto* persist = find_record<record::Revived>(commands);
  if (persist == nullptr) {
    if (payload.file) services_.store.drop_body(payload.file);
    return;
  }
  Attachment attachment;
  attachment.body = std::move(payload.body);
  attachment.file = payload.file;
  attachment.content = *content;
  services_.engine.attach(persist->number, std::move(attachment));
}

// Dead letters are only cleaned by name: they wait for a person.
void Requests::clean(Session& session, std::uint32_t number, const Arguments& arguments) {
  Bulk bulk{session.id, number, Verb::Clean, {}, 0};
  const auto older = duration_of(std::get<std::uint64_t>(arguments[0]));
  const auto* state = text_of(arguments[1]);
  if (state != nullptr && *state == name_of(TaskState::Dead)) {
    TaskFilter filter;
    filter.state = TaskState::Dead;
    filter.older = older;
    bulk.verb = Verb::DeadRemove;
    bulk.tasks = documents_.dead_letters(filter);
    return begin_bulk(session, std::move(bulk));
  }
  const auto verdict = state == nullptr ? std::nullopt : find_word<Verdict>(*state);
  if (state != nullptr && !verdict) {
    return clients_.refuse(session, number, {}, Refusal::BadArgument,
                           "tasks that can be cleaned are done, cancelled, expired, skipped or "
                           "dead; the others have not settled");
  }
  const auto now = services_.engine.now();
  const Instant before{older.ns >= now.ns ? 0 : now.ns - older.ns};
  bulk.tasks = services_.store.settled_before(before, verdict);
  begin_bulk(session, std::move(bulk));
}

void Requests::begin_bulk(Session& session, Bulk bulk) {
  auto& open = session.open.at(bulk.number);
  open.parts = static_cast<std::uint32_t>(bulk.tasks.size());
  if (bulk.tasks.empty()) return clients_.reply(session, bulk.number, completed(open, nullptr));
  bulk_.push_back(std::move(bulk));
}

// A request whose client has gone ends with it. One that waits for its rate holds up no other.
bool Requests::run_bulk(std::size_t tasks_max) {
  bool more = false;
  bulk_due_ = kNever;
  for (auto& bulk : bulk_) {
    auto* session = clients_.find(bulk.client);
    if (session == nullptr) bulk.next = bulk.tasks.size();
    while (bulk.next < bulk.tasks.size() && tasks_max > 0) {
      if (is_on_its_way(bulk.tasks[bulk.next])) break;
      if (bulk.verb == Verb::DeadRetry && !take_retry()) break;
      change_one(*session, bulk, bulk.tasks[bulk.next++]);
      --tasks_max;
    }
    more = more || (bulk.next < bulk.tasks.size() && tasks_max == 0);
  }
  std::erase_if(bulk_, [](const Bulk& bulk) { return bulk.next == bulk.tasks.size(); });
  return more;
}

// Lists have it already, but its record is not kept yet, and nothing of it may change before.
bool Requests::is_on_its_way(TaskId task) {
  if (!services_.settling.contains(task)) return false;
  bulk_due_ = std::min(bulk_due_, services_.engine.now() + kLookAgain);
  return true;
}

// False: not now; `bulk_due_` is when.
bool Requests::take_retry() {
  const auto now = services_.engine.now();
  const auto each = seconds(1) / static_cast<std::int64_t>(services_.options().dead_retry_rate);
  const auto begun = std::max(retried_until_, now);
  if (begun + each > now + kBurst) {
    bulk_due_ = std::min(bulk_due_, begun + each - kBurst);
    return false;
  }
  retried_until_ = begun + each;
  return true;
}

void Requests::change_one(Session& session, const Bulk& bulk, TaskId task) {
  const auto stored = services_.store.find(task);
  const auto refuse = [&](Refusal code) {
    clients_.carry(command::Refused{session.id, id_of(bulk.number), task, code, {}});
  };
  if (!stored) return refuse(Refusal::NoSuchTask);
  if (!session.may_touch(ipc::Right::Cancel, stored->uid)) return refuse(Refusal::NotYours);
  if (bulk.verb == Verb::Clean) {
    // What is not yet told has not settled for anybody.
    if (services_.settling.contains(task) || !services_.store.drop(task)) {
      return refuse(Refusal::NoSuchTask);
    }
    return clients_.carry(command::Completed{session.id, id_of(bulk.number), 0, 0});
  }
  if (stored->verdict != Verdict::Dead) return refuse(Refusal::NotDead);
  if (bulk.verb == Verb::DeadRetry) {
    // It would run with nothing, or with what nobody has submitted.
    if (stored->payload_lost) return refuse(Refusal::Damaged);
    services_.engine.step(event::RetryDead{session.id, id_of(bulk.number), task});
  } else {
    services_.engine.step(event::RemoveDead{session.id, id_of(bulk.number), task});
  }
}

void Requests::backup(Session& session, std::uint32_t number, const Arguments& arguments) {
  const std::string file(std::get<std::string_view>(arguments[0]));
  if (auto begun = services_.store.begin_backup(file); !begun) {
    return clients_.refuse(session, number, {}, static_cast<Refusal>(begun.error().code),
                           begun.error().text);
  }
  services_.log.info("a backup is made in " + file);
  backup_ = {session.id, number, file};
}

void Requests::end_backup(const Result<BackupFigures>& ended) {
  const auto [client, number, file] = std::exchange(backup_, {});
  if (ended) {
    services_.log.info("the backup in " + file + " is made");
    if (!ended->left_out.empty()) {
      services_.log.error("the backup in " + file + " is without the payloads or results of " +
                          named(ended->left_out) +
                          ": their files in the directory bodies of the store are missing or "
                          "damaged");
    }
  } else {
    services_.log.error("the backup in " + file + " failed: " + ended.error().text);
  }
  auto* session = clients_.find(client);
  if (session == nullptr) return;
  if (ended) return clients_.reply(*session, number, documents_.backup(file, *ended));
  clients_.refuse(*session, number, {}, static_cast<Refusal>(ended.error().code),
                  ended.error().text);
}

}  // namespace warmpool::daemon
