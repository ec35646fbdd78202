// Files are opened anew each time: kept open they would be three descriptors for each worker.
#include "daemon/process/process_figures.hpp"

#include <array>
#include <charconv>
#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/process/cgroup_leaf.hpp"
#include "ipc/fd.hpp"

namespace warmpool::daemon {
namespace {

using TextBuffer = std::array<char, 2048>;

std::string_view read_file(const std::string& path, TextBuffer& buffer) {
  const ipc::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return {};
  const ssize_t bytes = ::read(fd.get(), buffer.data(), buffer.size());
  return {buffer.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// The number after "name:" or "name ".
std::optional<std::uint64_t> number_after(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    if (line.substr(0, name.size()) == name && line.size() > name.size()) {
      const auto digit = line.find_first_of("0123456789", name.size());
      if (digit != std::string_view::npos) return number_of(line.substr(digit));
    }
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

// Since Linux 6.2 the directory's size is how many there are.
std::uint32_t descriptors_of(const std::string& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return 0;
  if (found.st_size > 0) return static_cast<std::uint32_t>(found.st_size);
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) return 0;
  std::uint32_t count = 0;
  while (const auto* entry = ::readdir(directory)) count += entry->d_name[0] != '.';
  ::closedir(directory);
  return count;
}

// Of "0::/a/b", the line of the v2 hierarchy.
std::string_view path_in(std::string_view cgroups) {
  constexpr std::string_view mark = "0::/";
  const auto at = cgroups.substr(0, mark.size()) == mark ? 0 : cgroups.find("\n0::/");
  if (at == std::string_view::npos) return {};
  const auto from = cgroups.find('/', at);
  return cgroups.substr(from, cgroups.find('\n', from) - from);
}

const std::int64_t kNanosOfTick = 1'000'000'000 / sysconf(_SC_CLK_TCK);

Duration ticks(std::uint64_t count) { return {static_cast<std::int64_t>(count) * kNanosOfTick}; }

}  // namespace

bool parse_figures_stat(std::string_view stat, ProcessFigures& figures) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || name_end + 2 >= stat.size()) return false;
  std::string_view rest = stat.substr(name_end + 2);
  // From the state on, as in proc(5): field 3 is the first.
  constexpr std::size_t kFieldsMax = 40;
  std::array<std::string_view, kFieldsMax> fields{};
  for (auto& field : fields) {
    const auto blank = rest.find(' ');
    field = rest.substr(0, blank);
    if (blank == std::string_view::npos) break;
    rest.remove_prefix(blank + 1);
  }
  const auto at = [&](std::size_t number) { return number_of(fields[number - 3]); };
  figures.minor_faults = at(10);
  figures.major_faults = at(12);
  figures.cpu_time = ticks(at(14)) + ticks(at(15));
  figures.threads = static_cast<std::uint32_t>(at(20));
  figures.disk_wait = ticks(at(42));
  return figures.threads != 0;
}

void parse_figures_io(std::string_view io, ProcessFigures& figures) {
  figures.read_bytes = number_after(io, "rchar").value_or(0);
  figures.write_bytes = number_after(io, "wchar").value_or(0);
  figures.disk_read_bytes = number_after(io, "read_bytes").value_or(0);
  figures.disk_write_bytes = number_after(io, "write_bytes").value_or(0);
}

std::optional<ProcessFigures> process_figures(pid_t pid, const std::string& cpu_stat) {
  const std::string directory = "/proc/" + std::to_string(pid);
  TextBuffer buffer;
  ProcessFigures figures;
  if (!parse_figures_stat(read_file(directory + "/stat", buffer), figures)) return std::nullopt;
  parse_figures_io(read_file(directory + "/io", buffer), figures);
  figures.descriptors = descriptors_of(directory + "/fd");
  struct rlimit limit {};
  if (::prlimit(pid, RLIMIT_NOFILE, nullptr, &limit) == 0 && limit.rlim_cur < UINT32_MAX) {
    figures.descriptors_max = static_cast<std::uint32_t>(limit.rlim_cur);
  }
  if (cpu_stat.empty()) return figures;
  const auto throttled = number_after(read_file(cpu_stat, buffer), "throttled_usec");
  if (throttled) figures.throttled = microseconds(static_cast<std::int64_t>(*throttled));
  return figures;
}

// One that is in the daemon's own cgroup is throttled with the daemon, or with others.
std::string cpu_stat_path(pid_t pid) {
  TextBuffer buffer, mine;
  const auto path = path_in(read_file("/proc/" + std::to_string(pid) + "/cgroup", buffer));
  const auto own = path_in(read_file("/proc/self/cgroup", mine));
  const auto directory = own_cgroup();
  if (path.empty() || path == own || directory.size() < own.size()) return {};
  const auto mount = directory.substr(0, directory.size() - (own == "/" ? 0 : own.size()));
  return mount + std::string(path) + "/cpu.stat";
}

}  // namespace warmpool::daemon
