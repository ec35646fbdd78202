// Verbs that read are answered at once from a snapshot, lists of tasks piece by piece; verbs that
// change become events, and the core's answer ends them. What concerns many tasks is a row of
// events, some in each turn.
#include "daemon/requests.hpp"

#include <algorithm>

#include "daemon/new_types.hpp"
#include "daemon/small_document.hpp"
#include "pool/notice_set.hpp"

namespace warmpool::daemon {
namespace {

using ipc::Argument;
using ipc::Verb;

bool is_nil(const Argument& argument) { return std::holds_alternative<std::monostate>(argument); }
std::string_view text(const Argument& argument) {
  const auto* value = std::get_if<std::string_view>(&argument);
  return value == nullptr ? std::string_view() : *value;
}
std::uint64_t number_or(const Argument& argument, std::uint64_t otherwise) {
  const auto* value = std::get_if<std::uint64_t>(&argument);
  return value == nullptr ? otherwise : *value;
}
bool flag(const Argument& argument) {
  const auto* value = std::get_if<bool>(&argument);
  return value != nullptr && *value;
}
// Of a list, in a turn: about 2 ms.
constexpr std::uint32_t kPlacesAtOnce = 16'384;

}  // namespace

const Requests::VerbHandler Requests::kVerbs[] = {
    {Verb::Status, &Requests::status},
    {Verb::Workers, &Requests::workers},
    {Verb::Worker, &Requests::worker},
    {Verb::Show, &Requests::show},
    {Verb::Ls, &Requests::ls},
    {Verb::DeadLs, &Requests::dead_ls},
    {Verb::DeadRetry, &Requests::dead_change},
    {Verb::DeadRemove, &Requests::dead_change},
    {Verb::Scale, &Requests::scale},
    {Verb::Drain, &Requests::drain},
    {Verb::Stop, &Requests::stop},
    {Verb::Pause, &Requests::pause},
    {Verb::Resume, &Requests::pause},
    {Verb::Config, &Requests::config},
    {Verb::Types, &Requests::types},
    {Verb::Release, &Requests::release},
    {Verb::Events, &Requests::events},
    {Verb::Restart, &Requests::restart},
    {Verb::Heartbeat, &Requests::heartbeat},
    {Verb::Log, &Requests::log},
    {Verb::DeadExport, &Requests::dead_ls},
    {Verb::Clean, &Requests::clean},
    {Verb::Backup, &Requests::backup},
    {Verb::Breakers, &Requests::breakers},
    {Verb::BreakerOpen, &Requests::breaker},
    {Verb::BreakerClose, &Requests::breaker},
    {Verb::Alerts, &Requests::alerts},
    {Verb::AlertsAck, &Requests::alerts_ack},
    {Verb::Autopsy, &Requests::autopsy},
};

void Requests::run(Session& session, std::uint32_t number, const ipc::RequestMeta& meta,
                   KeptBody payload) {
  if (meta.verb == Verb::DeadRetry && !is_nil(meta.arguments[5])) {
    return retry_with(session, number, meta.arguments, std::move(payload));
  }
  if (payload.body.size() != 0) {
    if (payload.file) services_.store.drop_body(payload.file);
    return clients_.refuse(session, number, {}, Refusal::BadArgument,
                           "a payload comes with the argument content");
  }
  const auto* row = std::ranges::find(kVerbs, meta.verb, &VerbHandler::verb);
  if (row == std::end(kVerbs)) {
    return clients_.refuse(session, number, {}, Refusal::BadArgument, "this verb is not known");
  }
  (this->*row->handler)(session, number, meta.arguments);
}

void Requests::status(Session& session, std::uint32_t number, const Arguments&) {
  clients_.reply(session, number, documents_.status());
}

void Requests::alerts(Session& session, std::uint32_t number, const Arguments& arguments) {
  clients_.reply(session, number, documents_.alerts(flag(arguments[0])));
}

void Requests::alerts_ack(Session& session, std::uint32_t number, const Arguments& arguments) {
  const auto answer = [&](std::size_t found) {
    clients_.reply(session, number, small_document({{"acknowledged", found}}));
  };
  if (is_nil(arguments[0])) return answer(alerts_.book().acknowledge_all());
  const auto alert = find_alert(text(arguments[0]));
  std::size_t found = 0;
  if (alert) found = alerts_.book().acknowledge(*alert, text(arguments[1]));
  if (found != 0) return answer(found);
  clients_.refuse(
      session, number, {}, Refusal::BadArgument,
      "there is no alert '" + std::string(text(arguments[0])) + "'" +
          (is_nil(arguments[1]) ? "" : " of '" + std::string(text(arguments[1])) + "'") +
          " now; see: warmpool alerts ls");
}

void Requests::workers(Session& session, std::uint32_t number, const Arguments&) {
  clients_.reply(session, number, documents_.workers());
}

void Requests::worker(Session& session, std::uint32_t number, const Arguments& arguments) {
  auto document = documents_.worker(text(arguments[0]));
  if (!document) return refuse_slot(session, number, text(arguments[0]));
  auto paths = documents_.directories_of(text(arguments[0]));
  if (!flag(arguments[1]) || paths.empty()) {
    return clients_.reply(session, number, std::move(*document));
  }
  workers_.directories().directories().measure(
      paths, [this, paths, client = session.id, number,
              slot = std::string(text(arguments[0]))](const auto& measured) {
        Documents::DirectorySizes sizes;
        for (std::size_t i = 0; i < paths.size(); ++i) sizes.emplace(paths[i], measured[i]);
        auto* asking = clients_.find(client);
        if (asking == nullptr) return;
        auto sized = documents_.worker(slot, &sizes);
        if (!sized) return refuse_slot(*asking, number, slot);
        clients_.reply(*asking, number, std::move(*sized));
      });
}

void Requests::refuse_slot(Session& session, std::uint32_t number, std::string_view name) {
  clients_.refuse(session, number, {}, Refusal::NoSuchWorker,
                  "no slot is named '" + std::string(name) + "'; see: warmpool workers");
}

void Requests::show(Session& session, std::uint32_t number, const Arguments& arguments) {
  const TaskId task{number_or(arguments[0], 0)};
  auto document = documents_.show(task);
  if (!document) return clients_.refuse(session, number, task, Refusal::NoSuchTask);
  clients_.reply(session, number, std::move(*document));
}

bool Requests::type_argument(Session& session, std::uint32_t number, const Argument& argument,
                             std::optional<TypeId>& type) {
  if (is_nil(argument)) return true;
  type = services_.types.find(text(argument));
  if (type) return true;
  refuse_type(session, number, text(argument));
  return false;
}

void Requests::refuse_type(Session& session, std::uint32_t number, std::string_view name) {
  clients_.refuse(
      session, number, {}, Refusal::UnknownType,
      "no task of type '" + std::string(name) +
          "' was seen, and no class serves it; served are: " + services_.types.known_text());
}

TaskFilter Requests::page_of(const Argument& limit, const Argument& after) {
  constexpr std::uint64_t limit_default = 100;
  constexpr std::uint64_t limit_max = 10'000;
  TaskFilter filter;
  filter.limit = static_cast<std::uint32_t>(std::min(number_or(limit, limit_default), limit_max));
  filter.after = TaskId{number_or(after, 0)};
  return filter;
}

void Requests::ls(Session& session, std::uint32_t number, const Arguments& arguments) {
  auto filter = page_of(arguments[2], arguments[3]);
  if (!is_nil(arguments[0])) {
    filter.state = find_word<TaskState>(text(arguments[0]));
    if (!filter.state) {
      std::string known;
      for (const auto& row : Words<TaskState>::rows) known += " " + std::string(row.name);
      return clients_.refuse(session, number, {}, Refusal::BadArgument,
                             "there is no such state; give one of" + known);
    }
  }
  if (!type_argument(session, number, arguments[1], filter.type)) return;
  TaskListing listing(filter);
  if (listing.advance(services_, kPlacesAtOnce)) return reply_list(session, number, listing);
  lists_.push_back({session.id, number, std::move(listing)});
}

void Requests::reply_list(Session& session, std::uint32_t number, TaskListing& listing) {
  clients_.reply(session, number, documents_.tasks(listing.filter(), listing.ids()));
}

// One list at a time: ten that wait take as long as one after the other.
bool Requests::run_lists() {
  while (!lists_.empty()) {
    auto& list = lists_.front();
    if (auto* session = clients_.find(list.client)) {
      if (!list.listing.advance(services_, kPlacesAtOnce)) return true;
      reply_list(*session, list.number, list.listing);
      lists_.pop_front();
      return !lists_.empty();
    }
    lists_.pop_front();
  }
  return false;
}

std::optional<ClassId> Requests::find_class(std::string_view name) const {
  const auto& classes = services_.configuration.classes;
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i].values.name == name) return ClassId{static_cast<std::uint16_t>(i)};
  }
  return std::nullopt;
}

