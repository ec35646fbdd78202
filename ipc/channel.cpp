// Reading is tried before waiting: a busy channel then costs one system call for many frames. While
// a write waits, what comes is read into memory: two ends that both fill the socket's buffer (about
// 200 KiB) and wait for each other would wait for ever.
#include "ipc/channel.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/fault.hpp"

namespace warmpool::ipc {
namespace {

constexpr int kReadsPerPump = 64;
// Where too many descriptors are on their way to peers that have not read yet, of all processes of
// this user: poll would say at once that there is room.
constexpr std::chrono::milliseconds kRetryAfter{10};

void set_up(int fd) {
  const int status = ::fcntl(fd, F_GETFL);
  REQUIRE(status >= 0);
  REQUIRE(::fcntl(fd, F_SETFL, status | O_NONBLOCK) == 0);
  REQUIRE(::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0);
}

bool is_socket(int fd) {
  int type = 0;
  socklen_t bytes = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0;
}

// For poll: rounded up, so that a wait never ends before its deadline.
int milliseconds_left(Deadline deadline) {
  namespace chrono = std::chrono;
  if (deadline == kNoDeadline) return -1;
  if (deadline == kAtOnce) return 0;
  const auto left =
      chrono::ceil<chrono::milliseconds>(deadline - chrono::steady_clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000));
}

bool is_later(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }
bool is_gone(int error) { return error == EPIPE || error == ECONNRESET; }

}  // namespace

Channel::Channel(UniqueFd socket, FrameRules rules) : read_(std::move(socket)), reader_(rules) {
  set_up(read_.get());
  is_socket_ = is_socket(read_.get());
}

Channel::Channel(UniqueFd read_end, UniqueFd write_end, FrameRules rules)
    : read_(std::move(read_end)), write_(std::move(write_end)), reader_(rules) {
  set_up(read_.get());
  set_up(write_.get());
  is_socket_ = is_socket(write_.get());
}

std::uint64_t Channel::features() const { return write_ ? feature::kOverPipes : feature::kAll; }

void Channel::send(const Header& header, Bytes meta, Bytes payload) {
  out_.append(header, meta, payload);
}

void Channel::send(const Header& header, Bytes meta, std::string&& payload) {
  out_.append(header, meta, std::move(payload));
}

void Channel::send(const Header& header, Bytes meta, SharedFd beside) {
  out_.append(header, meta, Bytes{}, std::move(beside));
}

void Channel::fail(int code, std::string text) {
  error_ = {code, std::move(text)};
  broken_ = true;
}

ssize_t Channel::read_into(std::span<std::byte> room) {
  if (keeps_descriptors_) return receive_with_descriptors(read_.get(), room, MSG_DONTWAIT, came_);
  return ::read(read_.get(), room.data(), room.size());
}

// True when bytes came.
bool Channel::read_some() {
  if (end_ || broken_) return false;
  if (reader_.bytes() > kInBytesMax) {
    fail(static_cast<int>(Refusal::TooSlow),
         "the peer sends more than is taken while it reads nothing");
    return false;
  }
  const std::span<std::byte> room = reader_.prepare(reader_.bytes_wanted());
  const ssize_t bytes = read_into(room);
  if (bytes > 0) {
    reader_.commit(static_cast<std::size_t>(bytes));
    drained_ = static_cast<std::size_t>(bytes) < room.size();
    return true;
  }
  reader_.commit(0);
  drained_ = true;
  if (bytes == 0 || is_gone(errno)) {
    end_ = true;
  } else if (!is_later(errno)) {
    fail(errno, std::string("cannot read from the channel: ") + std::strerror(errno));
  }
  return false;
}

// True when all that was queued is written.
bool Channel::write_some() {
  retry_at_ = kNoDeadline;
  room_.fit(write_fd(), out_.bytes());
  while (!out_.empty() && !unwritable_ && !broken_) {
    std::array<iovec, OutBuffer::kPiecesMax> pieces;
    const std::size_t count = out_.gather(pieces);
    ssize_t bytes = 0;
    if (is_socket_) {
      bytes = send_with_descriptor(write_fd(), {pieces.data(), count}, 0, out_.beside());
    } else {
      bytes = ::writev(write_fd(), pieces.data(), static_cast<int>(count));
    }
    if (bytes >= 0) {
      out_.consume(static_cast<std::size_t>(bytes));
    } else if (is_gone(errno)) {
      unwritable_ = true;
    } else if (errno == ETOOMANYREFS) {
      retry_at_ = std::chrono::steady_clock::now() + kRetryAfter;
      return false;
    } else if (errno != EINTR) {
      if (!is_later(errno)) {
        fail(errno, std::string("cannot write to the channel: ") + std::strerror(errno));
      }
      return false;
    }
  }
  return out_.empty();
}

// Until something can be read, or written if that is wanted, or is to be tried again. False at the
// deadline or on failure.
bool Channel::wait(Deadline deadline, State& state) {
  const bool writing = wants_write() && !unwritable_;
  std::array<pollfd, 2> fds{};
  fds[0] = {end_ ? -1 : read_fd(), POLLIN, 0};
  fds[1] = {writing ? write_fd() : -1, POLLOUT, 0};
  const Deadline until = std::min(deadline, retry_at_);
  for (;;) {
    const int ready = ::poll(fds.data(), fds.size(), milliseconds_left(until));
    if (ready > 0 || (ready == 0 && until < deadline)) return true;
    if (ready == 0) {
      state = State::TimedOut;
      return false;
    }
    if (errno != EINTR) {
      fail(errno, std::string("cannot wait for the channel: ") + std::strerror(errno));
      state = State::Broken;
      return false;
    }
  }
}

Channel::State Channel::flush(Deadline deadline) {
  State state = State::Idle;
  for (;;) {
    if (write_some()) return State::Idle;
    if (broken_) return State::Broken;
    if (unwritable_) return State::Closed;
    if (!wait(deadline, state)) return state;
    read_some();
    if (broken_) return State::Broken;
  }
}

Channel::State Channel::take(Frame& frame) {
  if (broken_) return State::Broken;
  switch (reader_.next(frame)) {
    case FrameReader::Next::Frame:
      return State::Frame;
    case FrameReader::Next::More:
      return end_ ? State::Closed : State::Idle;
    case FrameReader::Next::Broken:
      break;
  }
  fail(reader_.error().code, reader_.error().text);
  return State::Broken;
}

Channel::State Channel::receive(Frame& frame, Deadline deadline) {
  State state = State::Idle;
  for (;;) {
    state = take(frame);
    if (state != State::Idle) return state;
    write_some();
    if (read_some() || end_ || broken_) continue;
    if (!wait(deadline, state)) return state;
  }
}

Channel::State Channel::pump() {
  write_some();
  // Bounded, so that a peer that never pauses does not hold the caller here. A read that left room
  // took all there was: another one would only be told so, at the price of a system call a task.
  for (int reads = 0; reads < kReadsPerPump; ++reads) {
    if (!read_some() || drained_) break;
  }
  if (broken_) return State::Broken;
  return end_ || unwritable_ ? State::Closed : State::Idle;
}

Channel::State Channel::push() {
  write_some();
  if (broken_) return State::Broken;
  return unwritable_ ? State::Closed : State::Idle;
}

}  // namespace warmpool::ipc
