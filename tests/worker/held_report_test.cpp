// Which reports of progress are said, and when: with times that are given.
#include "worker/held_report.hpp"

#include <string>

#include <gtest/gtest.h>

namespace warmpool::worker::testing {
namespace {

using namespace std::chrono_literals;
using Fate = HeldReport::Fate;

constexpr auto kNothing = HeldReport::Clock::time_point::max();

class HeldReports : public ::testing::Test {
 protected:
  Fate take(HeldReport::Clock::duration at, std::uint16_t permille) {
    HeldReport::Report report;
    report.permille = permille;
    report.text = std::to_string(permille);
    return held.take(start + at, report);
  }
  // 0: nothing is due.
  int due(HeldReport::Clock::duration at) {
    const auto report = held.due(start + at);
    if (!report) return 0;
    EXPECT_EQ(std::to_string(report->permille), report->text);
    return report->permille;
  }

  HeldReport held;
  const HeldReport::Clock::time_point start = HeldReport::Clock::time_point() + 24h;
};

TEST_F(HeldReports, OfThoseThatComeTooSoonTheLatestIsDueAfterTheInterval) {
  EXPECT_EQ(Fate::SayNow, take(0ms, 1));
  EXPECT_EQ(kNothing, held.due_at());
  EXPECT_EQ(Fate::KeptFirst, take(1ms, 2));
  EXPECT_EQ(Fate::Kept, take(2ms, 3));
  EXPECT_EQ(start + HeldReport::kInterval, held.due_at());
  EXPECT_EQ(0, due(99ms));
  EXPECT_EQ(3, due(100ms));
  EXPECT_EQ(0, due(1h));
}

TEST_F(HeldReports, TheIntervalRunsFromWhatWasSaidLate) {
  take(0ms, 1);
  take(1ms, 2);
  EXPECT_EQ(2, due(150ms));
  EXPECT_EQ(Fate::KeptFirst, take(249ms, 3));
  EXPECT_EQ(start + 250ms, held.due_at());
  EXPECT_EQ(Fate::SayNow, take(250ms, 4));  // and what waited is dropped for it
  EXPECT_EQ(0, due(1h));
}

TEST_F(HeldReports, ThatAllIsDoneIsSaidAtOnce) {
  take(0ms, 1);
  take(1ms, 2);
  EXPECT_EQ(Fate::SayNow, take(2ms, 1000));
  EXPECT_EQ(kNothing, held.due_at());
}

TEST_F(HeldReports, TheRestIsSaidBeforeItIsDueAndTheNextRunBeginsAnew) {
  EXPECT_FALSE(held.rest());
  take(0ms, 1);
  take(1ms, 2);
  const auto rest = held.rest();
  ASSERT_TRUE(rest);
  EXPECT_EQ(2, rest->permille);
  EXPECT_EQ(kNothing, held.due_at());
  held.begin();
  EXPECT_EQ(Fate::SayNow, take(3ms, 3));
}

}  // namespace
}  // namespace warmpool::worker::testing
