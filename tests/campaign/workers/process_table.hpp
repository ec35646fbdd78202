// What the kernel says of processes, whatever the daemon believes.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

namespace warmpool::campaign {

// In clock ticks since boot; 0: it is gone. With the number it names one process for ever.
std::uint64_t start_time_of(pid_t pid);

// One that wrote its name into a file: strays.hpp.
struct ProcessName {
  pid_t pid = 0;
  std::uint64_t start = 0;
};
std::vector<ProcessName> read_names(const std::string& file);
// One that has ended and was not waited for does not live.
bool lives(const ProcessName& name);

// Of its own: resident and shared with nobody. Units: KiB. 0: it is gone.
std::uint64_t own_kib_of(pid_t pid);

// What a daemon holds that must come back to where it was.
struct Footprint {
  std::uint64_t descriptors = 0;  // but for those of /proc, which it opens for who is silent
  std::uint64_t looking = 0;      // of /proc, three a process
  std::uint64_t children = 0, zombies = 0, rss_kib = 0, shared_files = 0;
};
// What they are, one after another.
std::string descriptors_of(pid_t pid);
Footprint footprint_of(pid_t pid);

}  // namespace warmpool::campaign
