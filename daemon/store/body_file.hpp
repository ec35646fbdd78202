// What names a payload or a result that has a file of its own.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "daemon/store/blob.hpp"

namespace warmpool::daemon {

// An id of a task, and a number of a file, have the life that gave it above this bit.
inline constexpr int kLifeShift = 40;

// 0: it has none, and is in its row.
struct BodyFile {
  std::uint64_t number = 0;
  std::uint64_t checksum = 0;  // of a body by descriptor, once its bytes were read (checksum.hpp)
  explicit operator bool() const { return number != 0; }
  bool operator==(const BodyFile& other) const { return number == other.number; }
  auto operator<=>(const BodyFile& other) const { return number <=> other.number; }
};

enum class BodyKind : std::uint8_t { Payload, Result };

// `fault`: why there is no such file; empty: it is there and synced. `digest`: of a body by
// descriptor, XXH3 of its bytes with the seed that was given.
struct BodyEnded {
  BodyFile file;
  std::string fault;
  std::uint64_t digest = 0;
};

// Of the bytes of a body by descriptor: as BodyEnded and BodyFile have them.
struct BodySums {
  std::uint64_t digest = 0, checksum = 0;
};

// A body that is on the disk, or comes with its record.
struct KeptBody {
  Blob body;
  BodyFile file;
  std::uint64_t digest = 0;  // as in BodyEnded
};

// A longer one may have a file.
inline constexpr std::size_t kBodyInRowMax = 64 * 1024;
// A longer one came by descriptor, and is never in memory whole.
inline constexpr std::uint64_t kBodyInMemoryMax = 16U << 20;

}  // namespace warmpool::daemon
