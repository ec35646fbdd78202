// Frames over one non-blocking socket, for clients and workers alike: reads once a call, writes
// what fits.
#pragma once

#include <cstdint>
#include <functional>

#include "ipc/fd.hpp"
#include "ipc/frame_reader.hpp"
#include "ipc/out_buffer.hpp"

namespace warmpool::daemon {

// Owns: the descriptor.
class FrameStream {
 public:
  FrameStream(ipc::UniqueFd fd, ipc::FrameRules rules) : fd_(std::move(fd)), reader_(rules) {}

  enum class Read : std::uint8_t {
    Some,     // take frames with next()
    Nothing,  // nothing is there
    Closed,   // the peer closed, or the connection failed
  };
  // One read of at most kReadBytesMax and at most `limit`. Blocks: never.
  Read read(std::size_t limit = kReadBytesMax);
  ipc::FrameReader::Next next(ipc::Frame& frame) { return reader_.next(frame); }

  enum class Written : std::uint8_t { All, Blocked, Closed };
  // Writes as much as the socket takes. Blocks: never.
  Written flush();

  ipc::FrameReader& reader() { return reader_; }
  ipc::OutBuffer& out() { return out_; }
  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }

  static constexpr std::size_t kReadBytesMax = 64 * 1024;

 private:
  ipc::UniqueFd fd_;
  ipc::FrameReader reader_;
  ipc::OutBuffer out_;
  bool busy_ = false;  // the last read filled its buffer: read more at once next time
};

}  // namespace warmpool::daemon
