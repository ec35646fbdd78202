#include "ipc/frame_reader.hpp"

#include <random>

#include <gtest/gtest.h>

#include "ipc/fault.hpp"
#include "tests/ipc/samples.hpp"

namespace warmpool::ipc::test {
namespace {

using Next = FrameReader::Next;

void expect_sample(const Frame& frame, const Sample& one) {
  Header expected = one.header;
  expected.meta_bytes = static_cast<std::uint16_t>(one.meta.size());
  expected.body_bytes = static_cast<std::uint32_t>(one.meta.size() + one.payload.size());
  EXPECT_EQ(frame.header, expected) << one.name;
  EXPECT_EQ(text_of(frame.meta), one.meta) << one.name;
  EXPECT_EQ(text_of(frame.payload), one.payload) << one.name;
}

TEST(FrameReader, TakesOneByteAtATime) {
  for (const Sample& one : samples()) {
    FrameReader reader(rules_for(one));
    const std::string bytes = bytes_of_sample(one);
    Frame frame;
    for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
      reader.feed(bytes_of(bytes).subspan(i, 1));
      ASSERT_EQ(reader.next(frame), Next::More) << one.name << " after byte " << i;
      EXPECT_TRUE(reader.in_frame());
    }
    reader.feed(bytes_of(bytes).last(1));
    ASSERT_EQ(reader.next(frame), Next::Frame) << one.name;
    expect_sample(frame, one);
    EXPECT_FALSE(reader.in_frame());
  }
}

TEST(FrameReader, TakesAPartialResultOnlyWhereThatWasAgreed) {
  const auto all = samples();
  for (const char* name : {"progress-partial", "progressed-partial"}) {
    const Sample& one = sample(all, name);
    auto rules = rules_for(one);
    rules.features &= ~feature::kPartial;
    FrameReader reader(rules);
    Frame frame;
    reader.feed(bytes_of(bytes_of_sample(one)));
    EXPECT_EQ(reader.next(frame), Next::Broken) << name;
    EXPECT_EQ(reader.error().code, static_cast<int>(Refusal::BadFrame));
  }
}

TEST(FrameReader, TakesAFrameSplitAtEveryOffset) {
  for (const Sample& one : samples()) {
    const std::string bytes = bytes_of_sample(one);
    for (std::size_t split = 0; split <= bytes.size(); ++split) {
      FrameReader reader(rules_for(one));
      Frame frame;
      reader.feed(bytes_of(bytes).first(split));
      EXPECT_EQ(reader.next(frame), split == bytes.size() ? Next::Frame : Next::More);
      if (split == bytes.size()) continue;
      reader.feed(bytes_of(bytes).subspan(split));
      ASSERT_EQ(reader.next(frame), Next::Frame) << one.name << " at " << split;
      expect_sample(frame, one);
    }
  }
}

TEST(FrameReader, NeverMakesAFrameOfATruncatedOne) {
  for (const Sample& one : samples()) {
    const std::string bytes = bytes_of_sample(one);
    for (std::size_t kept = 0; kept < bytes.size(); ++kept) {
      FrameReader reader(rules_for(one));
      Frame frame;
      reader.feed(bytes_of(bytes).first(kept));
      EXPECT_EQ(reader.next(frame), Next::More) << one.name << " cut at " << kept;
    }
  }
}

TEST(FrameReader, TakesAHundredFramesOfOneRead) {
  const auto all = samples();
  const Sample& submit = sample(all, "submit-full");
  std::string bytes;
  for (int i = 0; i < 100; ++i) bytes += bytes_of_sample(submit);
  FrameReader reader(rules_for(submit));
  reader.feed(bytes_of(bytes));
  Frame frame;
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(reader.next(frame), Next::Frame) << i;
    expect_sample(frame, submit);
  }
  EXPECT_EQ(reader.next(frame), Next::More);
}

FrameReader reader_of_submits() {
  return FrameReader(
      after_hello(before_hello(Party::Client, Party::Daemon), kFrameBytesMax, feature::kAll));
}

std::string submit_of(const std::string& body, std::uint64_t number) {
  const Header header{
      .body_bytes = static_cast<std::uint32_t>(body.size()), .kind = Kind::Submit, .token = number};
  std::array<std::byte, kHeaderBytes> head{};
  encode_header(header, head);
  return std::string(text_of(head)) + body;
}

TEST(FrameReader, AnnouncedBytesCostNothing) {
  auto reader = reader_of_submits();
  reader.feed(bytes_of(submit_of(std::string(16U << 20, 'x'), 1)).first(kHeaderBytes));
  Frame frame;
  ASSERT_EQ(reader.next(frame), Next::More);
  EXPECT_LE(reader.prepare(reader.bytes_wanted()).size(), 512U * 1024);
}

