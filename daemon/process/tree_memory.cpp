// A kernel's own proportional figures would be right at once, and cost a walk over all page tables
// for each look: 1 ms for 500 MiB. So the cheap figure is taken, which is never less than what is
// there but for what was inherited, and the dear one only where somebody would be ended by it.
#include "daemon/process/tree_memory.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include "daemon/process/process_tree.hpp"

namespace warmpool::daemon {
namespace {

const auto kPageBytes = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));

ipc::UniqueFd open_of(pid_t pid, const char* name) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + name;
  return ipc::UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

template <std::size_t N>
std::string_view read_text(int fd, std::array<char, N>& buffer) {
  const ssize_t bytes = fd < 0 ? -1 : pread(fd, buffer.data(), buffer.size(), 0);
  return {buffer.data(), bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
}

std::optional<MemoryFigure> figure_of(const ipc::UniqueFd& statm) {
  std::array<char, 256> buffer;
  return parse_statm(read_text(statm.get(), buffer));
}

// Takes one number and the blank behind it.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (!text.empty()) text.remove_prefix(1);
  return number;
}

ipc::UniqueFd open_children_of(pid_t pid) {
  return open_of(pid, ("task/" + std::to_string(pid) + "/children").c_str());
}

std::vector<pid_t> listed_in(const ipc::UniqueFd& list) {
  std::vector<pid_t> children;
  std::array<char, 4096> buffer;
  auto text = read_text(list.get(), buffer);
  text = text.substr(0, text.rfind(' ') + 1);  // with large pages the last number may be cut
  while (const auto child = take_number(text)) children.push_back(static_cast<pid_t>(*child));
  return children;
}

// CONFIG_PROC_CHILDREN. Without it each worker would cost a walk over all processes.
bool kernel_lists_children() {
  static const bool lists = [] {
    const auto own = std::to_string(::getpid());
    return ::access(("/proc/self/task/" + own + "/children").c_str(), F_OK) == 0;
  }();
  return lists;
}

// None of one in state D: what holds it may hold its memory map too, and with that whoever looks.
std::optional<std::uint64_t> exact_of(pid_t pid) {
  if (kinship_of(pid).state == 'D') return std::nullopt;
  std::array<char, 2048> buffer;
  return parse_rollup(read_text(open_of(pid, "smaps_rollup").get(), buffer));
}

}  // namespace

// In pages: size resident shared text lib data dt.
std::optional<MemoryFigure> parse_statm(std::string_view statm) {
  const auto size = take_number(statm), resident = take_number(statm), shared = take_number(statm);
  if (!size || !resident || !shared) return std::nullopt;
  return MemoryFigure{.own_bytes = (*resident - std::min(*resident, *shared)) * kPageBytes,
                      .rss_bytes = *resident * kPageBytes};
}

// "Pss_Anon:    1234 kB". None where the kernel does not tell them apart (before 5.4).
std::optional<std::uint64_t> parse_rollup(std::string_view rollup) {
  constexpr std::string_view name = "Pss_Anon:";
  const auto at = rollup.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  rollup.remove_prefix(at + name.size());
  rollup.remove_prefix(std::min(rollup.find_first_not_of(' '), rollup.size()));
  const auto kib = take_number(rollup);
  if (!kib) return std::nullopt;
  return *kib * 1024;
}

// The list of children is kept open: of a look at a worker that has none, opening it would be half.
TreeMemory::TreeMemory(pid_t pid, bool alone)
    : root_{pid, open_of(pid, "statm"), 0}, alone_(alone) {
  if (!alone_ && kernel_lists_children()) children_ = open_children_of(pid);
}

void TreeMemory::forgive_inherited() {
  if (const auto figure = figure_of(root_.statm)) inherited_ = figure->own_bytes;
}

void TreeMemory::take_children(const std::vector<pid_t>& children) {
  for (const pid_t pid : children) {
    const bool known = std::ranges::find(descendants_, pid, &Counted::pid) != descendants_.end();
    if (known || descendants_.size() >= kDescendantsMax) continue;
    auto statm = open_of(pid, "statm");
    if (statm) descendants_.push_back({pid, std::move(statm), kinship_of(pid).start_ticks});
  }
}

void TreeMemory::find_descendants(bool deep) {
  std::erase_if(descendants_, [](const Counted& one) { return !figure_of(one.statm); });
  const std::size_t known = descendants_.size();
  take_children(deep ? children_of(root_.pid) : listed_in(children_));
  for (std::size_t at = deep ? 0 : known; at < descendants_.size(); ++at) {
    take_children(children_of(descendants_[at].pid));
  }
}

std::optional<std::uint64_t> TreeMemory::exact() const {
  auto sum = exact_of(root_.pid);
  if (!sum) return std::nullopt;
  for (const auto& one : descendants_) {
    const auto figure = figure_of(one.statm);
    *sum += exact_of(one.pid).value_or(figure ? figure->own_bytes : 0);
  }
  return sum;
}

bool TreeMemory::counts(pid_t pid, std::uint64_t start_ticks) const {
  return std::ranges::any_of(descendants_, [=](const Counted& one) {
    return one.pid == pid && one.start_ticks == start_ticks && start_ticks != 0;
  });
}

std::optional<MemoryFigure> TreeMemory::measure(MemoryLook look) {
  auto all = figure_of(root_.statm);
  if (!all) return std::nullopt;
  all->own_bytes -= std::min(all->own_bytes, inherited_);
  if (alone_ || !kernel_lists_children()) return all;
  find_descendants(look != MemoryLook::Quick);
  for (const auto& one : descendants_) {
    const auto figure = figure_of(one.statm);
    if (!figure) continue;
    all->own_bytes += figure->own_bytes;
    ++all->processes;
  }
  if (look != MemoryLook::Exact || descendants_.empty()) return all;
  const auto shared_once = exact();
  if (shared_once) all->own_bytes = std::min(all->own_bytes, *shared_once);
  return all;
}

}  // namespace warmpool::daemon
