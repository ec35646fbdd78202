// We are the subreaper, so all that a worker leaves behind becomes our child: reading the list of
// our own children finds it, at 1 us a child, where a walk over all of /proc costs 10 us a
// process. A process is ours to kill if it carries the worker's mark, is of its session, or hangs
// on a parent that is. What escapes: an orphan that has left the session and wiped its environment;
// a cgroup holds that too.
#include "daemon/process/process_tree.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <memory>
#include <optional>
#include <poll.h>
#include <set>
#include <sys/syscall.h>
#include <unistd.h>
#include <utility>

#include "daemon/process/life_mark.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::size_t kEnvironmentBytesMax = 8U << 20;

// None when it cannot be read.
std::optional<std::string> file_text(const std::string& path, std::size_t bytes_max) {
  const ipc::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return std::nullopt;
  std::string text(4096, '\0');
  std::size_t used = 0;
  while (used < bytes_max) {
    if (used == text.size()) text.resize(text.size() * 2);
    const ssize_t bytes = read(fd.get(), text.data() + used, text.size() - used);
    if (bytes < 0) return std::nullopt;
    if (bytes == 0) break;
    used += static_cast<std::size_t>(bytes);
  }
  text.resize(used);
  return text;
}

std::string proc_path(pid_t pid, std::string_view rest) {
  return "/proc/" + std::to_string(pid) + "/" + std::string(rest);
}

// The numbers among the names in a directory.
std::vector<pid_t> numbers_in(const std::string& directory) {
  std::vector<pid_t> numbers;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(directory.c_str()), closedir);
  if (listing == nullptr) return numbers;
  while (const dirent* entry = readdir(listing.get())) {
    pid_t number = 0;
    const char* end = entry->d_name + std::strlen(entry->d_name);
    const auto result = std::from_chars(entry->d_name, end, number);
    if (result.ec == std::errc{} && result.ptr == end) numbers.push_back(number);
  }
  return numbers;
}

template <class Number>
void append_numbers(std::string_view text, std::vector<Number>& numbers) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    Number number = 0;
    const auto result = std::from_chars(at, end, number);
    if (result.ec == std::errc{}) numbers.push_back(number);
    at = result.ptr + 1;
  }
}

// For kernels without the list of children (CONFIG_PROC_CHILDREN).
std::vector<pid_t> children_by_scan(pid_t parent) {
  std::vector<pid_t> children;
  for (const pid_t pid : all_processes()) {
    if (kinship_of(pid).parent == parent) children.push_back(pid);
  }
  return children;
}

struct Found {
  pid_t pid, parent;
};

class TreeWalk {
 public:
  // `spared`: are not met; what descends from them is.
  TreeWalk(const TreeRoot& root, const std::unordered_set<pid_t>& workers,
           const std::vector<pid_t>& spared)
      : root_(root), workers_(workers), spared_(spared.begin(), spared.end()) {}

  // Kills what it has not met before; how many that were. What was killed by an earlier walk and
  // has not come to its end yet is not killed again, nor counted.
  std::uint32_t pass() {
    std::uint32_t killed = 0;
    walk([&](pid_t pid, const ipc::UniqueFd& pidfd) {
      const bool dies = !is_dying(pid) && send_signal(pidfd.get(), SIGKILL) == 0;
      killed += dies ? 1U : 0U;
    });
    return killed;
  }

  std::vector<pid_t> living() {
    std::vector<pid_t> all;
    walk([&](pid_t pid, const ipc::UniqueFd&) { all.push_back(pid); });
    return all;
  }

 private:
  // Goes on from what has proved to be ours alone: what descends from a stranger is a stranger's.
  template <class Meet>
  void walk(const Meet& meet) {
    queue_.clear();
    if (!root_.which.adopted_before) queue_children(root_.pid);
    queue_adopted();
    for (std::size_t i = 0; i < queue_.size(); ++i) {
      const Found found = queue_[i];
      const ipc::UniqueFd pidfd = open_pidfd(found.pid);
      const Kinship kinship = kinship_of(found.pid);
      if (!is_ours(found, kinship, pidfd)) continue;
      const bool is_new = met_.emplace(found.pid, kinship.start_ticks).second;
      if (is_new && !spared_.contains(found.pid)) meet(found.pid, pidfd);
      queue_children(found.pid);
    }
  }

  void queue_children(pid_t parent) {
    for (const pid_t pid : children_of(parent)) queue_.push_back({pid, parent});
  }

