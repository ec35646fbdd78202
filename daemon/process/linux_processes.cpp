// A worker is known here by its id, and to the kernel by its pidfd. Its number is used in two
// places, where it cannot have been reused because the worker has not been waited for: to signal
// its group, and as the root of the walk over its descendants.
#include "daemon/process/linux_processes.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unordered_set>
#include <utility>

#include "daemon/process/cgroup_leaf.hpp"
#include "daemon/process/controller_leaf.hpp"
#include "daemon/process/oom_count.hpp"
#include "daemon/process/process_tree.hpp"
#include "daemon/process/spawner.hpp"
#include "daemon/process/worker_ooms.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::int32_t kStatusUnknown = 255;
constexpr pid_t kNoProcess = -1;
// At the end, for all workers that are left, and for what may still be dying in their cgroups.
constexpr int kLastWaitMs = 5'000;
constexpr Duration kLastCgroupWait = seconds(1);

Exit exit_of(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return {.cause = ExitCause::Exited, .code = info.si_status};
  return {.cause = ExitCause::Signalled,
          .code = -info.si_status,
          .core_dumped = info.si_code == CLD_DUMPED};
}

Duration duration_of(const timeval& time) {
  return seconds(time.tv_sec) + microseconds(time.tv_usec);
}

Usage usage_of(const rusage& used) {
  return {.cpu_user = duration_of(used.ru_utime),
          .cpu_system = duration_of(used.ru_stime),
          .rss_peak_bytes = static_cast<std::uint64_t>(used.ru_maxrss) * 1024,
          .major_faults = static_cast<std::uint64_t>(used.ru_majflt),
          .voluntary_switches = static_cast<std::uint64_t>(used.ru_nvcsw),
          .involuntary_switches = static_cast<std::uint64_t>(used.ru_nivcsw)};
}

class LinuxProcesses final : public ProcessPort {
 public:
  LinuxProcesses(ProcessOptions options, std::string hostname, std::optional<CgroupLife> cgroups)
      : options_(std::move(options)), hostname_(std::move(hostname)), cgroups_(std::move(cgroups)) {
    if (options_.memory_cgroups == CgroupUse::IfPossible) {
      memory_cgroups_ = ControllerLife::make(options_.mark, "memory");
    }
  }
  LinuxProcesses(const LinuxProcesses&) = delete;
  LinuxProcesses& operator=(const LinuxProcesses&) = delete;
  ~LinuxProcesses() override;

  Result<Child> spawn(const SpawnSpec& spec) override;
  Result<ipc::UniqueFd> adopt(Stranger stranger) override;
  void disown(WorkerId worker) override;
  Result<ForkOrder> order_fork(const SpawnSpec& spec) override;
  Result<Child> take_forked(Child child, ipc::UniqueFd pidfd) override;
  void abandon(WorkerId worker) override;
  Result<void> signal(WorkerId worker, int number) override;
  TreeEnd kill_tree(WorkerId worker) override;
  std::optional<Exit> inspect(WorkerId worker) override;
  std::optional<MemoryFigure> memory(WorkerId worker, MemoryLook look) override;
  void limit_memory(WorkerId worker, std::uint64_t bytes) override;
  void forget_ooms(WorkerId worker) override;
  bool oom_since(WorkerId worker) override;
  std::vector<pid_t> descendants(WorkerId worker, Which which) override;
  std::uint32_t end_others(WorkerId worker, const std::vector<pid_t>& spared, Which which) override;
  Orphans reap_orphans() override;

 protected:
  void reap(WorkerId worker) override;

 private:
  struct Worker {
    pid_t pid = 0;
    ipc::UniqueFd pidfd;
    std::string mark;
    std::optional<CgroupLeaf> leaf;
    std::optional<ControllerLeaf> memory_leaf, pids_leaf;
    bool pids_limited = false;
    std::optional<TreeMemory> memory;
    bool leads_tree = true;
    bool spawned = true;
    bool killed = false;  // by us
    WorkerOoms ooms;
  };

