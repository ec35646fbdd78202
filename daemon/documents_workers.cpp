// Slots as people see them: the place and the process in it.
#include <algorithm>

#include "daemon/documents.hpp"
#include "daemon/health_json.hpp"
#include "daemon/json.hpp"
#include "daemon/recovery_shown.hpp"

namespace warmpool::daemon {
namespace {

bool is_healthy(const SlotView& slot) {
  return coarse_of(slot.health) != CoarseHealth::Unhealthy &&
         (slot.state == SlotState::Ready || slot.state == SlotState::Running ||
          slot.state == SlotState::Draining || slot.state == SlotState::Completing);
}

Json seconds_or_null(Instant since, Instant now) {
  return since.ns == 0 ? Json() : Json(seconds_of(now - since));
}

// What was given ahead has not begun.
Json seconds_since_start(const AttemptView& held, Instant now) {
  return held.started ? Json(seconds_of(now - held.started_at)) : Json();
}

Json held_json(const Services& services, const AttemptView& held, Instant now) {
  return {{"task", held.key.task.value}, {"type", services.types.at(held.type).name},
          {"round", held.key.round},     {"attempt", held.key.attempt},
          {"started", held.started},     {"cancelling", held.cancelling},
          {"slow", held.slow},           {"for_seconds", seconds_since_start(held, now)}};
}

void add_process(const WorkerProcess& process, Json& row) {
  row["pid"] = process.child.pid;
  row["template"] = process.generation == 0 ? Json() : Json(process.generation);
  row["start_ms"] = process.started_in ? Json(milliseconds_of(*process.started_in)) : Json();
  row["left_behind"] = process.descendants.left;
  if (process.memory.figure.rss_bytes != 0) {
    row["rss_bytes"] = process.memory.figure.rss_bytes;
    row["memory_bytes"] = process.memory.figure.own_bytes;
    row["memory_peak_bytes"] = process.memory.peak;
  }
  if (!process.sample) return;
  row["cpu_seconds"] = seconds_of(process.sample->cpu_time);
  row["kernel_state"] = std::string(1, process.sample->state);
  if (process.look.motion == Motion::Unknown) return;
  row["doing"] = name_of(process.look.motion);
  row["wait_channel"] = process.sample->wait_channel;
}

// A worker that is being replaced and its successor share a place until the one has gone.
std::string name_of_slot(const Workers& workers, const SlotView& slot) {
  const char* which = slot.successor ? ".new" : slot.leaving ? ".old" : "";
  return workers.places().slot_name(slot.home) + which;
}

Json slot_json(const Services& services, const Workers& workers, const SlotView& slot,
               Duration uptime) {
  const auto now = services.engine.now();
  Json row{{"id", name_of_slot(workers, slot)},
           {"pid", nullptr},
           {"class", services.options_of(slot.worker_class).name},
           {"state", name_of(slot.state)},
           {"registered", slot.registered},
           {"healthy", is_healthy(slot)},
           {"health", name_of(slot.health)},
           {"tasks_executed", slot.attempts},
           {"current_task", nullptr}};
  if (!slot.attempts_held.empty()) row["current_task"] = slot.attempts_held.front().key.task.value;
  add_health(slot, row);
  const bool alive = static_cast<bool>(slot.worker);
  row["in_hand"] = slot.attempts_held.size();
  row["credits"] = slot.credits;
  row["current_seconds"] =
      slot.attempts_held.empty() ? Json() : seconds_since_start(slot.attempts_held.front(), now);
  row["reserved"] = slot.reserved;
  row["uptime_seconds"] = alive ? seconds_or_null(slot.spawned_at, now) : Json();
  row["last_activity"] = time_of(services.engine.clock(), slot.state_since);
  row["last_heartbeat"] = time_of(services.engine.clock(), slot.last_heard);
  row["utilization"] = rate_of(seconds_of(slot.busy_time), seconds_of(uptime));
  row["tasks_of_process"] = slot.attempts_of_worker;
  row["processes_spawned"] = slot.spawns;
  row["unproductive_deaths"] = slot.unproductive_deaths;
  row["memory_max_bytes"] = slot.memory_max == kUnlimited ? Json() : Json(slot.memory_max);
  row["due"] = slot.due == DueReason::None ? Json() : Json(name_of(slot.due));
  row["last_exit"] = slot.spawns > (alive ? 1U : 0U) ? Json(name_of(slot.last_cause)) : Json();
  if (slot.state == SlotState::Backoff || slot.state == SlotState::Failed) {
    const bool waits = slot.retry_at != kNever;
    row["next_start_seconds"] =
        waits ? Json(std::max(0.0, seconds_of(slot.retry_at - now))) : Json();
  }
  const bool moved = slot.former != SlotView{}.former;
  add_recovery(slot, moved ? workers.places().slot_name(slot.former) : "", row);
  if (const auto* reported = workers.places().reported_of(slot.home);
      reported != nullptr && alive) {
    row["reported"] = {{"at", time_of(services.engine.clock(), reported->at)},
                       {"status", reported->status},
                       {"task", reported->task ? Json(reported->task.value) : Json()}};
  }
  if (const auto* process = workers.find(slot.worker)) add_process(*process, row);
  return row;
}

// As the worker told it, in its page.
Json page_json(const ipc::PageTallies& told) {
  return {{"beats", told.beats},     {"begun", told.begun},
          {"ended", told.ended},     {"busy_ns", told.busy_ns},
          {"in_hand", told.in_hand}, {"unsent_bytes", told.unsent_bytes}};
}

Json line_json(const Services& services, const OutputLine& line) {
  Json row{{"at", time_of(services.engine.clock(), line.at)},
           {"stream", line.stream == OutputStream::Out ? "stdout" : "stderr"},
           {"text", line.text}};
  if (line.task) row["task"] = line.task.value;
  if (line.cut) row["cut"] = true;
  if (line.unfinished) row["unfinished"] = true;
  return row;
}

// Of these lines those that are wanted and belong to it.
template <class Belongs>
Json output_json(const Services& services, const OutputRing& ring, const LogWish& wish,
                 const Belongs& belongs) {
  auto kept =
      wish.after ? ring.lines_after(*wish.after) : ring.lines(WorkerPlaces::kOutputLinesMax);
  std::erase_if(kept, [&](const OutputLine& line) { return !belongs(line); });
  if (kept.size() > wish.lines) {
    kept.erase(kept.begin(), kept.end() - static_cast<std::ptrdiff_t>(wish.lines));
  }
  Json lines = Json::array();
  for (const auto& line : kept) lines.push_back(line_json(services, line));
  return lines;
}

// From where a reader goes on, and whether lines before are gone that it has not seen.
void add_place(const OutputRing& ring, const LogWish& wish, Json& document) {
  const auto& counters = ring.counters();
  document["last"] = counters.lines;
  const auto gone = counters.lines_dropped;
  const bool missed = wish.after && gone > *wish.after;
  document["missed"] = missed ? gone - *wish.after : 0;
}

bool all_of_them(const OutputLine&) { return true; }

// That of its place, or those of what it has in hand. Calls `visit` with the path and the attempt,
// null of a place.
template <class Visit>
void each_directory(const WorkerProcess& process, const Visit& visit) {
  if (!process.directory.empty()) visit(process.directory, nullptr);
  for (const auto& held : process.in_hand) {
    if (held.directory && !held.directory->path.empty()) visit(held.directory->path, &held.key);
  }
}

Json directories_json(const WorkerProcess& process, const Documents::DirectorySizes* sizes) {
  Json rows = Json::array();
  each_directory(process, [&](const std::string& path, const AttemptKey* key) {
    Json row{{"path", path}, {"task", key == nullptr ? Json() : Json(key->task.value)}};
    const auto size =
        sizes == nullptr ? Documents::DirectorySizes::const_iterator() : sizes->find(path);
    if (sizes != nullptr && size != sizes->end()) {
      row["bytes"] = size->second ? Json(*size->second) : Json();
      if (!size->second) row["fault"] = size->second.error().text;
    }
    rows.push_back(std::move(row));
  });
  return rows;
}

}  // namespace

std::string Documents::workers() const {
  auto snapshot = services_.engine.pool().snapshot();
  // A place may be in any slot by now; people look for its name.
  std::ranges::stable_sort(snapshot.slots, {}, [](const SlotView& slot) {
    return std::pair(slot.worker_class, slot.home);
  });
  Json rows = Json::array();
  for (const auto& slot : snapshot.slots) {
    if (slot.state == SlotState::Gone) continue;
    rows.push_back(slot_json(services_, workers_, slot, services_.engine.now() - started_));
  }
  return text_of({{"schema", kDocumentSchema},
                  {"timestamp", rfc3339(services_.engine.clock().wall())},
                  {"workers", std::move(rows)}});
}

std::vector<std::string> Documents::directories_of(std::string_view slot_name) const {
  std::vector<std::string> paths;
  for (const auto& slot : services_.engine.pool().snapshot().slots) {
    const auto* process = workers_.find(slot.worker);
    if (process == nullptr || name_of_slot(workers_, slot) != slot_name) continue;
    each_directory(*process,
                   [&](const std::string& path, const AttemptKey*) { paths.push_back(path); });
  }
  return paths;
}

std::optional<std::string> Documents::worker(std::string_view slot_name,
                                             const DirectorySizes* sizes) const {
  const auto snapshot = services_.engine.pool().snapshot();
  const auto slot = std::ranges::find_if(snapshot.slots, [&](const SlotView& view) {
    return view.state != SlotState::Gone && name_of_slot(workers_, view) == slot_name;
  });
  if (slot == snapshot.slots.end()) return std::nullopt;
  Json document{{"schema", kDocumentSchema}};
  document.update(slot_json(services_, workers_, *slot, services_.engine.now() - started_));
  document["attempts"] = Json::array();
  for (const auto& held : slot->attempts_held) {
    document["attempts"].push_back(held_json(services_, held, services_.engine.now()));
  }
  const auto* process = workers_.find(slot->worker);
  if (slot->worker) document["health_score"] = health_parts_json(services_, *slot, process);
  if (process != nullptr && process->page) document["page"] = page_json(process->page->read());
  if (process != nullptr) document["directories"] = directories_json(*process, sizes);
  document["command"] = services_.options_of(slot->worker_class).command;
  const auto* ring = workers_.places().output_of(slot->home);
  if (ring == nullptr) return text_of(document);
  const auto& counters = ring->counters();
  document["output_total_bytes"] = counters.bytes;
  document["output_dropped_bytes"] = counters.bytes_dropped;
  document["output"] = output_json(services_, *ring, {.lines = 64, .after = {}}, all_of_them);
  return text_of(document);
}

std::optional<std::string> Documents::worker_log(std::string_view slot_name,
                                                 const LogWish& wish) const {
  const auto home = workers_.places().find_home(slot_name);
  const auto* ring = home ? workers_.places().output_of(*home) : nullptr;
  if (ring == nullptr) return std::nullopt;
  Json document{{"schema", kDocumentSchema}, {"worker", slot_name}};
  document["lines"] = output_json(services_, *ring, wish, all_of_them);
  add_place(*ring, wish, document);
  return text_of(document);
}

// What the last attempt wrote, as far as its worker's last lines still hold it; of one that failed
// its last lines are kept with the task. Where several tasks run at once in a worker nobody knows
// whose a line is, and all that came meanwhile is shown.
std::optional<std::string> Documents::task_log(TaskId task, const LogWish& wish) const {
  const auto stored = services_.store.find(task);
  if (!stored) return std::nullopt;
  Json document{{"schema", kDocumentSchema}, {"id", task.value},
                {"round", stored->round},    {"attempt", stored->attempt},
                {"worker", nullptr},         {"settled", stored->verdict.has_value()},
                {"lines", Json::array()}};
  if (stored->started_at.ns == 0) return text_of(document);
  document["worker"] = workers_.places().slot_name(stored->slot);
  const auto end = stored->verdict ? stored->settled_at : kNever;
  const auto worker_class = workers_.places().class_of(stored->slot);
  const bool many = worker_class && !services_.one_runs(*worker_class);
  const auto* ring = workers_.places().output_of(stored->slot);
  if (ring != nullptr) {
    document["lines"] = output_json(services_, *ring, wish, [&](const OutputLine& line) {
      const bool its_own = line.task ? line.task == task : many;
      return its_own && line.at >= stored->started_at && line.at <= end;
    });
    add_place(*ring, wish, document);
  }
  const bool none = stored->attempts == nullptr || stored->attempts->empty();
  if (!document["lines"].empty() || wish.after || none) {
    return text_of(document);
  }
  const auto& last = stored->attempts->back();
  for (const auto& line : last.output) {
    document["lines"].push_back({{"at", time_of(services_.engine.clock(), last.ended_at)},
                                 {"stream", nullptr},
                                 {"text", line}});
  }
  return text_of(document);
}

namespace {

// As in the configuration.
Json wanted_json(const TaskMemory& memory) {
  if (memory.learned) return "learned";
  return memory.bytes == 0 ? Json() : Json(bytes_text(memory.bytes));
}

}  // namespace

std::string Documents::types() const {
  const auto snapshot = services_.engine.pool().snapshot();
  Json rows = Json::array();
  for (const auto& view : snapshot.types) {
    const auto& type = services_.types.at(view.type);
    const auto& memory = view.memory;
    const bool measured = memory.runs != 0;
    Json classes = Json::array();
    for (const auto id : type.classes) classes.push_back(services_.options_of(id).name);
    rows.push_back(
        {{"name", type.name},
         {"classes", std::move(classes)},
         {"paused", view.paused},
         {"paused_by", view.paused ? Json(name_of(view.paused_by)) : Json()},
         {"breaker", view.breaker ? Json(name_of(view.breaker->state)) : Json()},
         {"waiting", view.waiting},
         {"service_ms", view.service_known ? Json(milliseconds_of(view.service)) : Json()},
         {"memory_p95_bytes", measured ? Json(memory.high) : Json()},
         {"memory_most_bytes", measured ? Json(memory.most) : Json()},
         {"memory_runs", memory.runs},
         {"memory", wanted_json(memory.wanted)},
         {"memory_need_bytes", memory.wanted.any() && !memory.unknown ? Json(memory.need) : Json()},
         {"memory_waits_since",
          memory.since == kNever ? Json() : time_of(services_.engine.clock(), memory.since)}});
  }
  Json classes = Json::array();
  for (const auto& worker_class : services_.configuration.classes) {
    classes.push_back({{"name", worker_class.values.name},
                       {"types", worker_class.values.types},
                       {"types_later", worker_class.values.types_later}});
  }
  return text_of(
      {{"schema", kDocumentSchema}, {"types", std::move(rows)}, {"classes", std::move(classes)}});
}

std::string Documents::pauses() const {
  const auto snapshot = services_.engine.pool().snapshot();
  Json classes = Json::array();
  Json types = Json::array();
  for (const auto& view : snapshot.classes) {
    if (view.paused) classes.push_back(services_.options_of(view.worker_class).name);
  }
  for (const auto& view : snapshot.types) {
    if (view.paused_itself) types.push_back(services_.types.at(view.type).name);
  }
  return text_of({{"schema", kDocumentSchema},
                  {"paused",
                   {{"pool", snapshot.paused},
                    {"classes", std::move(classes)},
                    {"types", std::move(types)}}}});
}

}  // namespace warmpool::daemon
