// Frames that wait to be written.
#pragma once

#include <memory>
#include <string>
#include <sys/uio.h>
#include <vector>

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
  void append(Header header, Bytes meta, std::shared_ptr<const std::string> payload);

  // What is next to be written. Returns how many of `out` were set: 0 when empty.
  // Order: valid until the next append or consume.
  std::size_t gather(std::span<iovec> out) const;
  // The first `bytes` were written. REQUIREs bytes <= this->bytes().
  void consume(std::size_t bytes);

  std::size_t bytes() const { return bytes_; }
  bool empty() const { return bytes_ == 0; }
  // Gives spare memory back: for connections that fell idle.
  void trim();

 private:
  struct Piece {
    std::unique_ptr<std::byte[]> chunk;            // shared by small frames
    std::string owned;                             // or a payload that was given away
    std::shared_ptr<const std::string> shared;     // or one that others use too
    std::size_t begin = 0, end = 0, capacity = 0;  // capacity: of chunk
    const std::byte* data() const;
  };

  std::byte* room_for(std::size_t bytes);
  void put_head(Header& header, Bytes meta, std::size_t payload_bytes);
  void put_bytes(Bytes bytes);
  Piece& push_piece();
  void pop_piece();

  std::vector<Piece> pieces_;  // from first_; an emptied vector starts again at 0
  std::size_t first_ = 0;
  std::size_t bytes_ = 0;
  Piece spare_;  // one chunk, kept for the next frame
};

}  // namespace warmpool::ipc
