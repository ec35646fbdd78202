// From a worker's stdout or stderr into its ring, without ever holding up the loop or the worker.
#pragma once

#include <cstdint>
#include <optional>

#include "daemon/output/output_marks.hpp"
#include "daemon/output/output_ring.hpp"
#include "pool/time.hpp"

namespace warmpool::daemon {

// `read`: bytes taken from the pipe. `more`: the bound of one call was reached, call again in the
// next turn. `closed`: nobody has the other end any more, or it cannot be read; stop waiting for
// it.
struct PumpResult {
  std::size_t read = 0;
  bool more = false;
  bool closed = false;
};

// A pipe that is left to fill would stop its worker, so what comes faster than `bytes_per_second`
// is read all the same, but only the end of each piece is looked at, so that the last lines are
// right.
struct PumpRate {
  std::uint64_t bytes_per_second = 1U << 20;
  std::uint64_t burst_bytes = 256U << 10;
};

class OutputPump {
 public:
  explicit OutputPump(OutputStream stream, PumpRate rate = {});

  // Its writer may say whose a piece is. Order: before the first byte.
  void heed_marks() { marks_.emplace(); }
  bool heeds_marks() const { return marks_.has_value(); }
  bool has_marks() const { return marks_ && marks_->seen(); }
  // Whose is what no mark names, from here on. Without heed_marks() nobody asks: see OutputRing.
  void set_unmarked(TaskId task) { unmarked_ = task; }

  // Blocks: never, given a non-blocking `fd`. Bounds: at most 64 KiB a call, and at most `limit`.
  PumpResult pump(int fd, OutputRing& ring, Instant now, std::size_t limit = kReadBytesMax);

  // What is there now and no more, at a death: the other end may be held by a stranger. Bytes read.
  std::size_t drain(int fd, OutputRing& ring, Instant now);

  static constexpr std::size_t kReadBytesMax = 64U << 10;
  static constexpr std::size_t kTailBytes = 8U << 10;  // looked at though over the rate

 private:
  void deliver(std::string_view bytes, OutputRing& ring, Instant now);
  void append(std::string_view bytes, OutputRing& ring, Instant now);
  void append_piece(TaskId task, std::string_view bytes, OutputRing& ring, Instant now);
  void refill(Instant now);

  OutputStream stream_;
  PumpRate rate_;
  std::uint64_t allowance_;
  Instant refilled_at_{};
  std::optional<OutputMarks> marks_;
  TaskId unmarked_{}, marked_{};  // marked_: of the last piece
};

}  // namespace warmpool::daemon
