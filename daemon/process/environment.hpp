// What a worker finds in its environment: little of the daemon's, all of its class's, and its own.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/process/process_port.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

// May a worker see this variable of the daemon? PATH, HOME, LANG, LC_*, TZ, TMPDIR, USER, LOGNAME
// and SHELL; nothing else, so that no secret of the daemon leaks.
bool is_inherited(std::string_view name);

// Where a worker finds its channel, as variables of its environment. Each is set or taken away, so
// that a class cannot make a worker look elsewhere.
struct ChannelAddress {
  std::string number;  // WARMPOOL_CHANNEL, of a template WARMPOOL_TEMPLATE; empty: not set
  std::string fifo_in, fifo_out;  // WARMPOOL_FIFO_IN and _OUT, paths; empty: not set
  static ChannelAddress of(int number) { return {std::to_string(number), {}, {}}; }
  static ChannelAddress of(const ipc::FifoPair& fifos) {
    return {{}, fifos.in_path(), fifos.out_path()};
  }
};

// Order: of two settings of one name the later wins: the daemon's allowed ones (PATH has a
// default),
//   the identity's HOME, USER, LOGNAME and SHELL, the class's, then the channel's, WARMPOOL_WORKER,
//   _TOKEN, _SLOT, _MARK, SUPPORTED_TASK_TYPES (joined with commas), WORKER_ID and WORKER_HOSTNAME.
// A template has no channel, worker and token, but WARMPOOL_TEMPLATE and _PRELOAD (with commas); a
// helper has none of them.
// Each name is there once. Errors: EINVAL for an entry of the class that is not NAME=VALUE.
Result<std::vector<std::string>> build_environment(std::span<const std::string> of_daemon,
                                                   const SpawnSpec& spec,
                                                   const ChannelAddress& channel,
                                                   std::string_view mark,
                                                   std::string_view hostname);

// What one that is forked finds beside what its template has: all that is of this worker alone.
std::vector<std::string> environment_of_forked(const SpawnSpec& spec, const ChannelAddress& channel,
                                               std::string_view mark);

// This process's own, as NAME=VALUE.
std::vector<std::string> own_environment();

}  // namespace warmpool::daemon
