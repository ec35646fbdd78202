// On the loop's thread all is memory: an item costs some bytes and a digest of what the core asked
// for, and every 64 KiB or 50 ms a block goes to the thread that writes. A disk that is too slow
// costs a gap and never a wait: recording stops, and begins anew with an image when the disk has
// taken what it was given.
#include "daemon/record/flight_recorder.hpp"

#include <algorithm>

#include "daemon/record/block.hpp"
#include "daemon/server_name.hpp"
#include "pool/image/walk.hpp"

namespace warmpool::daemon {
namespace {}  // namespace

FlightRecorder::FlightRecorder(RecorderSetup setup, Log& log)
    : setup_(std::move(setup)),
      log_(log),
      files_(std::move(setup_.directory), static_cast<std::size_t>(setup_.segments_max)) {}

FlightRecorder::~FlightRecorder() {
  if (is_on() && segment_ != 0) end_segment();
}

void FlightRecorder::begin(const Genesis& genesis) {
  settings_ = {genesis, genesis.options, genesis.jitter_seed, {}};
  if (is_on() && segment_ != 0) end_segment();
  previous_ = 0;
  replaying_ = true;
  now_ = genesis.now;
  if (is_on()) begin_segment(settings_, SegmentStart::Genesis, 0, {});
}

void FlightRecorder::begin_segment(const PoolSettings& settings, SegmentStart start,
                                   std::uint64_t tasks, const std::string& image) {
  segment_ = files_.begin();
  segment_bytes_ = blocks_ = 0;
  segment_bytes_max_ = std::max<std::uint64_t>(setup_.segment_bytes, 2 * image.size());
  auto prefix = segment_prefix();
  segment_bytes_ += prefix.size();
  files_.write(std::move(prefix));
  SegmentHeader header;
  header.number = segment_;
  header.previous = previous_;
  header.program = kServerName;
  header.shape = Pool::shape();
  header.life = settings.genesis.life;
  header.at = now_;
  header.wall = {settings.genesis.wall.ns + (now_ - settings.genesis.now).ns};
  header.start = start;
  header.tasks = tasks;
  add_block(BlockKind::Header, image::bytes_of(header));
  add_block(BlockKind::Settings, image::bytes_of(settings));
  if (start == SegmentStart::Image) add_block(BlockKind::Image, image);
}

void FlightRecorder::end_segment() {
  end_block();
  if (!is_on()) return;
  add_block(BlockKind::End, {});
  previous_ = segment_;
}

void FlightRecorder::add_block(BlockKind kind, std::string_view body) {
  auto bytes = block_frame(kind, blocks_++, body);
  bytes += body;
  segment_bytes_ += bytes.size();
  bytes_ += bytes.size();
  files_.write(std::move(bytes));
}

void FlightRecorder::end_block() {
  if (block_.empty()) return;
  const bool waits = setup_.waits || replaying_;
  if (waits) files_.wait_below(setup_.backlog_bytes);
  if (!waits && files_.waiting_bytes() >= setup_.backlog_bytes) {
    state_ = State::Behind;
    ++gaps_;
  } else {
    add_block(BlockKind::Steps, block_);
  }
  block_.clear();
}

void FlightRecorder::begin_item(ItemKind kind, Instant now) {
  image::ByteSink sink(block_);
  if (block_.empty()) {
    begun_at_ = now_ = now;
    sink.number(image::zigzag(now.ns));
  }
  sink.number(static_cast<std::uint64_t>(kind));
}

void FlightRecorder::end_item() {
  if (block_.size() >= kBlockBytes) end_block();
}

void FlightRecorder::add_outcome(std::span<const Command> commands) {
  image::ByteSink sink(block_);
  sink.number(commands.size());
  image::DigestSink digest;
  for (const auto& command : commands) image::walk(digest, command);
  sink.number(commands.empty() ? 0 : digest.digest());
}

void FlightRecorder::replayed(const Record& record) {
  if (!is_on()) return;
  begin_item(ItemKind::Replayed, now_);
  image::ByteSink sink(block_);
  image::walk(sink, record);
  end_item();
  if (segment_bytes_ < segment_bytes_max_) return;
  end_segment();
  if (is_on()) begin_segment(settings_, SegmentStart::Nothing, 0, {});
}

void FlightRecorder::totals(const std::array<std::uint64_t, 5>& settled) {
  if (!is_on()) return;
  begin_item(ItemKind::Totals, now_);
  image::ByteSink sink(block_);
  image::walk(sink, settled);
}

void FlightRecorder::replay_ended(Instant now, std::span<const Command> commands) {
  replaying_ = false;
  if (!is_on()) return;
  begin_item(ItemKind::ReplayEnd, now);
  image::ByteSink sink(block_);
  image::walk(sink, now - now_);
  now_ = now;
  add_outcome(commands);
  end_item();
}

void FlightRecorder::stepped(Instant now, const Event& event, std::span<const Command> commands) {
  if (!is_on()) return;
  ++steps_;
  begin_item(ItemKind::Step, now);
  image::ByteSink sink(block_);
  image::walk(sink, now - now_);
  now_ = now;
  image::walk(sink, event);
  add_outcome(commands);
  end_item();
}

void FlightRecorder::turn_ended(const Pool& pool) {
  replaying_ = false;
  if (state_ == State::Off) return;
  if (files_.failed()) return turn_off();
  if (state_ == State::Behind) {
    if (files_.waiting_bytes() == 0) begin_anew(pool);
    return;
  }
  if (segment_bytes_ + block_.size() >= segment_bytes_max_) {
    end_segment();
    if (is_on()) begin_anew(pool);
  } else if (!block_.empty() && now_ - begun_at_ >= kBlockAge) {
    end_block();
  }
}

void FlightRecorder::begin_anew(const Pool& pool) {
  if (state_ == State::Behind) previous_ = 0;
  state_ = State::On;
  const auto queue = pool.queue();
  const auto tasks = queue.waiting() + queue.running + queue.dead_letters;
  std::optional<std::string> image;
  if (tasks < kImageTasksMax) {
    image = pool.image(std::clamp(setup_.segment_bytes, kImageBytesLeast, kImageBytesMost));
  }
  begin_segment(pool.settings(), image ? SegmentStart::Image : SegmentStart::Nothing, tasks,
                image ? *image : std::string());
}

Instant FlightRecorder::due() const {
  return is_on() && !block_.empty() ? begun_at_ + kBlockAge : kNever;
}

void FlightRecorder::turn_off() {
  state_ = State::Off;
  block_ = {};
  log_.error("the flight recorder is off from here on: " + files_.trouble() +
             "; it is on again after a restart");
}

RecorderFigures FlightRecorder::figures() const {
  RecorderFigures figures;
  figures.on = state_ != State::Off;
  figures.directory = files_.path();
  if (files_.failed()) figures.trouble = files_.trouble();
  figures.segment = segment_;
  figures.bytes = bytes_;
  figures.steps = steps_;
  figures.gaps = gaps_;
  return figures;
}

}  // namespace warmpool::daemon