TEST(FrameReader, MemoryIsAtMostSixteenTimesWhatCamePlusARead) {
  auto reader = reader_of_submits();
  const std::string body(1U << 20, 'x');
  reader.feed(bytes_of(submit_of(body, 1)).first(kHeaderBytes));
  Frame frame;
  std::size_t sent = 0;
  while (reader.next(frame) == Next::More) {
    const std::size_t wanted = reader.bytes_wanted();
    const auto room = reader.prepare(wanted);
    EXPECT_LE(room.size(), 16 * reader.bytes() + wanted);
    const std::size_t part = std::min({room.size(), body.size() - sent, std::size_t{1'000}});
    std::copy_n(bytes_of(body).begin() + static_cast<std::ptrdiff_t>(sent), part, room.begin());
    reader.commit(part);
    sent += part;
  }
  EXPECT_EQ(text_of(frame.payload), body);
  EXPECT_EQ(reader.prepare(1).size(), 1U) << "a large buffer is given back";
}

// Some of these are large, and some as large as the buffer that they come in; what is kept of them
// is not changed by what comes behind them.
TEST(FrameReader, MemoryOfALargeFrameMayBeKept) {
  auto reader = reader_of_submits();
  reader.share_large();
  std::mt19937 random(11);
  std::string bytes;
  std::vector<std::string> bodies;
  for (std::uint64_t i = 1; i <= 200; ++i) {
    const std::size_t most = i % 3 == 0 ? 300'000 : i % 3 == 1 ? 90'000 : 300;
    bodies.emplace_back(1 + random() % most, static_cast<char>('a' + i % 26));
    bytes += submit_of(bodies.back(), i);
  }
  std::vector<Frame> kept;
  std::size_t taken = 0;
  Frame frame;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto room = reader.prepare(reader.bytes_wanted());
    const auto part =
        std::min({room.size(), bytes.size() - at, std::size_t{1 + random() % 70'000}});
    std::copy_n(bytes_of(bytes).begin() + static_cast<std::ptrdiff_t>(at), part, room.begin());
    reader.commit(part);
    at += part;
    while (reader.next(frame) == Next::Frame) {
      ASSERT_EQ(text_of(frame.payload), bodies[taken++]);
      if (!frame.memory) continue;
      EXPECT_GE(frame.payload.size(), FrameReader::kLargeBytesMin);
      kept.push_back(frame);
    }
  }
  ASSERT_EQ(taken, bodies.size());
  EXPECT_GE(kept.size(), 50U);
  for (const Frame& one : kept) EXPECT_EQ(text_of(one.payload), bodies[one.header.token - 1]);
}

TEST(FrameReader, GivesNoMemoryThatIsNotAskedForAndHoldsNoneThatIsGiven) {
  const std::string body(1U << 20, 'x');
  for (const bool shares : {false, true}) {
    auto reader = reader_of_submits();
    if (shares) reader.share_large();
    const auto bytes = submit_of(body, 1);
    reader.feed(bytes_of(bytes));
    Frame frame;
    ASSERT_EQ(reader.next(frame), Next::Frame);
    EXPECT_EQ(frame.memory != nullptr, shares);
    Frame none;
    EXPECT_EQ(reader.next(none), Next::More);
    EXPECT_EQ(frame.memory.use_count(), shares ? 1 : 0) << "an idle connection would hold it";
  }
}

// What it keeps of the memory is all of it: no small frame may hold a large buffer.
TEST(FrameReader, GivesNoMemoryOfWhichAFrameIsASmallPart) {
  auto reader = reader_of_submits();
  reader.share_large();
  const auto small = submit_of(std::string(FrameReader::kLargeBytesMin, 'x'), 1);
  reader.feed(bytes_of(small + small));
  Frame frame;
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(reader.next(frame), Next::Frame);
    EXPECT_EQ(frame.memory, nullptr);
  }
}

TEST(FrameReader, StaysBroken) {
  FrameReader reader(before_hello(Party::Client, Party::Daemon));
  const std::string garbage(64, '\xff');
  reader.feed(bytes_of(garbage));
  Frame frame;
  ASSERT_EQ(reader.next(frame), Next::Broken);
  EXPECT_EQ(refusal_of(reader.error()), Refusal::HelloExpected);
  const auto all = samples();
  reader.feed(bytes_of(bytes_of_sample(sample(all, "hello-client"))));
  EXPECT_EQ(reader.next(frame), Next::Broken);
}

TEST(FrameReader, NewRulesHoldForAFrameThatIsThereAlready) {
  const auto all = samples();
  FrameReader reader(before_hello(Party::Client, Party::Daemon));
  const std::string bytes =
      bytes_of_sample(sample(all, "hello-client")) + bytes_of_sample(sample(all, "submit-plain"));
  reader.feed(bytes_of(bytes));
  Frame frame;
  ASSERT_EQ(reader.next(frame), Next::Frame);
  reader.set_rules(after_hello(reader.rules(), 1'000, 0));
  ASSERT_EQ(reader.next(frame), Next::Frame);
  EXPECT_EQ(frame.header.kind, Kind::Submit);
}

TEST(FrameReader, TakesARandomStreamInRandomPieces) {
  std::mt19937 random(7);
  std::vector<Sample> list;
  std::string bytes;
  for (const Sample& one : samples()) {
    if (one.from != Party::Client || rules_for(one).first) continue;
    for (int i = 0; i < 20; ++i) {
      list.push_back(one);
      list.back().payload = find_kind(one.header.kind)->payload
                                ? std::string(random() % 3'000 * 8, 'p')
                                : std::string();
      bytes += bytes_of_sample(list.back());
    }
  }
  FrameReader reader(after_hello(before_hello(Party::Client, Party::Daemon), 1U << 20, ~0ULL));
  Frame frame;
  std::size_t taken = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t part = std::min<std::size_t>(1 + random() % 5'000, bytes.size() - at);
    reader.feed(bytes_of(bytes).subspan(at, part));
    at += part;
    while (reader.next(frame) == Next::Frame) expect_sample(frame, list[taken++]);
  }
  EXPECT_EQ(taken, list.size());
}

}  // namespace
}  // namespace warmpool::ipc::test
