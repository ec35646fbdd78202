// What an exec task asks for.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pool/result.hpp"

namespace warmpool::worker::stock {

// {"argv": [program, argument ...],      found by PATH unless it has a slash
//  "env": {"NAME": "VALUE" or null},     added to the worker's own; null takes one away
//  "stdin": text or {"base64": text},    else empty
//  "cwd": path,                          else the worker's
//  "output_bytes_max": N,                of each of stdout and stderr; what comes after is dropped
//  "ok_status": N or [N ...]}            exit statuses that mean done; else 0 alone
// Bounds: output_bytes_max to kOutputBytesLimit; statuses 0 to 255; no text holds a NUL byte but
// stdin.
struct ExecRequest {
  std::vector<std::string> argv;
  std::map<std::string, std::optional<std::string>> env;
  std::optional<std::string> standard_input;
  std::optional<std::string> cwd;
  std::uint64_t output_bytes_max = 256 * 1024;
  std::vector<int> ok_status{0};

  static constexpr std::uint64_t kOutputBytesLimit = 16U << 20;

  // Errors: names the member that is wrong and says what it may be.
  static Result<ExecRequest> from_json(std::string_view text);
};

}  // namespace warmpool::worker::stock
