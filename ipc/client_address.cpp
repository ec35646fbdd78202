// A client that chose its address itself could be fooled in /tmp: anybody may make the directory of
// a user who has not started a daemon yet. So the kernel is asked who listens before a word is
// said.
#include "ipc/client_address.hpp"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ipc/peer.hpp"
#include "ipc/unix_address.hpp"

namespace warmpool::ipc {
namespace {

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

Error unreachable(const std::string& path, int failed) {
  if (failed == ENOENT || failed == ECONNREFUSED || failed == ENOTDIR) {
    return endpoint_error(EndpointFault::Unreachable,
                          "no daemon listens at " + path +
                              "; start one with: warmpoold, or name its socket with --socket");
  }
  if (failed == EAGAIN) {
    return endpoint_error(EndpointFault::Unreachable,
                          "the daemon at " + path + " takes no connection; try again");
  }
  auto error = system_error(EndpointFault::Unreachable, "cannot connect to " + path, failed);
  if (failed == EACCES) {
    error.text +=
        "; who runs the daemon lets others in by the option socket_group, and only its members";
  }
  return error;
}

// SO_SNDTIMEO bounds connect() on a Unix socket whose backlog is full (Source: socket(7)).
bool bound_connect(int fd, std::chrono::steady_clock::time_point deadline) {
  namespace chrono = std::chrono;
  if (deadline == chrono::steady_clock::time_point::max()) return true;
  const auto left =
      std::max(chrono::duration_cast<chrono::microseconds>(deadline - chrono::steady_clock::now()),
               chrono::microseconds(1));
  const timeval time{left.count() / 1'000'000, left.count() % 1'000'000};
  return ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) == 0;
}

struct Target {
  UnixAddress address;
  UniqueFd directory;  // of a path too long
};

Result<Target> target_of(const std::string& path) {
  Target target;
  if (auto direct = unix_address(path)) {
    target.address = *direct;
    return target;
  }
  const std::size_t slash = path.rfind('/');
  const std::string parent = slash == path.npos ? "." : path.substr(0, slash + 1);
  target.directory.reset(::open(parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!target.directory) return unreachable(path, errno);
  auto through = unix_address(
      path_through(target.directory.get(), path.substr(slash == path.npos ? 0 : slash + 1)));
  if (!through) {
    return endpoint_error(EndpointFault::PathTooLong,
                          "the file name of the socket is too long: " + path);
  }
  target.address = *through;
  return target;
}

Result<void> check_trust(int fd, const std::string& path) {
  auto peer = peer_of(fd);
  if (!peer) return endpoint_error(EndpointFault::System, peer.error().text);
  if (peer->uid == ::geteuid() || peer->uid == 0) return {};
  return endpoint_error(EndpointFault::Untrusted, "user " + std::to_string(peer->uid) +
                                                      " listens at " + path +
                                                      "; if that is meant, name it with --socket");
}

}  // namespace

Surroundings Surroundings::of_process() {
  return {variable("WARMPOOL_SOCKET"),
          variable("XDG_RUNTIME_DIR"),
          ::geteuid(),
          variable("XDG_STATE_HOME"),
          variable("HOME"),
          variable("STATE_DIRECTORY")};
}

std::string default_runtime_directory(const Surroundings& surroundings) {
  const auto& xdg = surroundings.xdg_runtime_dir;
  if (xdg && xdg->starts_with('/')) return *xdg + "/warmpool";
  if (surroundings.uid == 0) return "/run/warmpool";
  return "/tmp/warmpool-" + std::to_string(surroundings.uid);
}

std::string default_state_directory(const Surroundings& surroundings) {
  const auto is_path = [](const auto& text) { return text && text->starts_with('/'); };
  // systemd joins several with colons.
  if (is_path(surroundings.state_directory)) {
    return surroundings.state_directory->substr(0, surroundings.state_directory->find(':'));
  }
  if (surroundings.uid == 0) return "/var/lib/warmpool";
  if (is_path(surroundings.xdg_state_home)) return *surroundings.xdg_state_home + "/warmpool";
  if (is_path(surroundings.home)) return *surroundings.home + "/.local/state/warmpool";
  return "";
}

SocketAddress socket_address(std::string_view given, const Surroundings& surroundings) {
  if (!given.empty()) return {std::string(given), false};
  const auto& named = surroundings.warmpool_socket;
  if (named && !named->empty()) return {*named, false};
  return {default_runtime_directory(surroundings) + "/" + kSocketName, true};
}

Result<UniqueFd> connect_to(const SocketAddress& address,
                            std::chrono::steady_clock::time_point deadline) {
  auto target = target_of(address.path);
  if (!target) return target.error();
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd || !bound_connect(fd.get(), deadline)) {
    return system_error(EndpointFault::System, "cannot make a socket", errno);
  }
  if (::connect(fd.get(), target->address.get(), target->address.bytes) != 0) {
    return unreachable(address.path, errno);
  }
  if (address.by_default) {
    if (auto good = check_trust(fd.get(), address.path); !good) return good.error();
  }
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) != 0) {
    return system_error(EndpointFault::System, "cannot set up a socket", errno);
  }
  return fd;
}

}  // namespace warmpool::ipc
