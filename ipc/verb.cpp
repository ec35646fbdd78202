// The table of verbs. Optional arguments come as nil or are left out at the end; a list that is nil
// means "all", so an empty list and no list are not the same.
#include "ipc/verb.hpp"

#include <array>
#include <limits>

namespace warmpool::ipc {
namespace {

constexpr std::uint64_t kAnyNumber = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kNameBytesMax = 255;
constexpr std::uint64_t kPathBytesMax = 4'095;
constexpr std::uint64_t kIdsMax = 4'096;

constexpr ArgumentRow kTask = {"task", ArgumentKind::Number, false, kAnyNumber};
constexpr ArgumentRow kTasks = {"tasks", ArgumentKind::Ids, true, kIdsMax};
constexpr ArgumentRow kType = {"type", ArgumentKind::Text, true, kNameBytesMax};
constexpr ArgumentRow kLimit = {"limit", ArgumentKind::Number, true, kAnyNumber};
constexpr ArgumentRow kAfter = {"after", ArgumentKind::Number, true, kAnyNumber};

constexpr ArgumentRow kWorkerArguments[] = {{"slot", ArgumentKind::Text, false, kNameBytesMax},
                                            {"sizes", ArgumentKind::Flag, true, 0}};
constexpr ArgumentRow kTaskArguments[] = {kTask};
constexpr ArgumentRow kLsArguments[] = {
    {"state", ArgumentKind::Text, true, kNameBytesMax}, kType, kLimit, kAfter};
constexpr ArgumentRow kCause = {"cause", ArgumentKind::Text, true, kNameBytesMax};
constexpr ArgumentRow kOlder = {"older", ArgumentKind::Number, true, kAnyNumber};
constexpr ArgumentRow kText = {"text", ArgumentKind::Text, true, kNameBytesMax};
constexpr ArgumentRow kDeadLsArguments[] = {kType, kLimit, kAfter, kCause, kOlder, kText};
constexpr ArgumentRow kDeadArguments[] = {kTasks, kType, kCause, kOlder, kText};
// Not nil: the payload of the frame is the letter's from now on; empty: it is what it was.
constexpr ArgumentRow kContent = {"content", ArgumentKind::Text, true, kNameBytesMax};
constexpr ArgumentRow kDeadRetryArguments[] = {kTasks, kType, kCause, kOlder, kText, kContent};
constexpr ArgumentRow kCleanArguments[] = {{"older", ArgumentKind::Number, false, kAnyNumber},
                                           {"state", ArgumentKind::Text, true, kNameBytesMax}};
constexpr ArgumentRow kBackupArguments[] = {{"file", ArgumentKind::Text, false, kPathBytesMax}};
constexpr ArgumentRow kScaleArguments[] = {{"class", ArgumentKind::Text, true, kNameBytesMax},
                                           {"mode", ArgumentKind::Number, false, 2},
                                           {"number", ArgumentKind::Number, false, 65'535}};
constexpr ArgumentRow kDrainArguments[] = {{"on", ArgumentKind::Flag, false, 0}};
constexpr ArgumentRow kStopArguments[] = {{"now", ArgumentKind::Flag, false, 0}};
constexpr ArgumentRow kClass = {"class", ArgumentKind::Text, true, kNameBytesMax};
constexpr ArgumentRow kPauseArguments[] = {kType, kClass};
constexpr ArgumentRow kResumeArguments[] = {kType, kClass, {"all", ArgumentKind::Flag, true, 0}};
constexpr ArgumentRow kNamedType = {"type", ArgumentKind::Text, false, kNameBytesMax};
constexpr ArgumentRow kBreakerOpenArguments[] = {kNamedType,
                                                 {"time", ArgumentKind::Number, true, kAnyNumber}};
constexpr ArgumentRow kBreakerCloseArguments[] = {kNamedType};
constexpr ArgumentRow kRestartArguments[] = {{"slot", ArgumentKind::Text, true, kNameBytesMax},
                                             kClass};
constexpr ArgumentRow kHeartbeatArguments[] = {{"slot", ArgumentKind::Text, false, kNameBytesMax},
                                               {"status", ArgumentKind::Text, true, kNameBytesMax},
                                               {"task", ArgumentKind::Number, true, kAnyNumber}};
constexpr ArgumentRow kLogArguments[] = {{"task", ArgumentKind::Number, true, kAnyNumber},
                                         {"slot", ArgumentKind::Text, true, kNameBytesMax},
                                         kLimit,
                                         kAfter};
constexpr ArgumentRow kAlertsArguments[] = {{"past", ArgumentKind::Flag, true, 0}};
constexpr ArgumentRow kAlertsAckArguments[] = {
    {"name", ArgumentKind::Text, true, kNameBytesMax},
    {"subject", ArgumentKind::Text, true, kNameBytesMax}};
constexpr ArgumentRow kAutopsyArguments[] = {{"task", ArgumentKind::Number, true, kAnyNumber},
                                             {"slot", ArgumentKind::Text, true, kNameBytesMax}};
constexpr ArgumentRow kEventsArguments[] = {{"follow", ArgumentKind::Flag, false, 0},
                                            kAfter,
                                            {"types", ArgumentKind::Text, true, kNameBytesMax}};

constexpr VerbRow kVerbs[] = {
    {Verb::Status, "status", {}, Right::Read},
    {Verb::Workers, "workers", {}, Right::Read},
    {Verb::Worker, "worker", kWorkerArguments, Right::Read},
    {Verb::Show, "show", kTaskArguments, Right::Read},
    {Verb::Ls, "ls", kLsArguments, Right::Read},
    {Verb::DeadLs, "dead-ls", kDeadLsArguments, Right::Read},
    {Verb::DeadRetry, "dead-retry", kDeadRetryArguments, Right::Cancel},
    {Verb::DeadRemove, "dead-remove", kDeadArguments, Right::Cancel},
    {Verb::Scale, "scale", kScaleArguments, Right::Control},
    {Verb::Drain, "drain", kDrainArguments, Right::Control},
    {Verb::Stop, "stop", kStopArguments, Right::Shutdown},
    {Verb::Pause, "pause", kPauseArguments, Right::Control},
    {Verb::Resume, "resume", kResumeArguments, Right::Control},
    {Verb::Config, "config", {}, Right::Read},
    {Verb::Types, "types", {}, Right::Read},
    {Verb::Release, "release", kTaskArguments, Right::Cancel},
    {Verb::Events, "events", kEventsArguments, Right::Read},
    {Verb::Restart, "restart", kRestartArguments, Right::Control},
    {Verb::Heartbeat, "heartbeat", kHeartbeatArguments, Right::Read},
    {Verb::Log, "log", kLogArguments, Right::Read},
    {Verb::DeadExport, "dead-export", kDeadLsArguments, Right::Read},
    {Verb::Clean, "clean", kCleanArguments, Right::Cancel},
    {Verb::Backup, "backup", kBackupArguments, Right::Control},
    {Verb::Breakers, "breakers", {}, Right::Read},
    {Verb::BreakerOpen, "breaker-open", kBreakerOpenArguments, Right::Control},
    {Verb::BreakerClose, "breaker-close", kBreakerCloseArguments, Right::Control},
    {Verb::Alerts, "alerts", kAlertsArguments, Right::Read},
    {Verb::AlertsAck, "alerts-ack", kAlertsAckArguments, Right::Control},
    {Verb::Autopsy, "autopsy", kAutopsyArguments, Right::Read},
};

// So that find_verb needs no search.
constexpr bool is_dense_from_one() {
  int expected = 1;
  for (const VerbRow& row : kVerbs) {
    if (static_cast<int>(row.verb) != expected++) return false;
  }
  return true;
}
static_assert(is_dense_from_one());

}  // namespace

std::span<const VerbRow> verb_rows() { return kVerbs; }

const VerbRow* find_verb(Verb verb) {
  const auto number = static_cast<std::size_t>(verb);
  return number == 0 || number > std::size(kVerbs) ? nullptr : &kVerbs[number - 1];
}

std::string_view name_of(Verb verb) {
  const VerbRow* row = find_verb(verb);
  return row == nullptr ? "unknown" : row->name;
}

}  // namespace warmpool::ipc
