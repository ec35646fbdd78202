// Where a client looks for the daemon, and where a daemon is found by default.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "ipc/fd.hpp"
#include "pool/result.hpp"

namespace warmpool::ipc {

// What the choice depends on, as a value, so that tests need no environment.
struct Surroundings {
  std::optional<std::string> warmpool_socket;  // WARMPOOL_SOCKET
  std::optional<std::string> xdg_runtime_dir;  // XDG_RUNTIME_DIR; ignored unless absolute
  uid_t uid = 0;
  std::optional<std::string> xdg_state_home{}, home{};  // as above
  std::optional<std::string> state_directory{};         // STATE_DIRECTORY, from a service manager
  static Surroundings of_process();
};

// $XDG_RUNTIME_DIR/warmpool, else /run/warmpool for root, else /tmp/warmpool-UID.
std::string default_runtime_directory(const Surroundings& surroundings);

// Where a daemon keeps what outlives it: STATE_DIRECTORY, else /var/lib/warmpool for root, else
// $XDG_STATE_HOME/warmpool, else ~/.local/state/warmpool; empty where there is no home either.
std::string default_state_directory(const Surroundings& surroundings);

struct SocketAddress {
  std::string path;
  bool by_default = false;  // nobody named it: the daemon must be of this user or root
};

// `given` (--socket), else WARMPOOL_SOCKET, else warmpool.sock in the default runtime directory.
// Empty texts count as not given.
SocketAddress socket_address(std::string_view given, const Surroundings& surroundings);

// A connected, non-blocking, close-on-exec socket. Paths of any length.
// Blocks: until `deadline` when the daemon's backlog is full.
// Errors: an EndpointFault; Unreachable says what to do.
Result<UniqueFd> connect_to(const SocketAddress& address,
                            std::chrono::steady_clock::time_point deadline);

}  // namespace warmpool::ipc
