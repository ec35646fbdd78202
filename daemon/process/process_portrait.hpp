// What a process looks like, for people: taken once, before it is ended for a reason that somebody
// will want to understand. Nothing in it is waited for, and nothing in the process is touched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "pool/time.hpp"

namespace warmpool::daemon {

struct ThreadPortrait {
  std::uint64_t id = 0;
  char state = '?';
  std::string name, wait_channel;
};

struct ProcessPortrait {
  char state = '?';  // of its first thread, as the next three: proc(5)
  std::string wait_channel;
  std::string system_call;   // its number and arguments; empty where it may not be read
  std::string kernel_stack;  // a line a frame; empty where it may not be read (root only)
  Duration cpu_user, cpu_system;
  std::uint64_t rss_bytes = 0, rss_peak_bytes = 0;
  std::uint64_t voluntary_switches = 0, involuntary_switches = 0;
  std::uint64_t thread_count = 0, child_count = 0, descriptor_count = 0;
  std::vector<ThreadPortrait> threads;   // the first kThreadsMax
  std::vector<std::string> children;     // "PID NAME", the first kChildrenMax
  std::vector<std::string> descriptors;  // "N TARGET", the first kDescriptorsMax
  std::vector<std::string> limits;       // that were reached, or nearly
  bool cut = false;                      // the time was over before all was read
  Duration took;

  static constexpr std::size_t kThreadsMax = 16, kChildrenMax = 16, kDescriptorsMax = 32;
};

// None: it is gone. Order: while the number is surely its own.
// Blocks: never for the process; reads of /proc, at most `within` and one more read.
std::optional<ProcessPortrait> take_portrait(pid_t pid, Duration within = milliseconds(5));

// Of it the state, the CPU time, memory, threads and switches alone: two reads, 20 us.
std::optional<ProcessPortrait> take_sketch(pid_t pid);

// The parts of it, for tests.
// The number behind "NAME:" in the text of /proc/PID/status.
std::optional<std::uint64_t> status_number(std::string_view status, std::string_view name);
// The soft limit of this name in the text of /proc/PID/limits; none: unlimited.
std::optional<std::uint64_t> soft_limit(std::string_view limits, std::string_view name);

}  // namespace warmpool::daemon
