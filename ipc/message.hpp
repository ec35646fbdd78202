// The kinds of frames. What each may carry is one row of the table in message_rows.hpp; section 4
// of docs/protocol.md is the same table, and a test compares them.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "pool/words.hpp"

namespace warmpool::ipc {

inline constexpr std::uint64_t kVersion = 1;
// Of a checkpoint; the assign that hands one on has room for it beside its payload.
inline constexpr std::uint32_t kCheckpointBytesMax = 256 * 1024;
inline constexpr std::uint32_t kPartialBytesMax = 64 * 1024;  // of a partial result
// Of a body that is handed over as a descriptor; a daemon may take less.
inline constexpr std::uint32_t kLargeBytesMax = 0x7fff'ffff;

enum class Kind : std::uint8_t {
  // Between any two.
  Hello = 1,
  Welcome = 2,
  Error = 3,
  Ping = 4,
  Pong = 5,
  TypeName = 6,
  Stamps = 7,
  // Client to daemon.
  Submit = 16,
  Await = 17,
  Cancel = 18,
  Request = 19,
  Received = 20,
  // Daemon to client.
  Accepted = 32,
  Refused = 33,
  Settled = 34,
  Reply = 35,
  Progressed = 36,
  Cancelled = 37,
  Event = 38,
  // Daemon to worker.
  Assign = 48,
  CancelAttempt = 49,
  Recall = 50,
  Retire = 51,
  CheckpointPlease = 52,
  // Worker to daemon.
  Done = 64,
  Failed = 65,
  Progress = 66,
  Beat = 67,
  Recalled = 68,
  Leave = 69,
  Report = 70,
  Checkpoint = 71
};

// Who speaks. Bits, so that a row can name several.
enum class Party : std::uint8_t { Client = 1, Worker = 2, Daemon = 4 };
inline constexpr std::uint8_t kPeer = 1 | 2;
inline constexpr std::uint8_t kAny = 1 | 2 | 4;
constexpr bool includes(std::uint8_t parties, Party party) {
  return (parties & static_cast<std::uint8_t>(party)) != 0;
}

// The role field of hello.
enum class Role : std::uint8_t { Client = 0, Worker = 1 };

// Bits of hello and welcome; what both sides set holds.
namespace feature {
inline constexpr std::uint64_t kCredits = 1;        // more than one task at once
inline constexpr std::uint64_t kRecall = 2;         // answers recall, also while a handler runs
inline constexpr std::uint64_t kCancel = 4;         // tells a running handler of cancel-attempt
inline constexpr std::uint64_t kDescriptors = 8;    // takes descriptors that come with frames
inline constexpr std::uint64_t kProgress = 16;      // progress is sent and forwarded
inline constexpr std::uint64_t kEvents = 32;        // event frames are sent to clients
inline constexpr std::uint64_t kPage = 64;          // welcome brings a worker a page to beat in
inline constexpr std::uint64_t kRegistered = 128;   // a worker that the daemon did not start
inline constexpr std::uint64_t kReport = 256;       // gauges, and whether it is degraded
inline constexpr std::uint64_t kDirectory = 512;    // heeds the directory of an attempt
inline constexpr std::uint64_t kCheckpoint = 1024;  // checkpoints are asked for, sent and handed on
inline constexpr std::uint64_t kLarge = 2048;       // bodies come as descriptors beside frames
inline constexpr std::uint64_t kPartial = 4096;     // progress may carry a partial result
inline constexpr std::uint64_t kStamps = 8192;      // when tasks passed where is told
inline constexpr std::uint64_t kArena = 16384;      // payloads may come in memory that is reused
inline constexpr std::uint64_t kAll = 2 * kArena - 1;
// Those that mean something on a worker's connection, and on a client's.
inline constexpr std::uint64_t kOfWorker = kCredits | kRecall | kCancel | kDescriptors | kProgress |
                                           kPage | kReport | kDirectory | kCheckpoint | kLarge |
                                           kPartial | kStamps;
inline constexpr std::uint64_t kOfClient =
    kProgress | kEvents | kLarge | kPartial | kStamps | kArena;
// And on that of a worker which connects by itself.
inline constexpr std::uint64_t kOfStranger = kOfWorker | kRegistered;
// What comes with a descriptor.
inline constexpr std::uint64_t kByDescriptor = kDescriptors | kPage;
// What a pair of pipes can carry: nothing that is in a pipe can be taken back, and no descriptor
// goes through one.
inline constexpr std::uint64_t kOverPipes =
    kAll & ~(kRecall | kByDescriptor | kRegistered | kLarge | kArena);
}  // namespace feature

struct FeatureRow {
  std::uint64_t bit;
  std::string_view name;
};
inline constexpr FeatureRow kFeatureRows[] = {{feature::kCredits, "credits"},
                                              {feature::kRecall, "recall"},
                                              {feature::kCancel, "cancel"},
                                              {feature::kDescriptors, "descriptors"},
                                              {feature::kProgress, "progress"},
                                              {feature::kEvents, "events"},
                                              {feature::kPage, "page"},
                                              {feature::kRegistered, "registered"},
                                              {feature::kReport, "report"},
                                              {feature::kDirectory, "directory"},
                                              {feature::kCheckpoint, "checkpoint"},
                                              {feature::kLarge, "large"},
                                              {feature::kPartial, "partial"},
                                              {feature::kStamps, "stamps"},
                                              {feature::kArena, "arena"}};

// Bits 4 to 7 of Header::flags; which kind knows which is in its row.
namespace flag {
inline constexpr std::uint8_t kContentMask = 3;          // bits 0-1: Content of the payload
inline constexpr std::uint8_t kWait = 16;                // submit
inline constexpr std::uint8_t kCancelOnDisconnect = 32;  // submit
inline constexpr std::uint8_t kKeepResult = 64;          // submit
inline constexpr std::uint8_t kProgress = 128;           // submit, await
inline constexpr std::uint8_t kNow = 16;                 // await
inline constexpr std::uint8_t kKeysOnly = 16;            // received
inline constexpr std::uint8_t kDuplicate = 16;           // accepted
inline constexpr std::uint8_t kRelaxed = 32;             // accepted: not synced yet
inline constexpr std::uint8_t kMemoryOnly = 64;          // accepted, cancelled: not on disk
inline constexpr std::uint8_t kStamped = 16;             // assign: stamps are wanted
inline constexpr std::uint8_t kReturned = 16;            // recalled
inline constexpr std::uint8_t kGap = 16;                 // event
inline constexpr std::uint8_t kComeAgain = 16;           // retire: the daemon ends, not the worker
inline constexpr std::uint8_t kDegraded = 16;            // report
inline constexpr std::uint8_t kWell = 32;                // report: is degraded no more
}  // namespace flag

struct FlagRow {
  std::uint8_t bit;
  std::string_view name;
};

// Fields of the header that a kind uses. Bits. All others must be 0 in its frames.
namespace use {
inline constexpr std::uint8_t kId = 1, kToken = 2, kRound = 4, kAttempt = 8, kType = 16,
                              kCredits = 32, kDescriptors = 64;
inline constexpr std::uint8_t kRun = kId | kToken | kRound | kAttempt;  // one attempt
}  // namespace use

struct UseRow {
  std::uint8_t bit;
  std::string_view name;
};
inline constexpr UseRow kUseRows[] = {{use::kId, "id"},
                                      {use::kToken, "token"},
                                      {use::kRound, "round"},
                                      {use::kAttempt, "attempt"},
                                      {use::kType, "type"},
                                      {use::kCredits, "credits"},
                                      {use::kDescriptors, "descriptors"}};

// What one field of meta may be. Arguments: those of a request, see verb.hpp.
enum class FieldKind : std::uint8_t { Number, Time, Text, Texts, Arguments };

// Bounds: a Number is within [minimum, maximum]; a Text has at most `maximum` bytes; Texts are at
// most `maximum` of at most 255 bytes each. Units: Time is nanoseconds, signed.
struct Field {
  std::string_view name;
  FieldKind kind = FieldKind::Number;
  std::uint64_t maximum = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t minimum = 0;
};

struct KindRow {
  Kind kind;
  std::string_view name;
  std::uint8_t from, to;  // Party bits
  std::uint64_t needs;    // feature that must hold; 0: none
  std::uint8_t fields;    // use:: bits
  std::span<const FlagRow> flags;
  std::span<const Field> meta;
  bool payload;
};

// All rows, by number.
std::span<const KindRow> kind_rows();
// Null for a number that no kind has.
const KindRow* find_kind(Kind kind);
// "unknown" for a number that no kind has.
std::string_view name_of(Kind kind);

}  // namespace warmpool::ipc
