// Addresses of Unix sockets, whatever the length of their path.
#pragma once

#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>

#include "ipc/endpoint.hpp"
#include "pool/result.hpp"

namespace warmpool::ipc {

struct UnixAddress {
  sockaddr_un address{};
  socklen_t bytes = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

// Errors: PathTooLong when it does not fit sun_path (107 bytes and a NUL).
Result<UnixAddress> unix_address(const std::string& path);

// /proc/self/fd/N/name: never too long, and the directory cannot be exchanged under way.
std::string path_through(int directory, std::string_view name);

Error endpoint_error(EndpointFault fault, std::string text);
// The text ends with what `error_number` means.
Error system_error(EndpointFault fault, std::string text, int error_number);

}  // namespace warmpool::ipc
