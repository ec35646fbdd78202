#include "client/cli/child.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <poll.h>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>

namespace warmpool::cli {

namespace {

constexpr std::chrono::seconds kEndMax{20};
constexpr int kLookMs = 20;
constexpr std::size_t kLastWordsMax = 1'000;

}  // namespace

Result<void> Child::spawn(const std::vector<std::string>& words, const std::string& log) {
  log_ = log;
  std::vector<std::string> own = words;
  std::vector<char*> argv;
  for (auto& word : own) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int fault = ::posix_spawnp(&pid_, argv[0], &actions, &attributes, argv.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (fault == 0) return {};
  pid_ = -1;
  return Error{0, "cannot run " + words.front() + ": " + std::strerror(fault)};
}

bool Child::ended() {
  if (pid_ <= 0) return true;
  if (::waitpid(pid_, nullptr, WNOHANG) == 0) return false;
  pid_ = -1;
  return true;
}

void Child::end(int signal) {
  const auto deadline = std::chrono::steady_clock::now() + kEndMax;
  if (pid_ > 0) ::kill(pid_, signal);
  while (!ended()) {
    if (std::chrono::steady_clock::now() > deadline) ::kill(pid_, SIGKILL);
    ::poll(nullptr, 0, kLookMs);
  }
}

std::string Child::last_words() const {
  std::ifstream file(log_);
  std::stringstream text;
  text << file.rdbuf();
  const std::string all = text.str();
  return all.size() > kLastWordsMax ? all.substr(all.size() - kLastWordsMax) : all;
}

}  // namespace warmpool::cli
