#include "daemon/store/wal_tail.hpp"

#include <fstream>
#include <string_view>
#include <sys/stat.h>

namespace warmpool::daemon {
namespace {

constexpr std::uint32_t kMagic = 0x377f0682;  // the last bit: sums are of big-endian words
constexpr std::size_t kHeadBytes = 32, kFrameHeadBytes = 24;
constexpr std::uint32_t kPageBytesMax = 65536;

std::uint32_t word(std::string_view bytes, std::size_t at, bool big = true) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto byte = static_cast<std::uint8_t>(bytes[at + i]);
    value |= std::uint32_t{byte} << (8 * (big ? 3 - i : i));
  }
  return value;
}

struct Sum {
  std::uint32_t first = 0, second = 0;
  bool big = false;
  void add(std::string_view bytes) {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      first += word(bytes, at, big) + second;
      second += word(bytes, at + 4, big) + first;
    }
  }
  bool is_at(std::string_view bytes, std::size_t at) const {
    return word(bytes, at) == first && word(bytes, at + 4) == second;
  }
};

}  // namespace

std::uint64_t frames_not_whole(const std::string& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0 || !S_ISREG(found.st_mode)) return 0;
  std::ifstream file(path, std::ios::binary);
  std::string head(kHeadBytes, '\0');
  if (!file.read(head.data(), kHeadBytes)) return 0;
  const auto page_bytes = word(head, 8);
  if ((word(head, 0) & ~1U) != kMagic || page_bytes == 0 || page_bytes > kPageBytesMax) return 0;
  Sum sum{0, 0, (word(head, 0) & 1) != 0};
  sum.add(std::string_view(head).substr(0, 24));
  if (!sum.is_at(head, 24)) return 0;
  std::string frame(kFrameHeadBytes + page_bytes, '\0');
  std::uint64_t behind = 0;
  for (bool whole = true; file.read(frame.data(), static_cast<std::streamsize>(frame.size()));) {
    const std::string_view bytes(frame);
    // Of the time before the WAL was begun anew.
    if (bytes.substr(8, 8) != std::string_view(head).substr(16, 8)) break;
    sum.add(bytes.substr(0, 8));
    sum.add(bytes.substr(kFrameHeadBytes));
    whole = whole && sum.is_at(bytes, 16);
    behind += whole ? 0 : 1;
  }
  return behind;
}

}  // namespace warmpool::daemon
