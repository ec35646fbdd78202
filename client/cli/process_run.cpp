#include "client/cli/process_run.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <spawn.h>
#include <sstream>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace warmpool::cli {

namespace {

constexpr std::uint64_t kKib = 1024;

// With /dev/null in place of its standard descriptors.
class Spawner {
 public:
  explicit Spawner(std::span<const std::string> words) : words_(words.begin(), words.end()) {
    for (auto& word : words_) argv_.push_back(word.data());
    argv_.push_back(nullptr);
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDWR, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, 0, 1);
    ::posix_spawn_file_actions_adddup2(&actions_, 0, 2);
  }
  ~Spawner() { ::posix_spawn_file_actions_destroy(&actions_); }
  Spawner(const Spawner&) = delete;
  Spawner& operator=(const Spawner&) = delete;

  // errno, or 0.
  int spawn() {
    pid_t pid = 0;
    return ::posix_spawn(&pid, argv_[0], &actions_, nullptr, argv_.data(), environ);
  }

 private:
  std::vector<std::string> words_;
  std::vector<char*> argv_;
  posix_spawn_file_actions_t actions_{};
};

}  // namespace

Result<ProcessRun> run_processes(std::span<const std::string> words, std::uint64_t count,
                                 std::uint64_t at_once, Interrupts& interrupts) {
  Spawner spawner(words);
  ProcessRun run;
  std::uint64_t running = 0;
  int fault = 0;
  const auto begin = std::chrono::steady_clock::now();
  while (running > 0 || (run.processes < count && fault == 0)) {
    if (running < at_once && run.processes < count && fault == 0) {
      fault = spawner.spawn();
      if (fault == 0) ++running, ++run.processes;
      continue;
    }
    if (interrupts.take()) fault = EINTR;
    int status = 0;
    rusage used{};
    if (::wait4(-1, &status, 0, &used) < 0 && errno == EINTR) continue;
    --running;
    run.failed += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0U : 1U;
    run.rss_bytes_max =
        std::max(run.rss_bytes_max, static_cast<std::uint64_t>(used.ru_maxrss) * kKib);
  }
  run.elapsed = std::chrono::steady_clock::now() - begin;
  if (interrupts.count() > 0) return Error{0, "interrupted"};
  if (fault != 0) return Error{fault, "cannot run " + words[0] + ": " + std::strerror(fault)};
  return run;
}

std::uint64_t peak_rss_bytes(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("VmHWM:")) continue;
    std::istringstream fields(line.substr(6));
    std::uint64_t kib = 0;
    fields >> kib;
    return kib * kKib;
  }
  return 0;
}

std::uint64_t zombies_of(std::int64_t parent) {
  std::uint64_t count = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    std::ifstream file(entry.path() / "stat");
    std::string stat;
    std::getline(file, stat);
    const auto end = stat.rfind(')');
    if (end == std::string::npos) continue;
    std::istringstream fields(stat.substr(end + 1));
    char state = 0;
    std::int64_t its_parent = 0;
    fields >> state >> its_parent;
    count += state == 'Z' && its_parent == parent ? 1U : 0U;
  }
  return count;
}

}  // namespace warmpool::cli
