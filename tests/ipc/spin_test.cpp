#include "ipc/spin.hpp"

#include <gtest/gtest.h>

namespace warmpool::ipc {
namespace {

using Time = std::chrono::steady_clock::time_point;

TEST(Spin, DoesNotLookWhereItIsOff) {
  int looks = 0;
  EXPECT_EQ(Spin().look({}, Time::max(), [&] { return ++looks; }), 0);
  EXPECT_EQ(looks, 0);
}

TEST(Spin, LooksUntilSomethingIsThere) {
  int looks = 0;
  EXPECT_EQ(Spin().look(hours(1), Time::max(), [&] { return ++looks == 3 ? 7 : 0; }), 7);
  EXPECT_EQ(looks, 3);
}

TEST(Spin, TellsAFailureAtOnce) {
  int looks = 0;
  const auto fails = [&] {
    ++looks;
    return -1;
  };
  EXPECT_EQ(Spin().look(hours(1), Time::max(), fails), -1);
  EXPECT_EQ(looks, 1);
}

TEST(Spin, IsOverAtTheDeadline) {
  int looks = 0;
  const auto nothing = [&] {
    ++looks;
    return 0;
  };
  EXPECT_EQ(Spin().look(hours(1), Time::min(), nothing), 0);
  EXPECT_EQ(looks, 1);
}

TEST(Spin, IsOverWhenItsTimeIs) {
  EXPECT_EQ(Spin().look(microseconds(1), Time::max(), [] { return 0; }), 0);
}

// Any time away is longer than a nanosecond.
TEST(Spin, RestsWhereOthersWantTheProcessor) {
  Spin spin;
  int looks = 0;
  const auto look = [&] {
    ++looks;
    return 0;
  };
  for (int i = 0; i < 1 + Spin::kRests; ++i) spin.look(nanoseconds(1), Time::max(), look);
  EXPECT_EQ(looks, 1);
  spin.look(nanoseconds(1), Time::max(), look);
  EXPECT_EQ(looks, 2);
}

}  // namespace
}  // namespace warmpool::ipc
