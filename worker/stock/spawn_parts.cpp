// posix_spawn, because it does not copy this process's page tables and reports a failed exec as an
// error of the call. It has no death signal; where that is wanted it is fork, and a pipe that the
// exec closes tells of a failure. Source: PR_SET_PDEATHSIG in prctl(2): not inherited over fork,
// kept over exec, sent when the thread that forked ends; a handler's thread is that of the worker.
#include "worker/stock/spawn_parts.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace warmpool::worker::stock {

using ipc::UniqueFd;

namespace {

Result<UniqueFd> above_standard(UniqueFd fd) {
  if (fd.get() > 2) return fd;
  UniqueFd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!moved) return spawn_failure("cannot make a pipe", errno);
  return moved;
}

class SpawnAttributes {
 public:
  explicit SpawnAttributes(SpawnGroup group) {
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(&attributes_,
                               (group == SpawnGroup::Own ? POSIX_SPAWN_SETPGROUP : 0) |
                                   POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    sigset_t signals;
    sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
  }
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

// So that no handler of ours runs in a child that is not the program yet.
class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsHeld() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_{};
};

void forget_signals() {
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) ::sigaction(number, &by_default, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// In the child: returns the errno of what failed, or not at all.
int become(const SpawnActions& actions, SpawnGroup group, pid_t worker, int report,
           char* const* argv, char* const* environment) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return errno;
  if (::getppid() != worker) return ESRCH;  // it ended before it was tied
  if (group == SpawnGroup::Own && ::setpgid(0, 0) != 0) return errno;
  if (const int fault = actions.apply(report); fault != 0) return fault;
  forget_signals();
  ::execvpe(argv[0], argv, environment);
  return errno;
}

int spawn_tied(pid_t& pid, const SpawnActions& actions, SpawnGroup group, char* const* argv,
               char* const* environment) {
  auto report = make_pipe();
  if (!report) return report.error().code;
  const pid_t worker = ::getpid();
  {
    const SignalsHeld held;
    pid = ::fork();
    if (pid == 0) {
      const int to = report->write_end.get();
      const int fault = become(actions, group, worker, to, argv, environment);
      (void)!::write(to, &fault, sizeof fault);
      ::_exit(127);
    }
  }
  if (pid < 0) return errno;
  report->write_end.reset();
  int fault = 0;
  ssize_t bytes = 0;
  do {
    bytes = ::read(report->read_end.get(), &fault, sizeof fault);
  } while (bytes < 0 && errno == EINTR);
  if (bytes == 0) return 0;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return fault;
}

}  // namespace

void SpawnActions::add_to(posix_spawn_file_actions_t& actions) const {
  for (const auto& [from, to] : moves_) ::posix_spawn_file_actions_adddup2(&actions, from, to);
  if (reads_nothing_) ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  if (!directory_.empty()) ::posix_spawn_file_actions_addchdir_np(&actions, directory_.c_str());
  if (closes_others_) ::posix_spawn_file_actions_addclosefrom_np(&actions, 3);
}

int SpawnActions::apply(int kept) const {
  for (const auto& [from, to] : moves_) {
    if (::dup2(from, to) < 0) return errno;
  }
  if (reads_nothing_) {
    const int nothing = ::open("/dev/null", O_RDONLY);
    if (nothing < 0 || ::dup2(nothing, 0) < 0) return errno;
    if (nothing != 0) ::close(nothing);
  }
  if (!directory_.empty() && ::chdir(directory_.c_str()) != 0) return errno;
  if (!closes_others_) return 0;
  const auto at = static_cast<unsigned>(kept);
  const bool closed =
      (at <= 3 || ::close_range(3, at - 1, 0) == 0) && ::close_range(at + 1, ~0U, 0) == 0;
  return closed ? 0 : errno;
}

int spawn(pid_t& pid, const SpawnActions& actions, SpawnGroup group, SpawnTie tie,
          std::vector<char*> argv, std::vector<char*> environment) {
  if (tie == SpawnTie::Death) {
    return spawn_tied(pid, actions, group, argv.data(), environment.data());
  }
  const SpawnAttributes attributes(group);
  posix_spawn_file_actions_t added;
  ::posix_spawn_file_actions_init(&added);
  actions.add_to(added);
  const int fault =
      ::posix_spawnp(&pid, argv.front(), &added, attributes.get(), argv.data(), environment.data());
  ::posix_spawn_file_actions_destroy(&added);
  return fault;
}

Error spawn_failure(const std::string& what, int error) {
  return {error, what + ": " + std::strerror(error)};
}

Result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return spawn_failure("cannot make a pipe", errno);
  UniqueFd first(fds[0]), second(fds[1]);
  auto read_end = above_standard(std::move(first));
  if (!read_end) return read_end.error();
  auto write_end = above_standard(std::move(second));
  if (!write_end) return write_end.error();
  return Pipe{std::move(*read_end), std::move(*write_end)};
}

void unblock(const UniqueFd& fd) {
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace warmpool::worker::stock
