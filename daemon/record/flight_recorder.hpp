// What happens to the core, written down as it happens: docs/recorder.md.
#pragma once

#include <span>
#include <string>

#include "daemon/clock.hpp"
#include "daemon/log.hpp"
#include "daemon/record/record_files.hpp"
#include "daemon/record/segment.hpp"
#include "pool/pool.hpp"
#include "pool/pool_settings.hpp"

namespace warmpool::daemon {

struct RecorderSetup {
  ipc::RuntimeDirectory directory;
  // A segment that has more, and at least twice what its image has, ends with its turn.
  std::uint64_t segment_bytes = 0;
  std::uint64_t segments_max = 0;
  // What may wait for the disk in memory; beyond that there is a gap.
  std::size_t backlog_bytes = std::size_t{16} << 20;
  bool waits = false;  // for a slow disk, always: for tests
};

// For documents.
struct RecorderFigures {
  bool on = false;
  std::string directory, trouble;  // why it is off
  std::uint64_t segment = 0, bytes = 0, steps = 0;
  std::uint64_t gaps = 0;  // how often the disk was too slow and a recording began anew
};

// Order: begin(); replayed() and replay_ended(), or neither; then stepped() and turn_ended().
// Blocks: while records of earlier lives are replayed, for the disk; after that never, but in its
//   destructor.
// Bounds: segments_max files of segment_bytes and an image; in memory
//   backlog_bytes and an image.
// Errors: where nothing can be written any more a line in the log says so, and it is off.
class FlightRecorder {
 public:
  // What an image may hold, and how long it may be: as long as a segment, within these bounds.
  static constexpr std::uint64_t kImageTasksMax = 10'000;
  static constexpr std::uint64_t kImageBytesLeast = std::uint64_t{2} << 20;
  static constexpr std::uint64_t kImageBytesMost = std::uint64_t{16} << 20;
  static constexpr std::size_t kBlockBytes = std::size_t{64} << 10;
  // How long a begun block waits for more: what kill -9 may cost.
  static constexpr Duration kBlockAge = milliseconds(50);

  FlightRecorder(RecorderSetup setup, Log& log);
  ~FlightRecorder();

  // A life begins, with a core that has been given nothing yet.
  void begin(const Genesis& genesis);
  void replayed(const Record& record);
  void totals(const std::array<std::uint64_t, 5>& settled);
  void replay_ended(Instant now, std::span<const Command> commands);
  // Order: after the step; the commands that it led to.
  void stepped(Instant now, const Event& event, std::span<const Command> commands);
  // Begins a new segment when it is time. Order: after a Tick and before the next event.
  void turn_ended(const Pool& pool);
  // When turn_ended() has something to do; kNever if nothing.
  Instant due() const;

  RecorderFigures figures() const;

 private:
  bool is_on() const { return state_ == State::On; }
  void begin_segment(const PoolSettings& settings, SegmentStart start, std::uint64_t tasks,
                     const std::string& image);
  void begin_anew(const Pool& pool);
  void end_segment();
  void begin_item(ItemKind kind, Instant now);
  void end_item();
  void add_outcome(std::span<const Command> commands);
  void end_block();
  void add_block(BlockKind kind, std::string_view body);
  void turn_off();

  // Off: nothing can be written. Behind: the disk was too slow, and what was not recorded must be
  // followed by an image.
  enum class State : std::uint8_t { On, Behind, Off };

  RecorderSetup setup_;
  Log& log_;
  RecordFiles files_;
  State state_ = State::On;
  bool replaying_ = true;
  PoolSettings settings_;  // of the genesis
  std::string block_;      // items that have not been given to the disk
  std::uint64_t blocks_ = 0, segment_ = 0, segment_bytes_ = 0, previous_ = 0;
  std::uint64_t segment_bytes_max_ = 0;  // of this one
  std::uint64_t bytes_ = 0, steps_ = 0, gaps_ = 0;
  Instant now_;       // of the last item
  Instant begun_at_;  // of block_
};

}  // namespace warmpool::daemon
