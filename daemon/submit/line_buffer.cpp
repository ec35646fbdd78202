// A write of at most PIPE_BUF bytes is in the pipe in one piece, so lines of honest writers never
// mix. What is longer may be mixed with others' lines, and is dropped to the next line feed.
#include "daemon/submit/line_buffer.hpp"

#include <algorithm>

namespace warmpool::daemon {

void LineBuffer::add(std::string_view bytes) {
  if (dropping_) {
    const auto end = bytes.find('\n');
    if (end == bytes.npos) return;
    bytes.remove_prefix(end + 1);
    dropping_ = false;
  }
  bytes_.erase(0, begin_);
  begin_ = 0;
  bytes_ += bytes;
}

std::optional<LineBuffer::Line> LineBuffer::take() {
  const auto text = unread();
  const auto end = text.find('\n');
  const bool whole = end != text.npos;
  const auto length = whole ? end : text.size();
  if (!whole && length < line_bytes_max_) return std::nullopt;
  begin_ += whole ? end + 1 : length;
  dropping_ = !whole;
  if (length < line_bytes_max_) return Line{text.substr(0, length), false};
  return Line{text.substr(0, line_bytes_max_), true};
}

std::optional<LineBuffer::Line> LineBuffer::take_rest() {
  const auto text = unread();
  dropping_ = false;
  begin_ = bytes_.size();
  if (text.empty()) return std::nullopt;
  return Line{text, false};
}

bool LineBuffer::has_line() const {
  const auto text = unread();
  return text.size() >= line_bytes_max_ || text.find('\n') != text.npos;
}

}  // namespace warmpool::daemon
