// What a process does and costs, by a descriptor kept open: 3 to 5 us a sample. Its memory is
// tree_memory.hpp's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

#include "ipc/fd.hpp"
#include "pool/result.hpp"
#include "pool/time.hpp"

namespace warmpool::daemon {

struct ProcessSample {
  char state = '?';   // R, S, D, T (stopped), t (traced), Z, X ...: proc(5)
  Duration cpu_time;  // user and system, all threads; in steps of a clock tick [10 ms]
  // Only of look_closely(): how often its first thread gave the processor up by itself, and what
  // the kernel waits for in it, if anything.
  std::uint64_t voluntary_switches = 0;
  std::string wait_channel;

  bool stopped() const { return state == 'T' || state == 't'; }
  bool traced() const { return state == 't'; }  // it stands still because its debugger says so
};

// Order: open() while the process is a child that nobody has reaped, so that the pid is its own.
// From then on the descriptor means that process, whatever becomes of the number.
class ProcessSampler {
 public:
  // Errors: errno; EMFILE when descriptors are out.
  static Result<ProcessSampler> open(pid_t pid);

  // None once it is reaped.
  std::optional<ProcessSample> sample() const;

  // The rest of a sample, of one that is under suspicion: two more files, 15 us.
  // Order: while `pid` is surely its own.
  static void look_closely(pid_t pid, ProcessSample& sample);

 private:
  ipc::UniqueFd stat_;
};

// The parts of it, for tests: the text of /proc/PID/stat (a name may hold blanks and parentheses).
std::optional<ProcessSample> parse_stat(std::string_view stat);
struct StatTimes {
  char state = '?';
  Duration user, system;
};
std::optional<StatTimes> parse_stat_times(std::string_view stat);

}  // namespace warmpool::daemon
