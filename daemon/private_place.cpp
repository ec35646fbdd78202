// A program that a signal ends runs nothing any more, so what it leaves is removed by who outlives
// it. Only then: a program that lives may want to read why its daemon has ended.
#include "daemon/private_place.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <poll.h>
#include <string_view>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "daemon/process/process_tree.hpp"

namespace warmpool::daemon {
namespace {

constexpr int kEndMillis = 2'000;

// How the names begin of what a daemon makes in its runtime directory (docs/daemon.md).
constexpr std::array<std::string_view, 7> kOwnNames{
    "warmpool.", "submit.", "fifo.", "board", "dead-letters.", "directories", "flight"};

bool is_own_name(std::string_view name) {
  return std::ranges::any_of(kOwnNames,
                             [&](std::string_view own) { return name.starts_with(own); });
}

using FileId = std::pair<dev_t, ino_t>;

template <class Look, class Of>
std::optional<FileId> file_of(Look look, Of of) {
  struct stat found {};
  if (look(of, &found) != 0) return std::nullopt;
  return FileId{found.st_dev, found.st_ino};
}

std::vector<FileId> files_of(const std::vector<std::string>& names) {
  std::vector<FileId> files;
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    if (const auto file = file_of(::fstat, fd)) files.push_back(*file);
  }
  for (const auto& name : names) {
    if (const auto file = file_of(::stat, name.c_str())) files.push_back(*file);
  }
  return files;
}

}  // namespace

pid_t begin_as_private(std::optional<pid_t> owner) {
  ::prctl(PR_SET_PDEATHSIG, 0);
  return owner ? *owner : ::getppid();
}

// One that somebody named by mistake holds what this daemon neither made nor was given.
Result<PrivatePlace> PrivatePlace::take(std::string path, pid_t owner,
                                        const std::vector<std::string>& files) {
  const auto known = files_of(files);
  std::vector<std::string> given;
  std::error_code fault;
  for (const auto& entry : std::filesystem::directory_iterator(path, fault)) {
    auto name = entry.path().filename().string();
    std::error_code gone;  // meanwhile
    const bool directory = entry.is_directory(gone) && !entry.is_symlink(gone);
    if (!directory && is_own_name(name)) continue;
    const auto file = file_of(::lstat, entry.path().c_str());
    if (!file && errno == ENOENT) continue;
    if (directory || !file || std::ranges::find(known, *file) == known.end()) {
      return Error{ENOTEMPTY, "the runtime directory " + path + " holds the " +
                                  (directory ? "directory " : "file ") + name +
                                  " and so is no private one; make a fresh one for --private"};
    }
    given.push_back(std::move(name));
  }
  if (fault) return Error{fault.value(), "cannot look at " + path + ": " + fault.message()};
  return PrivatePlace(std::move(path), owner, std::move(given));
}

PrivatePlace::PrivatePlace(PrivatePlace&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      given_(std::move(other.given_)),
      owner_(other.owner_),
      ending_(other.ending_) {}

PrivatePlace::~PrivatePlace() {
  if (path_.empty()) return;
  if (ending_ && !is_orphaned()) await_end();
  if (is_orphaned()) remove();
}

// What somebody else has put there since stays, and the directory with it.
void PrivatePlace::remove() const {
  std::vector<std::filesystem::path> own;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(path_, none)) {
    const auto name = entry.path().filename().string();
    const bool given = std::ranges::find(given_, name) != given_.end();
    if (given || is_own_name(name)) own.push_back(entry.path());
  }
  for (const auto& path : own) std::filesystem::remove_all(path, none);
  ::rmdir(path_.c_str());
}

// The watch is readable when its last thread has ended, and what it started has another parent.
void PrivatePlace::await_end() const {
  const auto watch = open_pidfd(owner_);
  pollfd end{watch.get(), POLLIN, 0};
  if (watch) ::poll(&end, 1, kEndMillis);
}

void PrivatePlace::follow() const {
  ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (is_orphaned()) ::raise(SIGQUIT);
}

bool PrivatePlace::is_orphaned() const { return ::getppid() != owner_; }

}  // namespace warmpool::daemon
