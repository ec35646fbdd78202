// The names are those of requirements R10. The identity
//   accepted = done + dead + cancelled + expired + skipped + waiting + running
// holds in each document, because all of it comes from one snapshot.
#include <algorithm>
#include <unistd.h>

#include "daemon/breakers_shown.hpp"
#include "daemon/documents.hpp"
#include "daemon/json.hpp"

namespace warmpool::daemon {
namespace {

bool is_at_work(const SlotView& slot) {
  return slot.state == SlotState::Running || slot.state == SlotState::Draining;
}

bool is_ready(const SlotView& slot) { return slot.state == SlotState::Ready || is_at_work(slot); }

bool is_unhealthy(const SlotView& slot) {
  return slot.unresponsive || slot.stopped || slot.state == SlotState::Recovery ||
         slot.state == SlotState::Backoff || slot.state == SlotState::Failed;
}

struct Capacity {
  std::uint64_t target = 0, slots = 0, ready = 0, busy = 0, unhealthy = 0, failed = 0, starting = 0;
  std::uint64_t slow = 0;
  std::uint64_t places = 0, taken = 0;  // of tasks
};

Capacity capacity_of(const Snapshot& snapshot) {
  Capacity sum;
  for (const auto& worker_class : snapshot.classes) {
    sum.target += worker_class.target;
    sum.places += worker_class.capacity;
    sum.taken += worker_class.in_flight;
  }
  for (const auto& slot : snapshot.slots) {
    if (slot.state == SlotState::Gone) continue;
    ++sum.slots;
    sum.ready += is_ready(slot);
    sum.busy += is_at_work(slot);
    sum.unhealthy += is_unhealthy(slot);
    sum.failed += slot.state == SlotState::Failed;
    sum.starting += slot.state == SlotState::Starting;
    sum.slow += slot.slow;
  }
  return sum;
}

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

Json performance_json(const Snapshot& snapshot, const Capacity& capacity, Duration uptime) {
  const auto& counters = snapshot.counters;
  const auto attempts = static_cast<double>(counters.attempts);
  const auto reused =
      counters.attempts > counters.spawns ? attempts - static_cast<double>(counters.spawns) : 0.0;
  const auto done = static_cast<double>(counters.settled[0]);
  const auto wasted = static_cast<double>(counters.crashes + counters.interruptions +
                                          counters.suspects + counters.free_ends);
  Duration busy{};
  for (const auto& slot : snapshot.slots) busy = busy + slot.busy_time;
  return {{"worker_reuse_rate", rate_of(reused, attempts)},
          {"workers_spawned", counters.spawns},
          {"workers_exited", counters.exits},
          {"workers_recycled", counters.recycles},
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

void add_alert(Json& alerts, const char* name, const char* level, std::string text) {
  alerts.push_back({{"name", name}, {"level", level}, {"text", std::move(text)}});
}

// What the parts around the core say of themselves.
struct Places {
  bool initialized = false, socket_lost = false;
  std::optional<SubmitFifoFigures> submit_fifo{};
  std::optional<RecorderFigures> recorder{};
  const ArchiveFigures* archive = nullptr;
  std::string_view attempt_trouble{};
  Instant now{};
  std::string breakers{};  // those that are not closed
};

// A sync that takes longer than any disk in order needs.
constexpr Duration kStoreSlow = seconds(1);
// Sixteen times what a WAL grows to by itself.
constexpr std::uint64_t kWalBytesHigh = std::uint64_t{256} << 20;

void add_store_alerts(Json& alerts, const StoreFigures& store, bool accepting) {
  if (!accepting) {
    add_alert(alerts, "store", "critical",
              "the store takes nothing new: " +
                  (store.trouble.empty() ? "its WAL is too large" : store.trouble));
  } else if (store.stalled > kStoreSlow) {
    add_alert(alerts, "store-slow", "warning",
              "the disk has been writing for " +
                  duration_text(seconds(store.stalled.ns / seconds(1).ns)) +
                  "; nothing is acknowledged meanwhile");
  }
  if (store.wal_bytes > kWalBytesHigh) {
    add_alert(alerts, "store-wal", "warning",
              "the WAL of the store has " + bytes_text(store.wal_bytes) +
                  ": a program reads an old state of it; end that program");
  }
}

// How long what has happened to dead letters is an alert.
constexpr Duration kArchivedToldFor = minutes(10), kLostToldFor = hours(1);

void add_dead_alerts(Json& alerts, const ArchiveFigures& archive, Instant now) {
  if (!archive.trouble.empty()) {
    add_alert(
        alerts, "dead-archive", "critical",
        "dead letters over their bounds stay where they are, because the archive takes none: " +
            archive.trouble);
  }
  if (archive.archived_at && now < *archive.archived_at + kArchivedToldFor) {
    add_alert(alerts, "dead-letters", "warning",
              "dead letters beyond dead_max, dead_bytes_max or dead_age_max move to " +
                  archive.path + "; see: warmpool dlq ls");
  }
  if (archive.lost_at && now < *archive.lost_at + kLostToldFor) {
    add_alert(alerts, "dead-archive-full", "warning",
              std::to_string(archive.lost) + " dead letters are gone with the oldest file of " +
                  archive.path + "; see dead_archive_files_max");
  }
}

Json alerts_json(const Snapshot& snapshot, const Capacity& capacity, const Places& places,
                 const StoreFigures& store) {
  Json alerts = Json::array();
  if (places.initialized && capacity.ready * 4 < capacity.target * 3) {
    add_alert(alerts, "worker-capacity", "critical",
              std::to_string(capacity.ready) + " of " + std::to_string(capacity.target) +
                  " workers can work; see: warmpool workers");
  }
  if (capacity.failed > 0) {
    add_alert(alerts, "slot-failed", "warning",
              std::to_string(capacity.failed) +
                  " slots died too often before being of use; see: warmpool worker NAME");
  }
  if (capacity.taken * 10 > capacity.places * 9 && snapshot.queue.waiting() > 100) {
    add_alert(alerts, "overload", "warning",
              std::to_string(snapshot.queue.waiting()) +
                  " tasks wait and nearly all workers are busy; add some: warmpool scale +N");
  }
  if (capacity.slow > 0) {
    add_alert(alerts, "slow", "warning",
              std::to_string(capacity.slow) +
                  " workers run a task for long (slow_after, slow_percent); see: warmpool workers");
  }
  if (snapshot.paused && snapshot.queue.waiting() > 0) {
    add_alert(alerts, "paused", "warning",
              "the pool is paused and tasks wait; start them with: warmpool resume");
  }
  if (!places.breakers.empty()) add_alert(alerts, "breaker", "warning", places.breakers);
  add_store_alerts(alerts, store, snapshot.store_accepting);
  if (places.archive != nullptr) add_dead_alerts(alerts, *places.archive, places.now);
  if (places.socket_lost) {
    add_alert(alerts, "socket", "critical",
              "the socket file or its directory is gone; see the daemon's log");
  }
  if (places.submit_fifo && !places.submit_fifo->open) {
    add_alert(
        alerts, "submit-fifo", "warning",
        "something is in the place of " + places.submit_fifo->path + "; see the daemon's log");
  }
  if (!places.attempt_trouble.empty()) {
    add_alert(alerts, "registered-attempts", "warning",
              "what is with workers that others started cannot be written down, so that it may run "
              "twice if the daemon dies: " +
                  std::string(places.attempt_trouble));
  }
  if (places.recorder && !places.recorder->on) {
    add_alert(alerts, "recorder", "warning",
              "the flight recorder is off: " + places.recorder->trouble);
  }
  return alerts;
}

Json health_json(const Snapshot& snapshot, const Capacity& capacity, const Places& places,
                 const StoreFigures& store) {
  auto alerts = alerts_json(snapshot, capacity, places, store);
  const char* status = places.initialized ? "healthy" : "unknown";
  if (!alerts.empty()) status = "degraded";
  const bool none = places.initialized && capacity.target > 0 && capacity.ready == 0;
  if (none || !snapshot.store_accepting || places.socket_lost) status = "unhealthy";
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

Json classes_json(const Services& services, const Templates& templates, const Snapshot& snapshot) {
  Json classes = Json::array();
  for (const auto& view : snapshot.classes) {
    const auto& options = services.options_of(view.worker_class);
    classes.push_back({{"name", options.name},
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
                       {"template", template_json(templates.find(view.worker_class))}});
  }
  return classes;
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
  Json trouble;
  if (!figures.trouble.empty()) trouble = figures.trouble;
  return {{"name", figures.name},
          {"durable", figures.durable},
          {"accepting", accepting},
          {"live", figures.live},
          {"finished", figures.finished},
          {"dead", figures.dead},
          {"payload_bytes", figures.payload_bytes},
          {"result_bytes", figures.result_bytes},
          {"results_dropped", figures.results_dropped},
          {"records", figures.records},
          {"batches", figures.batches},
          {"commits", figures.commits},
          {"syncs", figures.syncs},
          {"wal_bytes", figures.wal_bytes},
          {"stalled_ms", milliseconds_of(figures.stalled)},
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

Json loop_json(const LoopFigures& loop) {
  return {{"turns", loop.turns},
          {"handlers", loop.handlers},
          {"busy_seconds", seconds_of(loop.busy_time)},
          {"lag_max_ms", milliseconds_of(loop.turn_max)},
          {"late_max_ms", milliseconds_of(loop.late_max)}};
}

}  // namespace

Documents::Documents(Services& services, const Clients& clients, const Workers& workers,
                     const Events& events, const LoopFigures& loop, std::string socket_path)
    : services_(services),
      clients_(clients),
      workers_(workers),
      events_(events),
      loop_(loop),
      socket_path_(std::move(socket_path)),
      started_(services.engine.now()) {}

std::string Documents::status() const {
  const auto snapshot = services_.engine.pool().snapshot();
  const auto capacity = capacity_of(snapshot);
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
                         {"processes", figures.alive},
                         {"output_bytes", figures.output_bytes}};
  document["tasks"] = tasks_json(snapshot);
  document["performance"] = performance_json(snapshot, capacity, uptime);
  document["queue"] = queue_json(snapshot.queue);
  Places places{initialized_, socket_lost_};
  places.now = services_.engine.now();
  places.attempt_trouble = workers_.attempt_trouble();
  if (archive_ != nullptr) places.archive = &archive_->figures();
  if (submit_fifo_ != nullptr) places.submit_fifo = submit_fifo_->figures();
  if (const auto* recorder = services_.engine.recorder()) places.recorder = recorder->figures();
  const auto store = services_.store.figures();
  const auto breakers = breakers_shown(snapshot);
  if (!breakers.not_closed.empty()) {
    places.breakers = breakers_alert(services_, breakers, snapshot.draining);
  }
  document["health"] = health_json(snapshot, capacity, places, store);
  document["classes"] = classes_json(services_, workers_.templates(), snapshot);
  document["breakers"] = {{"on", breakers.on},
                          {"open", breakers.open},
                          {"half_open", breakers.half_open},
                          {"waiting", breakers.waiting}};
  document["store"] = store_json(store, snapshot.store_accepting);
  if (archive_ != nullptr) {
    document["dead_letters"] = dead_letters_json(snapshot.queue, archive_->figures());
  }
  if (outlived_ != nullptr) document["outlived"] = outlived_json(*outlived_, services_);
  document["clients"] = clients_json(clients_.figures());
  document["events"] = {{"last", events_.last_number()},
                        {"followers", events_.followers()},
                        {"waiting", events_.waiting()}};
  if (places.submit_fifo) document["submit_fifo"] = submit_fifo_json(*places.submit_fifo);
  if (places.recorder) document["recorder"] = recorder_json(*places.recorder);
  document["loop"] = loop_json(loop_);
  return text_of(document);
}

std::string small_document(
    std::initializer_list<std::pair<std::string_view, std::uint64_t>> members) {
  Json document{{"schema", kDocumentSchema}};
  for (const auto& [name, value] : members) document[std::string(name)] = value;
  return text_of(document);
}

}  // namespace warmpool::daemon
