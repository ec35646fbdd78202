// Meta of each kind of frame, as a value. The order of members is the order on the wire; a member
// left as it is here is the wire's default.
//
// Owns: nothing. Texts of a decoded meta point into the frame and are valid as long as it is; texts
// to be encoded point to the caller's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "ipc/message.hpp"
#include "ipc/verb.hpp"
#include "pool/refusal.hpp"
#include "pool/time.hpp"
#include "pool/words.hpp"

namespace warmpool::ipc {

struct HelloMeta {
  Role role = Role::Client;
  std::uint64_t version_min = kVersion, version_max = kVersion;
  std::uint64_t features = 0;
  std::string_view name{};  // of the program, for people
  std::uint32_t pid = 0;    // for people; the daemon asks the kernel
  // Of a worker that connects by itself.
  std::string_view worker_class{};
  std::vector<std::string_view> types{};
  std::uint8_t concurrency = 0;  // how many it runs at once; 0 counts as 1
};

// Order: what it says holds for every later frame of both sides.
struct WelcomeMeta {
  std::uint64_t version = kVersion;
  std::uint64_t features = 0;
  std::uint32_t frame_bytes_max = 0;  // of body_bytes, in both directions
  std::uint64_t payload_bytes_max = 0;
  std::uint64_t in_flight_max = 0;
  Duration heartbeat_interval{};
  std::string_view server{};
  std::uint64_t result_bytes_max = 0;
  std::uint64_t large_bytes_max = 0;  // only where the feature large was agreed
};

// `code` is a number of Refusal, or one that a later version added.
struct ErrorMeta {
  std::uint16_t code = 0;
  std::string_view text{};
};

struct TypeNameMeta {
  std::string_view name{};  // 1 to 255 bytes
};

// Not set: the daemon's option of that name holds. Bounds: only those of the wire; what a daemon
// accepts is check_submit() in codec.hpp.
struct SubmitMeta {
  std::optional<std::uint64_t> priority{};
  std::optional<Duration> timeout{}, deadline{}, expiry{};
  std::optional<std::uint64_t> retries{};
  std::optional<Duration> delay{};
  std::optional<WallTime> run_at{};
  std::optional<std::string_view> key{};
  std::string_view tenant{};
  std::vector<std::string_view> labels{};
  Durability durability = Durability::Full;
  std::optional<std::uint64_t> crashes_max{};
  KeyUse key_use = KeyUse::Lasting;
  std::uint32_t large_bytes = 0;  // in the descriptor that comes along; 0: none does
};

using Argument =
    std::variant<std::monostate, bool, std::uint64_t, std::string_view, std::vector<std::uint64_t>>;
inline constexpr std::size_t kArgumentsMax = 6;

// Order: after decode, arguments[i] has the kind of row i of its verb, or is monostate where that
// row may be nil; those beyond the row's are monostate.
struct RequestMeta {
  Verb verb{};
  std::array<Argument, kArgumentsMax> arguments{};
};

struct RefusedMeta {
  std::uint16_t code = 0;
  std::string_view text{};
  Duration retry_after{};  // 0: trying again makes no sense
};

struct SettledMeta {
  Verdict verdict = Verdict::Done;
  EndCause cause = EndCause::Done;
  std::uint16_t charged_failures = 0, charged_crashes = 0;
  std::uint32_t large_bytes = 0;
};

// Of progress and of progressed.
struct ProgressMeta {
  std::uint16_t permille = 0;
  std::string_view text{};
};

struct CancelledMeta {
  Rung rung = Rung::NotRunning;
  TaskState state = TaskState::Cancelled;
};

struct AssignMeta {
  Duration timeout{};        // 0: none
  Duration deadline_left{};  // of the whole task; 0: none
  std::uint16_t failures = 0, crashes = 0;
  std::string_view directory{};  // of this attempt alone; empty: none was made
  // What an earlier attempt left: so many of the last bytes of the payload; 0: nothing.
  std::uint32_t checkpoint_bytes = 0;
  Content checkpoint_content = Content::Bytes;
  std::uint32_t large_bytes = 0;
};

struct DoneMeta {
  std::uint32_t large_bytes = 0;
};

struct CancelAttemptMeta {
  EndCause cause = EndCause::Cancelled;
};

struct FailedMeta {
  Outcome outcome = Outcome::Failed;  // never Done
  Duration retry_after{};
};

// What a worker says of itself: gauges as "name=value", and why it is degraded.
struct ReportMeta {
  std::vector<std::string_view> gauges{};
  std::string_view reason{};
};

}  // namespace warmpool::ipc
