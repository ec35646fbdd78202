// Recordings by hand: what comes back, what is printed, and what differs.
#include <sys/stat.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pool/describe.hpp"
#include "tests/record/recording.hpp"

namespace warmpool::daemon {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int kDamaged = 65, kDiffers = 1;

// Two workers, `tasks` tasks, turns of one each.
void live(Recording& recording, int tasks) {
  recording.begin_life();
  for (int i = 0; i < tasks; ++i) {
    recording.submit();
    recording.end_turn();
  }
}

TEST(Replay, RunsWhatWasRecorded) {
  Recording recording;
  live(recording, 10);
  recording.end_life();
  const auto replay = recording.replay();
  EXPECT_EQ(replay.status, 0) << replay.error;
  EXPECT_EQ(replay.segments, 1U);
  EXPECT_EQ(replay.steps, 3U + 20U);
  EXPECT_THAT(replay.trace, HasSubstr("begins with the daemon at 1000.000000000"));
  EXPECT_THAT(replay.trace, HasSubstr("1000.001000000 -> submit client 1 request 1 type 0"));
  EXPECT_THAT(replay.trace, HasSubstr("     persist 10: accepted 1.10 bytes 0"));
  EXPECT_THAT(replay.trace, HasSubstr("== 23 steps, all as they were recorded\n"));
}

TEST(Replay, PrintsWhatConcernsATask) {
  Recording recording;
  live(recording, 3);
  recording.end_life();
  const auto replay = recording.replay({recording.path(), {}, {}, TaskId{1ULL << 40 | 2}});
  EXPECT_EQ(replay.status, 0) << replay.error;
  EXPECT_THAT(replay.trace, HasSubstr("persist 2: accepted 1.2"));
  EXPECT_THAT(replay.trace, HasSubstr("-> submit client 1 request 2"));
  EXPECT_THAT(replay.trace, Not(HasSubstr("1.3")));
  EXPECT_THAT(replay.trace, Not(HasSubstr("tick")));
  EXPECT_EQ(replay.steps, 9U);
}

TEST(Replay, PrintsAStretchOfTime) {
  Recording recording;
  live(recording, 5);
  recording.end_life();
  const auto replay = recording.replay(
      {recording.path(), parse_instant("1000.002"), parse_instant("1000.003"), {}});
  EXPECT_THAT(replay.trace, Not(HasSubstr("request 1 ")));
  EXPECT_THAT(replay.trace, HasSubstr("request 2 "));
  EXPECT_THAT(replay.trace, HasSubstr("request 3 "));
  EXPECT_THAT(replay.trace, Not(HasSubstr("request 4 ")));
}

TEST(Replay, NamesTheFirstStepThatDiffers) {
  Recording recording;
  live(recording, 3);
  recording.step_unseen(event::Submit{ClientId{1}, RequestId{100}, {}});
  recording.submit();
  recording.end_turn();
  recording.end_life();
  const auto replay = recording.replay();
  EXPECT_EQ(replay.status, kDiffers);
  EXPECT_THAT(replay.error, HasSubstr("step 10, at 1000.004000000, is the first that differs: "
                                      "submit client 1 request 4"));
  EXPECT_THAT(replay.error, HasSubstr("persist 4: accepted 1.4"));
  EXPECT_EQ(replay.steps, 10U);
}

TEST(Replay, NamesAnImageThatDiffers) {
  Recording recording;
  live(recording, 3);
  // A step that asks for nothing, so that only the state differs.
  recording.step_unseen(event::Listen{false});
  recording.chatter(1);
  recording.end_life();
  const auto replay = recording.replay();
  EXPECT_EQ(replay.status, kDiffers);
  EXPECT_THAT(replay.error, HasSubstr("000000002.rec: the core that was replayed so far is not in "
                                      "the state that was recorded"));
  // Each by itself is sound.
  for (const auto& name : recording.files()) {
    EXPECT_EQ(recording.replay({recording.path(name), {}, {}, {}}).status, 0) << name;
  }
}

TEST(Replay, GoesOnOverSegmentsAndLives) {
  Recording recording;
  live(recording, 10);
  recording.chatter(2);
  recording.end_life();
  live(recording, 10);
  recording.end_life();
  const auto replay = recording.replay({recording.path(), {}, Instant{}, {}});
  EXPECT_EQ(replay.status, 0) << replay.error;
  EXPECT_EQ(replay.segments, 4U);
  EXPECT_EQ(recording.files().size(), 4U);
  EXPECT_THAT(replay.trace, HasSubstr("== segment 1 of life 1 by warmpoold/0.1.0 begins with the "
                                      "daemon at"));
  EXPECT_THAT(replay.trace, HasSubstr("== segment 3 of life 1 by warmpoold/0.1.0 begins with an "
                                      "image at"));
  EXPECT_THAT(replay.trace, HasSubstr("== segment 4 of life 2 "));
}

TEST(Replay, BeginsWithTheImageOfWhatIsLeft) {
  Recording recording(64 << 10, 3);
  live(recording, 10);
  recording.chatter(4);
  const auto task = recording.submit();
  recording.end_turn();
  recording.end_life();
  EXPECT_THAT(recording.files(),
              testing::ElementsAre(segment_name(3), segment_name(4), segment_name(5)));
  const auto replay = recording.replay({recording.path(), {}, {}, task});
  EXPECT_EQ(replay.status, 0) << replay.error;
  EXPECT_EQ(replay.segments, 3U);
  EXPECT_THAT(replay.trace, HasSubstr("persist 11: accepted 1.11"));
}

// Of a core with too many tasks none is made; what follows on such a segment is of use again.
TEST(Replay, SkipsWhatHasNoImageAndNothingBefore) {
  Recording recording;
  live(recording, static_cast<int>(FlightRecorder::kImageTasksMax));
  recording.chatter(1);
  recording.end_life();
  const auto files = recording.files();
  const auto whole = recording.replay();
  EXPECT_EQ(whole.status, 0) << whole.error;
  EXPECT_EQ(whole.segments, files.size());
  const auto alone = recording.replay({recording.path(files.back()), {}, {}, {}});
  EXPECT_EQ(alone.status, kDamaged);
  EXPECT_THAT(alone.error, HasSubstr("has no image to begin with"));
  EXPECT_THAT(alone.trace, HasSubstr("has no image at"));
  EXPECT_THAT(alone.trace, HasSubstr("== skipped"));
}

TEST(Replay, TakesRecordsOfEarlierLives) {
  Recording recording;
  recording.begin_life();
  std::vector<Record> records;
  for (int i = 0; i < 3; ++i) {
    for (const auto& command : recording.step(event::Submit{ClientId{1}, RequestId{1}, {}})) {
      if (const auto* persist = std::get_if<command::Persist>(&command)) {
        records.push_back(persist->record);
      }
    }
  }
  Genesis genesis;
  genesis.life = 2;
  genesis.now = recording.now;
  Pool next(genesis);
  Commands commands;
  auto& recorder = recording.recorder();
  recorder.begin(genesis);
  const auto step = [&](const Event& event) {
    commands.clear();
    next.step(genesis.now, event, commands);
    recorder.stepped(genesis.now, event, commands);
  };
  step(event::ClassDeclared{ClassId{0}, default_class_options()});
  step(event::TypeDeclared{.type = TypeId{0}, .count = 1});
  for (const auto& record : records) {
    next.replay(record);
    recorder.replayed(record);
  }
  commands.clear();
  next.replay_totals({5, 0, 0, 0, 0});
  next.finish_replay(genesis.now + seconds(1), commands);
  recorder.totals({5, 0, 0, 0, 0});
  recorder.replay_ended(genesis.now + seconds(1), commands);
  ASSERT_EQ(next.queue().waiting(), 3U);
  genesis.now = genesis.now + seconds(2);
  step(event::Tick{});
  recorder.turn_ended(next);
  recording.end_life();
  const auto replay = recording.replay();
  EXPECT_EQ(replay.status, 0) << replay.error;
  EXPECT_EQ(replay.segments, 2U);
  EXPECT_THAT(replay.trace, HasSubstr("was accepted 1.3"));
  EXPECT_THAT(replay.trace, HasSubstr("-> the store has been read"));
}

TEST(Recorder, MakesFilesForItsUserAlone) {
  Recording recording;
  live(recording, 1);
  recording.end_life();
  struct stat found {};
  ASSERT_EQ(::stat(recording.path(segment_name(1)).c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777U, 0600U);
}

TEST(Recorder, HasTheBoundsThatItWasGiven) {
  Recording recording(64 << 10, 4);
  live(recording, 10);
  recording.chatter(9);
  recording.end_life();
  const auto files = recording.files();
  EXPECT_EQ(files.size(), 4U);
  for (const auto& name : files) {
    // A segment, an image no larger, and a turn.
    EXPECT_LE(recording.read(name).size(), 2U * (64U << 10) + 4096U) << name;
  }
}

TEST(Recorder, CountsOnFromTheFilesThatItFinds) {
  Recording recording(64 << 10, 2);
  recording.write(segment_name(41), "of an earlier life");
  recording.write("flight-9.rec", "is no segment's name");
  live(recording, 1);
  recording.end_life();
  EXPECT_THAT(recording.files(), testing::ElementsAre(segment_name(41), segment_name(42)));
  live(recording, 1);
  recording.end_life();
  EXPECT_THAT(recording.files(), testing::ElementsAre(segment_name(42), segment_name(43)));
}

TEST(Segment, HasANameThatSortsByNumber) {
  EXPECT_EQ(segment_name(7), "flight-000000007.rec");
  EXPECT_EQ(segment_number(segment_name(12'345'678'901)), 12'345'678'901U);
  for (const char* other : {"flight-7.rec", "flight-00000000x.rec", "flight-000000007.re",
                            "flight.rec", "flight-.rec", "", "flight-000000000.rec"}) {
    EXPECT_EQ(segment_number(other), 0U) << other;
  }
}

// The core's contract would be broken by it, and a file is only a file.
TEST(Replay, RefusesAStepAboutATypeThatWasNeverDeclared) {
  Recording recording;
  recording.begin_life();
  const Commands none;
  recording.recorder().stepped(recording.now, event::TypeConfigured{TypeId{4711}, {}}, none);
  recording.end_life();
  const auto replay = recording.replay();
  EXPECT_NE(replay.status, 0);
  EXPECT_THAT(replay.error, HasSubstr("is about a type that was never declared"));
}

TEST(Replay, ReadsTasksAndInstantsAsTheTraceWritesThem) {
  const TaskId task{331ULL << 40 | 3001};
  EXPECT_EQ(parse_task(std::to_string(task.value)), task);
  EXPECT_EQ(parse_task(task_name(task)), task);
  for (const char* wrong : {"", "x", "1.", "1.x", ".2", "1.2.3", "-1", "1.1099511627776"}) {
    EXPECT_FALSE(parse_task(wrong)) << wrong;
  }
  const Instant instant{12'000'000'345};
  EXPECT_EQ(parse_instant(describe(instant)), instant);
  EXPECT_EQ(parse_instant("12"), Instant{12'000'000'000});
  EXPECT_EQ(parse_instant("0.5"), Instant{500'000'000});
  for (const char* wrong : {"", "x", "1.", ".5", "-1", "1.0000000001", "99999999999", "1.2.3"}) {
    EXPECT_FALSE(parse_instant(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace warmpool::daemon
