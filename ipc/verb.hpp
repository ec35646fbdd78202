// What a client may ask for besides tasks: the verbs of the frame *request*, and the rights that
// frames and verbs need. Section 6 of docs/protocol.md is the same table, and a test compares them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "pool/words.hpp"

namespace warmpool::ipc {

enum class Right : std::uint8_t { Submit, Read, Cancel, Control, Shutdown };

enum class Verb : std::uint8_t {
  Status = 1,
  Workers = 2,
  Worker = 3,
  Show = 4,
  Ls = 5,
  DeadLs = 6,
  DeadRetry = 7,
  DeadRemove = 8,
  Scale = 9,
  Drain = 10,
  Stop = 11,
  Pause = 12,
  Resume = 13,
  Config = 14,
  Types = 15,
  Release = 16,
  Events = 17,
  Restart = 18,
  Heartbeat = 19,
  Log = 20,
  DeadExport = 21,
  Clean = 22,
  Backup = 23,
  Breakers = 24,
  BreakerOpen = 25,
  BreakerClose = 26,
  Alerts = 27,
  AlertsAck = 28,
  Autopsy = 29
};

// Units: none; Ids is an array of u64.
enum class ArgumentKind : std::uint8_t { Number, Text, Flag, Ids };

struct ArgumentRow {
  std::string_view name;
  ArgumentKind kind;
  bool may_be_nil;
  std::uint64_t maximum;  // of a Number; bytes of a Text; count of Ids
};

struct VerbRow {
  Verb verb;
  std::string_view name;
  std::span<const ArgumentRow> arguments;
  Right right;
};

// All rows, by number.
std::span<const VerbRow> verb_rows();
// Null for a number that no verb has.
const VerbRow* find_verb(Verb verb);
std::string_view name_of(Verb verb);

}  // namespace warmpool::ipc

template <>
struct warmpool::Words<warmpool::ipc::Right> {
  static constexpr std::array<Word<ipc::Right>, 5> rows{{
      {ipc::Right::Submit, "submit", "submit tasks and wait for one's own"},
      {ipc::Right::Read, "read", "see tasks, results, workers, figures and configuration"},
      {ipc::Right::Cancel, "cancel", "cancel, retry, remove and release tasks"},
      {ipc::Right::Control, "control",
       "scale, restart workers, drain, pause and resume, open and close breakers"},
      {ipc::Right::Shutdown, "shutdown", "stop the daemon"},
  }};
};
