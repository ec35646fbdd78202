// What a process is started as.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <sys/types.h>
#include <vector>

#include "daemon/process/identity.hpp"
#include "pool/ids.hpp"
#include "pool/options.hpp"

namespace warmpool::daemon {

struct ResourceLimit {
  static constexpr rlim_t kKeep = RLIM_INFINITY - 1;  // as hard: what was inherited
  int resource = 0;                                   // RLIMIT_...
  rlim_t soft = 0, hard = kKeep;                      // soft is cut to hard
};

// No core files, and 1,024 open files as a soft limit: the daemon raises its own, and programs that
// close or select over all numbers would pay for that.
std::vector<ResourceLimit> default_limits();

// What a worker's channel is made of.
enum class ChannelKind : std::uint8_t { Socket, Fifos };

// A template forks workers; see ipc/template_frames.hpp. A helper has no channel.
enum class SpawnRole : std::uint8_t { Worker, Template, Helper };

struct SpawnSpec {
  WorkerId worker;
  std::uint64_t token = 0;  // what its hello must carry
  std::string slot;         // "worker-0"
  ChannelKind channel = ChannelKind::Socket;
  std::vector<std::string> command;      // found by PATH of its own environment; not empty
  std::vector<std::string> environment;  // of its class: NAME=VALUE
  std::vector<std::string> types;        // served by its class
  std::string working_directory = "/";
  std::string directory;             // that was made for it; empty: none
  std::optional<Identity> identity;  // none: the daemon's own user
  mode_t file_mask = 077;
  std::optional<int> nice;
  std::vector<int> cpus;  // it may run on; none: all that the daemon may
  std::vector<ResourceLimit> limits = default_limits();
  std::uint64_t memory_max = kUnlimited;  // as in limit_memory()
  std::uint64_t pids_max = 0;             // processes and threads in its tree; 0: any number
  SpawnRole role = SpawnRole::Worker;
  std::vector<std::string> preload;  // of a template
};

}  // namespace warmpool::daemon