void Requests::refuse_class(Session& session, std::uint32_t number) {
  std::string known;
  for (const auto& one : services_.configuration.classes) known += " " + one.values.name;
  clients_.refuse(session, number, {}, Refusal::NoSuchClass,
                  "name the worker class, one of:" + known);
}

namespace {

std::int64_t wanted_size(event::ScaleMode mode, std::int64_t before, std::int64_t number) {
  if (mode == event::ScaleMode::Up) return before + number;
  return mode == event::ScaleMode::Down ? before - number : number;
}

}  // namespace

void Requests::scale(Session& session, std::uint32_t number, const Arguments& arguments) {
  const auto& classes = services_.configuration.classes;
  // Those of the configuration come first; the others have no size.
  const auto configured =
      std::ranges::count_if(classes, [](const auto& one) { return !one.brought; });
  const bool only = is_nil(arguments[0]) && configured == 1;
  const auto worker_class = only ? std::optional(ClassId{0}) : find_class(text(arguments[0]));
  if (!worker_class) return refuse_class(session, number);
  const auto mode = static_cast<event::ScaleMode>(number_or(arguments[1], 0));
  const auto count = number_or(arguments[2], 0);
  const auto& options = services_.options_of(*worker_class);
  const auto target = services_.engine.pool().snapshot().classes[worker_class->value].target;
  const auto wanted = wanted_size(mode, target, static_cast<std::int64_t>(count));
  if (wanted < static_cast<std::int64_t>(options.size_min) ||
      wanted > static_cast<std::int64_t>(options.size_max)) {
    return clients_.refuse(
        session, number, {}, Refusal::SizeOutOfRange,
        "class '" + options.name + "' has " + std::to_string(target) + " workers and may have " +
            std::to_string(options.size_min) + " to " + std::to_string(options.size_max) +
            " (size_min, size_max); " + std::to_string(wanted) + " is outside of that");
  }
  const auto total = services_.configuration.pool.values.memory_total;
  const auto needed = static_cast<std::uint64_t>(wanted) * options.memory_declared;
  if (total != 0 && wanted > target && needed > total) {
    return clients_.refuse(session, number, {}, Refusal::MemoryDoesNotFit,
                           std::to_string(wanted) + " workers of class '" + options.name +
                               "' declare " + bytes_text(needed) + " (memory_declared " +
                               bytes_text(options.memory_declared) + "), and memory_total is " +
                               bytes_text(total) + "; give a smaller size, or change one of them");
  }
  services_.engine.step(event::Scale{session.id, id_of(number), *worker_class, mode,
                                     static_cast<std::uint16_t>(count)});
}

