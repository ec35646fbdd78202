// Payloads from standard input and files.
#pragma once

#include <cstdint>
#include <string>

#include "ipc/fd.hpp"
#include "pool/result.hpp"

namespace warmpool::cli {

// Everything up to the end. Errors: it cannot be read, or has more than `bytes_max` bytes.
// Blocks: until the end.
Result<std::string> read_all(int fd, const std::string& name, std::uint64_t bytes_max);
// Likewise, of at most `large_max` bytes; what is longer than `bytes_max` is in `large`.
struct Payload {
  std::string bytes{};
  ipc::SharedFd large{};
  std::uint64_t large_bytes = 0;
};
Result<Payload> read_payload(int fd, const std::string& name, std::uint64_t bytes_max,
                             std::uint64_t large_max);
Result<ipc::UniqueFd> open_to_read(const std::string& path);

}  // namespace warmpool::cli