  Worker& known(WorkerId worker);
  Worker new_worker(const SpawnSpec& spec);
  void limit_pids(Worker& worker, const SpawnSpec& spec);
  void drop(Worker worker);
  TreeRoot root_of(WorkerId id, const Worker& worker, Which which);
  std::string no_worker(const Worker& worker) const;
  Result<Child> keep(Worker worker, Child child);
  std::optional<WorkerId> worker_of(pid_t orphan);
  std::optional<WorkerId> worker_of_session(pid_t session) const;
  using Named = std::pair<pid_t, std::uint64_t>;  // with when it began
  std::optional<WorkerId> worker_marked(pid_t orphan) const;
  std::optional<WorkerId> worker_seen_above(const Named& orphan) const;
  static bool kill_stray(pid_t pid);

  ProcessOptions options_;
  std::string hostname_;
  std::optional<CgroupLife> cgroups_;
  std::optional<ControllerLife> memory_cgroups_;
  std::optional<ControllerLife> pids_cgroups_;  // made when the first worker needs it
  bool pids_tried_ = false;
  OomCount oom_;
  std::map<WorkerId, Worker> workers_;
  std::map<WorkerId, Worker> forks_;  // ordered of a template; which process they are is not known
  std::unordered_set<pid_t> pids_;    // of workers_
  // As seen last: a command's end costs no look at what the commands of others have left.
  AdoptedOf adopted_;
  std::map<Named, WorkerId> orphans_;  // of those that were there at the last look
  Waited waited_;                      // likewise
  LeavesLeft left_over_;
};

LinuxProcesses::Worker& LinuxProcesses::known(WorkerId worker) {
  const auto found = workers_.find(worker);
  REQUIRE(found != workers_.end());
  return found->second;
}

LinuxProcesses::Worker LinuxProcesses::new_worker(const SpawnSpec& spec) {
  Worker worker;
  worker.mark = options_.mark.of(spec.worker);
  if (cgroups_) worker.leaf = cgroups_->make_leaf(spec.worker);
  if (worker.leaf) worker.leaf->limit_memory(spec.memory_max);
  if (memory_cgroups_) worker.memory_leaf = memory_cgroups_->make_leaf(spec.worker);
  if (worker.memory_leaf) worker.memory_leaf->limit_memory(spec.memory_max);
  worker.ooms = WorkerOoms(worker.leaf, worker.memory_leaf);
  if (spec.pids_max != 0) limit_pids(worker, spec);
  return worker;
}

// v1 has no rules for whose directories those are, so there is none before somebody needs one.
void LinuxProcesses::limit_pids(Worker& worker, const SpawnSpec& spec) {
  worker.pids_limited = worker.leaf && worker.leaf->limit_pids(spec.pids_max);
  if (worker.pids_limited) return;
  if (!std::exchange(pids_tried_, true)) {
    pids_cgroups_ = ControllerLife::make(options_.mark, "pids");
  }
  if (pids_cgroups_) worker.pids_leaf = pids_cgroups_->make_leaf(spec.worker);
  worker.pids_limited = worker.pids_leaf && worker.pids_leaf->limit_pids(spec.pids_max);
}

void LinuxProcesses::drop(Worker worker) {
  if (worker.leaf) left_over_.add(worker.leaf->path());
  if (worker.memory_leaf) left_over_.add(worker.memory_leaf->path());
  if (worker.pids_leaf) left_over_.add(worker.pids_leaf->path());
  left_over_.remove();
}

Result<Child> LinuxProcesses::spawn(const SpawnSpec& spec) {
  REQUIRE(!workers_.contains(spec.worker) && !forks_.contains(spec.worker));
  Worker worker = new_worker(spec);
  std::vector<std::string> cgroups;
  if (worker.leaf) cgroups.push_back(worker.leaf->procs_path());
  if (worker.memory_leaf) cgroups.push_back(worker.memory_leaf->procs_path());
  if (worker.pids_leaf) cgroups.push_back(worker.pids_leaf->procs_path());
  auto child = spawn_worker(
      spec, {options_.launch_path, worker.mark, hostname_, std::move(cgroups), options_.fifos});
  if (child) return keep(std::move(worker), std::move(*child));
  drop(std::move(worker));
  return child;
}