void Requests::restart(Session& session, std::uint32_t number, const Arguments& arguments) {
  event::Restart restart{session.id, id_of(number)};
  if (!is_nil(arguments[1])) {
    restart.worker_class = find_class(text(arguments[1]));
    if (!restart.worker_class) return refuse_class(session, number);
  }
  if (!is_nil(arguments[0])) {
    restart.home = workers_.places().find_home(text(arguments[0]));
    if (!restart.home) return refuse_slot(session, number, text(arguments[0]));
  }
  // Successors are of what is on the disk now.
  const auto of_slot = restart.home ? workers_.places().class_of(*restart.home) : std::nullopt;
  const auto renewed = restart.worker_class ? restart.worker_class : of_slot;
  renewed ? workers_.templates().renew(*renewed) : workers_.templates().renew_all();
  services_.engine.step(restart);
}

void Requests::heartbeat(Session& session, std::uint32_t number, const Arguments& arguments) {
  const auto home = workers_.places().find_home(text(arguments[0]));
  const auto status = is_nil(arguments[1]) ? std::string_view() : text(arguments[1]);
  if (!home) return refuse_slot(session, number, text(arguments[0]));
  if (!workers_.report(*home, session.peer.uid, status, TaskId{number_or(arguments[2], 0)})) {
    return clients_.refuse(session, number, {}, Refusal::NotYours,
                           "no process is in this slot, or it runs as another user");
  }
  clients_.reply(session, number, small_document({}));
}

