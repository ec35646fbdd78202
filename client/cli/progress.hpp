// A line on a terminal that tells how far a map is.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "client/cli/output.hpp"

namespace warmpool::cli {

struct ProgressState {
  std::uint64_t done = 0, failed = 0, running = 0;
  std::optional<std::uint64_t> total{};  // where it is known
  std::chrono::nanoseconds elapsed{};
};

// "1,234/5,000 [#####     ]  24 %  812/s  3 failed  ETA 4.6s", at most `width` columns.
std::string progress_text(const ProgressState& state, std::size_t width);

// "[#####     ]  50 %  half way", at most `width` columns; of a text what a terminal would act on
// is left out.
std::string progress_text(std::uint16_t permille, std::string_view text, std::size_t width);

// A line on a terminal that tells how far one task is, gone once there is a result.
class TaskProgressLine {
 public:
  // `when`: as ProgressLine.
  TaskProgressLine(Output& out, const std::string& when);
  ~TaskProgressLine() { clear(); }
  TaskProgressLine(const TaskProgressLine&) = delete;
  TaskProgressLine& operator=(const TaskProgressLine&) = delete;

  bool shown() const { return shown_; }
  // The daemon tells of it at most ten times a second.
  void draw(std::uint16_t permille, std::string_view text);
  void clear();

 private:
  Output& out_;
  bool shown_, drawn_ = false;
};

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
