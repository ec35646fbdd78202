// The end is told by a pidfd in the same poll as the three streams.
//
// The group is killed while its leader is still a zombie, so that its number cannot be another's.
#include "worker/stock/child.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "worker/stock/spawn.hpp"

namespace warmpool::worker::stock {
namespace {

// A program that does not read its input ends with EPIPE here, not with the end of the worker.
// Scope: this thread. Source: SIGPIPE is sent to the thread that wrote, signal(7).
class SigpipeHeld {
 public:
  SigpipeHeld() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~SigpipeHeld() {
    const timespec at_once{};
    while (::sigtimedwait(&pipe_, nullptr, &at_once) == SIGPIPE) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeHeld(const SigpipeHeld&) = delete;
  SigpipeHeld& operator=(const SigpipeHeld&) = delete;

 private:
  sigset_t pipe_{}, before_{};
};

// By number: the header of glibc 2.36 declares pidfd_open without C linkage.
ipc::UniqueFd pidfd_of(pid_t pid) {
  return ipc::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

}  // namespace

void Capture::add(std::string_view bytes, std::size_t bytes_max) {
  const std::size_t room = bytes_max - std::min(bytes_max, kept.size());
  kept += bytes.substr(0, room);
  truncated = truncated || bytes.size() > room;
}

Result<Child> Child::spawn(const ExecRequest& request, SpawnTie tie) {
  auto spawned = spawn_program(request, tie);
  if (!spawned) return spawned.error();
  Child child(request, pidfd_of(spawned->pid), spawned->pid);
  if (!child.pidfd_) {
    return Error{errno, std::string("cannot watch the program: ") + std::strerror(errno)};
  }
  child.input_ = std::move(spawned->input);
  child.output_ = std::move(spawned->output);
  child.error_ = std::move(spawned->error);
  return child;
}

Child::~Child() {
  if (pid_.pid == 0) return;
  ::kill(-pid_.pid, SIGKILL);
  while (::waitpid(pid_.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Ending Child::run(Context& context) {
  const SigpipeHeld held;
  const auto started = Clock::now();
  Ending ending;
  while (!ended_) step(context, ending);
  learn_end(ending);
  ::kill(-pid_.pid, SIGKILL);
  read_rest(output_, ending.standard_output, request_->output_bytes_max);
  read_rest(error_, ending.standard_error, request_->output_bytes_max);
  ending.took = Clock::now() - started;
  return ending;
}

void Child::step(Context& context, Ending& ending) {
  if (!input_ || !request_->standard_input || fed_ == request_->standard_input->size()) {
    input_.reset();
  }
  pollfd fds[] = {{pidfd_.get(), POLLIN, 0},
                  {input_.get(), POLLOUT, 0},
                  {output_.get(), POLLIN, 0},
                  {error_.get(), POLLIN, 0},
                  {ending.cancelled ? -1 : context.cancel_fd(), POLLIN, 0}};
  const int ready = ::poll(fds, std::size(fds), milliseconds_left());
  end_when_told(context, ending);
  if (ready <= 0) return;
  if (fds[1].revents != 0) feed();
  if (fds[2].revents != 0) read_once(output_, ending.standard_output, request_->output_bytes_max);
  if (fds[3].revents != 0) read_once(error_, ending.standard_error, request_->output_bytes_max);
  ended_ = fds[0].revents != 0;
}

void Child::end_when_told(const Context& context, Ending& ending) {
  if (!ending.cancelled && context.cancelled()) {
    ending.cancelled = true;
    kill_at_ = Clock::now() + kKillAfter;
    ::kill(-pid_.pid, SIGTERM);
  }
  if (!killed_ && Clock::now() >= kill_at_) {
    killed_ = true;
    ::kill(-pid_.pid, SIGKILL);
  }
}

int Child::milliseconds_left() const {
  if (killed_ || kill_at_ == Clock::time_point::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(kill_at_ - Clock::now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

void Child::feed() {
  const std::string& all = *request_->standard_input;
  const ssize_t bytes = ::write(input_.get(), all.data() + fed_, all.size() - fed_);
  if (bytes >= 0) {
    fed_ += static_cast<std::size_t>(bytes);
  } else if (errno != EAGAIN && errno != EINTR) {
    input_.reset();  // it reads no more; whether that is a failure, its status tells
  }
}

void Child::read_once(ipc::UniqueFd& from, Capture& into, std::size_t bytes_max) {
  std::array<char, 64 * 1024> piece;
  const ssize_t bytes = ::read(from.get(), piece.data(), piece.size());
  if (bytes > 0) {
    into.add({piece.data(), static_cast<std::size_t>(bytes)}, bytes_max);
  } else if (bytes == 0 || (errno != EAGAIN && errno != EINTR)) {
    from.reset();
  }
}

// What is in the pipe now and no more: somebody outside of the group may go on writing.
void Child::read_rest(ipc::UniqueFd& from, Capture& into, std::size_t bytes_max) {
  int there = 0;
  if (!from || ::ioctl(from.get(), FIONREAD, &there) != 0 || there <= 0) return;
  std::string piece(static_cast<std::size_t>(there), '\0');
  const ssize_t bytes = ::read(from.get(), piece.data(), piece.size());
  if (bytes > 0)
    into.add(std::string_view(piece).substr(0, static_cast<std::size_t>(bytes)), bytes_max);
}

void Child::learn_end(Ending& ending) {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_.pid), &info, WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
  if (info.si_code == CLD_EXITED)
    ending.status = info.si_status;
  else
    ending.signal = info.si_status;
}

}  // namespace warmpool::worker::stock