Result<ForkOrder> LinuxProcesses::order_fork(const SpawnSpec& spec) {
  REQUIRE(!workers_.contains(spec.worker) && !forks_.contains(spec.worker));
  Worker worker = new_worker(spec);
  auto order = order_worker(spec, {{}, worker.mark, {}, {}, options_.fifos});
  if (order) {
    forks_.emplace(spec.worker, std::move(worker));
  } else {
    drop(std::move(worker));
  }
  return order;
}

Result<Child> LinuxProcesses::take_forked(Child child, ipc::UniqueFd pidfd) {
  const auto found = forks_.find(child.worker);
  REQUIRE(found != forks_.end());
  Worker& worker = found->second;
  worker.pid = pid_of(pidfd.get());
  worker.pidfd = std::move(pidfd);
  if (auto wrong = no_worker(worker); !wrong.empty()) {
    abandon(child.worker);
    return Error{ESRCH, "what the template made " + wrong};
  }
  // By the daemon, which may: the worker may be another user by now. Nobody has spoken to it yet,
  // so it has run nothing of a task.
  if (worker.leaf) worker.leaf->enter(worker.pid);
  if (worker.memory_leaf) worker.memory_leaf->enter(worker.pid);
  if (worker.pids_leaf) worker.pids_leaf->enter(worker.pid);
  child.pid = worker.pid;
  child.exit_notice = std::move(worker.pidfd);
  worker.memory.emplace(worker.pid);
  worker.memory->forgive_inherited();
  Worker adopted = std::move(worker);
  forks_.erase(found);
  return keep(std::move(adopted), std::move(child));
}

// A template may run as another user, and is not believed: only a child of ours that nobody else is
// and that carries this worker's mark is taken for it. Of a dead one the mark cannot be seen any
// more.
std::string LinuxProcesses::no_worker(const Worker& worker) const {
  siginfo_t info{};
  const auto pidfd = static_cast<id_t>(worker.pidfd.get());
  if (worker.pid <= 0 || waitid(P_PIDFD, pidfd, &info, WEXITED | WNOWAIT | WNOHANG) != 0) {
    return "is no child of this daemon";
  }
  if (pids_.contains(worker.pid)) return "is another worker";
  const bool its_own = look_at_mark(worker.pid).mark == worker.mark;
  if (its_own || is_dead(worker.pidfd.get())) return {};
  return "does not carry the mark of its worker";
}

void LinuxProcesses::abandon(WorkerId id) {
  const auto found = forks_.find(id);
  REQUIRE(found != forks_.end());
  Worker worker = std::move(found->second);
  forks_.erase(found);
  end_descendants({kNoProcess, worker.mark, {}}, pids_);
  drop(std::move(worker));
}

// The caller waits on a pidfd of its own, because an event loop closes what it waits on.
Result<Child> LinuxProcesses::keep(Worker worker, Child child) {
  worker.pid = child.pid;
  child.pids_limited = worker.pids_limited;
  worker.pidfd = std::move(child.exit_notice);
  child.exit_notice.reset(fcntl(worker.pidfd.get(), F_DUPFD_CLOEXEC, 0));
  const int code = errno;
  const WorkerId id = child.worker;
  const bool duplicated = static_cast<bool>(child.exit_notice);
  pids_.insert(worker.pid);
  if (!worker.memory) worker.memory.emplace(worker.pid);
  workers_.emplace(id, std::move(worker));
  if (duplicated) return child;
  kill_tree(id);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED | WNOWAIT);
  reap(id);
  return Error{code,
               std::string("cannot start a worker: ") + strerrordesc_np(code) +
                   "; raise the limit of open files (LimitNOFILE, ulimit -n), or lower `size`"};
}

