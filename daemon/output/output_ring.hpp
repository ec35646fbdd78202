// The last that a worker wrote to stdout and stderr. Pure: bytes and times in, lines out.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "pool/ids.hpp"
#include "pool/time.hpp"

namespace warmpool::daemon {

enum class OutputStream : std::uint8_t { Out, Err };

struct OutputLine {
  Instant at;                // when its last byte was read
  std::uint64_t number = 0;  // rises by 1 with each finished line, from 1; 0: unfinished
  TaskId task{};             // whose it is; 0: nobody's
  OutputStream stream = OutputStream::Out;
  std::string text;         // UTF-8 without control characters but tab; see safe_text()
  bool cut = false;         // bytes of it are missing
  bool unfinished = false;  // no newline yet
};

// `bytes` and `lines` count all that the worker wrote; what is not kept any more is in *_dropped.
struct OutputCounters {
  std::uint64_t bytes = 0, bytes_dropped = 0;
  std::uint64_t lines = 0, lines_dropped = 0;
  std::uint64_t lines_cut = 0;
};

struct OutputBounds {
  std::size_t bytes_max = 64U << 10;
  std::size_t lines_max = 64;
  std::size_t line_bytes_max = 4U << 10;
};

// Bounds: keeps at most bytes_max bytes, unfinished lines included, and lines_max finished lines;
// the oldest go first. A line beyond line_bytes_max is cut at its end.
class OutputRing {
 public:
  explicit OutputRing(OutputBounds bounds = {});

  // Cost: one search for newlines; bytes beyond the end of a line's bound are not copied.
  void append(OutputStream stream, std::string_view bytes, Instant now);
  // Whose the lines are that begin from here on; an unfinished one of another task ends as it is.
  void set_task(TaskId task);
  void set_task(OutputStream stream, TaskId task);
  // An unfinished line ends as it is.
  void end_line(OutputStream stream);
  // `bytes` were read and not looked at: the line they began in and the one they end in are cut.
  void skip(OutputStream stream, std::uint64_t bytes, Instant now);

  // The last `count`, oldest first; unfinished ones come last.
  std::vector<OutputLine> lines(std::size_t count) const;
  // Finished ones with a number above `after`, oldest first.
  std::vector<OutputLine> lines_after(std::uint64_t after) const;
  const OutputCounters& counters() const { return counters_; }
  std::size_t bytes_kept() const { return bytes_kept_; }

 private:
  struct Raw {
    Instant at;
    OutputStream stream = OutputStream::Out;
    bool cut = false;
    TaskId task{};
    std::string bytes;
  };
  static OutputLine shown(const Raw& raw, std::uint64_t number);
  std::uint64_t number_of(std::size_t index) const {
    return counters_.lines - lines_.size() + index + 1;
  }
  Raw& partial_of(OutputStream stream) { return partial_[static_cast<std::size_t>(stream)]; }
  TaskId task_of(OutputStream stream) const { return task_[static_cast<std::size_t>(stream)]; }
  void extend(Raw& partial, OutputStream stream, std::string_view bytes, Instant now);
  void finish(Raw& partial, OutputStream stream);
  void drop_oldest();
  void keep_bounds();

  OutputBounds bounds_;
  std::deque<Raw> lines_;
  std::array<Raw, 2> partial_;
  std::size_t bytes_kept_ = 0;
  std::array<TaskId, 2> task_{};
  OutputCounters counters_;
};

// Valid UTF-8 that is safe in JSON and on a terminal: what is not UTF-8 becomes U+FFFD, control
// characters become their pictures (U+2400 and up), tab stays.
std::string safe_text(std::string_view bytes);

}  // namespace warmpool::daemon
