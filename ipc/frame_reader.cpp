// One flat buffer: frames are handed out in place, so that a frame costs no copy and no allocation.
// What is left over moves to the front only when room is needed, and only once for each frame.
#include "ipc/frame_reader.hpp"

#include <algorithm>
#include <cstring>

namespace warmpool::ipc {
namespace {

constexpr std::size_t kWantedMin = 4 * 1024;
constexpr std::size_t kWantedMax = 256 * 1024;
constexpr std::size_t kKeptBytesMax = 256 * 1024;
// A mebibyte of which 64 KiB have come gets all its room: by doubling it would be moved four times,
// and the pages of each larger buffer are the kernel's to clear.
constexpr std::size_t kGrowth = 16;

}  // namespace

void FrameReader::make_room(std::size_t bytes_min) {
  const std::size_t live = end_ - begin_;
  if (given_ || live + bytes_min > capacity_ ||
      (live == 0 && capacity_ > std::max(bytes_min, kKeptBytesMax))) {
    const std::size_t whole = checked_ ? kHeaderBytes + header_.body_bytes : 0;
    capacity_ = std::max(live + bytes_min, std::min(whole, kGrowth * live));
    auto larger = std::make_shared_for_overwrite<std::byte[]>(capacity_);
    if (live != 0) std::memcpy(larger.get(), buffer_.get() + begin_, live);
    buffer_ = std::move(larger);
    given_ = false;
  } else if (live != 0) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, live);
  }
  begin_ = 0;
  end_ = live;
}

std::span<std::byte> FrameReader::prepare(std::size_t bytes_min) {
  bytes_min = std::max<std::size_t>(bytes_min, 1);
  if (begin_ == end_) begin_ = end_ = 0;
  const bool too_large = begin_ == end_ && capacity_ > std::max(bytes_min, kKeptBytesMax);
  if (given_ || capacity_ - end_ < bytes_min || too_large) make_room(bytes_min);
  prepared_ = capacity_ - end_;
  return {buffer_.get() + end_, prepared_};
}

void FrameReader::commit(std::size_t bytes) {
  REQUIRE(bytes <= prepared_);
  if (bytes == prepared_) {
    wanted_ = std::min(2 * wanted_, kWantedMax);
  } else if (bytes < wanted_ / 4) {
    wanted_ = std::max(wanted_ / 2, kWantedMin);
  }
  end_ += bytes;
  prepared_ -= bytes;
}

void FrameReader::feed(Bytes bytes) {
  if (bytes.empty()) return;
  std::memcpy(prepare(bytes.size()).data(), bytes.data(), bytes.size());
  commit(bytes.size());
}

std::size_t FrameReader::bytes_wanted() const {
  if (!checked_) return wanted_;
  // What lies behind a large one would be moved when that one's memory is given away.
  const std::size_t lacking = kHeaderBytes + header_.body_bytes - (end_ - begin_);
  return in_large() ? std::min(lacking, kWantedMax) : std::clamp(lacking, wanted_, kWantedMax);
}

void FrameReader::drop() {
  buffer_.reset();
  given_ = false;
  capacity_ = begin_ = end_ = prepared_ = 0;
}

void FrameReader::trim() {
  if (begin_ != end_) return;
  drop();
  wanted_ = kWantedMin;
}

FrameReader::Next FrameReader::next(Frame& frame) {
  if (broken_) return Next::Broken;
  const std::size_t live = end_ - begin_;
  if (live == 0 && given_) drop();
  if (live < kHeaderBytes) return Next::More;
  const std::byte* at = buffer_.get() + begin_;
  if (!checked_) {
    header_ = decode_header(std::span<const std::byte, kHeaderBytes>(at, kHeaderBytes));
    if (auto allowed = check_header(header_, rules_); !allowed) {
      error_ = allowed.error();
      broken_ = true;
      return Next::Broken;
    }
    checked_ = true;
  }
  const std::size_t total = kHeaderBytes + header_.body_bytes;
  if (live < total) return Next::More;
  frame = {header_, Bytes(at + kHeaderBytes, header_.meta_bytes),
           Bytes(at + kHeaderBytes + header_.meta_bytes, header_.body_bytes - header_.meta_bytes)};
  if (shares_ && in_large() && total >= capacity_ / 4 * 3) {
    frame.memory = buffer_;
    given_ = true;
  }
  begin_ += total;
  checked_ = false;
  return Next::Frame;
}

}  // namespace warmpool::ipc
