// sun_path holds 108 bytes. Longer paths go through the descriptor of their directory, so that a
// runtime directory may be anywhere; symlink resolution does not count against the limit.
#include "ipc/unix_address.hpp"

#include <cstddef>
#include <cstring>

namespace warmpool::ipc {

Result<UnixAddress> unix_address(const std::string& path) {
  UnixAddress result;
  if (path.size() >= sizeof result.address.sun_path) {
    return endpoint_error(EndpointFault::PathTooLong,
                          "the socket path has " + std::to_string(path.size()) +
                              " bytes, a Unix socket takes 107: " + path);
  }
  result.address.sun_family = AF_UNIX;
  std::memcpy(result.address.sun_path, path.c_str(), path.size() + 1);
  result.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return result;
}

std::string path_through(int directory, std::string_view name) {
  return "/proc/self/fd/" + std::to_string(directory) + "/" + std::string(name);
}

Error endpoint_error(EndpointFault fault, std::string text) {
  return {static_cast<int>(fault), std::move(text)};
}

Error system_error(EndpointFault fault, std::string text, int error_number) {
  return endpoint_error(fault, text + ": " + std::strerror(error_number));
}

}  // namespace warmpool::ipc
