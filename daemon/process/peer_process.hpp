// Which process is at the other end of a socket, so that its end is noticed though it is nobody's
// child here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>

#include "ipc/fd.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

// A process of this boot: its number may be given away again, number and start together may not.
struct ProcessName {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // since the boot

  friend bool operator==(const ProcessName&, const ProcessName&) = default;
};

// None: there is no such process, or /proc is not to be read.
std::optional<ProcessName> name_of_process(pid_t pid);
// Empty where the kernel does not tell.
std::string boot_id();

struct PeerProcess {
  ProcessName name;     // pid 0: it cannot be seen from here (another pid namespace)
  ipc::UniqueFd pidfd;  // readable once it is dead; may be none where it has no name
};

// Ask: SO_PEERPIDFD (Linux 6.5), where there is no doubt. Never: as on older kernels, by the number
// that it had when it connected.
enum class PeerPidfd : unsigned char { Ask, Never };

// Of a connected Unix socket: who called connect().
// Errors: ESRCH when that process has ended, also where somebody else holds its end of the
// connection; EMFILE.
Result<PeerProcess> process_of_peer(int socket, PeerPidfd how = PeerPidfd::Ask);

}  // namespace warmpool::daemon
