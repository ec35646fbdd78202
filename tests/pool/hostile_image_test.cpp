// Bytes that are read as an image of a core and are none: what the core would index by without
// another look is refused.
#include <gtest/gtest.h>

#include "pool/image/reader.hpp"
#include "pool/memory_peaks.hpp"
#include "pool/task_memory.hpp"
#include "tests/pool/pool_driver.hpp"

namespace warmpool::test {
namespace {

constexpr std::uint64_t kMega = 1 << 20;

// A core that has learned of one run, and keeps room for nobody.
class HostileImageTest : public testing::Test {
 protected:
  HostileImageTest() {
    driver.ready_pool(1);
    needs.types.push_back({TypeId{0}, {.bytes = 80 * kMega}, {}});
    driver.turn(event::TypeConfigured{TypeId{0}, {}, needs.types.front().wanted});
    driver.submit();
    driver.tick();
    driver.step(event::WorkerSampled{driver.worker(0), 40 * kMega});
    driver.answer(*driver.last<command::Assign>());
    peaks.add(40 * kMega);
  }
  // The image with this part of it in the place of that one.
  bool comes_back(const std::string& part, const std::string& other) {
    std::string image = *driver.pool().image(1 << 20);
    const auto at = image.find(part);
    EXPECT_NE(at, image.npos);
    EXPECT_EQ(image.find(part, at + 1), image.npos);
    return Pool::from_image(image.replace(at, part.size(), other)).has_value();
  }

  PoolDriver driver;
  MemoryNeeds needs;
  MemoryPeaks peaks;
};

TEST_F(HostileImageTest, ComesBackAsItIs) {
  const auto same = image::bytes_of(peaks);
  EXPECT_TRUE(comes_back(same, same));
}

TEST_F(HostileImageTest, WithAHistogramOfAnotherSizeOrSumIsRefused) {
  const auto whole = image::bytes_of(peaks);
  const auto with = [&](auto change) {
    auto [counts, weight, high, most, runs] = MemoryPeaks::fields(peaks);
    auto other = counts;
    change(other);
    std::string bytes = image::bytes_of(other);
    for (const std::uint64_t number : {std::uint64_t{weight}, high, most, runs}) {
      bytes += image::bytes_of(number);
    }
    return bytes;
  };
  EXPECT_TRUE(comes_back(whole, with([](auto&) {})));
  EXPECT_FALSE(comes_back(whole, with([](auto& counts) { counts.resize(1); })));
  EXPECT_FALSE(comes_back(whole, with([](auto& counts) { counts.back() = 1; })));
  EXPECT_FALSE(comes_back(whole, with([](auto& counts) { counts.clear(); })));
}

TEST_F(HostileImageTest, WithRoomKeptForATypeThatNeedsNoneIsRefused) {
  const auto whole = image::bytes_of(needs);
  MemoryNeeds other = needs;
  other.awaited = MemoryGroup{TypeId{0}};
  EXPECT_TRUE(comes_back(whole, image::bytes_of(other)));
  other.awaited = MemoryGroup{TypeId{1}};
  EXPECT_FALSE(comes_back(whole, image::bytes_of(other)));
}

TEST_F(HostileImageTest, WithANeedOfATypeThatIsNoneIsRefused) {
  const auto whole = image::bytes_of(needs);
  MemoryNeeds other = needs;
  other.types.push_back({TypeId{1}, {.bytes = kMega}, {}});
  EXPECT_FALSE(comes_back(whole, image::bytes_of(other)));
  other.types.back().type = TypeId{0};
  EXPECT_FALSE(comes_back(whole, image::bytes_of(other))) << "twice";
}

}  // namespace
}  // namespace warmpool::test
