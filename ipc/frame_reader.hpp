// Frames out of a stream of bytes.
#pragma once

#include <memory>

#include "ipc/frame.hpp"

namespace warmpool::ipc {

// Bounds: keeps at most one unfinished frame besides what one read brought. Memory follows the
// bytes that came (at most sixteen times as much), never what a header announces; an empty buffer
// above 256 KiB is given back. Threads: one at a time.
class FrameReader {
 public:
  explicit FrameReader(FrameRules rules) : rules_(rules) {}

  // From here on large frames (kLargeBytesMin) come with their memory, where they fill it.
  void share_large() { shares_ = true; }

  // Order: takes effect at the next frame, also one that is in the buffer already.
  void set_rules(FrameRules rules) { rules_ = rules; }
  const FrameRules& rules() const { return rules_; }

  // Room for at least `bytes_min` bytes, at least 1: read into it, then commit(what was read).
  // Order: ends the validity of all frames taken before.
  std::span<std::byte> prepare(std::size_t bytes_min);
  void commit(std::size_t bytes);
  // prepare, copy, commit.
  void feed(Bytes bytes);
  // A good size of the next read, at most 256 KiB: what the unfinished frame lacks, or more when it
  // is not large and the last reads were filled.
  std::size_t bytes_wanted() const;
  // The unfinished frame is.
  bool in_large() const { return checked_ && header_.body_bytes >= kLargeBytesMin; }
  // Gives the buffer back when nothing is in it: for connections that fell idle. Order: as prepare.
  void trim();

  enum class Next : std::uint8_t { Frame, More, Broken };
  // Frame: `frame` is set, and is valid until the next prepare; with memory as long as that is
  // kept, and no longer than until the next call. More: nothing whole is left. Broken: see error();
  // every later call says so too.
  Next next(Frame& frame);
  // Error::code is a number of Refusal.
  const Error& error() const { return error_; }

  static constexpr std::size_t kLargeBytesMin = 64 * 1024;

  // True between the first byte of a frame and its last (the read deadline runs).
  bool in_frame() const { return end_ != begin_; }
  // Bytes held that no frame has been taken of.
  std::size_t bytes() const { return end_ - begin_; }

 private:
  void make_room(std::size_t bytes_min);
  void drop();

  FrameRules rules_;
  std::shared_ptr<std::byte[]> buffer_;
  std::size_t capacity_ = 0, begin_ = 0, end_ = 0;
  std::size_t wanted_ = 4096, prepared_ = 0;
  bool checked_ = false;  // header_ is that of the frame at begin_
  bool broken_ = false;
  bool shares_ = false;
  bool given_ = false;  // `buffer_`, with a frame
  Header header_;
  Error error_;
};

}  // namespace warmpool::ipc
