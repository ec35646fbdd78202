// Runs a recording through a core and looks whether it asks for the same.
#pragma once

#include <cstdio>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/record/segment_reader.hpp"
#include "pool/pool.hpp"

namespace warmpool::daemon {

struct ReplayOptions {
  std::string path;                    // a segment, or a directory of them
  std::optional<Instant> from, until;  // what is printed
  std::optional<TaskId> task;          // only what concerns it
};

// Prints what happened, line by line, to `out`; all of it is run, whatever is printed.
// Errors: Error::code is the ExitStatus: StoreDamaged for what cannot be read or begins nowhere,
//   ReplayDiffers where the core asked for something else; the text names the place.
// Bounds: memory for one core and a block.
class Replayer {
 public:
  Replayer(const ReplayOptions& options, std::FILE* out) : options_(options), out_(out) {}

  Result<void> run();

  std::uint64_t steps() const { return steps_; }
  std::uint64_t segments() const { return segments_; }

 private:
  Result<std::vector<std::string>> paths() const;
  Result<void> run_segment(SegmentReader& segment);
  Result<bool> take_place(SegmentReader& segment);
  Result<void> run_item(const SegmentReader& segment, const SegmentItem& item);
  Result<void> compare(const SegmentReader& segment, const std::string& what,
                       std::uint64_t commands, std::uint32_t digest);
  void print_step(const Event& event);
  void print_beginning(const SegmentReader& segment);
  void print_end(SegmentReader::Next next);
  bool is_printed() const;
  bool is_declared(TypeId type) const;
  bool concerns(const auto& value) const;
  void line(const std::string& text);

  const ReplayOptions& options_;
  std::FILE* out_;
  std::optional<Pool> pool_;
  Commands commands_;
  Instant now_;
  std::uint64_t steps_ = 0, steps_of_segment_ = 0, segments_ = 0;
  std::uint64_t ended_ = 0;  // the segment at whose end the core is; 0: at none
};

// "17", or life and counter as the trace writes it: "2.17".
std::optional<TaskId> parse_task(std::string_view text);
// Seconds, with up to nine places: "12.5".
std::optional<Instant> parse_instant(std::string_view text);

}  // namespace warmpool::daemon