Result<ipc::UniqueFd> LinuxProcesses::adopt(Stranger stranger) {
  REQUIRE(!workers_.contains(stranger.worker) && stranger.pidfd);
  REQUIRE(stranger.pid > 0 || !stranger.leads_tree);
  ipc::UniqueFd notice(fcntl(stranger.pidfd.get(), F_DUPFD_CLOEXEC, 0));
  if (!notice) {
    const int code = errno;
    return Error{code, std::string("cannot watch the process: ") + strerrordesc_np(code)};
  }
  Worker worker;
  worker.pid = stranger.pid;
  worker.pidfd = std::move(stranger.pidfd);
  worker.mark = options_.mark.of(stranger.worker);
  worker.leads_tree = stranger.leads_tree;
  worker.spawned = false;
  if (worker.pid > 0) {
    pids_.insert(worker.pid);
    TreeMemory memory(worker.pid, true);
    // The number was its own while it lives.
    if (!is_dead(worker.pidfd.get())) worker.memory = std::move(memory);
  }
  workers_.emplace(stranger.worker, std::move(worker));
  return notice;
}

void LinuxProcesses::disown(WorkerId id) {
  const Worker& worker = known(id);
  REQUIRE(!worker.spawned);
  pids_.erase(worker.pid);
  workers_.erase(id);
}

Result<void> LinuxProcesses::signal(WorkerId worker, int number) {
  const int error = send_signal(known(worker).pidfd.get(), number);
  if (error == 0) return {};
  return Error{error, "cannot signal process " + std::to_string(known(worker).pid) + ": " +
                          strerrordesc_np(error)};
}

TreeEnd LinuxProcesses::kill_tree(WorkerId id) {
  Worker& worker = known(id);
  worker.killed = true;
  if (!worker.leads_tree) {
    send_signal(worker.pidfd.get(), SIGKILL);
    return {};
  }
  if (worker.leaf) worker.leaf->kill();
  ::kill(-worker.pid, SIGKILL);
  send_signal(worker.pidfd.get(), SIGKILL);
  return end_descendants(root_of(id, worker, {}), pids_);
}

std::optional<Exit> LinuxProcesses::inspect(WorkerId id) {
  const Worker& worker = known(id);
  siginfo_t info{};
  const auto pidfd = static_cast<id_t>(worker.pidfd.get());
  rusage used{};  // the C library's waitid() has no place for it
  if (syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED | WNOWAIT | WNOHANG, &used) != 0) {
    // No child of ours, or waited for by somebody else in this process.
    if (errno != ECHILD || !is_dead(worker.pidfd.get())) return std::nullopt;
    return Exit{.cause = ExitCause::Exited, .code = kStatusUnknown, .known = false};
  }
  if (info.si_pid == 0) return std::nullopt;
  Exit exit = exit_of(info);
  exit.usage = usage_of(used);
  const bool by_kill = exit.cause == ExitCause::Signalled && exit.code == -SIGKILL;
  if (!by_kill) return exit;
  const auto verdict = worker.ooms.of_kill(worker.killed || !worker.spawned, oom_);
  if (verdict != WorkerOoms::Verdict::No) exit.cause = ExitCause::OutOfMemory;
  exit.probable = verdict == WorkerOoms::Verdict::Probably;
  return exit;
}

void LinuxProcesses::limit_memory(WorkerId id, std::uint64_t bytes) {
  const Worker& worker = known(id);
  if (worker.leaf) worker.leaf->limit_memory(bytes);
  if (worker.memory_leaf) worker.memory_leaf->limit_memory(bytes);
}

// The count rises at the kill, and the worker is gone when its memory is.
void LinuxProcesses::forget_ooms(WorkerId id) {
  Worker& worker = known(id);
  worker.ooms.look_for(worker.pid);
  if (worker.ooms.rose() && !is_dying(worker.pid)) worker.ooms.forget();
}

bool LinuxProcesses::oom_since(WorkerId id) { return known(id).ooms.rose(); }

std::optional<MemoryFigure> LinuxProcesses::memory(WorkerId id, MemoryLook look) {
  Worker& worker = known(id);
  worker.ooms.look_for(worker.pid);
  return worker.memory ? worker.memory->measure(look) : std::nullopt;
}

void LinuxProcesses::reap(WorkerId id) {
  Worker& worker = known(id);
  siginfo_t info{};
  waitid(P_PIDFD, static_cast<id_t>(worker.pidfd.get()), &info, WEXITED | WNOHANG);
  Worker gone = std::move(worker);
  pids_.erase(gone.pid);
  adopted_.erase(gone.pid);  // a template's fork may have been there before it was told of
  workers_.erase(id);
  drop(std::move(gone));
}

