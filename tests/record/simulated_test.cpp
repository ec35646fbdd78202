// Random runs of the simulator, recorded and replayed: deaths, retries, daemon crashes, slow disks,
// segments that end in the middle.
#include <gtest/gtest.h>

#include "tests/record/recording.hpp"
#include "tests/sim/run.hpp"

namespace warmpool::daemon {
namespace {

class RecordingTape : public sim::Tape {
 public:
  explicit RecordingTape(const std::string& path)
      : recorder_({directory_at(path), 16 << 10, 1'000'000, 1 << 20, true}, log_) {}

  void life_begins(const Genesis& genesis) override { recorder_.begin(genesis); }
  void stepped(Instant now, const Event& event, std::span<const Command> commands) override {
    ++steps_;
    recorder_.stepped(now, event, commands);
  }
  void replayed(const Record& record) override { recorder_.replayed(record); }
  void replay_finished(Instant now, std::span<const Command> commands) override {
    recorder_.replay_ended(now, commands);
  }
  void turn_ended(const Pool& pool) override { recorder_.turn_ended(pool); }
  std::uint64_t steps() const { return steps_; }

 private:
  LineLog log_;
  std::uint64_t steps_ = 0;
  FlightRecorder recorder_;
};

TEST(Simulated, RunsAreReplayedExactly) {
  std::uint64_t segments = 0, parts = 0;
  for (std::uint64_t seed = 101; seed <= 140; ++seed) {
    const ipc::test::TemporaryDirectory directory;
    std::uint64_t steps = 0;
    {
      RecordingTape tape(directory / "");
      (void)sim::run_scenario(sim::draw_scenario(seed), nullptr, &tape);
      steps = tape.steps();
    }
    const auto replay = replay_of({directory / "", Instant{}, Instant{}, {}});
    ASSERT_EQ(replay.status, 0) << "seed " << seed << ": " << replay.error;
    EXPECT_EQ(replay.steps, steps) << "seed " << seed;
    segments += replay.segments;
    // From an image in the middle on, where there is one: cores of many slots have larger ones.
    const auto numbers = list_segments(directory / "");
    const auto name = segment_name((*numbers)[numbers->size() / 2]);
    const auto part = replay_of({directory / name, Instant{}, Instant{}, {}});
    if (part.segments == 0) continue;
    ASSERT_EQ(part.status, 0) << "seed " << seed << ": " << part.error;
    ++parts;
  }
  EXPECT_GT(segments, 100U);
  EXPECT_GT(parts, 20U);
}

}  // namespace
}  // namespace warmpool::daemon
