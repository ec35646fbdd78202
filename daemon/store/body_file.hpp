// What names a payload or a result that has a file of its own.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "daemon/store/blob.hpp"

namespace warmpool::daemon {

// 0: it has none, and is in its row.
struct BodyFile {
  std::uint64_t number = 0;
  explicit operator bool() const { return number != 0; }
  auto operator<=>(const BodyFile&) const = default;
};

enum class BodyKind : std::uint8_t { Payload, Result };

// `fault`: why there is no such file; empty: it is there and synced. `digest`: of a body by
// descriptor, XXH3 of its bytes with the seed that was given.
struct BodyEnded {
  BodyFile file;
  std::string fault;
  std::uint64_t digest = 0;
};

// A body that is on the disk, or comes with its record.
struct KeptBody {
  Blob body;
  BodyFile file;
  std::uint64_t digest = 0;  // as in BodyEnded
};

// A longer one may have a file.
inline constexpr std::size_t kBodyInRowMax = 64 * 1024;

}  // namespace warmpool::daemon
