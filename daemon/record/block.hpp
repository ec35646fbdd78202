// The frames around the blocks of a segment: length, kind, checksum. A block that is not whole is
// told from one that is damaged.
//
//   prefix   8 bytes magic, 4 format, 4 of 0
//   block    4 length of the body, 1 kind, 3 of 0, 8 checksum (XXH3 of the body, seeded with kind
//            and place, so that no block passes for another); then the body. Little endian.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/record/segment.hpp"

namespace warmpool::daemon {

inline constexpr std::size_t kSegmentPrefixBytes = 16, kBlockFrameBytes = 16;
// Of a body.
inline constexpr std::size_t kBlockBytesMax = std::size_t{1} << 30;

std::string segment_prefix();
// `place`: how many blocks came before it.
std::string block_frame(BlockKind kind, std::uint64_t place, std::string_view body);

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using OwnedFile = std::unique_ptr<std::FILE, FileCloser>;

// Bounds: memory for one block, and never more than the file still has.
class BlockReader {
 public:
  BlockReader(OwnedFile file, std::uint64_t size) : file_(std::move(file)), size_(size) {}

  enum class Prefix { Good, Foreign, Newer };
  // Order: first. `format`: that of the file, where it is a segment's.
  Prefix read_prefix(std::uint32_t& format);

  // End: nothing follows. Torn: what follows is the beginning of a block, a last block whose bytes
  // did not all reach the disk, or nothing but zeros. Damaged: a block that others follow.
  enum class Next { Block, End, Torn, Damaged };
  Next next(BlockKind& kind, std::string& body);

  // Of the last block that was read, or of where reading stopped.
  std::uint64_t place() const { return place_; }
  std::uint64_t offset() const { return offset_; }

 private:
  bool read(void* into, std::size_t bytes);
  bool only_zeros_follow();

  OwnedFile file_;
  std::uint64_t size_, read_ = 0, place_ = 0, offset_ = 0;
};

}  // namespace warmpool::daemon
