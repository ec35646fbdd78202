// A core that came out of an image decides as the one of which the image was made: in random runs,
// with images at random turns.
#include <optional>

#include <gtest/gtest.h>

#include "pool/describe.hpp"
#include "pool/image/walk.hpp"
#include "tests/sim/run.hpp"

namespace warmpool::sim {
namespace {

constexpr std::size_t kImageMax = 64U << 20;

// Takes every step along with the run, with a core of its own that is made anew from an image.
class Twin : public Tape {
 public:
  explicit Twin(std::uint64_t seed) : random_(seed) {}

  void life_begins(const Genesis& genesis) override { pool_.emplace(genesis); }
  void stepped(Instant now, const Event& event, std::span<const Command> commands) override {
    commands_.clear();
    pool_->step(now, event, commands_);
    compare(now, describe(event), commands);
  }
  void replayed(const Record& record) override { pool_->replay(record); }
  void replay_finished(Instant now, std::span<const Command> commands) override {
    commands_.clear();
    pool_->finish_replay(now, commands_);
    compare(now, "the end of the replay", commands);
  }
  void turn_ended(const Pool& pool) override {
    if (!random_.chance(50)) return;
    const auto image = pool.image(kImageMax);
    ASSERT_TRUE(image);
    EXPECT_EQ(pool_->image(kImageMax), image) << "before image " << images_;
    pool_ = Pool::from_image(*image);
    ASSERT_TRUE(pool_);
    EXPECT_EQ(pool_->image(kImageMax), image);
    ++images_;
  }
  std::uint64_t images() const { return images_; }
  std::uint64_t steps() const { return steps_; }
  bool good() const { return good_; }

 private:
  void compare(Instant now, const std::string& what, std::span<const Command> commands) {
    ++steps_;
    image::DigestSink ours, theirs;
    for (const auto& command : commands_) image::walk(ours, command);
    for (const auto& command : commands) image::walk(theirs, command);
    if (ours.digest() == theirs.digest()) return;
    if (good_) ADD_FAILURE() << describe(now) << " " << what << " after image " << images_;
    good_ = false;
  }

  Random random_;
  std::optional<Pool> pool_;
  Commands commands_;
  std::uint64_t images_ = 0, steps_ = 0;
  bool good_ = true;
};

TEST(Image, OfACoreInMidLifeDecidesAsThatCore) {
  std::uint64_t images = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Twin twin(seed);
    const auto run = run_scenario(draw_scenario(seed), nullptr, &twin);
    ASSERT_TRUE(twin.good()) << "seed " << seed;
    EXPECT_GE(twin.steps(), run.figures.steps);
    images += twin.images();
  }
  EXPECT_GT(images, 1000U);
}

TEST(Image, ThatIsLongerThanAllowedIsNotMade) {
  const Pool pool(Genesis{});
  const auto whole = pool.image(kImageMax);
  ASSERT_TRUE(whole);
  EXPECT_TRUE(pool.image(whole->size()));
  EXPECT_FALSE(pool.image(whole->size() - 1));
}

TEST(Image, OfOtherBytesIsRefused) {
  const auto whole = Pool(Genesis{}).image(kImageMax);
  ASSERT_TRUE(Pool::from_image(*whole));
  EXPECT_FALSE(Pool::from_image(""));
  EXPECT_FALSE(Pool::from_image(*whole + '\0'));
  for (std::size_t size = 0; size < whole->size(); ++size) {
    EXPECT_FALSE(Pool::from_image(whole->substr(0, size))) << size << " bytes";
  }
}

}  // namespace
}  // namespace warmpool::sim
