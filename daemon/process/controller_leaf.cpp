// Beside the daemon's own cgroup's other children, so that what an administrator set for the daemon
// holds for its workers too.
#include "daemon/process/controller_leaf.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/process/cgroup_leaf.hpp"
#include "pool/options.hpp"

namespace warmpool::daemon {
namespace {

constexpr std::string_view kPrefix = "warmpool-";
constexpr std::array<std::string_view, 2> kControllers{"memory", "pids"};

bool names(std::string_view list, std::string_view name) {
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (list.substr(0, comma) == name) return true;
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
  return false;
}

// Where the controller is mounted from its root on.
std::string mount_point(std::string_view controller) {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const auto dash = line.find(" - cgroup ");
    if (dash == std::string::npos) continue;
    std::istringstream fields(line), rest(line.substr(dash + 3));
    std::string id, parent, device, root, point, type, source, flags;
    fields >> id >> parent >> device >> root >> point;
    rest >> type >> source >> flags;
    if (root == "/" && names(flags, controller)) return point;
  }
  return {};
}

// This process's own directory; empty where there is none. A line is "4:memory:/path".
std::string own_directory(std::string_view controller) {
  const std::string mounted = mount_point(controller);
  std::ifstream lines("/proc/self/cgroup");
  for (std::string line; !mounted.empty() && std::getline(lines, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto list = std::string_view(line).substr(first + 1, second - first - 1);
    if (!names(list, controller)) continue;
    const auto path = line.substr(second + 1);
    return path == "/" ? mounted : mounted + path;
  }
  return {};
}

}  // namespace

std::uint64_t kernel_limit(std::uint64_t bytes) {
  constexpr std::uint64_t least = 16U << 20;
  if (bytes > kUnlimited / 2) return kUnlimited;
  return bytes + std::max(bytes / 8, least);
}

void ControllerLeaf::enter(pid_t pid) const { write_number(procs_path(), pid); }

void ControllerLeaf::limit_memory(std::uint64_t bytes) const {
  const auto limit = kernel_limit(bytes);
  write_number(path_ + "/memory.limit_in_bytes",
               limit == kUnlimited ? -1 : static_cast<std::int64_t>(limit));
}

bool ControllerLeaf::limit_pids(std::uint64_t count) const {
  return write_number(path_ + "/pids.max", static_cast<std::int64_t>(count));
}

std::uint64_t ControllerLeaf::oom_kills() const {
  return number_in(path_ + "/memory.oom_control", "oom_kill");
}

std::optional<ControllerLife> ControllerLife::make(const LifeMark& mark,
                                                   std::string_view controller) {
  const std::string own = own_directory(controller);
  if (own.empty()) return std::nullopt;
  const std::string path = own + "/" + std::string(kPrefix) + mark.place + "-" + mark.life;
  if (mkdir(path.c_str(), 0755) != 0) return std::nullopt;
  return ControllerLife(path);
}

std::optional<ControllerLeaf> ControllerLife::make_leaf(WorkerId worker) const {
  const std::string path = path_ + "/" + std::to_string(worker.value);
  if (mkdir(path.c_str(), 0755) != 0) return std::nullopt;
  return ControllerLeaf(path);
}

void ControllerLife::remove() const { remove_cgroup(path_); }

void remove_earlier_controller_cgroups(const LifeMark& mark) {
  const std::string prefix = std::string(kPrefix) + mark.place_prefix();
  for (const auto controller : kControllers) {
    const std::string own = own_directory(controller);
    for (const auto& name : own.empty() ? std::vector<std::string>{} : directories_in(own)) {
      if (name.starts_with(prefix) && name != prefix + mark.life) remove_cgroup(own + "/" + name);
    }
  }
}

}  // namespace warmpool::daemon
