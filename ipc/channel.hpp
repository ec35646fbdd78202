// Frames both ways over a descriptor, for workers and clients (the daemon has its own loop).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "ipc/descriptor_passing.hpp"
#include "ipc/fd.hpp"
#include "ipc/frame_reader.hpp"
#include "ipc/out_buffer.hpp"
#include "ipc/send_room.hpp"

namespace warmpool::ipc {

using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline kNoDeadline = Deadline::max();
inline constexpr Deadline kAtOnce = Deadline::min();

// Owns: its descriptors, which it makes non-blocking and close-on-exec.
// Threads: one at a time; it may be handed from one to another. Only descriptors may be polled by
// another thread meanwhile.
// With pipes the process must ignore SIGPIPE; with a socket it need not.
class Channel {
 public:
  Channel(UniqueFd socket, FrameRules rules);
  Channel(UniqueFd read_end, UniqueFd write_end, FrameRules rules);

  // Features that this transport can carry: say no others in hello.
  std::uint64_t features() const;
  // Whether descriptors that come with frames are kept; else the kernel closes them. At first: no.
  // Costs a little at each read, so only while one may come. Order: not with pipes.
  void keep_descriptors(bool keep) { keeps_descriptors_ = keep; }
  // See FrameReader.
  void share_large() { reader_.share_large(); }
  // That of a frame that announces one, in the order of such frames; empty where none came with it
  // or there was no room for it.
  UniqueFd take_descriptor() { return take_announced().value_or(UniqueFd()); }
  // Likewise; none: none came with it, which breaks the protocol.
  std::optional<UniqueFd> take_announced() { return came_.take(); }
  void set_rules(FrameRules rules) { reader_.set_rules(rules); }
  const FrameRules& rules() const { return reader_.rules(); }

  // Queues a frame; writes nothing. See OutBuffer::append.
  void send(const Header& header, Bytes meta = {}, Bytes payload = {});
  void send(const Header& header, Bytes meta, std::string&& payload);
  void send(const Header& header, Bytes meta, SharedFd beside);

  enum class State : std::uint8_t {
    Frame,     // receive: here is one
    Idle,      // flush: all is written; pump: nothing more can be done now
    TimedOut,  // the deadline passed
    Closed,    // the peer closed its end and all its whole frames were taken
    Broken,    // error() says why; the channel is of no use any more
  };

  // Writes all that is queued; takes in whatever comes meanwhile, so that two ends that both write
  // never wait for each other. Frames so taken in come out of receive.
  // Blocks: until done or `deadline`. Idle, TimedOut, Closed (nobody reads any more) or Broken.
  State flush(Deadline deadline);
  // The next frame, valid until the next call of flush, pump or receive. Flushes as it waits.
  // Blocks: until one is there or `deadline`. With kAtOnce: tries once without waiting.
  // Order: frames that came before the end of the stream come before Closed.
  State receive(Frame& frame, Deadline deadline);
  // A frame that is in memory already: Frame, Idle, Closed or Broken. No system call.
  State take(Frame& frame);
  // Reads and writes what can be done at once. Idle, Closed or Broken.
  State pump();
  // Writes what can be written at once, and reads nothing: for who knows that nothing is there.
  State push();
  // The last read took all there was: another one now would find nothing, most likely.
  bool drained() const { return drained_; }

  // Error::code is a number of Refusal, or an errno below 200 where the transport failed.
  const Error& error() const { return error_; }
  // For poll: readable on read_fd(), writable on write_fd() only while wants_write(). Until
  // retry_at() there is room for bytes and none for the descriptor of what waits.
  int read_fd() const { return read_.get(); }
  int write_fd() const { return write_ ? write_.get() : read_.get(); }
  bool wants_write() const { return !out_.empty() && retry_at_ == kNoDeadline; }
  Deadline retry_at() const { return retry_at_; }
  std::size_t out_bytes() const { return out_.bytes(); }

  // Of frames that were read while writing and not taken: beyond it the channel is Broken.
  static constexpr std::size_t kInBytesMax = 256U << 20;

 private:
  bool read_some();
  ssize_t read_into(std::span<std::byte> room);
  bool write_some();
  bool wait(Deadline deadline, State& state);
  void fail(int code, std::string text);

  UniqueFd read_, write_;  // a socket is in read_ alone
  bool is_socket_ = true, keeps_descriptors_ = false;
  CameDescriptors came_;
  FrameReader reader_;
  OutBuffer out_;
  SendRoom room_;
  Deadline retry_at_ = kNoDeadline;
  bool drained_ = false;     // the last read took all there was
  bool end_ = false;         // the peer will send no more
  bool unwritable_ = false;  // the peer will read no more
  bool broken_ = false;
  Error error_;
};

}  // namespace warmpool::ipc
