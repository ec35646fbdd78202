// What a caller can say about a connection and about a task.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ipc/fd.hpp"
#include "pool/time.hpp"
#include "pool/words.hpp"

namespace warmpool::client {

// What happens when a connection that once worked ends. Bounds: waits double from `delay_first` to
// `delay_max`, each shortened by up to a quarter at random, until `give_up_after` has passed since
// the connection last answered anything.
struct ReconnectPolicy {
  bool enabled = true;
  std::chrono::milliseconds delay_first{20};
  std::chrono::milliseconds delay_max{1'000};
  std::chrono::milliseconds give_up_after{30'000};
};

struct ConnectOptions {
  std::string socket{};              // empty: WARMPOOL_SOCKET, else the user's default
  std::string name = "libwarmpool";  // of this program, for people
  std::chrono::milliseconds connect_timeout{5'000};  // of connect and hello together
  std::chrono::milliseconds stall_timeout{30'000};   // nothing can be written for so long: lost
  ReconnectPolicy reconnect{};
  // While tasks come and go a wait looks for what follows so long before it sleeps: results sooner
  // for processor time. Bounds: 0 .. 10 ms, more is taken as that.
  Duration spin{};
  // The daemon is asked when each task passed each place on its way: see Client::take_stamps.
  bool stamps = false;
  // Of memory for large payloads that is filled again and not made anew, where the daemon takes
  // such; 0: none. One that nothing was sent in for `arena_idle_max` goes with the next call.
  std::uint64_t arena_bytes_max = std::uint64_t{1} << 30;
  std::chrono::milliseconds arena_idle_max{10'000};
};

// One task. What is not set is the daemon's option of that name.
struct SubmitOptions {
  std::string type{};  // 1 to 255 bytes of UTF-8
  // Opaque. Bounds: payload_bytes_max of the daemon; beyond it large_bytes_max, and it is handed
  // over as a descriptor.
  std::string payload{};
  ipc::SharedFd large{};  // in its place: a sealed memfd (ipc::LargeWriter) of large_bytes bytes
  std::uint64_t large_bytes = 0;
  Content content = Content::Bytes;
  std::optional<std::uint64_t> priority{};  // 0 first, 100 last
  std::optional<Duration> timeout{};        // of each run
  std::optional<Duration> deadline{};       // of the whole, from its acceptance
  std::optional<Duration> expiry{};         // of waiting
  std::optional<std::uint64_t> retries{};   // after failures
  std::optional<Duration> delay{};          // before the first run
  std::optional<WallTime> run_at{};         // instead of delay
  std::optional<std::string> key{};         // the same key is the same task
  KeyUse key_use = KeyUse::Lasting;         // Reconnect: remembered just long enough for that
  bool auto_key = false;                    // unless key is set: a random one, of use Reconnect
  std::string tenant{};
  std::vector<std::string> labels{};  // Bounds: 32
  Durability durability = Durability::Full;
  std::optional<std::uint64_t> crashes_max{};
  bool wait = false;                  // Settled comes as an event
  bool progress = false;              // Progressed come as events; needs wait
  bool keep_result = false;           // the daemon keeps it although we have received it
  bool cancel_on_disconnect = false;  // cancelled when this client goes away
};

// Which events of the pool. Names and fields: docs/protocol.md, section 11.
struct EventsOptions {
  bool follow = false;                   // also those that come, without end
  std::optional<std::uint64_t> after{};  // only numbers above; else with follow only new ones
  std::string types{};                   // "task-*,worker-exited"; empty: all
};

}  // namespace warmpool::client
