#include "ipc/stamps.hpp"

#include <gtest/gtest.h>

namespace warmpool::ipc {
namespace {

TEST(Stamps, ComeBackAsTheyWere) {
  const WorkerStamps said{1, 0x1122334455667788, 0, ~std::uint64_t{0}};
  WorkerStamps heard{};
  ASSERT_TRUE(decode_stamps(bytes_of(encode_stamps(said)), heard));
  EXPECT_EQ(heard, said);
}

TEST(Stamps, OfALaterVersionAreReadAsFarAsTheyAreKnown) {
  const PathStamps said{1, 2, 3, 4, 5};
  WorkerStamps heard{};
  ASSERT_TRUE(decode_stamps(bytes_of(encode_stamps(said)), heard));
  EXPECT_EQ(heard, (WorkerStamps{1, 2, 3, 4}));
}

TEST(Stamps, ThatAreTooFewOrCutAreNone) {
  PathStamps heard{};
  EXPECT_FALSE(decode_stamps({}, heard));
  EXPECT_FALSE(decode_stamps(bytes_of(encode_stamps(WorkerStamps{})), heard));
  const std::string whole = encode_stamps(PathStamps{});
  EXPECT_FALSE(decode_stamps(bytes_of(whole).first(whole.size() - 1), heard));
  EXPECT_FALSE(decode_stamps(bytes_of(whole + "x"), heard));
}

}  // namespace
}  // namespace warmpool::ipc
