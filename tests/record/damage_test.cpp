// Files that are not as they were written: cut short, damaged, foreign, newer; and disks that take
// nothing.
#include <array>
#include <signal.h>
#include <sys/resource.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/record/recording.hpp"
#include "tests/support/patience.hpp"

namespace warmpool::daemon {
namespace {

using testing::HasSubstr;

constexpr int kSaidDamaged = 65;

struct Taken {
  std::vector<SegmentItem> items;
  SegmentReader::Next end{};
  std::string refused;
};

Taken take_all(std::string bytes) {
  Taken taken;
  OwnedFile file(::fmemopen(bytes.data(), bytes.size(), "rb"));
  auto segment = SegmentReader::open(std::move(file), bytes.size(), "file");
  if (!segment) {
    taken.refused = segment.error().text;
    return taken;
  }
  SegmentItem item;
  Instant at;
  while ((taken.end = segment->next(item, at)) == SegmentReader::Next::Item) {
    taken.items.push_back(item);
  }
  if (taken.end == SegmentReader::Next::Broken) taken.refused = segment->error().text;
  return taken;
}

std::string small_recording() {
  Recording recording;
  recording.begin_life();
  for (int i = 0; i < 3; ++i) {
    recording.submit();
    recording.now = recording.now + milliseconds(60);  // each in a block of its own
    recording.end_turn();
  }
  recording.end_life();
  return recording.read(segment_name(1));
}

TEST(Damage, OfTheEndIsAnEnd) {
  const auto whole = small_recording();
  const auto all = take_all(whole);
  ASSERT_EQ(all.end, SegmentReader::Next::End);
  ASSERT_EQ(all.items.size(), 9U);
  std::size_t readable = 0;
  for (std::size_t size = 1; size < whole.size(); ++size) {
    const auto taken = take_all(whole.substr(0, size));
    if (!taken.refused.empty()) {
      EXPECT_EQ(readable, 0U) << "of " << size << " bytes: " << taken.refused;
      continue;
    }
    ++readable;
    EXPECT_EQ(taken.end, SegmentReader::Next::Torn) << "of " << size << " bytes";
    EXPECT_LE(taken.items.size(), all.items.size());
  }
  EXPECT_GT(readable, 100U);
}

TEST(Damage, OfTheEndMayBeZeros) {
  const auto whole = small_recording();
  const auto torn = take_all(whole.substr(0, whole.size() - 20) + std::string(5000, '\0'));
  EXPECT_EQ(torn.refused, "");
  EXPECT_EQ(torn.end, SegmentReader::Next::Torn);
  const auto more = take_all(whole.substr(0, whole.size() - 16) + std::string(5000, '\0'));
  EXPECT_EQ(more.end, SegmentReader::Next::Torn);
  EXPECT_EQ(more.items.size(), 9U);
}

// Whatever bit it is: never other items than were written, and in the middle always a refusal.
TEST(Damage, OfAnyBitIsSeen) {
  const auto whole = small_recording();
  const auto all = take_all(whole);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    auto bytes = whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    const auto taken = take_all(bytes);
    EXPECT_TRUE(!taken.refused.empty() || taken.end == SegmentReader::Next::Torn) << at;
    EXPECT_LE(taken.items.size(), all.items.size()) << at;
  }
}

TEST(Damage, OfTheMiddleIsRefusedByPlace) {
  Recording recording;
  recording.begin_life();
  for (int i = 0; i < 400; ++i) {
    recording.submit();
    recording.now = recording.now + milliseconds(60);
    recording.end_turn();
  }
  recording.end_life();
  auto bytes = recording.read(segment_name(1));
  bytes[bytes.size() / 2] ^= 1;
  recording.write(segment_name(1), bytes);
  const auto replay = recording.replay();
  EXPECT_EQ(replay.status, kSaidDamaged);
  EXPECT_THAT(replay.error, HasSubstr("000000001.rec is damaged: block "));
  EXPECT_THAT(replay.error, HasSubstr(", at byte "));
}

TEST(Damage, OfAMissingSegmentIsABeginningFromTheNextImage) {
  Recording recording;
  recording.begin_life();
  recording.chatter(3);
  recording.end_life();
  const auto files = recording.files();
  ASSERT_EQ(files.size(), 4U);
  ASSERT_EQ(::unlink(recording.path(files[1]).c_str()), 0);
  const auto replay = recording.replay({recording.path(), {}, Instant{}, {}});
  EXPECT_EQ(replay.status, 0) << replay.error;
  EXPECT_EQ(replay.segments, 3U);
}

TEST(Damage, IsToldFromWhatIsForeignOrNewer) {
  Recording recording;
  recording.begin_life();
  recording.end_life();
  const auto whole = recording.read(segment_name(1));
  const auto refused = [&](std::size_t at, char byte) {
    auto bytes = whole;
    bytes[at] = byte;
    recording.write(segment_name(1), bytes);
    const auto replay = recording.replay();
    EXPECT_EQ(replay.status, kSaidDamaged);
    return replay.error;
  };
  EXPECT_THAT(refused(0, 'X'), HasSubstr("is no recording of warmpoold"));
  EXPECT_THAT(refused(8, 2), HasSubstr("has format 2, and this program reads 1"));
  recording.write(segment_name(1), "");
  EXPECT_THAT(recording.replay().error, HasSubstr("is no recording"));
  const auto missing = recording.replay({recording.path("nothing"), {}, {}, {}});
  EXPECT_EQ(missing.status, kSaidDamaged);
  EXPECT_THAT(missing.error, HasSubstr("nothing: No such file"));
  const auto directory = recording.replay({"/dev/null", {}, {}, {}});
  EXPECT_THAT(directory.error, HasSubstr("/dev/null is no file"));
}

TEST(Damage, IsToldFromWhatAnotherBuildWrote) {
  SegmentHeader header;
  header.number = 1;
  header.program = "warmpoold/9.9";
  header.shape = Pool::shape() + 1;
  header.life = 1;
  std::string body;
  image::ByteSink sink(body);
  image::walk(sink, header);
  const auto taken = take_all(segment_prefix() + block_frame(BlockKind::Header, 0, body) + body);
  EXPECT_THAT(taken.refused, HasSubstr("was written by warmpoold/9.9 of another build"));
}

TEST(Damage, OfADirectoryWithoutRecordingsIsSaid) {
  const Recording recording;
  const auto replay = recording.replay();
  EXPECT_EQ(replay.status, kSaidDamaged);
  EXPECT_THAT(replay.error, HasSubstr("there is no recording"));
}

// Of this process; a file that would be longer is refused to whoever writes.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    before_handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limited = before_;
    limited.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limited);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    ::signal(SIGXFSZ, before_handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  sighandler_t before_handler_ = SIG_DFL;
};

