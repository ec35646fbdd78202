#include "client/cli/map_window.hpp"

namespace warmpool::cli {

void MapWindow::finish(std::uint64_t place, std::string line) {
  if (!keep_order_) return out_.queue(line);
  held_bytes_ += line.size();
  held_.emplace(place, std::move(line));
  for (auto first = held_.begin(); first != held_.end() && first->first == next_; ++next_) {
    out_.queue(first->second);
    held_bytes_ -= first->second.size();
    first = held_.erase(first);
  }
}

}  // namespace warmpool::cli
