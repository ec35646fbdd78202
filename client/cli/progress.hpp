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

// On one line: line feeds and tabs are spaces, and what a terminal would act on is left out. Of
// bytes that are not UTF-8 each stands as \xNN.
std::string plain_line(std::string_view text);

// "[#####     ]  50 %  half way  | the result so far", at most `width` columns. Of what there is of
// the result the end is shown, which is where it grows.
std::string progress_text(std::uint16_t permille, std::string_view text, std::string_view partial,
                          std::size_t width);

// A line on a terminal that tells how far one task is, and what there is of its result; gone once
// there is all of it.
class TaskProgressLine {
 public:
  // `when`: as ProgressLine.
  TaskProgressLine(Output& out, const std::string& when);
  ~TaskProgressLine() { clear(); }
  TaskProgressLine(const TaskProgressLine&) = delete;
  TaskProgressLine& operator=(const TaskProgressLine&) = delete;

  bool shown() const { return shown_; }
  // The daemon tells of it at most ten times a second. `partial`: empty: the last one stands.
  void draw(std::uint16_t permille, std::string_view text, std::string_view partial);
  void clear();

 private:
  Output& out_;
  bool shown_, drawn_ = false;
  std::string partial_;
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
