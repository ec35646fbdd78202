// Best effort by design: nothing is mounted, no controller is switched on, and everything that a
// cgroup does for a worker is done a second time without one. That keeps one path for all machines.
#include "daemon/process/cgroup_leaf.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <poll.h>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/process/controller_leaf.hpp"
#include "ipc/fd.hpp"
#include "pool/options.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::string_view kDirectoryPrefix = "warmpool-";
// Of the cgroups of one life: each worker's, and what workers make below theirs.
constexpr int kDepthMax = 8;
constexpr int kDescendantsMax = 131'072;

// Where a v2 hierarchy is mounted from its root on.
std::string mount_point() {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    if (line.find(" - cgroup2 ") == std::string::npos) continue;
    std::istringstream fields(line);
    std::string id, parent, device, root, point;
    fields >> id >> parent >> device >> root >> point;
    if (root == "/") return point;
  }
  return {};
}

// cgroup.events changes (POLLPRI) when the last process has left.
bool wait_empty(const std::string& path, Duration within) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(within.ns);
  const ipc::UniqueFd events(open((path + "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  while (number_in(path + "/cgroup.events", "populated") != 0) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    std::array<char, 64> old{};
    [[maybe_unused]] const ssize_t seen = pread(events.get(), old.data(), old.size(), 0);
    pollfd waiting{events.get(), POLLPRI, 0};
    poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 50)));
  }
  return true;
}

}  // namespace

bool write_number(const std::string& path, std::int64_t number) {
  const ipc::UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  const std::string text = std::to_string(number);
  return fd && write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::uint64_t number_in(const std::string& path, std::string_view name) {
  std::ifstream file(path);
  std::string word;
  std::uint64_t number = 0;
  while (file >> word >> number) {
    if (word == name) return number;
  }
  return 0;
}

std::vector<std::string> directories_in(const std::string& path) {
  std::vector<std::string> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(path.c_str()), closedir);
  if (listing == nullptr) return found;
  while (const dirent* entry = readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (entry->d_type == DT_DIR && name != "." && name != "..") found.emplace_back(name);
  }
  return found;
}

// The kernel keeps one in which something lives, whoever made what is in it.
bool remove_cgroup(const std::string& path, Removals& left) {
  if (left.left-- <= 0) return false;
  if (rmdir(path.c_str()) == 0 || errno == ENOENT) return true;
  const auto below = directories_in(path);
  left.met_others = left.met_others || !below.empty();
  for (const auto& name : below) remove_cgroup(path + "/" + name, left);
  if (left.left <= 0) return false;
  return !below.empty() && (rmdir(path.c_str()) == 0 || errno == ENOENT);
}

bool remove_cgroup(const std::string& path) {
  Removals all{.left = Removals::kAll};
  return remove_cgroup(path, all);
}

void CgroupLeaf::enter(pid_t pid) const { write_number(procs_path(), pid); }

bool CgroupLeaf::kill() const { return write_number(path_ + "/cgroup.kill", 1); }

std::uint64_t CgroupLeaf::oom_kills() const {
  return number_in(path_ + "/memory.events", "oom_kill");
}

bool CgroupLeaf::counts_ooms() const {
  return access((path_ + "/memory.events").c_str(), R_OK) == 0;
}

bool CgroupLeaf::holds(pid_t pid) const {
  std::ifstream file(procs_path());
  pid_t number = 0;
  while (file >> number) {
    if (number == pid) return true;
  }
  return false;
}

void CgroupLeaf::limit_memory(std::uint64_t bytes) const {
  const auto limit = kernel_limit(bytes);
  const std::string path = path_ + "/memory.max";
  if (limit != kUnlimited) {
    write_number(path, static_cast<std::int64_t>(limit));
  } else {
    std::ofstream(path) << "max";
  }
}

bool CgroupLeaf::limit_pids(std::uint64_t count) const {
  return write_number(path_ + "/pids.max", static_cast<std::int64_t>(count));
}

// Those that stayed come last in the next turn.
void LeavesLeft::remove() {
  Removals of_turn;
  std::vector<Leaf> again, untried;
  for (Leaf& leaf : leaves_) {
    if (of_turn.left <= 0) {
      untried.push_back(std::move(leaf));
      continue;
    }
    of_turn.met_others = false;
    if (remove_cgroup(leaf.path, of_turn)) continue;
    leaf.tries += of_turn.met_others ? 1 : 0;
    if (leaf.tries >= kTriesMax) {
      given_up_.push_back(std::move(leaf.path));
    } else {
      again.push_back(std::move(leaf));
    }
  }
  leaves_ = std::move(untried);
  std::ranges::move(again, std::back_inserter(leaves_));
}

std::string own_cgroup() {
  const std::string mounted = mount_point();
  std::ifstream lines("/proc/self/cgroup");
  for (std::string line; !mounted.empty() && std::getline(lines, line);) {
    if (line.starts_with("0::/")) return line == "0::/" ? mounted : mounted + line.substr(3);
  }
  return {};
}

std::optional<CgroupLife> CgroupLife::make(const LifeMark& mark) {
  const std::string own = own_cgroup();
  if (own.empty()) return std::nullopt;
  const std::string path = own + "/" + std::string(kDirectoryPrefix) + mark.place + "-" + mark.life;
  if (mkdir(path.c_str(), 0755) != 0) return std::nullopt;
  // What is on for this directory its leaves may have too; one by one, as one that is not lets the
  // whole write fail. Nothing else is switched on.
  for (const char* controller : {"+pids", "+memory"}) {
    std::ofstream(path + "/cgroup.subtree_control") << controller;
  }
  // What a worker makes below its own is removed on the loop.
  write_number(path + "/cgroup.max.depth", kDepthMax);
  write_number(path + "/cgroup.max.descendants", kDescendantsMax);
  return CgroupLife(path);
}

std::optional<CgroupLeaf> CgroupLife::make_leaf(WorkerId worker) const {
  const std::string path = path_ + "/" + std::to_string(worker.value);
  if (mkdir(path.c_str(), 0755) != 0) return std::nullopt;
  return CgroupLeaf(path);
}

void CgroupLife::remove() const { rmdir(path_.c_str()); }

std::vector<std::string> earlier_cgroups(const LifeMark& mark) {
  const std::string own = own_cgroup();
  const std::string prefix = std::string(kDirectoryPrefix) + mark.place_prefix();
  std::vector<std::string> found;
  for (const auto& name : directories_in(own)) {
    if (name.starts_with(prefix) && name != prefix + mark.life) found.push_back(own + "/" + name);
  }
  return found;
}

CgroupEnd end_cgroup(const std::string& path, Duration within) {
  CgroupLeaf(path).kill();  // of the whole subtree
  if (!wait_empty(path, within)) return CgroupEnd::Lives;
  return remove_cgroup(path) ? CgroupEnd::Removed : CgroupEnd::Stays;
}

}  // namespace warmpool::daemon
