// The names are those of requirements R10. The identity
//   accepted = done + dead + cancelled + expired + skipped + waiting + running
// holds in each document, because all of it comes from one snapshot.
#include <algorithm>
#include <unistd.h>

#include "daemon/breakers_shown.hpp"
#include "daemon/documents.hpp"
#include "daemon/health_json.hpp"
#include "daemon/json.hpp"
#include "daemon/recovery_shown.hpp"

namespace warmpool::daemon {
namespace {

Json pool_json(const Capacity& capacity, const Snapshot& snapshot, bool initialized,
               Duration uptime) {
  return {{"size", capacity.target},
          {"initialized", initialized},
          {"paused", snapshot.paused},
          {"draining", snapshot.draining},
          {"shutting_down", snapshot.stopping},
          {"uptime_seconds", seconds_of(uptime)}};
}

Json tasks_json(const Snapshot& snapshot) {
  const auto& counters = snapshot.counters;
  const auto& queue = snapshot.queue;
  const auto settled = [&](Verdict verdict) {
    return counters.settled[static_cast<std::size_t>(verdict)];
  };
  return {{"submitted", counters.accepted},
          {"completed", settled(Verdict::Done)},
          {"failed", settled(Verdict::Dead)},
          {"queued", queue.waiting()},
          {"dlq", queue.dead_letters},
          {"accepted", counters.accepted},
          {"waiting", queue.waiting()},
          {"running", queue.running},
          {"done", settled(Verdict::Done)},
          {"dead", settled(Verdict::Dead)},
          {"cancelled", settled(Verdict::Cancelled)},
          {"expired", settled(Verdict::Expired)},
          {"skipped", settled(Verdict::Skipped)},
          {"duplicates", counters.duplicates},
          {"refused", counters.refused_submits}};
}

// What a worker starts for one task alone is no more reused than a worker's first.
Json performance_json(const Snapshot& snapshot, const Capacity& capacity, Duration uptime,
                      const WorkerFigures& figures) {
  const auto& counters = snapshot.counters;
  const auto attempts = static_cast<double>(counters.attempts);
  const auto started = figures.processes_started();
  const auto reused = std::max(0.0, attempts - static_cast<double>(counters.spawns + started));
  const auto done = static_cast<double>(counters.settled[0]);
  const auto wasted = static_cast<double>(counters.crashes + counters.interruptions +
                                          counters.suspects + counters.free_ends);
  Duration busy{};
  for (const auto& slot : snapshot.slots) busy = busy + slot.busy_time;
  return {{"worker_reuse_rate", rate_of(reused, attempts)},
          {"workers_spawned", counters.spawns},
          {"processes_started", started},
          {"workers_exited", counters.exits},
          {"workers_recycled", counters.recycles},
          {"workers_parked", counters.parked},
          {"attempts", counters.attempts},
          {"failures", counters.failures},
          {"crashes", counters.crashes},
          {"interruptions", counters.interruptions},
          {"suspects", counters.suspects},
          {"recalls", counters.recalls},
          {"free_ends", counters.free_ends},
          {"refused_results", counters.refused_results},
          {"zombies", counters.zombies},
          {"wasted_rate", rate_of(wasted, attempts)},
          {"success_rate", rate_of(done, done + static_cast<double>(counters.settled[1]))},
          {"utilization",
           rate_of(static_cast<double>(capacity.taken), static_cast<double>(capacity.places))},
          {"total_capacity", capacity.places},
          {"utilized_capacity", capacity.taken},
          {"busy_seconds", seconds_of(busy)},
          {"tasks_per_hour", uptime.ns > 0 ? done * 3600 / seconds_of(uptime) : 0.0}};
}

Json queue_json(const QueueView& queue) {
  return {{"depth", queue.waiting()},
          {"recording", queue.recording},
          {"ready", queue.ready},
          {"delayed", queue.delayed},
          {"blocked", queue.blocked},
          {"held", queue.held},
          {"oldest_wait_ms", milliseconds_of(queue.oldest_ready)},
          {"payload_bytes", queue.payload_bytes},
          {"keys", queue.keys}};
}

Json alerts_json(const AlertBook& book, const Clock& clock) {
  Json alerts = Json::array();
  for (const auto* alert : book.present()) {
    const auto& row = row_of(alert->what.alert);
    const Json subject = alert->what.subject.empty() ? Json() : Json(alert->what.subject);
    alerts.push_back({{"name", row.name},
                      {"level", name_of(row.level)},
                      {"text", alert->what.text},
                      {"subject", subject},
                      {"time", time_of(clock, alert->since)},
                      {"count", alert->count},
                      {"acknowledged", alert->acknowledged}});
  }
  return alerts;
}

// What has happened is over, unless it is bad: a worker that died and was replaced is no fault of
// the pool's present state.
bool is_unwell(const RaisedAlert* alert) {
  const auto& row = row_of(alert->what.alert);
  return row.kind == AlertKind::State || row.level == AlertLevel::Critical;
}

Json health_json(const Surroundings& now, const AlertBook& book, const Clock& clock) {
  auto alerts = alerts_json(book, clock);
  const auto& capacity = now.capacity;
  const char* status = now.initialized ? "healthy" : "unknown";
  if (std::ranges::any_of(book.present(), is_unwell)) status = "degraded";
  const bool none = now.initialized && capacity.target > 0 && capacity.ready == 0;
  if (none || !now.snapshot.store_accepting || now.socket_lost) status = "unhealthy";
  return {{"status", status},
          {"capacity",
           rate_of(static_cast<double>(capacity.ready), static_cast<double>(capacity.target))},
          {"alerts", std::move(alerts)}};
}

// Of workers that it forked: how long they took to be ready, and how much sooner that was than if
// each had loaded all by itself.
Json template_json(const TemplateView* view) {
  if (view == nullptr) return {};
  const auto forked = static_cast<std::int64_t>(std::max<std::uint64_t>(view->forked, 1));
  return {{"state", text_of(view->state)},
          {"generation", view->generation},
          {"pid", view->pid == 0 ? Json() : Json(view->pid)},
          {"reason", view->reason.empty() ? Json() : Json(view->reason)},
          {"load_ms", milliseconds_of(view->start)},
          {"forked", view->forked},
          {"fork_ms", milliseconds_of(view->fork_time / forked)},
          {"saved_seconds", seconds_of(view->saved)}};
}

Json classes_json(const Services& services, const Templates& templates, const Snapshot& snapshot,
                  const WorkerFigures& figures) {
  Json classes = Json::array();
  for (const auto& view : snapshot.classes) {
    const auto& options = services.options_of(view.worker_class);
    const auto found = figures.reuse.find(view.worker_class);
    const auto reuse = found == figures.reuse.end() ? ReuseFigures() : found->second;
    classes.push_back(
        {{"name", options.name},
         {"brought", services.is_brought(view.worker_class)},
         {"registered", view.registered},
         {"target", view.target},
         {"size_min", options.size_min},
         {"size_max", options.size_max},
         {"slots", view.slots},
         {"ready", view.ready},
         {"running", view.running},
         {"failed", view.failed},
         {"paused", view.paused},
         {"capacity", view.capacity},
         {"in_flight", view.in_flight},
         {"reuse_rate",
          rate_of(static_cast<double>(reuse.reused()), static_cast<double>(reuse.answered))},
         {"processes_started", reuse.started},
         {"parked", view.parked},
         {"held", view.held},
         {"suspects", view.suspects},
         {"suspects_max", options.suspects_max ? Json(*options.suspects_max) : Json()},
         {"memory_declared_bytes", options.memory_declared},
         {"recovery", recovery_json(services, view)},
         {"template", template_json(templates.find(view.worker_class))}});
  }
  return classes;
}

// The type whose tasks have waited for memory for too long.
Json kept_for(const Services& services, const MemoryView& memory) {
  return memory.awaited ? Json(services.types.at(memory.awaited->type).name) : Json();
}

// What may still run outside, and so waits.
Json outlived_json(const Outlived& outlived, const Services& services) {
  Json processes = Json::array(), until;
  for (const auto& process : outlived.processes()) {
    if (process->over) continue;
    Json tasks = Json::array();
    for (const auto& entry : process->entries) tasks.push_back(entry.task.value);
    processes.push_back({{"pid", process->name.pid}, {"tasks", std::move(tasks)}});
  }
  if (!processes.empty()) {
    const auto now = services.engine.clock().wall();
    until = rfc3339(WallTime{now.ns + outlived.left().ns});
  }
  return {{"processes", std::move(processes)}, {"until", std::move(until)}};
}

Json store_json(const StoreFigures& figures, bool accepting) {
  Json trouble, journal_trouble;
  if (!figures.trouble.empty()) trouble = figures.trouble;
  if (!figures.journal_trouble.empty()) journal_trouble = figures.journal_trouble;
  return {{"name", figures.name},
          {"durable", figures.durable},
          {"accepting", accepting},
          {"live", figures.live},
          {"finished", figures.finished},
          {"dead", figures.dead},
          {"payload_bytes", figures.payload_bytes},
          {"result_bytes", figures.result_bytes},
          {"results_dropped", figures.results_dropped},
          {"checkpoints", figures.checkpoints},
          {"checkpoint_bytes", figures.checkpoint_bytes},
          {"checkpoints_dropped", figures.checkpoints_dropped},
          {"records", figures.records},
          {"batches", figures.batches},
          {"commits", figures.commits},
          {"syncs", figures.syncs},
          {"wal_bytes", figures.wal_bytes},
          {"ahead", figures.ahead},
          {"stalled_ms", milliseconds_of(figures.stalled)},
          {"journal_trouble", std::move(journal_trouble)},
          {"trouble", std::move(trouble)}};
}

Json dead_letters_json(const QueueView& queue, const ArchiveFigures& figures) {
  Json trouble;
  if (!figures.trouble.empty()) trouble = figures.trouble;
  return {{"kept", queue.dead_letters},   {"archive", figures.path},
          {"archived", figures.archived}, {"archive_failures", figures.failures},
          {"archive_lost", figures.lost}, {"trouble", std::move(trouble)}};
}

Json clients_json(const ClientFigures& figures) {
  return {{"connected", figures.connected},      {"accepted", figures.accepted},
          {"refused", figures.refused},          {"cut", figures.cut},
          {"errors", figures.protocol_errors},   {"waiting", figures.waiting},
          {"unread_bytes", figures.unread_bytes}};
}

Json directories_json(const Directories& directories) {
  const auto& figures = directories.figures();
  return {{"root", directories.root()},
          {"made", figures.made},
          {"removed", figures.removed},
          {"failed", figures.failed},
          {"left", figures.left},
          {"trouble", figures.trouble.empty() ? Json() : Json(figures.trouble)}};
}

Json submit_fifo_json(const SubmitFifoFigures& figures) {
  return {{"path", figures.path},          {"open", figures.open},
          {"lines", figures.lines},        {"accepted", figures.accepted},
          {"rejected", figures.rejected},  {"duplicates", figures.duplicates},
          {"in_flight", figures.in_flight}};
}

Json recorder_json(const RecorderFigures& figures) {
  Json trouble;
  if (!figures.trouble.empty()) trouble = figures.trouble;
  return {{"on", figures.on},
          {"directory", figures.directory},
          {"segment", figures.segment},
          {"bytes", figures.bytes},
          {"steps", figures.steps},
          {"gaps", figures.gaps},
          {"trouble", std::move(trouble)}};
}

// {"1":5,"3":2}: 5 times 1, twice 2 or 3.
Json histogram_json(const Histogram& histogram) {
  Json counts = Json::object();
  for (std::size_t i = 0; i < Histogram::kBuckets; ++i) {
    const auto count = histogram.counts()[i];
    if (count != 0) counts[std::to_string(Histogram::largest_of(i))] = count;
  }
  return counts;
}

Json loop_json(const LoopFigures& loop, const Reactor::Awake& awake, const Flow& flow) {
  return {{"turns", loop.turns},
          {"handlers", loop.handlers},
          {"busy_seconds", seconds_of(loop.busy_time)},
          {"lag_max_ms", milliseconds_of(loop.turn_max)},
          {"late_max_ms", milliseconds_of(loop.late_max)},
          {"spins", awake.waits},
          {"spins_found", awake.found},
          {"turns_us", histogram_json(flow.turns_us)},
          {"frames_read", histogram_json(flow.frames_read)},
          {"frames_written", histogram_json(flow.frames_written)},
          {"in_hand", histogram_json(flow.in_hand)}};
}

}  // namespace

Documents::Documents(Services& services, const Clients& clients, const Workers& workers,
                     const Events& events, Alerts& alerts, const LoopFigures& loop,
                     std::string socket_path)
    : services_(services),
      clients_(clients),
      workers_(workers),
      events_(events),
      alerts_(alerts),
      loop_(loop),
      socket_path_(std::move(socket_path)),
      started_(services.engine.now()) {}

Surroundings Documents::surroundings(const Snapshot& snapshot) const {
  Surroundings now{snapshot, capacity_of(snapshot), services_.store.figures()};
  now.initialized = initialized_;
  now.socket_lost = socket_lost_;
  now.attempt_trouble = workers_.strangers().attempt_trouble;
  if (archive_ != nullptr) now.archive = &archive_->figures();
  if (submit_fifo_ != nullptr) now.submit_fifo = submit_fifo_->figures();
  if (const auto* recorder = services_.engine.recorder()) now.recorder = recorder->figures();
  return now;
}

void Documents::look_for_alerts() const {
  const auto snapshot = services_.engine.pool().snapshot(TypesShown::OfNote);
  alerts_.look(surroundings(snapshot));
}

std::string Documents::status() const {
  const auto snapshot = services_.engine.pool().snapshot(TypesShown::OfNote);
  const auto now = surroundings(snapshot);
  alerts_.look(now);
  const auto& capacity = now.capacity;
  const auto uptime = services_.engine.now() - started_;
  Json document{{"schema", kDocumentSchema},
                {"timestamp", rfc3339(services_.engine.clock().wall())},
                {"server", kServerName},
                {"pid", ::getpid()},
                {"socket", socket_path_}};
  document["pool"] = pool_json(capacity, snapshot, initialized_, uptime);
  const auto figures = workers_.figures();
  document["workers"] = {{"total", capacity.slots},
                         {"ready", capacity.ready},
                         {"busy", capacity.busy},
                         {"unhealthy", capacity.unhealthy},
                         {"starting", capacity.starting},
                         {"failed", capacity.failed},
                         {"slow", capacity.slow},
                         {"parked", capacity.parked},
                         {"health", coarse_json(snapshot)},
                         {"processes", figures.alive},
                         {"left_behind", figures.left_behind},
                         {"output_bytes", figures.output_bytes},
                         {"checkpoints", figures.checkpoints},
                         {"checkpoints_refused", figures.checkpoints_refused}};
  document["memory"] = {{"total_bytes", snapshot.memory.total},
                        {"declared_bytes", snapshot.memory.declared},
                        {"held", snapshot.memory.held.size()},
                        {"tasks_total_bytes", snapshot.memory.tasks_total},
                        {"tasks_bytes", snapshot.memory.tasks_taken},
                        {"kept_for", kept_for(services_, snapshot.memory)}};
  document["tasks"] = tasks_json(snapshot);
  document["performance"] = performance_json(snapshot, capacity, uptime, figures);
  document["recovery"] = recoveries_json(snapshot.recoveries);
  document["queue"] = queue_json(snapshot.queue);
  document["health"] = health_json(now, alerts_.book(), services_.engine.clock());
  document["classes"] = classes_json(services_, workers_.templates(), snapshot, figures);
  const auto breakers = breakers_shown(snapshot);
  document["breakers"] = {{"on", breakers.on},
                          {"open", breakers.open},
                          {"half_open", breakers.half_open},
                          {"waiting", breakers.waiting}};
  document["store"] = store_json(now.store, snapshot.store_accepting);
  if (now.archive != nullptr) {
    document["dead_letters"] = dead_letters_json(snapshot.queue, *now.archive);
  }
  if (outlived_ != nullptr) document["outlived"] = outlived_json(*outlived_, services_);
  document["clients"] = clients_json(clients_.figures());
  document["events"] = {{"last", events_.last_number()},
                        {"followers", events_.followers()},
                        {"waiting", events_.waiting()}};
  const auto& directories = workers_.directories().directories();
  if (directories.is_open()) document["directories"] = directories_json(directories);
  if (now.submit_fifo) document["submit_fifo"] = submit_fifo_json(*now.submit_fifo);
  if (now.recorder) document["recorder"] = recorder_json(*now.recorder);
  document["loop"] = loop_json(loop_, services_.reactor.awake(), services_.flow);
  return text_of(document);
}

std::string small_document(
    std::initializer_list<std::pair<std::string_view, std::uint64_t>> members) {
  Json document{{"schema", kDocumentSchema}};
  for (const auto& [name, value] : members) document[std::string(name)] = value;
  return text_of(document);
}

}  // namespace warmpool::daemon
