// The only door to worker processes: spawn, signal, the order at a death, orphans. Tests replace
// it. Nothing else in the daemon assumes that a worker is its child: a keeper process may be,
// later.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "daemon/process/spawn_spec.hpp"
#include "daemon/process/tree_memory.hpp"
#include "ipc/fd.hpp"
#include "ipc/fifo.hpp"
#include "pool/ids.hpp"
#include "pool/result.hpp"
#include "pool/words.hpp"

namespace warmpool::daemon {

// A process that was started. Owns: the daemon's ends, all close-on-exec and non-blocking.
struct Child {
  WorkerId worker;
  pid_t pid = 0;                 // for people and /proc; never to signal by
  bool pids_limited = false;     // as SpawnSpec asks
  ipc::UniqueFd exit_notice;     // readable once it is dead, and for ever after
  ipc::UniqueFd launch_status;   // readable when it runs its program, or could not; none of a fork
  ipc::UniqueFd channel;         // a stream socket, or the end of a FIFO that is read
  ipc::UniqueFd channel_out;     // the end of a FIFO that is written; none with a socket
  ipc::UniqueFd output, errors;  // read ends of its stdout and stderr
  // Their names, until the worker has opened both; empty with a socket.
  std::optional<ipc::FifoPair> fifos;
};

// A worker that a template is to fork. `child` has neither pid nor exit notice yet; `packet` and
// the worker's ends go to the template.
struct ForkOrder {
  Child child;
  std::string packet;
  std::vector<ipc::UniqueFd> descriptors;
};

// What the kernel says of a death. `code`: exit status, or minus the signal.
// cause: Exited, Signalled, or OutOfMemory where its cgroup counted a kill for memory that was not
// forgotten, or none did and the kernel killed for memory when somebody unknown killed it. Whether
// its program was ever started is in launch_outcome().
struct Usage {
  Duration cpu_user, cpu_system;  // with what it waited for
  std::uint64_t rss_peak_bytes = 0, major_faults = 0;
  std::uint64_t voluntary_switches = 0, involuntary_switches = 0;
};

struct Exit {
  ExitCause cause = ExitCause::Exited;
  std::int32_t code = 0;
  bool core_dumped = false;
  bool probable = false;         // OutOfMemory, as far as one can tell
  bool known = true;             // false: dead, and how is told to its own parent alone; code 255
  std::optional<Usage> usage{};  // of its whole life, where it is known
};

// A process that somebody else started, and that is to be a worker.
struct Stranger {
  WorkerId worker;
  pid_t pid = 0;  // as Child::pid
  ipc::UniqueFd pidfd;
  // Whether it leads a session of its own and carries the worker's mark, so that kill_tree() takes
  // all that descends from it. Else only the process itself is ever signalled: its group may be
  // somebody's shell.
  bool leads_tree = false;
};

// `killed`: processes that were sent SIGKILL. `clean`: the last pass found nothing more to kill;
// otherwise something forks faster than it is killed, and reap_orphans() goes on with it.
struct TreeEnd {
  std::uint32_t killed = 0;
  bool clean = true;
};

struct Adopted {
  WorkerId worker;
  pid_t pid = 0;
};

struct Orphans {
  std::uint32_t reaped = 0;                 // adopted and dead: waited for
  std::uint32_t killed = 0;                 // adopted and alive, of a worker that is buried
  std::vector<Adopted> living{};            // the others, of workers that are not
  std::vector<std::string> cgroups_left{};  // given up: they cannot be removed
};

// Which of a worker's descendants are meant. `adopted_before`: those alone that are children of
// this process by now and began before that tick since the boot, and what descends from them.
struct Which {
  std::optional<std::uint64_t> adopted_before{};
};

// Threads: the main thread only; a parent-death signal follows the thread that spawned.
// Blocks: never, but for spawn() [0.1 ms].
class ProcessPort {
 public:
  virtual ~ProcessPort() = default;

  // Errors: errno and a text for people; nothing was started then. What goes wrong after the
  //   launcher has begun is told by Child::launch_status, followed by the exit.
  virtual Result<Child> spawn(const SpawnSpec& spec) = 0;

