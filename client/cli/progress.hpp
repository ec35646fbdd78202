// A line on a terminal that tells how far a map is.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "client/cli/output.hpp"

namespace warmpool::cli {

struct ProgressState {
  std::uint64_t done = 0, failed = 0, running = 0;
  std::optional<std::uint64_t> total{};  // where it is known
  std::chrono::nanoseconds elapsed{};
};

// "1,234/5,000 [#####     ]  24 %  812/s  3 failed  ETA 4.6s", at most `width` columns.
std::string progress_text(const ProgressState& state, std::size_t width);

class ProgressLine {
 public:
  // `when`: auto (only on a terminal), always, never.
  ProgressLine(Output& out, const std::string& when);

  // Draws at most ten times a second, unless it is the last one.
  void draw(const ProgressState& state, bool last);
  bool shown() const { return shown_; }
  // When it wants to be drawn next.
  std::chrono::steady_clock::time_point due() const { return due_; }

 private:
  Output& out_;
  bool shown_;
  std::chrono::steady_clock::time_point due_{};
};

}  // namespace warmpool::cli
