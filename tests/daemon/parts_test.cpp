// Small parts by themselves: waiters, names, clock, chores.
#include <gtest/gtest.h>

#include "daemon/chores.hpp"
#include "daemon/clock.hpp"
#include "daemon/names.hpp"
#include "daemon/waiters.hpp"
#include "tests/daemon/test_daemon.hpp"

namespace warmpool::daemon {
namespace {

TEST(Waiters, ForgetATaskOrAClientAtOnce) {
  Waiters waiters;
  for (std::uint64_t task = 1; task <= 3; ++task) {
    for (std::uint64_t client = 1; client <= 3; ++client) {
      waiters.add(TaskId{task}, {ClientId{client}, 0, client == 2});
    }
  }
  std::vector<Waiter> out;
  waiters.watching(TaskId{1}, out);
  EXPECT_EQ(out.size(), 1U);
  waiters.take(TaskId{1}, out);
  EXPECT_EQ(out.size(), 3U);
  EXPECT_EQ(waiters.size(), 6U);
  waiters.drop(ClientId{2});
  EXPECT_EQ(waiters.size(), 4U);
  waiters.take(TaskId{2}, out);
  EXPECT_EQ(out.size(), 2U);
  waiters.take(TaskId{9}, out);
  EXPECT_TRUE(out.empty());
}

TEST(Pattern, MatchesStarsAndQuestionMarks) {
  EXPECT_TRUE(matches_pattern("image.*", "image.resize"));
  EXPECT_TRUE(matches_pattern("*", ""));
  EXPECT_TRUE(matches_pattern("a?c", "abc"));
  EXPECT_TRUE(matches_pattern("*a*b", "xaxaxb"));
  EXPECT_FALSE(matches_pattern("image.*", "images"));
  EXPECT_FALSE(matches_pattern("a?c", "ac"));
  EXPECT_FALSE(matches_pattern("abc", "abcd"));
}

TEST(TypeTable, KnowsExactNamesAndMeetsOthersByTheirPatterns) {
  auto first = default_class_options();
  first.types = {"a", "x.*"};
  auto second = default_class_options();
  second.types = {"a", "b"};
  TypeTable types({first, second});
  EXPECT_EQ(types.size(), 2U);
  EXPECT_EQ(types.declared(*types.find("a")).count, 2);
  const auto met = types.intern("x.1");
  ASSERT_TRUE(met);
  EXPECT_TRUE(met->is_new);
  EXPECT_FALSE(types.intern("x.1")->is_new);
  EXPECT_FALSE(types.intern("y"));
  EXPECT_FALSE(types.intern(""));
  types.set_types_later(ClassId{1}, true);
  EXPECT_TRUE(types.intern("y"));
  EXPECT_EQ(types.known_text(), "a, x.*, b");
}

class TestTime : public TimeSource {
 public:
  std::int64_t steady_ns() override { return steady; }
  WallTime wall() override { return {wall_ns}; }
  std::int64_t steady = 500, wall_ns = 1'000'000'000;
};

TEST(Clock, GoesOnWhenTheWallIsSetAndTellsSoOnce) {
  TestTime time;
  Clock clock(time, Instant{1});
  EXPECT_EQ(clock.now(), Instant{1});
  time.steady += 100;
  time.wall_ns += 100;
  EXPECT_FALSE(clock.wall_step(milliseconds(100)));
  time.wall_ns -= seconds(3600).ns;
  EXPECT_TRUE(clock.wall_step(milliseconds(100)));
  EXPECT_FALSE(clock.wall_step(milliseconds(100)));
  EXPECT_EQ(clock.now(), Instant{101});
  EXPECT_EQ(clock.wall_of(clock.now()).ns, time.wall_ns);
}

TEST(Clock, WritesTimesInUtc) {
  EXPECT_EQ(rfc3339({1'700'000'000'120'000'000}), "2023-11-14T22:13:20.120Z");
  EXPECT_EQ(rfc3339({-1'000'000}), "1969-12-31T23:59:59.999Z");
}

TEST(Chores, RunWhenTheyAreDue) {
  Chores chores;
  int runs = 0;
  chores.add(
      "x", [] { return seconds(1); }, [&] { ++runs; }, Instant{0});
  EXPECT_EQ(chores.due(), Instant{seconds(1).ns});
  chores.run(Instant{1});
  EXPECT_EQ(runs, 0);
  chores.run(Instant{seconds(5).ns});
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(chores.due(), Instant{seconds(6).ns});
}

}  // namespace
}  // namespace warmpool::daemon
