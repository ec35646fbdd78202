// Lines out of a stream of bytes that many may have written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace warmpool::daemon {

// Bounds: holds what was added and not taken; the caller adds no more while full(). Of a line that
// is too long the first bytes are shown, and the rest is dropped as it comes.
class LineBuffer {
 public:
  // `line_bytes_max`: of a line, with its line feed. `room`: from there on it is full.
  LineBuffer(std::size_t line_bytes_max, std::size_t room)
      : line_bytes_max_(line_bytes_max), room_(room) {}

  void add(std::string_view bytes);
  bool full() const { return unread().size() >= room_; }

  struct Line {
    std::string_view text;  // without its line feed; valid until the next add
    bool too_long = false;  // these are its first bytes
  };
  // The next line. None: none is whole.
  std::optional<Line> take();
  // What is left, as a line although nothing ends it. None: nothing is. Order: after the last take.
  std::optional<Line> take_rest();
  // Whether take() has one.
  bool has_line() const;
  // Whether a line was begun that nothing has ended yet.
  bool has_rest() const { return dropping_ || (!unread().empty() && !has_line()); }

 private:
  std::string_view unread() const { return std::string_view(bytes_).substr(begin_); }

  std::size_t line_bytes_max_, room_;
  std::string bytes_;
  std::size_t begin_ = 0;
  bool dropping_ = false;  // up to the next line feed: its first bytes were taken
};

}  // namespace warmpool::daemon