void Requests::autopsy(Session& session, std::uint32_t number, const Arguments& arguments) {
  if (is_nil(arguments[0]) == is_nil(arguments[1])) {
    return clients_.refuse(session, number, {}, Refusal::BadArgument, "name a task or a slot");
  }
  const TaskId task{number_or(arguments[0], 0)};
  auto document =
      is_nil(arguments[0]) ? documents_.autopsies(text(arguments[1])) : documents_.autopsies(task);
  if (document) return clients_.reply(session, number, std::move(*document));
  if (!is_nil(arguments[0])) return clients_.refuse(session, number, task, Refusal::NoSuchTask);
  refuse_slot(session, number, text(arguments[1]));
}

void Requests::log(Session& session, std::uint32_t number, const Arguments& arguments) {
  constexpr std::uint64_t lines_default = 20;
  LogWish wish{.lines = static_cast<std::size_t>(number_or(arguments[2], lines_default)),
               .after = {}};
  if (!is_nil(arguments[3])) wish.after = number_or(arguments[3], 0);
  if (is_nil(arguments[0]) == is_nil(arguments[1])) {
    return clients_.refuse(session, number, {}, Refusal::BadArgument, "name a task or a slot");
  }
  const TaskId task{number_or(arguments[0], 0)};
  auto document = is_nil(arguments[0]) ? documents_.worker_log(text(arguments[1]), wish)
                                       : documents_.task_log(task, wish);
  if (!document && is_nil(arguments[0])) return refuse_slot(session, number, text(arguments[1]));
  if (!document) return clients_.refuse(session, number, task, Refusal::NoSuchTask);
  clients_.reply(session, number, std::move(*document));
}

void Requests::drain(Session& session, std::uint32_t number, const Arguments& arguments) {
  services_.engine.step(event::Drain{session.id, id_of(number), flag(arguments[0])});
}

void Requests::stop(Session& session, std::uint32_t number, const Arguments& arguments) {
  services_.log.info("client " + std::to_string(session.id.value) + " (uid " +
                     std::to_string(session.peer.uid) + ") asks to stop" +
                     (flag(arguments[0]) ? " at once" : ""));
  on_stop_();
  services_.engine.step(event::Stop{session.id, id_of(number), flag(arguments[0])});
}

void Requests::pause(Session& session, std::uint32_t number, const Arguments& arguments) {
  const bool paused = static_cast<Verb>(session.open.at(number).verb) == Verb::Pause;
  if (!paused && flag(arguments[2])) return resume_all(session, number);
  if (!is_nil(arguments[0]) && !is_nil(arguments[1])) {
    return clients_.refuse(session, number, {}, Refusal::BadArgument,
                           "name a type or a class, not both");
  }
  PauseTarget target = pause_of_pool();
  if (!is_nil(arguments[0])) {
    const auto type = seen_type(text(arguments[0]));
    if (!type) return refuse_type(session, number, text(arguments[0]));
    target = pause_of(*type);
  } else if (!is_nil(arguments[1])) {
    const auto worker_class = find_class(text(arguments[1]));
    if (!worker_class) return refuse_class(session, number);
    target = pause_of(*worker_class);
  }
  services_.engine.step(event::Pause{session.id, id_of(number), target, paused});
}

void Requests::breakers(Session& session, std::uint32_t number, const Arguments&) {
  clients_.reply(session, number, documents_.breakers());
}