  void queue_adopted() {
    const pid_t self = getpid();
    for (const pid_t pid : children_of(self)) {
      if (workers_.contains(pid)) continue;
      const auto whose = known_of(pid);
      if (whose && *whose != root_.worker) continue;
      const Kinship kinship = kinship_of(pid);
      if (!is_meant(pid, kinship)) continue;
      if (whose || kinship.session == root_.pid || is_marked(pid, kinship)) {
        queue_.push_back({pid, self});
      }
    }
  }

  std::optional<WorkerId> known_of(pid_t pid) const {
    if (root_.adopted_of == nullptr) return std::nullopt;
    const auto known = root_.adopted_of->find(pid);
    return known == root_.adopted_of->end() ? std::nullopt : std::optional(known->second);
  }

  bool is_meant(pid_t pid, const Kinship& kinship) const {
    const auto before = root_.which.adopted_before;
    return !before || spared_.contains(pid) || kinship.start_ticks < *before;
  }

  // The number may have been given to a stranger since it was read: the pidfd fixes who is meant,
  // and what was read of it afterwards says whether that is one of ours.
  bool is_ours(const Found& found, const Kinship& kinship, const ipc::UniqueFd& pidfd) {
    if (!pidfd || is_dead(pidfd.get())) return false;
    return kinship.parent == found.parent || kinship.session == root_.pid ||
           is_marked(found.pid, kinship);
  }

  // Many are in state D for a moment only, as is who waits for a vfork. For those that stay the
  // loop waits once, and no longer; reap_orphans() meets them again.
  bool is_marked(pid_t pid, const Kinship& kinship) {
    if (kinship.state != 'D') return look_at_mark(pid).mark == root_.mark;
    if (root_.seen != nullptr && root_.seen->counts(pid, kinship.start_ticks)) return true;
    Waited& waited = root_.waited != nullptr ? *root_.waited : waited_;
    if (waited.contains({pid, kinship.start_ticks})) return false;
    char state = 'D';
    for (; state == 'D' && patience_ms_ > 0; --patience_ms_) {
      poll(nullptr, 0, 1);
      state = kinship_of(pid).state;
    }
    if (state != 'D') return look_at_mark(pid).mark == root_.mark;
    waited.emplace(pid, kinship.start_ticks);
    return false;
  }

  TreeRoot root_;
  int patience_ms_ = 5;  // for all of them together
  Waited waited_;
  const std::unordered_set<pid_t>& workers_;
  std::unordered_set<pid_t> spared_;
  std::vector<Found> queue_;
  std::set<std::pair<pid_t, std::uint64_t>> met_;  // with when it began
};

}  // namespace

ipc::UniqueFd open_pidfd(pid_t pid) {
  return ipc::UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
}

int send_signal(int pidfd, int number) {
  return syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0) == 0 ? 0 : errno;
}

pid_t pid_of(int pidfd) {
  constexpr std::string_view kName = "\nPid:\t";
  const auto text = file_text("/proc/self/fdinfo/" + std::to_string(pidfd), 4096);
  const auto at = text ? text->find(kName) : std::string::npos;
  if (at == std::string::npos) return 0;
  pid_t pid = 0;
  std::from_chars(text->data() + at + kName.size(), text->data() + text->size(), pid);
  return std::max(pid, 0);
}

bool is_dead(int pidfd) {
  pollfd waiting{pidfd, POLLIN, 0};
  return poll(&waiting, 1, 0) == 1;
}

bool is_dying(pid_t pid) {
  constexpr std::uint64_t kKill = 1ULL << (SIGKILL - 1);
  const auto status = file_text(proc_path(pid, "status"), 4096);
  if (!status) return true;
  for (const std::string_view name : {"\nSigPnd:\t", "\nShdPnd:\t"}) {
    const auto at = status->find(name);
    if (at == std::string::npos) continue;
    std::uint64_t pending = 0;
    const char* const from = status->data() + at + name.size();
    std::from_chars(from, status->data() + status->size(), pending, 16);
    if ((pending & kKill) != 0) return true;
  }
  constexpr std::size_t kFlags = 9 - 4;           // behind the state
  constexpr std::uint64_t kExiting = 0x00000004;  // PF_EXITING
  const auto stat = file_text(proc_path(pid, "stat"), 4096);
  const auto name_end = stat ? stat->rfind(')') : std::string::npos;
  if (name_end == std::string::npos || name_end + 4 > stat->size()) return true;
  std::vector<std::uint64_t> fields;
  append_numbers(std::string_view(*stat).substr(name_end + 4), fields);
  return fields.size() <= kFlags || (fields[kFlags] & kExiting) != 0;
}

