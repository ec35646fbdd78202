// Lines out of pieces of a stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace warmpool::cli {

struct Line {
  std::uint64_t number = 0;  // from 1; empty lines count, though they are skipped
  std::string text;          // without its line feed; the beginning only, if it was too long
  std::uint64_t bytes = 0;   // all of it
};

// Bounds: keeps what was fed and not taken, and of a line at most `bytes_max` bytes.
class LineReader {
 public:
  explicit LineReader(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  // Order: only when next() has nothing more.
  void feed(std::string_view bytes);
  // No more comes: a last line without a line feed is a line.
  void finish() { finished_ = true; }
  std::optional<Line> next();
  bool done() const { return finished_ && at_ == fed_.size() && open_.bytes == 0; }

 private:
  bool take_piece();

  std::uint64_t bytes_max_;
  std::string fed_;
  std::size_t at_ = 0;
  Line open_;  // the line that is being put together
  std::uint64_t number_ = 0;
  bool finished_ = false;
};

// Lines with something in them in a regular file, from its present position; none for other files.
// Bounds: looks at no more than `bytes_max` bytes, and says nothing about larger files.
std::optional<std::uint64_t> count_lines(int fd, std::uint64_t bytes_max);

}  // namespace warmpool::cli
