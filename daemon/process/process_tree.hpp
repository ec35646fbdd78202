// Who descends from whom, and whose mark a process carries, by /proc. Numbers read here are hints:
// a process is signalled through a pidfd that was opened first and checked after.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "daemon/process/process_port.hpp"
#include "ipc/fd.hpp"

namespace warmpool::daemon {

ipc::UniqueFd open_pidfd(pid_t pid);
// Errors: errno as the result; 0 when it was sent.
int send_signal(int pidfd, int number);
// By what /proc says of the descriptor; 0: it is no pidfd, or its process is gone.
pid_t pid_of(int pidfd);
// Dead, whether it was waited for or not.
bool is_dead(int pidfd);

// Ends or is about to: SIGKILL is pending. Order: while the number is surely its own.
bool is_dying(pid_t pid);

// Of all threads of `pid`; of this process with getpid(). Cost: about 1 us a child.
std::vector<pid_t> children_of(pid_t pid);
std::vector<pid_t> all_processes();

// What a process's environment says of its mark.
// None: it carries none, or is gone. Unclear: it is in the middle of execve, where the new program
// is there and its environment not yet; that may last, while the program is read from a slow disk.
// Look again. Unreadable: it may carry one, and this process may not look into it (another user's,
// and no CAP_SYS_PTRACE).
struct MarkSeen {
  enum class State : unsigned char { None, Unclear, Unreadable, Found } state = State::None;
  std::string mark;
};
// Bounds: the first 8 MiB of the environment. Blocks: where the process is in state D and what
// holds it holds its memory map too; not for the loop before Kinship::state was looked at.
MarkSeen look_at_mark(pid_t pid);
// Of processes of that user: whether look_at_mark() would be refused here. By what this process is
// and may now.
bool hides_marks(uid_t user);
// Of the text of /proc/PID/stat, of a process whose environment was read as empty.
bool is_unclear(std::string_view stat);

struct Kinship {
  pid_t parent = 0, session = 0;
  char state = '?';               // proc(5)
  std::uint64_t start_ticks = 0;  // since the boot: with the number, which process it is
};
// Zeros when it is gone.
Kinship kinship_of(pid_t pid);
// Of the text of /proc/PID/stat.
Kinship parse_kinship(std::string_view stat);

// By number. Order: made of children of this process, and thrown away before one is waited for.
using AdoptedOf = std::unordered_map<pid_t, WorkerId>;

using Waited = std::set<std::pair<pid_t, std::uint64_t>>;  // with when it began

struct TreeRoot {
  pid_t pid = 0;          // the worker, unreaped; the leader of its session
  std::string_view mark;  // of the worker
  Which which{};
  // Whose adopted ones are known to be: their marks are not read again. Null: of none.
  const AdoptedOf* adopted_of = nullptr;
  WorkerId worker{};
  // What was seen below it while it lived: of a process in state D that is known without a look
  // into its memory. Null: nothing was.
  const TreeMemory* seen = nullptr;
  // Those in state D that were waited for in vain: nobody waits for them again. Null: of this walk.
  Waited* waited = nullptr;
};

// SIGKILL to all that descends from the worker, itself not included, and to what this process has
// adopted of it: children outside `workers` that carry its mark or are of its session.
// Order: SIGKILL to the worker first, or the worker is dead, unless some are spared.
// Bounds: kTreePasses walks; each finds the children that the one before had not seen yet. An
// orphan between two programs cannot be told; ProcessPort::reap_orphans() meets it again. A process
// with SIGKILL pending cannot fork any more, so no SIGSTOP comes first (Source: fork in
// kernel/fork.c returns to a pending signal before the child is linked).
// `spared`: of a worker that lives, those that are left alone.
TreeEnd end_descendants(const TreeRoot& root, const std::unordered_set<pid_t>& workers,
                        const std::vector<pid_t>& spared = {});
// The same processes of a worker that lives, in no order.
std::vector<pid_t> descendants_of(const TreeRoot& root, const std::unordered_set<pid_t>& workers);

inline constexpr int kTreePasses = 16;

}  // namespace warmpool::daemon
