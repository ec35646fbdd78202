// Without a descriptor in reserve, a full table would leave the connection in the backlog and the
// listener readable: a loop that spins, and a client that waits for ever.
#include "daemon/acceptor.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/socket.h>

#include "ipc/codec.hpp"
#include "ipc/out_buffer.hpp"
#include "pool/refusal.hpp"

namespace warmpool::daemon {
namespace {

constexpr int kAcceptsMax = 64;  // of one turn

ipc::UniqueFd open_reserve() { return ipc::UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

void send_refusal(int fd) {
  std::string meta;
  ipc::encode(ipc::ErrorMeta{static_cast<std::uint16_t>(Refusal::ConnectionsFull),
                             "the daemon has no descriptors left; try again later"},
              meta);
  ipc::OutBuffer out;
  out.append({.kind = ipc::Kind::Error}, ipc::bytes_of(meta), ipc::Bytes{});
  iovec piece{};
  out.gather({&piece, 1});
  ::send(fd, piece.iov_base, piece.iov_len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

Acceptor::Acceptor(Reactor& reactor, Log& log, ipc::RuntimeDirectory directory,
                   ipc::RuntimeLock lock, ipc::Listener listener, Taker taker)
    : reactor_(reactor),
      log_(log),
      directory_(std::move(directory)),
      lock_(std::move(lock)),
      listener_(std::move(listener)),
      taker_(std::move(taker)),
      reserve_(open_reserve()) {
  watch();
}

Acceptor::~Acceptor() = default;

void Acceptor::watch() {
  watch_ = reactor_.watch(listener_.fd(), [this] { accept_some(); });
  if (watch_) watch_->start_reading();
}

void Acceptor::accept_some() {
  for (int i = 0; i < kAcceptsMax; ++i) {
    ipc::UniqueFd fd(::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) {
      exhausted_ = false;
      taker_(std::move(fd));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE) return refuse_one();
    if (errno != ECONNABORTED && errno != EINTR) return;
  }
}

void Acceptor::refuse_one() {
  if (!exhausted_) log_.error("descriptors are out; new clients are refused until some are free");
  exhausted_ = true;
  reserve_.reset();
  {
    const ipc::UniqueFd fd(
        ::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) send_refusal(fd.get());
  }
  reserve_ = open_reserve();
  // Somebody else was faster: check() starts it again, and until then nothing spins.
  if (!reserve_ && watch_) watch_->stop_reading();
}

bool Acceptor::check() {
  if (!reserve_) reserve_ = open_reserve();
  if (watch_) watch_->start_reading();
  if (!directory_.still_there()) {
    return lost(
        "the runtime directory was moved or removed, so nobody finds the socket; put it "
        "back, or start warmpoold again: " +
        directory_.path());
  }
  if (listener_.still_ours()) {
    lost_ = false;
    return true;
  }
  auto again = ipc::Listener::open(directory_, lock_);
  if (!again) {
    return lost("the socket file is gone and cannot be made again: " + again.error().text);
  }
  lost_ = false;
  watch_.reset();
  listener_ = std::move(*again);
  watch();
  log_.warn("the socket file was gone and was made again: " + listener_.path());
  return true;
}

// Said once, not each time that somebody looks.
bool Acceptor::lost(const std::string& why) {
  if (!lost_) log_.error(why);
  lost_ = true;
  return false;
}

void Acceptor::close() {
  watch_.reset();
  listener_.remove();
}

}  // namespace warmpool::daemon
