// Frames that wait to be written.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <sys/uio.h>
#include <utility>
#include <vector>

#include "ipc/fd.hpp"
#include "ipc/frame.hpp"

namespace warmpool::ipc {

// An append-only queue of bytes: small frames share chunks, large payloads stand alone and are not
// copied. Bounds: none of its own; bytes() is for the caller's cap. Allocates nothing per frame
// once it is warm and what is queued fits its chunk. Threads: one at a time.
class OutBuffer {
 public:
  // From here on payloads that are given away are not copied.
  static constexpr std::size_t kAloneBytesMin = 8 * 1024;
  // Enough for one gathered write.
  static constexpr std::size_t kPiecesMax = 64;

  // Sets body_bytes and meta_bytes. Bounds: REQUIREs meta <= 65,535 bytes and a body <=
  // kFrameBytesMax; what the peer takes is the caller's to know.
  void append(Header header, Bytes meta, Bytes payload);
  void append(Header header, Bytes meta, std::string&& payload);
  void append(Header header, Bytes meta, SharedBytes payload);
  // With a descriptor that goes with the frame's first byte; sets `descriptors`.
  void append(Header header, Bytes meta, Bytes payload, SharedFd beside);
  // The payload is the first `bytes` of `source`, read in pieces as room comes, and `behind`.
  void append(Header header, Bytes meta, SharedFd source, std::size_t bytes, Bytes behind);

  // Reads what is next to be written of a source. False: it has become shorter, or cannot be read.
  // Order: before gather. Blocks: as a read of a file does.
  bool load() { return sources_ == 0 || load_next(); }
  // What load() reads next; null: no source is.
  SharedFd source() const { return bytes_ == 0 ? nullptr : pieces_[first_].source; }
  // What is next to be written. Returns how many of `out` were set: 0 when empty.
  // Order: valid until the next append or consume.
  std::size_t gather(std::span<iovec> out) const;
  // That must go with the first of these bytes; -1: none.
  int beside() const {
    return bytes_ == 0 || !pieces_[first_].beside ? -1 : pieces_[first_].beside->get();
  }
  // The first `bytes` were written. REQUIREs bytes <= this->bytes().
  void consume(std::size_t bytes);

  // That were appended since the last call.
  std::uint32_t take_frames() { return std::exchange(frames_, 0); }

  std::size_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }
  // Gives spare memory back: for connections that fell idle.
  void trim();

 private:
  struct Piece {
    std::unique_ptr<std::byte[]> chunk;            // shared by small frames
    std::string owned;                             // or a payload that was given away
    SharedBytes shared;                            // or one that others use too
    std::size_t begin = 0, end = 0, capacity = 0;  // capacity: of chunk
    SharedFd beside;                               // goes with its first byte
    SharedFd source;                               // `owned` is a part of it
    std::size_t source_at = 0, source_left = 0;    // of what is not in `owned` yet
    const std::byte* data() const;
  };

  static constexpr std::size_t kLoadedBytes = 256 * 1024;

  bool load_next();
  std::byte* room_for(std::size_t bytes);
  std::byte* new_chunk(std::size_t bytes);
  void put_head(Header& header, Bytes meta, std::size_t payload_bytes);
  void put_bytes(Bytes bytes);
  Piece& push_piece();
  void pop_piece();

  std::vector<Piece> pieces_;  // from first_; an emptied vector starts again at 0
  std::size_t first_ = 0;
  std::size_t bytes_ = 0;
  std::uint32_t frames_ = 0;
  std::size_t sources_ = 0;  // pieces with a source
  Piece spare_;              // one chunk, kept for the next frame
};

}  // namespace warmpool::ipc
