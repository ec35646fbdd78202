#include "ipc/type_names.hpp"

#include <gtest/gtest.h>

namespace warmpool::ipc::test {
namespace {

TEST(TypeNumbers, GiveEachNameOneNumber) {
  TypeNumbers numbers;
  EXPECT_EQ(numbers.number_of("a").number, 0);
  EXPECT_EQ(numbers.number_of("b").number, 1);
  EXPECT_FALSE(numbers.number_of("a").is_new);
  EXPECT_EQ(numbers.number_of("a").number, 0);
}

TEST(TypeNumbers, AgreeWithTheReceiverPastTheirBound) {
  TypeNumbers numbers;
  TypeNames names;
  for (int i = 0; i < 3 * kTypeNamesMax; ++i) {
    const std::string name = "type-" + std::to_string(i % (kTypeNamesMax + 100));
    const auto given = numbers.number_of(name);
    ASSERT_TRUE(!given.is_new || names.learn(given.number, name));
    ASSERT_EQ(names.name_of(given.number), name);
  }
}

TEST(TypeNames, RefuseGapsEmptyNamesAndMoreThanTheBound) {
  TypeNames names;
  EXPECT_FALSE(names.learn(1, "gap"));
  EXPECT_FALSE(names.learn(0, ""));
  for (std::uint16_t i = 0; i < kTypeNamesMax; ++i) ASSERT_TRUE(names.learn(i, "name"));
  EXPECT_FALSE(names.learn(kTypeNamesMax, "name"));
  EXPECT_TRUE(names.learn(7, "again"));
  EXPECT_EQ(names.name_of(7), "again");
  EXPECT_EQ(names.name_of(65'535), "");
}

}  // namespace
}  // namespace warmpool::ipc::test