// What a template has made may be seen below it, and is none of its own.
TreeRoot LinuxProcesses::root_of(WorkerId id, const Worker& worker, Which which) {
  const bool knows = worker.memory && forks_.empty();
  return {.pid = worker.pid,
          .mark = worker.mark,
          .which = which,
          .adopted_of = &adopted_,
          .worker = id,
          .seen = knows ? &*worker.memory : nullptr,
          .waited = &waited_};
}

std::vector<pid_t> LinuxProcesses::descendants(WorkerId id, Which which) {
  const Worker& worker = known(id);
  if (!worker.leads_tree) return {};
  return descendants_of(root_of(id, worker, which), pids_);
}

std::uint32_t LinuxProcesses::end_others(WorkerId id, const std::vector<pid_t>& spared,
                                         Which which) {
  const Worker& worker = known(id);
  if (!worker.leads_tree) return 0;
  return end_descendants(root_of(id, worker, which), pids_, spared).killed;
}

// Of which worker of this life it is. One without a mark may belong to any. A mark is read once: a
// process may write over its environment, become another user's, or sit in a call in which a look
// into it would wait as well. Not while a template is to fork: what it makes has the template's
// session and mark at first, and its own soon after.
std::optional<WorkerId> LinuxProcesses::worker_of(pid_t orphan) {
  const Kinship kinship = kinship_of(orphan);
  const Named name{orphan, kinship.start_ticks};
  if (const auto known = orphans_.find(name); known != orphans_.end()) return known->second;
  auto its = forks_.empty() ? worker_of_session(kinship.session) : std::nullopt;
  if (!its) {
    its = kinship.state == 'D' ? worker_seen_above(name) : worker_marked(orphan);
    if (!its) return std::nullopt;  // in state D the next look may find it otherwise
  }
  if (forks_.empty()) orphans_.emplace(name, *its);
  return its;
}

std::optional<WorkerId> LinuxProcesses::worker_marked(pid_t orphan) const {
  const MarkSeen seen = look_at_mark(orphan);
  const auto mark = parse_mark(seen.mark);  // views of it
  const bool ours = mark && mark->place == options_.mark.place && mark->life == options_.mark.life;
  return ours ? std::optional(mark->worker) : std::nullopt;
}

// A look into the memory of one in state D could wait as well. Who was seen below a worker while
// that was measured is known without.
std::optional<WorkerId> LinuxProcesses::worker_seen_above(const Named& orphan) const {
  if (!forks_.empty()) return std::nullopt;
  const auto its = std::ranges::find_if(workers_, [&](const auto& entry) {
    const Worker& worker = entry.second;
    return worker.leads_tree && worker.memory && worker.memory->counts(orphan.first, orphan.second);
  });
  return its == workers_.end() ? std::nullopt : std::optional(its->first);
}

std::optional<WorkerId> LinuxProcesses::worker_of_session(pid_t session) const {
  if (!pids_.contains(session)) return std::nullopt;
  const auto its = std::ranges::find_if(workers_, [session](const auto& entry) {
    return entry.second.leads_tree && entry.second.pid == session;
  });
  return its == workers_.end() ? std::nullopt : std::optional(its->first);
}

bool LinuxProcesses::kill_stray(pid_t pid) {
  const ipc::UniqueFd pidfd = open_pidfd(pid);  // our child: the number is its own until we wait
  return pidfd && send_signal(pidfd.get(), SIGKILL) == 0;
}

