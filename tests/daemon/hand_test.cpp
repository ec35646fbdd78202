// What a worker has in hand, and what it knows types by.
#include "daemon/hand.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "daemon/given_types.hpp"

namespace warmpool::daemon {
namespace {

std::vector<int> all_of(const Hand<std::shared_ptr<int>>& hand) {
  std::vector<int> numbers;
  for (const auto& each : hand) numbers.push_back(*each);
  return numbers;
}

TEST(Hand, KeepsItsOrderWhoeverLeaves) {
  Hand<std::shared_ptr<int>> hand;
  for (int i = 0; i < 100; ++i) {
    hand.push_back(std::make_shared<int>(i));
    if (hand.size() > 3) hand.erase(hand.begin());
  }
  EXPECT_EQ(all_of(hand), (std::vector{97, 98, 99}));
  hand.erase(hand.begin() + 1);
  EXPECT_EQ(all_of(hand), (std::vector{97, 99}));
  EXPECT_EQ(*hand.front(), 97);
  EXPECT_EQ(*hand.back(), 99);
  hand.erase(hand.begin());
  hand.erase(hand.begin());
  EXPECT_TRUE(hand.empty());
}

TEST(Hand, LetsGoOfWhatLeaves) {
  Hand<std::shared_ptr<int>> hand;
  const auto first = std::make_shared<int>(1);
  hand.push_back(first);
  hand.push_back(std::make_shared<int>(2));
  hand.erase(hand.begin());
  EXPECT_EQ(first.use_count(), 1);
}

TEST(GivenTypes, AskAgainOnceANumberStandsForAnotherName) {
  GivenTypes types;
  EXPECT_TRUE(types.number_of(TypeId{0}, "first").is_new);
  EXPECT_FALSE(types.number_of(TypeId{0}, "first").is_new);
  for (std::uint32_t i = 1; i <= ipc::kTypeNamesMax; ++i) {
    EXPECT_TRUE(types.number_of(TypeId{i}, "type-" + std::to_string(i)).is_new);
  }
  EXPECT_TRUE(types.number_of(TypeId{0}, "first").is_new) << "its number is another's now";
}

}  // namespace
}  // namespace warmpool::daemon
