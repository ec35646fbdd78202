#include "worker/stock/kept_program.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/broken_pipe.hpp"
#include "worker/own_environment.hpp"

namespace warmpool::worker::stock {
namespace {

// It is started before the worker takes what is its own out of the environment.
std::vector<char*> inherited() {
  std::vector<char*> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    if (std::ranges::count(kOwnEnvironment, name) == 0) kept.push_back(*entry);
  }
  kept.push_back(nullptr);
  return kept;
}

}  // namespace

Result<void> KeptProgram::hold() {
  auto held = hold_fifos(*fifos_);
  if (!held) return held.error();
  input_ = std::move(*held);
  return {};
}

Result<void> KeptProgram::open() {
  if (!input_) {
    if (auto held = hold(); !held) return held;
  }
  auto opened = open_fifos(*fifos_, input_);
  if (!opened) return opened.error();
  output_ = std::move(*opened);
  return {};
}

Result<void> KeptProgram::start() {
  if (fifos_) return open();
  auto input = make_pipe();
  if (!input) return input.error();
  auto output = make_pipe();
  if (!output) return output.error();
  SpawnActions actions;
  actions.move(input->read_end, 0);
  actions.move(output->write_end, 1);
  actions.close_others();
  auto words = argv_;
  const int error =
      spawn(pid_, actions, SpawnGroup::Workers, tie_, pointers_to(words), inherited());
  if (error != 0) {
    pid_ = 0;
    return spawn_failure("cannot run " + argv_.front(), error);
  }
  input_ = std::move(input->write_end);
  output_ = std::move(output->read_end);
  unblock(input_);
  unblock(output_);
  to_write_.clear();
  received_.clear();
  written_ = taken_ = 0;
  return {};
}

void KeptProgram::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

int KeptProgram::end() {
  if (fifos_) output_.reset();
  if (pid_ <= 0) return 0;
  input_.reset();
  const auto until = Clock::now() + kEndMax;
  siginfo_t info{};
  while (Clock::now() < until) {
    info.si_pid = 0;
    const int waited = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | WNOHANG);
    if (waited == 0 && info.si_pid == pid_) return reap();
    // Its last words are read, so that it does not wait for us.
    pollfd out{output_.get(), POLLIN, 0};
    const int ready = ::poll(&out, 1, 10);
    if (ready > 0 && !read_some()) output_.reset();
    taken_ = received_.size();
  }
  return kill_now();
}

int KeptProgram::kill_now() {
  if (pid_ <= 0) return 0;
  ::kill(pid_, SIGKILL);
  return reap();
}

int KeptProgram::reap() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  input_.reset();
  output_.reset();
  return status;
}

void KeptProgram::write_line(std::string line) {
  to_write_.erase(0, written_);
  to_write_ = to_write_.empty() ? std::move(line) : to_write_ + line;
  to_write_ += '\n';
  written_ = 0;
  feed();
}

bool KeptProgram::has_read_all() const {
  int unread = 0;
  return !has_unwritten() && ::ioctl(input_.get(), FIONREAD, &unread) == 0 && unread == 0;
}

// Over FIFOs an end that was seen, of who opens them for each line, is no end of who comes next.
void KeptProgram::read_all() {
  pollfd out{output_.get(), POLLIN, 0};
  while (::poll(&out, 1, 0) > 0) {
    if (read_some()) continue;
    if (!fifos_) return;
    auto anew = open_from(*fifos_);
    if (!anew) return;
    output_ = std::move(*anew);
    out.fd = output_.get();
  }
}

bool KeptProgram::step(int also, Clock::time_point until) {
  const bool feeding = input_ && written_ < to_write_.size();
  pollfd fds[] = {
      {output_.get(), POLLIN, 0}, {feeding ? input_.get() : -1, POLLOUT, 0}, {also, POLLIN, 0}};
  int wait_ms = -1;
  if (until != Clock::time_point::max()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    wait_ms = static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
  }
  if (::poll(fds, std::size(fds), wait_ms) <= 0) return true;
  if (fds[1].revents != 0) feed();
  return fds[0].revents == 0 || read_some();
}

std::optional<std::string> KeptProgram::take_line() {
  const std::size_t end = received_.find('\n', taken_);
  if (end == std::string::npos) {
    received_.erase(0, taken_);
    taken_ = 0;
    return std::nullopt;
  }
  std::string line = received_.substr(taken_, end - taken_);
  taken_ = end + 1;
  return line;
}

// A program that reads no more has ended, or answers without: its output tells.
void KeptProgram::feed() {
  const BrokenPipe held;
  const ssize_t bytes =
      ::write(input_.get(), to_write_.data() + written_, to_write_.size() - written_);
  if (bytes >= 0) {
    written_ += static_cast<std::size_t>(bytes);
  } else if (errno != EAGAIN && errno != EINTR) {
    written_ = to_write_.size();
  }
}

bool KeptProgram::read_some() {
  std::array<char, 64 * 1024> piece;
  const ssize_t bytes = ::read(output_.get(), piece.data(), piece.size());
  if (bytes > 0) received_.append(piece.data(), static_cast<std::size_t>(bytes));
  return bytes > 0 || (bytes < 0 && (errno == EAGAIN || errno == EINTR));
}

}  // namespace warmpool::worker::stock
