// What a process has used and has open, in figures that only grow or that are so now: read from
// /proc now and then, 15 us a process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "pool/time.hpp"

namespace warmpool::daemon {

struct ProcessFigures {
  Duration cpu_time, disk_wait;         // since it began; disk_wait 0 where the kernel counts none
  std::optional<Duration> throttled{};  // of its cgroup
  std::uint64_t read_bytes = 0, write_bytes = 0;  // from and to files, pipes and sockets
  std::uint64_t disk_read_bytes = 0, disk_write_bytes = 0;
  std::uint32_t threads = 0, descriptors = 0, descriptors_max = 0;
  std::uint64_t minor_faults = 0, major_faults = 0;
};

// `cpu_stat`: as of cpu_stat_path(). None where the process is gone. What may not be read is 0.
// Order: while `pid` is surely its own.
std::optional<ProcessFigures> process_figures(pid_t pid, const std::string& cpu_stat);

// The file in which the cgroup (v2) of a process counts how long it was throttled; empty where it
// has none of its own.
std::string cpu_stat_path(pid_t pid);

// Parts of it, for tests: the texts of stat and of io.
bool parse_figures_stat(std::string_view stat, ProcessFigures& figures);
void parse_figures_io(std::string_view io, ProcessFigures& figures);

}  // namespace warmpool::daemon
