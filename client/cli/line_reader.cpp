#include "client/cli/line_reader.hpp"

#include <algorithm>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace warmpool::cli {

void LineReader::feed(std::string_view bytes) {
  fed_.erase(0, at_);
  at_ = 0;
  fed_ += bytes;
}

// Moves up to the next line feed into the open line. True when it is complete.
bool LineReader::take_piece() {
  const std::size_t end = fed_.find('\n', at_);
  const std::size_t count = (end == std::string::npos ? fed_.size() : end) - at_;
  const auto room =
      static_cast<std::size_t>(bytes_max_ - std::min<std::uint64_t>(bytes_max_, open_.text.size()));
  open_.text.append(fed_, at_, std::min(count, room));
  open_.bytes += count;
  at_ += count;
  if (end == std::string::npos) return finished_ && open_.bytes > 0;
  ++at_;
  return true;
}

std::optional<Line> LineReader::next() {
  while (at_ < fed_.size() || (finished_ && open_.bytes > 0)) {
    if (!take_piece()) return std::nullopt;
    open_.number = ++number_;
    Line line = std::exchange(open_, Line{});
    if (line.bytes > 0) return line;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> count_lines(int fd, std::uint64_t bytes_max) {
  struct stat found {};
  const off_t begin = ::lseek(fd, 0, SEEK_CUR);
  if (begin < 0 || ::fstat(fd, &found) != 0 || !S_ISREG(found.st_mode)) return std::nullopt;
  if (found.st_size < begin || static_cast<std::uint64_t>(found.st_size - begin) > bytes_max) {
    return std::nullopt;
  }
  std::vector<char> buffer(256U << 10);
  std::uint64_t lines = 0;
  bool in_line = false;
  for (off_t at = begin;;) {
    const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), at);
    if (got <= 0) return lines + (in_line ? 1 : 0);
    at += got;
    for (ssize_t i = 0; i < got; ++i) {
      const bool ends = buffer[static_cast<std::size_t>(i)] == '\n';
      if (ends && in_line) ++lines;
      in_line = !ends;
    }
  }
}

}  // namespace warmpool::cli
