#include "tests/campaign/workers/figures.hpp"

#include <gtest/gtest.h>

namespace warmpool::campaign {
namespace {

TEST(Times, TellsTheSmallestThatAPartIsNotAbove) {
  Times times;
  EXPECT_EQ(times.text(), "-");
  for (int i = 100; i > 0; --i) times.add(i);
  EXPECT_EQ(times.text(), "50.0/99.0/100.0");
  times.add(1'000);
  EXPECT_EQ(times.text(), "51.0/100.0/1000.0");
}

TEST(Times, OfOneIsThatOne) {
  Times times;
  times.add_between(1'000'000, 3'500'000);
  EXPECT_EQ(times.text(), "2.5/2.5/2.5");
}

}  // namespace
}  // namespace warmpool::campaign
