#include "daemon/frame_stream.hpp"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/uio.h>

#include <gtest/gtest.h>

#include "daemon/store/blob.hpp"
#include "ipc/fault.hpp"

namespace warmpool::daemon {
namespace {

// Two ends of a connection that has been greeted.
struct Ends {
  Ends() {
    std::array<int, 2> both{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, both.data()) == 0);
    from.emplace(ipc::UniqueFd(both[0]), rules());
    to.emplace(ipc::UniqueFd(both[1]), rules());
  }
  static ipc::FrameRules rules() {
    return ipc::after_hello(ipc::before_hello(ipc::Party::Client, ipc::Party::Daemon),
                            ipc::kFrameBytesMax, ipc::feature::kAll);
  }
  // The next frame, whatever has to be written and read for it.
  ipc::Frame next() {
    ipc::Frame frame;
    for (int turns = 0; turns < 10'000; ++turns) {
      from->flush();
      to->read();
      if (to->next(frame) == ipc::FrameReader::Next::Frame) return frame;
    }
    ADD_FAILURE() << "no frame came";
    return frame;
  }

  std::optional<FrameStream> from, to;
};

bool lies_in(const void* at, ipc::Bytes bytes) {
  const auto* byte = static_cast<const std::byte*>(at);
  return byte >= bytes.data() && byte < bytes.data() + bytes.size();
}

// Received, kept, and given to a worker: one place. Several, as what is behind it moves the buffer.
TEST(FrameStream, ALargePayloadIsCopiedNowhereOnItsWay) {
  Ends ends;
  for (const std::size_t bytes :
       {std::size_t{1} << 20, std::size_t{100'000}, std::size_t{3} << 20}) {
    const std::string payload(bytes, 'p');
    ends.from->out().append({.kind = ipc::Kind::Submit, .token = 1}, {}, ipc::bytes_of(payload));
    auto frame = ends.next();
    ASSERT_EQ(ipc::text_of(frame.payload), payload);
    const ipc::Bytes received = frame.payload;
    const Blob kept(frame.payload, frame.memory);
    ASSERT_NE(frame.memory, nullptr) << bytes;
    EXPECT_EQ(kept.bytes().data(), received.data());
    ipc::OutBuffer out;
    out.append({.kind = ipc::Kind::Assign}, {}, kept.shared());
    std::array<iovec, ipc::OutBuffer::kPiecesMax> pieces{};
    ASSERT_EQ(out.gather(pieces), 2U);
    EXPECT_TRUE(lies_in(pieces[1].iov_base, received));
    EXPECT_EQ(pieces[1].iov_len, bytes);
  }
}

// What is kept outlives the connection that brought it.
TEST(FrameStream, APayloadIsKeptWhenItsConnectionHasGone) {
  auto ends = std::make_unique<Ends>();
  const std::string payload(1U << 20, 'q');
  ends->from->out().append({.kind = ipc::Kind::Submit, .token = 1}, {}, ipc::bytes_of(payload));
  auto frame = ends->next();
  const Blob kept(frame.payload, frame.memory);
  frame = {};
  ends.reset();
  EXPECT_EQ(ipc::text_of(kept.bytes()), payload);
}

}  // namespace
}  // namespace warmpool::daemon