bool is_off(Recording& recording) {
  for (int i = 0; i < 2000 && recording.recorder().figures().on; ++i) {
    recording.step(event::Received{TaskId{12'345}});
    recording.end_turn();
  }
  return !recording.recorder().figures().on;
}

TEST(Disk, ThatTakesNoMoreTurnsItOffOnce) {
  Recording recording(1 << 20);
  {
    const FileSizeLimit limit(128 << 10);
    recording.begin_life();
    const bool off = test::eventually([&] { return is_off(recording); });
    ASSERT_TRUE(off);
  }
  recording.submit();
  recording.end_turn();
  ASSERT_EQ(recording.log.lines.size(), 1U);
  EXPECT_THAT(recording.log.lines[0], HasSubstr("the flight recorder is off from here on: cannot "
                                                "write in "));
  EXPECT_THAT(recording.recorder().figures().trouble, HasSubstr("File too large"));
  EXPECT_EQ(recording.recorder().due(), kNever);
  recording.end_life();
  const auto replay = recording.replay();
  EXPECT_EQ(replay.status, 0) << replay.error;
  EXPECT_THAT(replay.trace, HasSubstr("it stops here, as after a kill"));
}

// The loop goes on without it, and recording begins anew where the disk has caught up.
TEST(Disk, ThatIsTooSlowCostsAGapAndNoStep) {
  Recording recording(64 << 10, 1000, true);
  recording.begin_life();
  ASSERT_TRUE(test::eventually([&] {
    recording.step(event::Received{TaskId{12'345}});
    recording.now = recording.now + milliseconds(60);
    recording.end_turn();
    return recording.recorder().figures().gaps >= 3;
  }));
  EXPECT_TRUE(recording.recorder().figures().on);
  recording.end_life();
  const auto replay = recording.replay();
  EXPECT_EQ(replay.status, 0) << replay.error;
  EXPECT_GE(replay.segments, 3U);
  EXPECT_THAT(replay.trace, testing::Not(HasSubstr("skipped")));
  EXPECT_TRUE(recording.log.lines.empty());
}

TEST(Disk, WithSomethingInTheWayTurnsItOff) {
  Recording recording;
  recording.begin_life();
  recording.write(segment_name(2), "in the way");
  ASSERT_TRUE(test::eventually([&] { return is_off(recording); }));
  EXPECT_THAT(recording.log.lines.at(0), HasSubstr("cannot make flight-000000002.rec in "));
  EXPECT_EQ(recording.read(segment_name(2)), "in the way");
}

}  // namespace
}  // namespace warmpool::daemon
