#include "tests/campaign/workers/process_table.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace warmpool::campaign {
namespace {

namespace fs = std::filesystem;

struct Stat {
  char state = 0;  // 0: it is gone
  pid_t parent = 0;
  std::uint64_t start = 0, rss_pages = 0;
};

// Fields 3, 4, 22 and 24 of proc(5).
Stat stat_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::stringstream text;
  text << file.rdbuf();
  const auto end = text.str().rfind(')');
  Stat stat;
  if (end == std::string::npos) return stat;
  std::istringstream fields(text.str().substr(end + 1));
  fields >> stat.state >> stat.parent;
  std::string skipped;
  for (int field = 5; field < 22; ++field) fields >> skipped;
  fields >> stat.start >> skipped >> stat.rss_pages;
  return stat;
}

std::uint64_t page_kib() { return static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)) / 1024; }

void count_descriptors(pid_t pid, Footprint& seen) {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", none)) {
    const bool looks = fs::read_symlink(entry.path(), none).string().starts_with("/proc/");
    ++(looks ? seen.looking : seen.descriptors);
  }
}

// The board of one daemon, and pages of its workers, are memory files: they show as maps.
std::uint64_t memory_files_of(pid_t pid) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  std::uint64_t count = 0;
  for (std::string line; std::getline(maps, line);) {
    const bool memory =
        line.find("/memfd:") != std::string::npos || line.find("/dev/shm/") != std::string::npos;
    count += memory ? 1U : 0U;
  }
  return count;
}

}  // namespace

std::string descriptors_of(pid_t pid) {
  std::error_code none;
  std::string all;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", none)) {
    all += " " + entry.path().filename().string() + "=" +
           fs::read_symlink(entry.path(), none).string();
  }
  return all;
}

std::uint64_t start_time_of(pid_t pid) { return stat_of(pid).start; }

std::uint64_t own_kib_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t size = 0, resident = 0, shared = 0;
  file >> size >> resident >> shared;
  return (resident - std::min(resident, shared)) * page_kib();
}

std::vector<ProcessName> read_names(const std::string& file) {
  std::vector<ProcessName> names;
  std::ifstream in(file);
  for (ProcessName name; in >> name.pid >> name.start;) names.push_back(name);
  return names;
}

bool lives(const ProcessName& name) {
  const auto stat = stat_of(name.pid);
  return stat.start == name.start && stat.state != 'Z' && stat.state != 'X' && stat.state != 0;
}

Footprint footprint_of(pid_t pid) {
  Footprint seen;
  count_descriptors(pid, seen);
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/proc", none)) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto stat = stat_of(std::stoi(name));
    if (stat.state == 0 || stat.parent != pid) continue;
    ++seen.children;
    seen.zombies += stat.state == 'Z' ? 1U : 0U;
  }
  seen.rss_kib = stat_of(pid).rss_pages * page_kib();
  seen.shared_files = memory_files_of(pid);
  return seen;
}

}  // namespace warmpool::campaign
