// The table of the kinds of frames. Numbers, names, flags and the order of meta fields never change
// within a version: peers built elsewhere depend on them.
#pragma once

#include "ipc/message.hpp"

namespace warmpool::ipc::rows {

inline constexpr std::uint64_t kNameBytesMax = 255;
inline constexpr std::uint64_t kTextBytesMax = 65'535;  // as much as meta can hold
inline constexpr std::uint64_t kPathBytesMax = 4'095;   // as much as the kernel takes
inline constexpr std::uint64_t kU8 = 0xff, kU16 = 0xffff, kU32 = 0xffff'ffff;
inline constexpr std::uint64_t kU64 = std::numeric_limits<std::uint64_t>::max();

inline constexpr Field kHello[] = {{"role", FieldKind::Number, 1},
                                   {"version_min"},
                                   {"version_max"},
                                   {"features"},
                                   {"name", FieldKind::Text, kNameBytesMax},
                                   {"pid", FieldKind::Number, kU32},
                                   {"class", FieldKind::Text, 64},
                                   {"types", FieldKind::Texts, 64},
                                   {"concurrency", FieldKind::Number, 64}};
inline constexpr Field kWelcome[] = {{"version"},
                                     {"features"},
                                     {"frame_bytes_max", FieldKind::Number, kU32},
                                     {"payload_bytes_max"},
                                     {"in_flight_max"},
                                     {"heartbeat_interval", FieldKind::Time},
                                     {"server", FieldKind::Text, kNameBytesMax},
                                     {"result_bytes_max"},
                                     {"large_bytes_max"}};
inline constexpr Field kError[] = {{"code", FieldKind::Number, kU16},
                                   {"text", FieldKind::Text, kTextBytesMax}};
inline constexpr Field kTypeName[] = {{"name", FieldKind::Text, kNameBytesMax}};
inline constexpr Field kSubmit[] = {{"priority"},
                                    {"timeout", FieldKind::Time},
                                    {"deadline", FieldKind::Time},
                                    {"expiry", FieldKind::Time},
                                    {"retries"},
                                    {"delay", FieldKind::Time},
                                    {"run_at", FieldKind::Time},
                                    {"key", FieldKind::Text, kTextBytesMax},
                                    {"tenant", FieldKind::Text, kNameBytesMax},
                                    {"labels", FieldKind::Texts, 32},
                                    {"durability", FieldKind::Number, 2},
                                    {"crashes_max"},
                                    {"key_use", FieldKind::Number, 1},
                                    {"large_bytes", FieldKind::Number, kLargeBytesMax}};
inline constexpr Field kRequest[] = {{"verb", FieldKind::Number, kU8},
                                     {"arguments", FieldKind::Arguments, 8}};
inline constexpr Field kRefused[] = {{"code", FieldKind::Number, kU16},
                                     {"text", FieldKind::Text, kTextBytesMax},
                                     {"retry_after", FieldKind::Time}};
inline constexpr Field kSettled[] = {{"verdict", FieldKind::Number, 4},
                                     {"cause", FieldKind::Number, 17},
                                     {"charged_failures", FieldKind::Number, kU16},
                                     {"charged_crashes", FieldKind::Number, kU16},
                                     {"large_bytes", FieldKind::Number, kLargeBytesMax}};
inline constexpr Field kProgress[] = {{"permille", FieldKind::Number, 1000},
                                      {"text", FieldKind::Text, 1024}};
inline constexpr Field kCancelled[] = {{"rung", FieldKind::Number, 3},
                                       {"state", FieldKind::Number, 10}};
inline constexpr Field kAssign[] = {{"timeout", FieldKind::Time},
                                    {"deadline_left", FieldKind::Time},
                                    {"failures", FieldKind::Number, kU16},
                                    {"crashes", FieldKind::Number, kU16},
                                    {"directory", FieldKind::Text, kPathBytesMax},
                                    {"checkpoint_bytes", FieldKind::Number, kCheckpointBytesMax},
                                    {"checkpoint_content", FieldKind::Number, 3},
                                    {"large_bytes", FieldKind::Number, kLargeBytesMax}};
inline constexpr Field kDone[] = {{"large_bytes", FieldKind::Number, kLargeBytesMax}};
inline constexpr Field kCancelAttempt[] = {{"cause", FieldKind::Number, 17}};
inline constexpr Field kFailed[] = {{"outcome", FieldKind::Number, 4, 1},
                                    {"retry_after", FieldKind::Time}};

// Each "name=value"; an empty value takes the gauge away.
inline constexpr Field kReport[] = {{"gauges", FieldKind::Texts, 16},
                                    {"reason", FieldKind::Text, kNameBytesMax}};

inline constexpr FlagRow kSubmitFlags[] = {{flag::kWait, "wait"},
                                           {flag::kCancelOnDisconnect, "cancel-on-disconnect"},
                                           {flag::kKeepResult, "keep-result"},
                                           {flag::kProgress, "progress"}};
inline constexpr FlagRow kAwaitFlags[] = {{flag::kNow, "now"}, {flag::kProgress, "progress"}};
inline constexpr FlagRow kReceivedFlags[] = {{flag::kKeysOnly, "keys-only"}};
inline constexpr FlagRow kAcceptedFlags[] = {{flag::kDuplicate, "duplicate"},
                                             {flag::kRelaxed, "relaxed"},
                                             {flag::kMemoryOnly, "memory-only"}};
inline constexpr FlagRow kCancelledFlags[] = {{flag::kMemoryOnly, "memory-only"}};
inline constexpr FlagRow kAssignFlags[] = {{flag::kStamped, "stamped"}};
inline constexpr FlagRow kRecalledFlags[] = {{flag::kReturned, "returned"}};
inline constexpr FlagRow kEventFlags[] = {{flag::kGap, "gap"}};
inline constexpr FlagRow kRetireFlags[] = {{flag::kComeAgain, "come-again"}};
inline constexpr FlagRow kReportFlags[] = {{flag::kDegraded, "degraded"}, {flag::kWell, "well"}};

inline constexpr std::uint8_t kC = 1, kW = 2, kD = 4;  // client, worker, daemon
inline constexpr std::uint8_t kIdToken = use::kId | use::kToken;
inline constexpr std::uint8_t kRunBody = use::kRun | use::kDescriptors;

// kind, name, from, to, needs, fields, flags, meta, payload
inline constexpr KindRow kKinds[] = {
    {Kind::Hello, "hello", kPeer, kD, 0, kIdToken | use::kCredits, {}, kHello, false},
    {Kind::Welcome, "welcome", kD, kPeer, 0, use::kId | use::kDescriptors, {}, kWelcome, false},
    {Kind::Error, "error", kD, kPeer, 0, 0, {}, kError, false},
    {Kind::Ping, "ping", kAny, kAny, 0, use::kToken, {}, {}, false},
    {Kind::Pong, "pong", kAny, kAny, 0, use::kToken, {}, {}, false},
    {Kind::TypeName, "type-name", kC | kD, kW | kD, 0, use::kType, {}, kTypeName, false},
    {Kind::Stamps, "stamps", kW | kD, kD | kC, feature::kStamps, use::kRun, {}, {}, true},
    {Kind::Submit, "submit", kC, kD, 0, use::kToken | use::kType | use::kDescriptors, kSubmitFlags,
     kSubmit, true},
    {Kind::Await, "await", kC, kD, 0, kIdToken, kAwaitFlags, {}, false},
    {Kind::Cancel, "cancel", kC, kD, 0, kIdToken, {}, {}, false},
    {Kind::Request, "request", kC, kD, 0, use::kToken, {}, kRequest, true},
    {Kind::Received, "received", kC, kD, 0, 0, kReceivedFlags, {}, true},
    {Kind::Accepted, "accepted", kD, kC, 0, kIdToken, kAcceptedFlags, {}, false},
    {Kind::Refused, "refused", kD, kC, 0, kIdToken, {}, kRefused, false},
    {Kind::Settled, "settled", kD, kC, 0, kRunBody, {}, kSettled, true},
    {Kind::Reply, "reply", kD, kC, 0, use::kToken, {}, {}, true},
    {Kind::Progressed, "progressed", kD, kC, feature::kProgress, use::kRun, {}, kProgress, true},
    {Kind::Cancelled, "cancelled", kD, kC, 0, kIdToken, kCancelledFlags, kCancelled, false},
    {Kind::Event, "event", kD, kC, feature::kEvents, kIdToken, kEventFlags, {}, true},
    {Kind::Assign, "assign", kD, kW, 0, kRunBody | use::kType, kAssignFlags, kAssign, true},
    {Kind::CancelAttempt,
     "cancel-attempt",
     kD,
     kW,
     feature::kCancel,
     use::kRun,
     {},
     kCancelAttempt,
     false},
    {Kind::Recall, "recall", kD, kW, feature::kRecall, use::kRun, {}, {}, false},
    {Kind::Retire, "retire", kD, kW, 0, 0, kRetireFlags, {}, false},
    {Kind::CheckpointPlease,
     "checkpoint-please",
     kD,
     kW,
     feature::kCheckpoint,
     use::kRun,
     {},
     {},
     false},
    {Kind::Done, "done", kW, kD, 0, kRunBody | use::kType, {}, kDone, true},
    {Kind::Failed, "failed", kW, kD, 0, use::kRun | use::kType, {}, kFailed, true},
    {Kind::Progress, "progress", kW, kD, feature::kProgress, use::kRun, {}, kProgress, true},
    {Kind::Beat, "beat", kW, kD, 0, 0, {}, {}, false},
    {Kind::Recalled, "recalled", kW, kD, feature::kRecall, use::kRun, kRecalledFlags, {}, false},
    {Kind::Leave, "leave", kW, kD, feature::kRegistered, 0, {}, {}, false},
    {Kind::Report, "report", kW, kD, feature::kReport, 0, kReportFlags, kReport, false},
    {Kind::Checkpoint, "checkpoint", kW, kD, feature::kCheckpoint, use::kRun, {}, {}, true},
};

}  // namespace warmpool::ipc::rows
