// A program that a signal ends runs nothing any more, so what it leaves is removed by who outlives
// it. Only then: a program that lives may want to read why its daemon has ended.
#include "daemon/private_place.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <utility>

#include "daemon/process/process_tree.hpp"

namespace warmpool::daemon {
namespace {

constexpr int kEndMillis = 2'000;

}  // namespace

pid_t begin_as_private() {
  const pid_t owner = ::getppid();
  ::prctl(PR_SET_PDEATHSIG, 0);
  return owner;
}

// One that somebody named by mistake, such as a home, holds directories.
Result<PrivatePlace> PrivatePlace::take(std::string path, pid_t owner) {
  std::error_code fault;
  for (const auto& entry : std::filesystem::directory_iterator(path, fault)) {
    std::error_code gone;  // meanwhile
    if (!entry.is_directory(gone) || entry.is_symlink(gone)) continue;
    return Error{ENOTEMPTY, "the runtime directory " + path + " holds the directory " +
                                entry.path().filename().string() +
                                " and so is no private one; make a fresh one for --private"};
  }
  if (fault) return Error{fault.value(), "cannot look at " + path + ": " + fault.message()};
  return PrivatePlace(std::move(path), owner);
}

PrivatePlace::PrivatePlace(PrivatePlace&& other) noexcept
    : path_(std::exchange(other.path_, {})), owner_(other.owner_), ending_(other.ending_) {}

PrivatePlace::~PrivatePlace() {
  if (path_.empty()) return;
  if (ending_ && !is_orphaned()) await_end();
  if (!is_orphaned()) return;
  std::error_code none;
  std::filesystem::remove_all(path_, none);
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
