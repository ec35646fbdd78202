// Small frames are copied into shared chunks: one system call then writes hundreds, and a copy of
// 64 bytes is cheaper than one more iovec. From 8 KiB up a payload that was given away stays where
// it is. The last chunk that was emptied is kept, so that a busy connection allocates nothing.
#include "ipc/out_buffer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

namespace warmpool::ipc {
namespace {

constexpr std::size_t kFirstChunkBytes = 4 * 1024;
constexpr std::size_t kChunkBytes = 64 * 1024;

}  // namespace

const std::byte* OutBuffer::Piece::data() const {
  if (chunk) return chunk.get();
  return shared.size() != 0 ? shared.bytes().data() : bytes_of(owned).data();
}

OutBuffer::Piece& OutBuffer::push_piece() {
  if (first_ == pieces_.size()) {
    pieces_.clear();
    first_ = 0;
  }
  return pieces_.emplace_back();
}

// A queue that never empties must not keep its written pieces for ever: they are dropped when they
// are more than half of the list, which moves each piece once on average.
void OutBuffer::pop_piece() {
  Piece& piece = pieces_[first_];
  if (piece.source) --sources_;
  if (piece.chunk && piece.capacity <= kChunkBytes && piece.capacity > spare_.capacity) {
    spare_ = std::move(piece);
    spare_.begin = spare_.end = 0;
  }
  piece = Piece{};
  ++first_;
  if (first_ > 64 && first_ > pieces_.size() / 2) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
}

// At least one byte of room in the last piece; `bytes` if they fit a chunk.
std::byte* OutBuffer::room_for(std::size_t bytes) {
  if (first_ < pieces_.size()) {
    const Piece& last = pieces_.back();
    if (last.chunk && last.capacity - last.end >= bytes) return last.chunk.get() + last.end;
  }
  return new_chunk(bytes);
}

std::byte* OutBuffer::new_chunk(std::size_t bytes) {
  Piece& piece = push_piece();
  if (spare_.capacity >= bytes) {
    piece = std::exchange(spare_, Piece{});
  } else {
    piece.capacity = std::max(bytes, pieces_.size() == 1 ? kFirstChunkBytes : kChunkBytes);
    piece.chunk = std::make_unique_for_overwrite<std::byte[]>(piece.capacity);
  }
  return piece.chunk.get() + piece.end;
}

void OutBuffer::put_bytes(Bytes bytes) {
  if (bytes.empty()) return;
  std::memcpy(room_for(bytes.size()), bytes.data(), bytes.size());
  pieces_.back().end += bytes.size();
  bytes_ += bytes.size();
}

void OutBuffer::put_head(Header& header, Bytes meta, std::size_t payload_bytes) {
  ++frames_;
  REQUIRE(meta.size() <= 0xffff);
  REQUIRE(payload_bytes <= kFrameBytesMax - meta.size());
  header.meta_bytes = static_cast<std::uint16_t>(meta.size());
  header.body_bytes = static_cast<std::uint32_t>(meta.size() + payload_bytes);
  std::byte* at = room_for(kHeaderBytes + meta.size());
  encode_header(header, std::span<std::byte, kHeaderBytes>(at, kHeaderBytes));
  if (!meta.empty()) std::memcpy(at + kHeaderBytes, meta.data(), meta.size());
  pieces_.back().end += kHeaderBytes + meta.size();
  bytes_ += kHeaderBytes + meta.size();
}

void OutBuffer::append(Header header, Bytes meta, Bytes payload) {
  put_head(header, meta, payload.size());
  put_bytes(payload);
}

void OutBuffer::append(Header header, Bytes meta, std::string&& payload) {
  put_head(header, meta, payload.size());
  if (payload.size() < kAloneBytesMin) return put_bytes(bytes_of(payload));
  Piece& piece = push_piece();
  piece.owned = std::move(payload);
  piece.end = piece.owned.size();
  bytes_ += piece.end;
}

void OutBuffer::append(Header header, Bytes meta, SharedBytes payload) {
  const std::size_t payload_bytes = payload.size();
  put_head(header, meta, payload_bytes);
  if (payload_bytes < kAloneBytesMin) return put_bytes(payload.bytes());
  Piece& piece = push_piece();
  piece.shared = std::move(payload);
  piece.end = payload_bytes;
  bytes_ += payload_bytes;
}

void OutBuffer::append(Header header, Bytes meta, Bytes payload, SharedFd beside) {
  REQUIRE(beside && *beside);
  header.descriptors = 1;
  // In a chunk of its own, so that no byte of another frame is written with it.
  new_chunk(kHeaderBytes + meta.size());
  pieces_.back().beside = std::move(beside);
  put_head(header, meta, payload.size());
  put_bytes(payload);
}

void OutBuffer::append(Header header, Bytes meta, SharedFd source, std::size_t bytes,
                       Bytes behind) {
  put_head(header, meta, bytes + behind.size());
  if (bytes != 0) {
    Piece& piece = push_piece();
    piece.source = std::move(source);
    piece.source_left = bytes;
    bytes_ += bytes;
    ++sources_;
  }
  put_bytes(behind);
}

bool OutBuffer::load_next() {
  if (bytes_ == 0) return true;
  Piece& piece = pieces_[first_];
  if (piece.begin != piece.end || piece.source_left == 0) return true;
  piece.owned.resize(std::min(kLoadedBytes, piece.source_left));
  const auto at = static_cast<off_t>(piece.source_at);
  ssize_t got = 0;
  do {
    got = ::pread(piece.source->get(), piece.owned.data(), piece.owned.size(), at);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  piece.begin = 0;
  piece.end = static_cast<std::size_t>(got);
  piece.source_at += piece.end;
  piece.source_left -= piece.end;
  return true;
}

std::size_t OutBuffer::gather(std::span<iovec> out) const {
  std::size_t count = 0;
  for (std::size_t i = first_; i < pieces_.size() && count < std::min(out.size(), kPiecesMax);
       ++i) {
    const Piece& piece = pieces_[i];
    if (i != first_ && (piece.beside || piece.source)) break;
    if (piece.begin == piece.end) continue;
    // writev does not write to it; its type cannot say so.
    out[count++] = {const_cast<std::byte*>(piece.data() + piece.begin), piece.end - piece.begin};
    if (piece.source_left != 0) break;
  }
  return count;
}

void OutBuffer::consume(std::size_t bytes) {
  REQUIRE(bytes <= bytes_);
  bytes_ -= bytes;
  while (first_ < pieces_.size()) {
    Piece& piece = pieces_[first_];
    const std::size_t taken = std::min(bytes, piece.end - piece.begin);
    piece.begin += taken;
    bytes -= taken;
    if (taken != 0) piece.beside.reset();
    if (piece.begin != piece.end || piece.source_left != 0) return;
    pop_piece();
  }
}

void OutBuffer::trim() {
  if (!empty()) return;
  std::vector<Piece>().swap(pieces_);
  first_ = 0;
  spare_ = Piece{};
}

}  // namespace warmpool::ipc
