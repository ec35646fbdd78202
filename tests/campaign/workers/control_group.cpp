// Both hierarchies are looked for where every distribution mounts them; a machine that has them
// elsewhere shows less and nothing wrong.
#include "tests/campaign/workers/control_group.hpp"

#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <unistd.h>

namespace warmpool::campaign {
namespace {

namespace fs = std::filesystem;

struct Membership {
  std::string controllers;  // "memory", "cpu,cpuacct"; empty: v2
  std::string directory;
};

std::string root_of(const std::string& controllers) {
  if (!controllers.empty()) return "/sys/fs/cgroup/" + controllers;
  const std::string hybrid = "/sys/fs/cgroup/unified";
  return fs::exists(hybrid) ? hybrid : "/sys/fs/cgroup";
}

// Lines are "4:memory:/path", and "0::/path" of v2.
std::vector<Membership> memberships_of(const std::string& process) {
  std::vector<Membership> all;
  std::ifstream lines("/proc/" + process + "/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto controllers = line.substr(first + 1, second - first - 1);
    const auto path = line.substr(second + 1);
    all.push_back({controllers, root_of(controllers) + (path == "/" ? "" : path)});
  }
  return all;
}

bool names(const std::string& controllers, const std::string& one) {
  return ("," + controllers + ",").find("," + one + ",") != std::string::npos;
}

std::uint64_t number_behind(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  std::string word;
  std::uint64_t number = 0;
  while (file >> word >> number) {
    if (word == name) return number;
  }
  return 0;
}

}  // namespace

std::unique_ptr<ControlGroup> ControlGroup::make(const std::string& controller) {
  for (const auto& own : memberships_of("self")) {
    const bool v2 = own.controllers.empty();
    if (!v2 && !names(own.controllers, controller)) continue;
    const auto path = own.directory + "/campaign-" + std::to_string(::getpid()) + "-" + controller;
    if (::mkdir(path.c_str(), 0755) != 0) continue;
    std::unique_ptr<ControlGroup> group(new ControlGroup(path, v2));
    // Of v2 a directory has the files of those controllers alone that are on for it.
    const bool set = controller == "cpu"    ? group->limit_cpu(0)
                     : controller == "pids" ? group->limit_pids(0)
                                            : group->limit_memory(1ULL << 40);
    if (set) return group;
  }
  return nullptr;
}

ControlGroup::~ControlGroup() { ::rmdir(path_.c_str()); }

std::string ControlGroup::wrapper() const {
  return "sh -c 'echo $$ >" + path_ + "/cgroup.procs; exec \"$@\"' sh ";
}

// Where there is a swap it must not stand in for memory.
bool ControlGroup::limit_memory(std::uint64_t bytes) const {
  const auto text = std::to_string(bytes);
  if (v2_) {
    write("memory.swap.max", "0");
    return write("memory.max", text);
  }
  const bool set = write("memory.limit_in_bytes", text);
  write("memory.memsw.limit_in_bytes", text);
  return set;
}

bool ControlGroup::limit_cpu(unsigned percent) const {
  constexpr unsigned kPeriodUs = 100'000;
  const auto quota = std::to_string(kPeriodUs / 100 * percent);
  if (v2_) return write("cpu.max", (percent == 0 ? "max" : quota) + " 100000");
  return write("cpu.cfs_period_us", std::to_string(kPeriodUs)) &&
         write("cpu.cfs_quota_us", percent == 0 ? "-1" : quota);
}

bool ControlGroup::limit_pids(unsigned count) const {
  return write("pids.max", count == 0 ? "max" : std::to_string(count));
}

std::uint64_t ControlGroup::oom_kills() const {
  return number_behind(path_ + (v2_ ? "/memory.events" : "/memory.oom_control"), "oom_kill");
}

// In one call: the kernel answers each.
bool ControlGroup::write(const std::string& file, const std::string& text) const {
  std::ofstream out(path_ + "/" + file);
  out << text;
  out.close();
  return out.good();
}

std::vector<std::string> life_directories_of(pid_t worker) {
  std::vector<std::string> found;
  for (const auto& own : memberships_of(std::to_string(worker))) {
    const auto at = own.directory.find("/warmpool-");
    if (at != std::string::npos)
      found.push_back(own.directory.substr(0, own.directory.find('/', at + 1)));
  }
  return found;
}

bool is_limited_by(pid_t worker, const std::string& file) {
  for (const auto& own : memberships_of(std::to_string(worker))) {
    const bool of_daemon = own.directory.find("/warmpool-") != std::string::npos;
    if (of_daemon && fs::exists(own.directory + "/" + file)) return true;
  }
  return false;
}

}  // namespace warmpool::campaign