void Requests::breaker(Session& session, std::uint32_t number, const Arguments& arguments) {
  const bool open = static_cast<Verb>(session.open.at(number).verb) == Verb::BreakerOpen;
  const auto time = open ? number_or(arguments[1], 0) : 0;
  if (time > static_cast<std::uint64_t>(kDurationMax.ns)) {
    return clients_.refuse(session, number, {}, Refusal::BadTime);
  }
  const auto type = seen_type(text(arguments[0]));
  if (!type) return refuse_type(session, number, text(arguments[0]));
  services_.engine.step(event::SetBreaker{session.id, id_of(number), *type, open,
                                          Duration{static_cast<std::int64_t>(time)}});
}

// A type may be paused before its first task comes.
std::optional<TypeId> Requests::seen_type(std::string_view name) {
  return find_or_declare(services_, name);
}

void Requests::resume_all(Session& session, std::uint32_t number) {
  const auto snapshot = services_.engine.pool().snapshot();
  std::vector<PauseTarget> targets;
  if (snapshot.paused) targets.push_back(pause_of_pool());
  for (const auto& view : snapshot.classes) {
    if (view.paused) targets.push_back(pause_of(view.worker_class));
  }
  for (const auto& view : snapshot.types) {
    if (view.paused_itself) targets.push_back(pause_of(view.type));
  }
  auto& open = session.open.at(number);
  open.parts = static_cast<std::uint32_t>(targets.size());
  if (targets.empty()) return clients_.reply(session, number, completed(open, nullptr));
  for (const auto& target : targets) {
    services_.engine.step(event::Pause{session.id, id_of(number), target, false});
  }
}

void Requests::config(Session& session, std::uint32_t number, const Arguments&) {
  clients_.reply(session, number, documents_.config());
}

void Requests::types(Session& session, std::uint32_t number, const Arguments&) {
  clients_.reply(session, number, documents_.types());
}

void Requests::release(Session& session, std::uint32_t number, const Arguments& arguments) {
  const TaskId task{number_or(arguments[0], 0)};
  const auto stored = services_.store.find(task);
  if (!stored) return clients_.refuse(session, number, task, Refusal::NoSuchTask);
  if (!session.may_touch(ipc::Right::Cancel, stored->uid)) {
    return clients_.refuse(session, number, task, Refusal::NotYours);
  }
  services_.engine.step(event::Release{session.id, id_of(number), task});
}

void Requests::events(Session& session, std::uint32_t number, const Arguments& arguments) {
  const auto types = parse_notices(is_nil(arguments[2]) ? std::string_view() : text(arguments[2]));
  if (!types) {
    return clients_.refuse(session, number, {}, Refusal::BadArgument,
                           "there is no such event; the names are in docs/protocol.md, section 11, "
                           "and 'task-*' stands for all that begin so");
  }
  if ((session.features & ipc::feature::kEvents) == 0) {
    return clients_.refuse(session, number, {}, Refusal::BadArgument,
                           "say the feature events (32) in hello first");
  }
  std::optional<std::uint64_t> after;
  if (!is_nil(arguments[1])) after = number_or(arguments[1], 0);
  events_.subscribe(session, number, flag(arguments[0]), after, *types);
}

std::string Requests::completed(const OpenRequest& open, const command::Completed* done) const {
  const std::uint64_t before = done == nullptr ? 0 : done->before;
  const std::uint64_t after = done == nullptr ? 0 : done->after;
  switch (static_cast<Verb>(open.verb)) {
    case Verb::Scale:
      return small_document({{"before", before}, {"after", after}});
    case Verb::Restart:
      return small_document({{"restarting", after}});
    case Verb::Drain:
    case Verb::Stop:
      return documents_.left(after);
    case Verb::DeadRetry:
      return Documents::changed("retried", open);
    case Verb::DeadRemove:
    case Verb::Clean:
      return Documents::changed("removed", open);
    case Verb::Pause:
    case Verb::Resume:
      return documents_.pauses();
    case Verb::BreakerOpen:
    case Verb::BreakerClose:
      return documents_.breakers();
    default:
      return small_document({{"changed", open.succeeded}});
  }
}

}  // namespace warmpool::daemon
