// What can be wrong with a pool, as far as somebody should be told: one row each. The table of
// docs/daemon.md is made of the rows, and a test compares them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace warmpool::daemon {

enum class AlertLevel : std::uint8_t { Warning, Critical };
std::string_view name_of(AlertLevel level);

enum class Alert : std::uint8_t {
  WorkerCapacity,
  NoWorker,
  Overload,
  SlotFailed,
  RestartStorm,
  WorkerFailure,
  Zombie,
  Memory,
  MemoryHeld,
  Unresponsive,
  Slow,
  Unhealthy,
  Template,
  Breaker,
  Paused,
  DeadGrowing,
  DeadLetters,
  DeadArchive,
  DeadArchiveFull,
  Store,
  StoreSlow,
  StoreWal,
  StoreJournal,
  Disk,
  Socket,
  SubmitFifo,
  RegisteredAttempts,
  Recorder,
  Channel,
  Recovery
};

// State: is so or is not. Event: has happened, and stays an alert for the time of alert_stays.
enum class AlertKind : std::uint8_t { State, Event };

struct AlertRow {
  Alert alert;
  std::string_view name;
  AlertLevel level;
  AlertKind kind;
  std::string_view subject;  // what it is about, each by itself: "slot", "class", "type"; or ""
  std::string_view meaning;  // when it is raised, with the options that say so
  std::string_view advice;   // what to do
};

std::span<const AlertRow> alert_rows();
const AlertRow& row_of(Alert alert);
std::optional<Alert> find_alert(std::string_view name);
// As docs/daemon.md has it.
std::string alerts_markdown();
// The first of the names, joined by ',', that no alert has.
std::optional<std::string> unknown_alert(std::string_view names);
bool is_among(std::string_view names, std::string_view name);

}  // namespace warmpool::daemon
