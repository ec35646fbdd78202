// The credentials of a connection name a process by number, and numbers are used again. On kernels
// that do not give the process itself, the pidfd is opened first, and then the connection must
// still be open and the process of the user that connected: a number that was given away meanwhile
// is one whose owner, and so its connection, has ended, unless another process holds its end of it.
// What these kernels cannot tell is such a number that went to a process of the same user.
#include "daemon/process/peer_process.hpp"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/process/process_tree.hpp"

namespace warmpool::daemon {
namespace {

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

constexpr std::size_t kTextBytesMax = 4096;

std::string text_of_file(const std::string& path) {
  const ipc::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(kTextBytesMax, '\0');
  const ssize_t bytes = fd ? ::read(fd.get(), text.data(), text.size()) : 0;
  text.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  return text;
}

// An error of its own where the kernel knows the option and the process is gone.
Result<ipc::UniqueFd> ask_pidfd(int socket) {
  int fd = -1;
  socklen_t bytes = sizeof fd;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &bytes) == 0) return ipc::UniqueFd(fd);
  return Error{errno, strerrordesc_np(errno)};
}

bool is_open(int socket) {
  pollfd waiting{socket, POLLRDHUP, 0};
  return ::poll(&waiting, 1, 0) >= 0 && (waiting.revents & (POLLRDHUP | POLLHUP | POLLERR)) == 0;
}

// Of the four of a process, real to file system: it may have given up what it was when it
// connected, and then still has it among them, or has given it up for good and is not taken.
bool is_of_user(pid_t pid, uid_t user) {
  const auto text = text_of_file("/proc/" + std::to_string(pid) + "/status");
  auto at = text.find("\nUid:");
  if (at == std::string::npos) return false;
  const auto end = text.find('\n', ++at);
  while ((at = text.find('\t', at)) < end) {
    uid_t its = 0;
    ++at;
    const auto read = std::from_chars(text.data() + at, text.data() + text.size(), its);
    if (read.ec == std::errc{} && its == user) return true;
  }
  return false;
}

Error gone() {
  return Error{ESRCH, "the process that connected has ended; the one that registers must connect"};
}

}  // namespace

// Field 22 of proc(5), behind the name: which may hold anything.
std::optional<ProcessName> name_of_process(pid_t pid) {
  const auto kinship = kinship_of(pid);
  if (kinship.state == Kinship{}.state) return std::nullopt;  // it is gone
  return ProcessName{.pid = pid, .start_ticks = kinship.start_ticks};
}

std::string boot_id() {
  auto text = text_of_file("/proc/sys/kernel/random/boot_id");
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

Result<PeerProcess> process_of_peer(int socket, PeerPidfd how) {
  ucred who{};
  socklen_t bytes = sizeof who;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &bytes) != 0) {
    return Error{errno, std::string("cannot ask who the peer is: ") + strerrordesc_np(errno)};
  }
  PeerProcess peer;
  bool asked = false;
  if (how == PeerPidfd::Ask) {
    auto given = ask_pidfd(socket);
    if (given) {
      peer.pidfd = std::move(*given);
      asked = true;
    } else if (given.error().code == ESRCH || given.error().code == EINVAL) {
      return gone();
    } else if (given.error().code == EMFILE || given.error().code == ENFILE) {
      return given.error();
    }
  }
  if (who.pid <= 0) return peer;
  if (!asked) peer.pidfd = open_pidfd(who.pid);
  if (!peer.pidfd && errno != ESRCH) {
    const int code = errno;
    return Error{code, std::string("cannot watch the process: ") + strerrordesc_np(code)};
  }
  if (!peer.pidfd || is_dead(peer.pidfd.get())) return gone();
  const auto name = name_of_process(who.pid);
  if (!asked && !(is_open(socket) && is_of_user(who.pid, who.uid))) return gone();
  // It may have died since; then the name is nobody's or a stranger's.
  if (is_dead(peer.pidfd.get())) return gone();
  peer.name = name.value_or(ProcessName{.pid = who.pid});
  return peer;
}

}  // namespace warmpool::daemon