  // From here on it is a worker like those that were spawned. Returns its exit notice, as
  // Child::exit_notice. Nothing waits for it where it is nobody's child here: that it is dead is
  // seen by its pidfd, and how it died is not.
  // Errors: EMFILE; it is no worker then.
  virtual Result<ipc::UniqueFd> adopt(Stranger stranger) = 0;

  // The worker is unknown from here on, and its process is left as it is.
  // Order: one that was adopted; in place of bury().
  virtual void disown(WorkerId worker) = 0;

  // A worker is to come of a template, and all that holds for spawned ones holds for it, once it is
  // taken. Order: ends with take_forked() or abandon(). Errors: as those of spawn().
  virtual Result<ForkOrder> order_fork(const SpawnSpec& spec) = 0;
  // `pidfd` is what the template calls this worker, and it says that the worker is our child now.
  // Errors: it is not, is another one, or does not carry the worker's mark; it is abandoned then.
  virtual Result<Child> take_forked(Child child, ipc::UniqueFd pidfd) = 0;
  // Nothing comes of the order. Ends what may have come of it already.
  // Order: once nothing of its template runs, or the template says that it made none.
  virtual void abandon(WorkerId worker) = 0;

  // To the worker's process alone; one that is dead and not yet buried takes it silently.
  // Errors: errno (EPERM, EINVAL).
  virtual Result<void> signal(WorkerId worker, int number) = 0;

  // SIGKILL to the worker and all that descends from it: its cgroup if it has one, its group, and
  // whatever else in the tree carries its mark. May be called again. The death is told by
  // exit_notice.
  virtual TreeEnd kill_tree(WorkerId worker) = 0;

  // How it died; none while it lives. Not `known` where it is no child of this process, or where
  // somebody else in this process waited for it. Leaves it a zombie, so that its pid and group stay
  // its own.
  virtual std::optional<Exit> inspect(WorkerId worker) = 0;

  // What it has of memory now; none where it is gone, or cannot be looked at.
  virtual std::optional<MemoryFigure> memory(WorkerId, MemoryLook) { return std::nullopt; }
  // The kernel is to end what takes more than a little over this, where it can be told.
  // kUnlimited: any.
  virtual void limit_memory(WorkerId, std::uint64_t) {}

  // Kills for memory that the kernel has counted in its own cgroup by now are of the past, unless
  // the worker itself is dying.
  virtual void forget_ooms(WorkerId) {}
  // Whether it has counted another one since. False where it counts none.
  virtual bool oom_since(WorkerId) { return false; }

  // What lives and descends from it, itself not included.
  virtual std::vector<pid_t> descendants(WorkerId, Which) { return {}; }
  // SIGKILL to all of these but `spared`; how many that were.
  virtual std::uint32_t end_others(WorkerId, const std::vector<pid_t>&, Which) { return 0; }

  // Adopted processes: waits for the dead, kills those whose worker is buried. Never touches a
  // worker. To be called at SIGCHLD and each second or so.
  virtual Orphans reap_orphans() = 0;

  // What to do at an exit notice, in the order that loses nothing (architecture, contract 5):
  //   1. inspect: the cause, while the leader is still a zombie and its numbers cannot be reused;
  //   2. kill_tree: so that nothing writes any more, cgroup.kill included;
  //   3. drain(exit): the caller reads at most bytes_waiting() of launch_status, channel, output
  //      and errors, never to the end of the stream (a stranger may hold the other end), closes
  //      them, and tells the core WorkerExited;
  //   4. reap: the zombie, its pidfd and its cgroup; the worker is unknown from here on.
  // Returns false, having done nothing, when the worker is still alive, or is dead and held by a
  // debugger or strace: exit_notice is readable then, and it is to be tried again at SIGCHLD.
  bool bury(WorkerId worker, const std::function<void(const Exit&)>& drain);
  static constexpr Duration kBuryAgain = seconds(1);  // how often one held so is looked at besides

 protected:
  // Order: after inspect() has told of its death; called by bury() alone.
  virtual void reap(WorkerId worker) = 0;
};

// Bytes that can be read from a pipe or socket at once; 0 also when it cannot be told.
std::size_t bytes_waiting(int fd);

}  // namespace warmpool::daemon
