// A process that is killed leaves a last block cut short; a power cut may also leave zeros, or a
// last block of the right length with bytes that never came. All that is the end of a recording and
// no fault; the same in the middle is one, because what follows would be replayed onto a core that
// has missed events.
#include "daemon/record/block.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <xxhash.h>

namespace warmpool::daemon {
namespace {

void put(std::string& out, std::uint64_t number, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) out.push_back(static_cast<char>(number >> (8 * i)));
}

std::uint64_t get(const unsigned char* from, unsigned bytes) {
  std::uint64_t number = 0;
  for (unsigned i = bytes; i-- > 0;) number = number << 8 | from[i];
  return number;
}

std::uint64_t checksum_of(std::uint64_t kind, std::uint64_t place, std::string_view body) {
  return XXH3_64bits_withSeed(body.data(), body.size(), place << 8 | kind);
}

}  // namespace

std::string segment_prefix() {
  std::string prefix(kSegmentMagic);
  put(prefix, kSegmentFormat, 4);
  put(prefix, 0, 4);
  return prefix;
}

std::string block_frame(BlockKind kind, std::uint64_t place, std::string_view body) {
  std::string frame;
  put(frame, body.size(), 4);
  put(frame, static_cast<std::uint64_t>(kind), 4);
  put(frame, checksum_of(static_cast<std::uint64_t>(kind), place, body), 8);
  return frame;
}

bool BlockReader::read(void* into, std::size_t bytes) {
  if (bytes > size_ - read_ || std::fread(into, 1, bytes, file_.get()) != bytes) return false;
  read_ += bytes;
  return true;
}

BlockReader::Prefix BlockReader::read_prefix(std::uint32_t& format) {
  std::array<unsigned char, kSegmentPrefixBytes> prefix{};
  if (!read(prefix.data(), prefix.size())) return Prefix::Foreign;
  if (std::memcmp(prefix.data(), kSegmentMagic.data(), kSegmentMagic.size()) != 0) {
    return Prefix::Foreign;
  }
  format = static_cast<std::uint32_t>(get(prefix.data() + 8, 4));
  if (format > kSegmentFormat) return Prefix::Newer;
  return format == 0 || get(prefix.data() + 12, 4) != 0 ? Prefix::Foreign : Prefix::Good;
}

bool BlockReader::only_zeros_follow() {
  std::array<char, 4096> some{};
  while (read_ < size_) {
    const auto bytes =
        static_cast<std::size_t>(std::min<std::uint64_t>(some.size(), size_ - read_));
    if (!read(some.data(), bytes)) return true;  // the file has become shorter
    if (std::any_of(some.begin(), some.begin() + static_cast<std::ptrdiff_t>(bytes),
                    [](char c) { return c != 0; })) {
      return false;
    }
  }
  return true;
}

BlockReader::Next BlockReader::next(BlockKind& kind, std::string& body) {
  offset_ = read_;
  if (read_ == size_) return Next::End;
  std::array<unsigned char, kBlockFrameBytes> frame{};
  if (!read(frame.data(), frame.size())) return Next::Torn;
  const auto length = get(frame.data(), 4), number = get(frame.data() + 4, 4);
  if (length == 0 && number == 0) return only_zeros_follow() ? Next::Torn : Next::Damaged;
  if (number < 1 || number > static_cast<std::uint64_t>(BlockKind::End) ||
      length > kBlockBytesMax) {
    return Next::Damaged;
  }
  if (length > size_ - read_) return Next::Torn;
  body.resize(length);
  if (!read(body.data(), length)) return Next::Torn;
  if (checksum_of(number, place_, body) != get(frame.data() + 8, 8)) {
    return only_zeros_follow() ? Next::Torn : Next::Damaged;
  }
  kind = static_cast<BlockKind>(number);
  ++place_;
  return Next::Block;
}

}  // namespace warmpool::daemon
