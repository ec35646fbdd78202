// How people write what frames carry: for the command line, submit.fifo and the stock worker alike.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pool/result.hpp"
#include "pool/time.hpp"

namespace warmpool::ipc {

// RFC 3339 with any offset: "2026-11-23T07:00:00Z", "2026-11-23 07:00:00.5+01:00".
// Errors: says what is expected.
Result<WallTime> parse_wall(std::string_view text);
// "P0" = 0, "P1" = 10, "P2" = 100, or a number of 0..100.
Result<std::uint64_t> parse_priority(std::string_view text);

// With padding, on one line.
std::string base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

}  // namespace warmpool::ipc
