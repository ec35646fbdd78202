// One segment of a recording, item by item. Any bytes may come.
#pragma once

#include <optional>
#include <string>

#include "daemon/record/block.hpp"
#include "pool/image/reader.hpp"
#include "pool/pool_settings.hpp"
#include "pool/result.hpp"

namespace warmpool::daemon {

// Bounds: memory for a block and what is in it. Errors: Error::code is ExitStatus::StoreDamaged;
// the text names the file and says what to do.
class SegmentReader {
 public:
  // Reads header, settings and image. Blocks: on the disk.
  static Result<SegmentReader> open(const std::string& path);
  // `name`: for texts.
  static Result<SegmentReader> open(OwnedFile file, std::uint64_t size, std::string name);

  const SegmentHeader& header() const { return header_; }
  const PoolSettings& settings() const { return settings_; }
  const std::string& image() const { return image_; }  // where header().start says so
  void drop_image() { image_ = {}; }

  // End: it was ended by who wrote it, and the next one follows. Torn: it stops, as after a kill.
  enum class Next { Item, End, Torn, Broken };
  // `at`: when the item was given to the core.
  Next next(SegmentItem& item, Instant& at);
  // Order: after Broken.
  const Error& error() const { return error_; }
  const std::string& name() const { return name_; }

 private:
  SegmentReader(BlockReader blocks, std::string name)
      : blocks_(std::move(blocks)), name_(std::move(name)) {}
  Result<void> read_beginning();
  Result<void> check_prefix();
  Result<std::string> read_first(BlockKind kind);
  Error damaged(const std::string& what) const;
  Next next_block();
  Next broken(const std::string& what);

  BlockReader blocks_;
  std::string name_;
  SegmentHeader header_;
  PoolSettings settings_;
  std::string image_;
  std::string body_;  // of the block whose items are read
  image::Reader items_{{}};
  Instant now_;
  Error error_;
};

}  // namespace warmpool::daemon
