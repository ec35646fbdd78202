#include "ipc/out_buffer.hpp"

#include <gtest/gtest.h>

#include "ipc/frame_reader.hpp"

namespace warmpool::ipc::test {
namespace {

constexpr Header kDone{.kind = Kind::Done, .id = 1};

FrameRules worker_rules() {
  return after_hello(before_hello(Party::Worker, Party::Daemon), kFrameBytesMax, 0);
}

// Writes `bytes_max` at a time.
std::string drain(OutBuffer& out, std::size_t bytes_max) {
  std::string bytes;
  while (!out.empty()) {
    std::array<iovec, OutBuffer::kPiecesMax> pieces;
    const std::size_t count = out.gather(pieces);
    std::size_t left = bytes_max;
    for (std::size_t i = 0; i < count && left > 0; ++i) {
      const std::size_t part = std::min(left, pieces[i].iov_len);
      bytes.append(static_cast<const char*>(pieces[i].iov_base), part);
      left -= part;
    }
    out.consume(bytes_max - left);
  }
  return bytes;
}

TEST(OutBuffer, KeepsOrderAcrossSmallOwnedAndSharedPayloads) {
  for (std::size_t step : {std::size_t{1}, std::size_t{777}, std::size_t{1} << 20}) {
    OutBuffer out;
    std::vector<std::string> sent;
    for (std::size_t i = 0; i < 60; ++i) {
      const char letter = static_cast<char>('a' + i % 26);
      sent.emplace_back(i * 331, letter);
      if (i % 3 == 0) out.append(kDone, {}, bytes_of(sent.back()));
      if (i % 3 == 1) out.append(kDone, {}, std::string(sent.back()));
      if (i % 3 == 2) out.append(kDone, {}, SharedBytes(bytes_of(sent.back())));
    }
    const std::size_t bytes = out.bytes();
    const std::string written = drain(out, step);
    EXPECT_EQ(written.size(), bytes);
    FrameReader reader(worker_rules());
    reader.feed(bytes_of(written));
    Frame frame;
    for (const std::string& payload : sent) {
      ASSERT_EQ(reader.next(frame), FrameReader::Next::Frame);
      EXPECT_EQ(text_of(frame.payload), payload);
    }
  }
}

TEST(OutBuffer, DoesNotCopyALargePayloadThatWasGivenAway) {
  OutBuffer out;
  std::string payload(OutBuffer::kAloneBytesMin, 'x');
  const void* place = payload.data();
  out.append(kDone, {}, std::move(payload));
  std::array<iovec, 4> pieces;
  ASSERT_EQ(out.gather(pieces), 2U);
  EXPECT_EQ(pieces[1].iov_base, place);
}

TEST(OutBuffer, SharesAChunkAmongSmallFrames) {
  OutBuffer out;
  for (int i = 0; i < 100; ++i) out.append(kDone, {}, Bytes{});
  std::array<iovec, 4> pieces;
  EXPECT_EQ(out.gather(pieces), 1U);
  EXPECT_EQ(out.bytes(), 100 * kHeaderBytes);
}

TEST(OutBuffer, ShowsNoMoreThanFits) {
  OutBuffer out;
  for (int i = 0; i < 100; ++i) out.append(kDone, {}, std::string(10'000, 'x'));
  std::array<iovec, 200> pieces;
  EXPECT_EQ(out.gather(pieces), OutBuffer::kPiecesMax);
  EXPECT_EQ(out.gather(std::span(pieces).first(3)), 3U);
}

TEST(OutBuffer, IsOfUseAgainAfterTrim) {
  OutBuffer out;
  out.append(kDone, {}, Bytes{});
  drain(out, 100);
  out.trim();
  out.append(kDone, {}, Bytes{});
  EXPECT_EQ(drain(out, 100).size(), kHeaderBytes);
}

TEST(OutBuffer, AQueueThatNeverEmptiesKeepsItsOrder) {
  OutBuffer out;
  std::string written;
  for (int i = 0; i < 2'000; ++i) {
    out.append(kDone, {}, std::string(9'000, static_cast<char>('a' + i % 26)));
    if (i == 0) continue;
    std::size_t left = 9'032;
    while (left > 0) {
      iovec piece{};
      ASSERT_EQ(out.gather(std::span(&piece, 1)), 1U);
      const std::size_t part = std::min(left, piece.iov_len);
      written.append(static_cast<const char*>(piece.iov_base), part);
      out.consume(part);
      left -= part;
    }
  }
  written += drain(out, 10'000);
  FrameReader reader(worker_rules());
  reader.feed(bytes_of(written));
  Frame frame;
  for (int i = 0; i < 2'000; ++i) {
    ASSERT_EQ(reader.next(frame), FrameReader::Next::Frame);
    EXPECT_EQ(text_of(frame.payload)[0], 'a' + i % 26);
  }
}

}  // namespace
}  // namespace warmpool::ipc::test
