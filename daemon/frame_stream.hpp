// Frames over one non-blocking socket, or over two pipes, for clients and workers alike: reads once
// a call, writes what fits.
#pragma once

#include <cstdint>
#include <functional>

#include "ipc/descriptor_passing.hpp"
#include "ipc/fd.hpp"
#include "ipc/frame_reader.hpp"
#include "ipc/out_buffer.hpp"
#include "ipc/send_room.hpp"
#include "pool/time.hpp"

namespace warmpool::daemon {

// Owns: the descriptors. With pipes the process must ignore SIGPIPE; with a socket it need not.
class FrameStream {
 public:
  FrameStream(ipc::UniqueFd socket, ipc::FrameRules rules)
      : FrameStream(std::move(socket), {}, rules) {}
  // `write_end` none: `fd` is a socket, and not the end of a pipe.
  FrameStream(ipc::UniqueFd fd, ipc::UniqueFd write_end, ipc::FrameRules rules)
      : fd_(std::move(fd)), write_end_(std::move(write_end)), reader_(rules) {
    reader_.share_large();
  }

  bool over_pipes() const { return static_cast<bool>(write_end_); }
  // What this transport can carry.
  std::uint64_t features() const {
    return over_pipes() ? ipc::feature::kOverPipes : ipc::feature::kAll;
  }

  enum class Read : std::uint8_t {
    Some,     // take frames with next()
    Nothing,  // nothing is there
    Closed,   // the peer closed, or the connection failed
  };
  // One read of at most kReadBytesMax, within a large frame kReadLargeBytesMax, and at most
  // `limit`. Blocks: never.
  Read read(std::size_t limit = kReadLargeBytesMax);
  ipc::FrameReader::Next next(ipc::Frame& frame) { return reader_.next(frame); }

  enum class Written : std::uint8_t {
    All,
    Blocked,
    Later,  // there is room for bytes, and too many descriptors are on their way: after kLater
    Closed,
    Unreadable,  // out().source() is; what was begun with it cannot be ended
  };
  // Writes as much as the other end has room for. Blocks: as a read of a file does, where one is
  // sent inline.
  Written flush();

  // From here on descriptors that come are kept for their frames; else the kernel closes them.
  // Order: not with pipes.
  void keep_descriptors() { keeps_descriptors_ = true; }
  ipc::CameDescriptors& came() { return came_; }

  ipc::FrameReader& reader() { return reader_; }
  ipc::OutBuffer& out() { return out_; }
  // Goes with the first byte that is written from now on. Order: nothing waits to be written.
  void send_descriptor(ipc::UniqueFd fd);
  // For a watch. Both are the socket's, or one of each pipe.
  int fd() const { return fd_.get(); }
  int write_fd() const { return over_pipes() ? write_end_.get() : fd_.get(); }
  void close() { fd_.reset(), write_end_.reset(); }

  static constexpr Duration kLater = milliseconds(10);
  static constexpr std::size_t kReadBytesMax = 64 * 1024;
  static constexpr std::size_t kReadLargeBytesMax = 256 * 1024;

 private:
  ssize_t read_some(std::byte* room, std::size_t size);
  ssize_t write_some(iovec* pieces, std::size_t count);

  ipc::UniqueFd fd_, write_end_;
  ipc::FrameReader reader_;
  ipc::OutBuffer out_;
  ipc::SendRoom room_;
  ipc::UniqueFd to_send_;
  ipc::CameDescriptors came_;
  bool keeps_descriptors_ = false;
  bool busy_ = false;  // the last read filled its buffer: read more at once next time
};

}  // namespace warmpool::daemon
