#include "daemon/alerts/occurrences.hpp"

#include "daemon/exit_text.hpp"

namespace warmpool::daemon {
namespace {

constexpr Duration kStormWithin = minutes(1);

// Of one that had to be ended its exit says nothing.
std::string how_it_ended(const std::string& name, const Notification& told) {
  const auto cause = told.exit_cause;
  const bool by_itself = cause == ExitCause::Exited || cause == ExitCause::Signalled ||
                         cause == ExitCause::OutOfMemory;
  if (!by_itself) return name + " " + fault_text(cause);
  Exit exit;
  exit.cause = cause;
  exit.code = told.code;
  return exit_text(name, exit);
}

}  // namespace

bool Occurrences::too_many(std::deque<Instant>& dates, Instant now, std::uint64_t most,
                           Duration within) {
  dates.push_back(now);
  while (dates.size() > most + 1) dates.pop_front();
  while (dates.front() + within <= now) dates.pop_front();
  return dates.size() > most;
}

Sighting Occurrences::failure(const Notification& told) const {
  auto name = workers_.places().slot_name(told.slot);
  Sighting seen{Alert::WorkerFailure, name, how_it_ended(name, told)};
  seen.facts.push_back({"cause", std::string(name_of(told.exit_cause))});
  if (told.code != 0) seen.facts.push_back({"code", std::to_string(told.code), true});
  if (const auto* worker = workers_.find_any(told.worker)) {
    const auto silent = services_.engine.now() - worker->last_heard;
    seen.facts.push_back({"pid", std::to_string(worker->child.pid), true});
    seen.facts.push_back(
        {"last_heartbeat", rfc3339(services_.engine.clock().wall_of(worker->last_heard))});
    seen.text += ", last heard " + duration_text(milliseconds(silent.ns / 1'000'000)) + " before";
  }
  seen.text += "; see: warmpool worker " + name;
  return seen;
}

Sighting Occurrences::zombie(const Notification& told) const {
  auto name = workers_.places().slot_name(told.slot);
  const auto silent = duration_text(milliseconds(told.duration_ns / 1'000'000));
  return {Alert::Zombie,
          name,
          name + " was silent for " + silent + " and is killed; see: warmpool log --slot " + name,
          {{"silent_ms", std::to_string(told.duration_ns / 1'000'000), true}}};
}

Sighting Occurrences::memory(const Notification& told) const {
  auto name = workers_.places().slot_name(told.slot);
  if (told.notice != Notice::WorkerOversized) {
    return {Alert::Memory,
            name,
            name + " was killed for memory; see: warmpool worker " + name,
            {{"cause", std::string(name_of(told.exit_cause))}}};
  }
  return {Alert::Memory,
          name,
          name + " has " + bytes_text(told.memory_bytes) +
              " after its first task, more than memory_soft (" + bytes_text(told.limit_bytes) +
              "): replacing it is no use, so set memory_soft above that",
          {{"memory_bytes", std::to_string(told.memory_bytes), true},
           {"limit_bytes", std::to_string(told.limit_bytes), true}}};
}

std::vector<Sighting> Occurrences::seen_in(const Notification& told) {
  std::vector<Sighting> seen;
  const auto& options = services_.options();
  const auto now = services_.engine.now();
  if (told.notice == Notice::ZombieDetected) seen.push_back(zombie(told));
  const bool killed_for_memory =
      told.exit_cause == ExitCause::Memory || told.exit_cause == ExitCause::OutOfMemory;
  if (told.notice == Notice::WorkerOversized ||
      (told.notice == Notice::WorkerError && killed_for_memory)) {
    seen.push_back(memory(told));
  }
  // Where a person wanted a task to end, that is no fault of its worker's.
  if (told.notice == Notice::WorkerError && told.exit_cause != ExitCause::Cancel) {
    seen.push_back(failure(told));
    if (too_many(deaths_[told.worker_class], now, options.alert_restarts, kStormWithin)) {
      const auto& name = services_.options_of(told.worker_class).name;
      seen.push_back({Alert::RestartStorm, name,
                      "more than " + std::to_string(options.alert_restarts) + " workers of class " +
                          name + " died within a minute; the last: " + seen.back().text});
    }
  }
  if (told.notice == Notice::TaskDead &&
      too_many(dead_letters_, now, options.alert_dead, options.alert_stays)) {
    seen.push_back({Alert::DeadGrowing, "",
                    "more than " + std::to_string(options.alert_dead) +
                        " tasks became dead letters within " + duration_text(options.alert_stays) +
                        "; see: warmpool dlq ls"});
  }
  return seen;
}

}  // namespace warmpool::daemon
