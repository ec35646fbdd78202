#include "daemon/alerts/alert_table.hpp"

#include <array>

namespace warmpool::daemon {
namespace {

using A = Alert;
constexpr auto kWarning = AlertLevel::Warning;
constexpr auto kCritical = AlertLevel::Critical;
constexpr auto kState = AlertKind::State;
constexpr auto kEvent = AlertKind::Event;

constexpr AlertRow kRows[] = {
    {A::WorkerCapacity, "worker-capacity", kCritical, kState, "",
     "fewer than alert_healthy percent of the workers can work or are starting",
     "see which and why: warmpool workers"},
    {A::NoWorker, "no-worker", kCritical, kState, "type",
     "tasks wait and no class that serves their type has a worker",
     "start workers of that class: warmpool scale, or the program that brings them"},
    {A::Overload, "overload", kWarning, kState, "",
     "more than alert_utilization percent of the capacity is in use and more than alert_queue "
     "tasks "
     "wait",
     "add workers: warmpool scale +N"},
    {A::SlotFailed, "slot-failed", kWarning, kState, "slot",
     "its workers died restarts_max times in a row before being of use, or automatic_restart is "
     "off",
     "see what they printed: warmpool log --slot NAME"},
    {A::RestartStorm, "restart-storm", kCritical, kEvent, "class",
     "more than alert_restarts workers of a class ended within a minute and were not asked to",
     "pause the class until the cause is found: warmpool pause --class NAME"},
    {A::WorkerFailure, "worker-failure", kWarning, kEvent, "slot",
     "a worker ended that was not asked to, or had to be killed",
     "see what it had in hand and printed: warmpool worker NAME"},
    {A::Zombie, "zombie", kWarning, kEvent, "slot",
     "a worker was silent or stopped for dead_after, and was killed",
     "see what it printed: warmpool log --slot NAME"},
    {A::Memory, "memory", kWarning, kEvent, "slot",
     "a worker was killed for its memory, or needs more than memory_soft for itself",
     "see what it ran: warmpool worker NAME; set memory_soft and memory_hard of its class"},
    {A::MemoryHeld, "memory-held", kWarning, kState, "class",
     "its starts have been held for memory_pass_max: what living workers declare leaves no "
     "room in memory_total",
     "see which: warmpool workers; raise memory_total, lower memory_declared, or make another "
     "class smaller: warmpool scale"},
    {A::Unresponsive, "unresponsive", kWarning, kState, "slot",
     "an idle worker is silent for unresponsive_after, or a worker is stopped by a signal",
     "it is replaced after dead_after; see: warmpool worker NAME"},
    {A::Slow, "slow", kWarning, kState, "slot",
     "its task runs for longer than slow_after or slow_percent of its timeout",
     "see what it does: warmpool worker NAME; end the task with: warmpool cancel ID"},
    {A::Unhealthy, "unhealthy", kWarning, kState, "slot",
     "its score is below health_unhealthy, or its check fails",
     "see why: warmpool worker NAME; it is replaced after health_replace_after"},
    {A::Template, "template", kWarning, kState, "class",
     "the template of a class is unfit, or rests after a failure; workers start without it",
     "the text says why; mend what preload names, then: warmpool restart --class NAME"},
    {A::Breaker, "breaker", kWarning, kState, "type",
     "its circuit breaker is open or half-open: none of its tasks is started, or a few that try",
     "see since when and why: warmpool breaker ls; close it with: warmpool breaker close TYPE"},
    {A::Paused, "paused", kWarning, kState, "", "the pool is paused and tasks wait",
     "start them with: warmpool resume"},
    {A::DeadGrowing, "dead-growing", kWarning, kEvent, "",
     "more than alert_dead tasks became dead letters within the time of alert_stays",
     "see why: warmpool dlq ls"},
    {A::DeadLetters, "dead-letters", kWarning, kState, "",
     "dead letters beyond dead_max, dead_bytes_max or dead_age_max moved to the archive in the "
     "last "
     "10 minutes",
     "retry or remove some: warmpool dlq ls"},
    {A::DeadArchive, "dead-archive", kCritical, kState, "",
     "dead letters over their bounds stay where they are, because the archive takes none",
     "the text says why"},
    {A::DeadArchiveFull, "dead-archive-full", kWarning, kState, "",
     "dead letters went with the oldest file of the archive in the last hour",
     "keep more with dead_archive_files_max, or copy the archive away"},
    {A::Store, "store", kCritical, kState, "", "the store takes nothing new",
     "the text says why; it is tried again by itself"},
    {A::StoreSlow, "store-slow", kWarning, kState, "",
     "one write to the disk has taken more than a second",
     "nothing is acknowledged meanwhile; look at the disk"},
    {A::StoreWal, "store-wal", kWarning, kState, "", "the WAL of the store has more than 256 MiB",
     "a program reads an old state of it; end that program"},
    {A::StoreJournal, "store-journal", kWarning, kState, "",
     "the journal of the store is not used, so that accepting takes longer", "the text says why"},
    {A::Disk, "disk", kWarning, kState, "",
     "less than alert_disk percent of the disk of the store is free", "make room"},
    {A::Socket, "socket", kCritical, kState, "", "the socket file or its directory is gone",
     "see the daemon's log"},
    {A::SubmitFifo, "submit-fifo", kWarning, kState, "", "something is in the place of submit.fifo",
     "see the daemon's log"},
    {A::RegisteredAttempts, "registered-attempts", kWarning, kState, "",
     "what is with workers that others started cannot be written down, so that it may run twice if "
     "the daemon dies",
     "the text says why"},
    {A::Recorder, "recorder", kWarning, kState, "",
     "the flight recorder is off though it is asked for",
     "the text says why; it is on again after a restart"},
    {A::Channel, "alert-channel", kWarning, kState, "channel",
     "alerts cannot be told to alert_file, alert_command or alert_webhook", "the text says why"},
    {A::Recovery, "recovery", kCritical, kState, "class",
     "recovery_deaths replacements died within recovery_window: no worker of the class that dies "
     "is "
     "replaced, but for one that tries now and then",
     "mend what they die of (warmpool log --slot NAME); it comes back by itself, or at once with: "
     "warmpool restart --class NAME"},
};

constexpr bool is_in_order() {
  std::size_t expected = 0;
  for (const auto& row : kRows) {
    if (static_cast<std::size_t>(row.alert) != expected++) return false;
  }
  return true;
}
static_assert(is_in_order());

// Calls `visit` with each name; stops where it returns true.
template <class Visit>
bool any_name(std::string_view names, Visit visit) {
  while (!names.empty()) {
    const auto comma = names.find(',');
    auto name = names.substr(0, comma);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (!name.empty() && visit(name)) return true;
    names = comma == std::string_view::npos ? std::string_view() : names.substr(comma + 1);
  }
  return false;
}

}  // namespace

std::string_view name_of(AlertLevel level) {
  return level == AlertLevel::Critical ? "critical" : "warning";
}

std::span<const AlertRow> alert_rows() { return kRows; }
const AlertRow& row_of(Alert alert) { return kRows[static_cast<std::size_t>(alert)]; }

std::optional<Alert> find_alert(std::string_view name) {
  for (const auto& row : kRows) {
    if (row.name == name) return row.alert;
  }
  return std::nullopt;
}

std::string alerts_markdown() {
  std::string text = "| alert | level | raised when | what to do |\n|---|---|---|---|\n";
  for (const auto& row : kRows) {
    text.append("| `").append(row.name).append("` | ").append(name_of(row.level)).append(" | ");
    if (!row.subject.empty()) text.append("of each ").append(row.subject).append(": ");
    text.append(row.meaning).append(" | ").append(row.advice).append(" |\n");
  }
  return text;
}

std::optional<std::string> unknown_alert(std::string_view names) {
  std::optional<std::string> unknown;
  any_name(names, [&](std::string_view name) {
    if (!find_alert(name)) unknown = std::string(name);
    return unknown.has_value();
  });
  return unknown;
}

bool is_among(std::string_view names, std::string_view name) {
  return any_name(names, [&](std::string_view one) { return one == name; });
}

}  // namespace warmpool::daemon
