// A function for each part of the pool that can be in a bad state.
#include "daemon/alerts/states.hpp"

#include <algorithm>
#include <sys/statvfs.h>

#include "daemon/breakers_shown.hpp"
#include "daemon/names.hpp"
#include "daemon/recovery_shown.hpp"

namespace warmpool::daemon {
namespace {

using Sightings = std::vector<Sighting>;

AlertFact number(std::string name, std::uint64_t value) {
  return {std::move(name), std::to_string(value), true};
}
AlertFact text(std::string name, std::string value) { return {std::move(name), std::move(value)}; }

std::string seconds_text(Duration duration) {
  return duration_text(seconds(duration.ns / seconds(1).ns));
}

void add_capacity(Sightings& seen, const Options& options, const Surroundings& now) {
  const auto& capacity = now.capacity;
  // A worker that died is replaced within milliseconds: that is no lack.
  const auto able = capacity.ready + capacity.starting;
  if (now.initialized && able * 100 < capacity.target * options.alert_healthy) {
    seen.push_back({Alert::WorkerCapacity,
                    "",
                    std::to_string(capacity.ready) + " of " + std::to_string(capacity.target) +
                        " workers can work; see: warmpool workers",
                    {number("ready", capacity.ready), number("target", capacity.target)}});
  }
  const auto waiting = now.snapshot.queue.waiting();
  if (capacity.taken * 100 > capacity.places * options.alert_utilization &&
      waiting > options.alert_queue) {
    seen.push_back({Alert::Overload,
                    "",
                    std::to_string(waiting) +
                        " tasks wait and nearly all workers are busy; add some: warmpool scale +N",
                    {number("waiting", waiting), number("capacity", capacity.places),
                     number("in_use", capacity.taken)}});
  }
  if (now.snapshot.paused && waiting > 0) {
    seen.push_back({Alert::Paused,
                    "",
                    "the pool is paused and " + std::to_string(waiting) +
                        " tasks wait; start them with: warmpool resume",
                    {number("waiting", waiting)}});
  }
}

// Nobody will run them, however long they wait.
void add_unserved(Sightings& seen, const Services& services, const Surroundings& now) {
  if (!now.initialized || now.snapshot.draining || now.snapshot.stopping) return;
  const auto has_worker = [&](ClassId id) {
    const auto at = std::ranges::find(now.snapshot.classes, id, &ClassView::worker_class);
    return at != now.snapshot.classes.end() && (at->target > 0 || at->slots > 0);
  };
  for (const auto& type : now.snapshot.types) {
    const auto& known = services.types.at(type.type);
    if (type.waiting == 0 || std::ranges::any_of(known.classes, has_worker)) continue;
    seen.push_back({Alert::NoWorker,
                    known.name,
                    std::to_string(type.waiting) +
                        (type.waiting == 1 ? " task of type " : " tasks of type ") + known.name +
                        (type.waiting == 1 ? " waits and " : " wait and ") +
                        (known.classes.empty() ? "no class serves it" : "its class has no worker"),
                    {number("waiting", type.waiting)}});
  }
}

std::string task_text(const SlotView& slot) {
  return slot.attempts_held.empty() ? ""
                                    : std::to_string(slot.attempts_held.front().key.task.value);
}

void add_unhealthy(Sightings& seen, const SlotView& slot, const std::string& name) {
  if (slot.health != WorkerHealth::Unhealthy) return;
  const auto score = slot.health_state.score();
  const auto reason = static_cast<std::size_t>(slot.health_state.reason());
  const auto& row = Words<HealthReason>::rows[reason];
  seen.push_back({Alert::Unhealthy,
                  name,
                  name + " is unhealthy, with a score of " + std::to_string(score) + ": " +
                      std::string(row.meaning) + "; see: warmpool worker " + name,
                  {number("score", score), text("reason", std::string(row.name))}});
}

void add_slot(Sightings& seen, const SlotView& slot, const std::string& name,
              const Surroundings& now) {
  const auto silent = now.snapshot.now - slot.last_heard;
  if (slot.state == SlotState::Failed) {
    const auto deaths = slot.unproductive_deaths;
    seen.push_back(
        {Alert::SlotFailed,
         name,
         (deaths == 0
              ? name +
                    " ended, and automatic_restart is off; start it with: warmpool "
                    "restart " +
                    name
              : name + ": its workers died " + std::to_string(deaths) +
                    " times in a row before being of use; see: warmpool log --slot " + name),
         {number("deaths", deaths), text("cause", std::string(name_of(slot.last_cause)))}});
  }
  if (slot.unresponsive || slot.stopped) {
    seen.push_back({Alert::Unresponsive,
                    name,
                    name +
                        (slot.stopped ? " is stopped by a signal"
                                      : " is idle and silent for " + seconds_text(silent)) +
                        "; see: warmpool worker " + name,
                    {number("silent_ms", static_cast<std::uint64_t>(silent.ns / 1'000'000))}});
  }
  if (slot.slow) {
    seen.push_back({Alert::Slow,
                    name,
                    name + " runs task " + task_text(slot) +
                        " for long (slow_after, slow_percent); see: warmpool worker " + name,
                    {text("task", task_text(slot))}});
  }
}

void add_templates(Sightings& seen, const Services& services, const Workers& workers,
                   const Surroundings& now) {
  for (const auto& view : now.snapshot.classes) {
    const auto* of = workers.templates().find(view.worker_class);
    if (of == nullptr) continue;
    if (of->state != TemplateState::Unfit && of->state != TemplateState::Resting) continue;
    const auto& name = services.options_of(view.worker_class).name;
    seen.push_back(
        {Alert::Template,
         name,
         "the template of class " + name + " " + of->reason + "; its workers start without it",
         {text("state", std::string(text_of(of->state)))}});
  }
}

void add_recovery(Sightings& seen, const Services& services, const Surroundings& now) {
  for (const auto& view : now.snapshot.classes) {
    if (view.recovery.state == RecoveryState::Closed) continue;
    const auto& name = services.options_of(view.worker_class).name;
    seen.push_back({Alert::Recovery,
                    name,
                    recovery_text(services, view),
                    {text("state", std::string(name_of(view.recovery.state))),
                     number("waiting", view.recovery.waiting)}});
  }
}

// Who waits for less has room when the next one ends, or lets smaller ones pass.
void add_held(Sightings& seen, const Services& services, const Surroundings& now) {
  const auto& memory = now.snapshot.memory;
  if (memory.held.empty()) return;
  const auto is_told = [&](const SlotView& slot) {
    return slot.state == SlotState::Held &&
           now.snapshot.now >= slot.state_since + services.options().memory_pass_max;
  };
  for (const auto& view : now.snapshot.classes) {
    const auto count = std::ranges::count_if(now.snapshot.slots, [&](const SlotView& slot) {
      return slot.worker_class == view.worker_class && is_told(slot);
    });
    if (count == 0) continue;
    const auto& options = services.options_of(view.worker_class);
    seen.push_back(
        {Alert::MemoryHeld,
         options.name,
         std::to_string(count) + (count == 1 ? " start" : " starts") + " of class " + options.name +
             " held for memory: a worker declares " + bytes_text(options.memory_declared) +
             ", and those that live have " + bytes_text(memory.declared) + " of " +
             bytes_text(memory.total) + " (memory_total); see: warmpool workers",
         {number("held", static_cast<std::uint64_t>(count)),
          number("declared_bytes", memory.declared), number("total_bytes", memory.total)}});
  }
}

void add_breakers(Sightings& seen, const Services& services, const Surroundings& now) {
  for (const auto& type : now.snapshot.types) {
    if (!type.breaker || type.breaker->state == BreakerState::Closed) continue;
    seen.push_back({Alert::Breaker,
                    services.types.at(type.type).name,
                    breaker_text(services, type, now.snapshot.draining),
                    {text("state", std::string(name_of(type.breaker->state))),
                     number("waiting", type.waiting)}});
  }
}

// A sync that takes longer than any disk in order needs.
constexpr Duration kStoreSlow = seconds(1);
// Sixteen times what a WAL grows to by itself.
constexpr std::uint64_t kWalBytesHigh = std::uint64_t{256} << 20;

void add_store(Sightings& seen, const Options& options, const Surroundings& now,
               const std::optional<DiskSpace>& disk) {
  const auto& store = now.store;
  if (!now.snapshot.store_accepting) {
    seen.push_back({Alert::Store, "",
                    "the store takes nothing new: " +
                        (store.trouble.empty() ? "its WAL is too large" : store.trouble)});
  } else if (store.stalled > kStoreSlow) {
    seen.push_back({Alert::StoreSlow, "",
                    "the disk has been writing for " + seconds_text(store.stalled) +
                        "; nothing is acknowledged meanwhile"});
  }
  if (store.wal_bytes > kWalBytesHigh) {
    seen.push_back({Alert::StoreWal,
                    "",
                    "the WAL of the store has " + bytes_text(store.wal_bytes) +
                        ": a program reads an old state of it; end that program",
                    {number("wal_bytes", store.wal_bytes)}});
  }
  if (!store.journal_trouble.empty()) {
    seen.push_back({Alert::StoreJournal, "",
                    "the journal of the store is not used, so that accepting takes longer: " +
                        store.journal_trouble});
  }
  // In hundredths, so that no product of two large numbers is needed.
  if (disk && disk->bytes_free < disk->bytes / 100 * options.alert_disk) {
    seen.push_back({Alert::Disk,
                    "",
                    bytes_text(disk->bytes_free) + " of " + bytes_text(disk->bytes) +
                        " are free where the store is; make room, or work stops when it is full",
                    {number("free_bytes", disk->bytes_free), number("bytes", disk->bytes)}});
  }
}

// How long what has happened to dead letters is an alert.
constexpr Duration kArchivedToldFor = minutes(10), kLostToldFor = hours(1);

void add_dead(Sightings& seen, const ArchiveFigures& archive, Instant now) {
  if (!archive.trouble.empty()) {
    seen.push_back(
        {Alert::DeadArchive, "",
         "dead letters over their bounds stay where they are, because the archive takes none: " +
             archive.trouble});
  }
  if (archive.archived_at && now < *archive.archived_at + kArchivedToldFor) {
    seen.push_back({Alert::DeadLetters,
                    "",
                    "dead letters beyond dead_max, dead_bytes_max or dead_age_max move to " +
                        archive.path + "; see: warmpool dlq ls",
                    {number("archived", archive.archived)}});
  }
  if (archive.lost_at && now < *archive.lost_at + kLostToldFor) {
    seen.push_back({Alert::DeadArchiveFull,
                    "",
                    std::to_string(archive.lost) +
                        " dead letters are gone with the oldest file of " + archive.path +
                        "; see dead_archive_files_max",
                    {number("lost", archive.lost)}});
  }
}

void add_places(Sightings& seen, const Surroundings& now) {
  if (now.socket_lost) {
    seen.push_back(
        {Alert::Socket, "", "the socket file or its directory is gone; see the daemon's log"});
  }
  if (now.submit_fifo && !now.submit_fifo->open) {
    seen.push_back(
        {Alert::SubmitFifo, "",
         "something is in the place of " + now.submit_fifo->path + "; see the daemon's log"});
  }
  if (!now.attempt_trouble.empty()) {
    seen.push_back({Alert::RegisteredAttempts, "",
                    "what is with workers that others started cannot be written down, so that it "
                    "may run twice if the daemon dies: " +
                        std::string(now.attempt_trouble)});
  }
  if (now.recorder && !now.recorder->on) {
    seen.push_back({Alert::Recorder, "", "the flight recorder is off: " + now.recorder->trouble});
  }
}

}  // namespace

std::optional<DiskSpace> disk_space(const std::string& path) {
  struct statvfs space {};
  if (path.empty() || ::statvfs(path.c_str(), &space) != 0 || space.f_blocks == 0) return {};
  return DiskSpace{space.f_blocks * space.f_frsize, space.f_bavail * space.f_frsize};
}

std::vector<Sighting> alert_states(const Services& services, const Workers& workers,
                                   const Surroundings& now, const std::optional<DiskSpace>& disk) {
  const auto& options = services.options();
  Sightings seen;
  add_capacity(seen, options, now);
  add_unserved(seen, services, now);
  for (const auto& slot : now.snapshot.slots) {
    if (slot.state == SlotState::Gone) continue;
    add_slot(seen, slot, workers.places().slot_name(slot.home), now);
    add_unhealthy(seen, slot, workers.places().slot_name(slot.home));
  }
  add_templates(seen, services, workers, now);
  add_breakers(seen, services, now);
  add_recovery(seen, services, now);
  add_held(seen, services, now);
  add_store(seen, options, now, disk);
  if (now.archive != nullptr) add_dead(seen, *now.archive, services.engine.now());
  add_places(seen, now);
  return seen;
}

}  // namespace warmpool::daemon