std::vector<pid_t> children_of(pid_t pid) {
  std::vector<pid_t> children;
  const std::string tasks = proc_path(pid, "task");
  for (const pid_t thread : numbers_in(tasks)) {
    const std::string list = tasks + "/" + std::to_string(thread) + "/children";
    if (const auto text = file_text(list, kEnvironmentBytesMax)) {
      append_numbers(*text, children);
    } else if (errno == ENOENT && access("/proc/self/task", F_OK) == 0 &&
               access(("/proc/self/task/" + std::to_string(getpid()) + "/children").c_str(),
                      F_OK) != 0) {
      return children_by_scan(pid);
    }
  }
  return children;
}

std::vector<pid_t> all_processes() { return numbers_in("/proc"); }

// Fields by number in proc(5): 9 flags, 50 env_start, 51 env_end. execve sets the last two late,
// and to the same address where it was given no environment. Kernel threads and zombies have none.
bool is_unclear(std::string_view stat) {
  constexpr std::size_t kFlags = 9 - 4, kStart = 50 - 4, kEnd = 51 - 4;  // behind the state
  constexpr std::uint64_t kKernelThread = 0x00200000;                    // PF_KTHREAD
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || name_end + 4 > stat.size()) return false;
  const char state = stat[name_end + 2];
  std::vector<std::uint64_t> fields;
  append_numbers(stat.substr(name_end + 4), fields);
  if (state == 'Z' || state == 'X' || fields.size() <= kEnd) return false;
  if ((fields[kFlags] & kKernelThread) != 0) return false;
  return fields[kEnd] == 0 || fields[kStart] != fields[kEnd];
}

MarkSeen look_at_mark(pid_t pid) {
  const auto block = file_text(proc_path(pid, "environ"), kEnvironmentBytesMax);
  if (!block) {
    const bool refused = errno == EACCES || errno == EPERM;
    return {refused ? MarkSeen::State::Unreadable : MarkSeen::State::None, {}};
  }
  if (block->empty()) {
    const auto stat = file_text(proc_path(pid, "stat"), 4096);
    const bool unclear = stat && is_unclear(*stat);
    return {unclear ? MarkSeen::State::Unclear : MarkSeen::State::None, {}};
  }
  std::string mark(mark_in_environment(*block));
  const auto state = mark.empty() ? MarkSeen::State::None : MarkSeen::State::Found;
  return {state, std::move(mark)};
}

bool hides_marks(uid_t user) {
  constexpr std::string_view kName = "\nCapEff:\t";
  constexpr std::uint64_t kMayTrace = 1ULL << CAP_SYS_PTRACE;
  if (user == geteuid()) return false;
  const auto status = file_text("/proc/self/status", 8192);
  const auto at = status ? status->find(kName) : std::string::npos;
  if (at == std::string::npos) return false;
  std::uint64_t may = 0;
  std::from_chars(status->data() + at + kName.size(), status->data() + status->size(), may, 16);
  return (may & kMayTrace) == 0;
}

// Fields by number in proc(5): 4 parent, 6 session, 22 start time.
Kinship parse_kinship(std::string_view stat) {
  constexpr std::size_t kParent = 4 - 4, kSession = 6 - 4, kStart = 22 - 4;  // behind the state
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || name_end + 4 > stat.size()) return {};
  std::vector<std::int64_t> fields;
  append_numbers(stat.substr(name_end + 4), fields);
  if (fields.size() <= kStart) return {};
  return {static_cast<pid_t>(fields[kParent]), static_cast<pid_t>(fields[kSession]),
          stat[name_end + 2], static_cast<std::uint64_t>(fields[kStart])};
}

Kinship kinship_of(pid_t pid) {
  const auto stat = file_text(proc_path(pid, "stat"), 4096);
  return stat ? parse_kinship(*stat) : Kinship{};
}

TreeEnd end_descendants(const TreeRoot& root, const std::unordered_set<pid_t>& workers,
                        const std::vector<pid_t>& spared) {
  TreeWalk walk(root, workers, spared);
  TreeEnd end;
  for (int i = 0; i < kTreePasses; ++i) {
    const std::uint32_t killed = walk.pass();
    end.killed += killed;
    end.clean = killed == 0;
    if (end.clean) break;
  }
  return end;
}

std::vector<pid_t> descendants_of(const TreeRoot& root, const std::unordered_set<pid_t>& workers) {
  return TreeWalk(root, workers, {}).living();
}

}  // namespace warmpool::daemon