Orphans LinuxProcesses::reap_orphans() {
  oom_.note();
  Orphans orphans;
  adopted_.clear();
  const auto children = children_of(getpid());
  for (const pid_t pid : children) {
    if (pids_.contains(pid)) continue;
    siginfo_t info{};
    // A dead one may be a worker that its template has not told of yet: it is left for the next
    // time.
    const int keep = forks_.empty() ? 0 : WNOWAIT;
    const int waited = waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | keep);
    if (waited == 0 && info.si_pid == pid) {
      orphans.reaped += keep == 0 ? 1U : 0U;
      continue;
    }
    const auto worker = waited == 0 ? worker_of(pid) : std::nullopt;
    if (!worker || forks_.contains(*worker)) continue;
    if (!workers_.contains(*worker)) {
      orphans.killed += kill_stray(pid) ? 1U : 0U;
    } else {
      orphans.living.push_back({*worker, pid});
      if (forks_.empty()) adopted_.emplace(pid, *worker);
    }
  }
  const std::unordered_set<pid_t> there(children.begin(), children.end());
  std::erase_if(orphans_, [&](const auto& one) { return !there.contains(one.first.first); });
  std::erase_if(waited_, [&](const Named& one) { return !there.contains(one.first); });
  left_over_.remove();
  orphans.cgroups_left = left_over_.take_given_up();
  return orphans;
}

LinuxProcesses::~LinuxProcesses() {
  // Those that lead no tree of ours were started by people, who keep them.
  std::erase_if(workers_, [](const auto& entry) { return !entry.second.leads_tree; });
  for (const auto& [id, worker] : workers_) kill_tree(id);
  while (!forks_.empty()) abandon(forks_.begin()->first);
  int left_ms = kLastWaitMs;
  while (!workers_.empty()) {
    pollfd waiting{workers_.begin()->second.pidfd.get(), POLLIN, 0};
    if (poll(&waiting, 1, std::min(left_ms, 100)) == 0) left_ms -= 100;
    if (waiting.revents == 0 && left_ms > 0) continue;  // a process in the kernel's hands dies late
    reap(workers_.begin()->first);
  }
  reap_orphans();
  if (cgroups_) end_cgroup(cgroups_->path(), kLastCgroupWait);
  for (const auto& its : {memory_cgroups_, pids_cgroups_}) {
    if (its) its->remove();
  }
}

Error launcher_error(const std::string& path, int code) {
  return Error{code, "cannot use launcher " + path + ": " + strerrordesc_np(code) +
                         "; install warmpool-launch beside warmpoold, or name it with launch_path"};
}

Error pidfd_error(const std::string& what, const std::string& call, int code) {
  return Error{code, "cannot " + what + " a pidfd: " + strerrordesc_np(code) +
                         "; a kernel from 5.14 on is needed, and no filter that denies " + call};
}

// All that a death or a kill stands on: without one of them a worker that ended would be waited for
// for ever, and what it left would live on.
Result<void> probe_pidfds() {
  const ipc::UniqueFd own = open_pidfd(getpid());
  if (!own) return pidfd_error("open", "pidfd_open", errno);
  if (const int code = send_signal(own.get(), 0); code != 0) {
    return pidfd_error("signal by", "pidfd_send_signal", code);
  }
  siginfo_t info{};
  const auto pidfd = static_cast<id_t>(own.get());
  const int waited = waitid(P_PIDFD, pidfd, &info, WEXITED | WNOWAIT | WNOHANG);
  if (waited != 0 && errno != ECHILD) return pidfd_error("wait by", "waitid", errno);
  return {};
}

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

}  // namespace

Result<void> become_subreaper() {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) {
    const int code = errno;
    return Error{code, std::string("cannot adopt orphans of workers (PR_SET_CHILD_SUBREAPER): ") +
                           strerrordesc_np(code) +
                           "; allow prctl in the filter warmpoold runs under"};
  }
  std::signal(SIGCHLD, SIG_DFL);
  return {};
}

Result<std::unique_ptr<ProcessPort>> make_linux_processes(const ProcessOptions& options) {
  if (access(options.launch_path.c_str(), X_OK) != 0) {
    return launcher_error(options.launch_path, errno);
  }
  if (auto works = probe_pidfds(); !works) return works.error();
  std::optional<CgroupLife> cgroups;
  if (options.cgroups == CgroupUse::IfPossible) cgroups = CgroupLife::make(options.mark);
  return std::unique_ptr<ProcessPort>(
      std::make_unique<LinuxProcesses>(options, host_name(), std::move(cgroups)));
}

}  // namespace warmpool::daemon
