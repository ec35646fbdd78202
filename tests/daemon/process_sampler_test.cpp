#include "daemon/process/process_sampler.hpp"

#include <csignal>

#include <gtest/gtest.h>

#include "daemon/process/tree_memory.hpp"
#include "tests/daemon/process_fixture.hpp"

namespace warmpool::daemon {
namespace {

class Sampler : public ProcessTest {};

TEST_F(Sampler, SeesCpuTimeGrowWhileItSpins) {
  const Child child = spawn(shell("while :; do :; done"));
  auto sampler = ProcessSampler::open(child.pid);
  ASSERT_TRUE(sampler) << sampler.error().text;
  EXPECT_TRUE(eventually([&] {
    const auto sample = sampler->sample();
    return sample && sample->state == 'R' && sample->cpu_time >= milliseconds(30);
  }));
  port_->kill_tree(child.worker);
  wait_burial(child);
  EXPECT_FALSE(sampler->sample().has_value());
}

TEST_F(Sampler, SeesStopAndGoingOn) {
  const Child child = spawn(spec({"/bin/sleep", "1000"}));
  auto sampler = ProcessSampler::open(child.pid);
  ASSERT_TRUE(sampler);
  ASSERT_TRUE(port_->signal(child.worker, SIGSTOP));
  EXPECT_TRUE(eventually([&] { return sampler->sample()->stopped(); }));
  ASSERT_TRUE(port_->signal(child.worker, SIGCONT));
  EXPECT_TRUE(eventually([&] { return sampler->sample()->state == 'S'; }));
  port_->kill_tree(child.worker);
  wait_burial(child);
}

TEST_F(Sampler, MemoryIsSeenByItsOwnReader) {
  const Child child =
      spawn(python("b = bytearray(64 << 20)\nfor i in range(0, len(b), 4096): b[i] = 1\n"
                   "print('full', flush=True)\nimport time\nwhile True: time.sleep(100)"));
  ASSERT_EQ(read_line(child.output.get()), "full");
  const auto figure = TreeMemory(child.pid).measure(MemoryLook::Quick);
  ASSERT_TRUE(figure);
  EXPECT_GT(figure->rss_bytes, std::uint64_t{64} << 20);
  EXPECT_LT(figure->rss_bytes, std::uint64_t{128} << 20);
  EXPECT_GT(figure->own_bytes, std::uint64_t{64} << 20);
  port_->kill_tree(child.worker);
  wait_burial(child);
}

TEST(SamplerText, NameMayHoldBlanksAndParentheses) {
  const auto sample = parse_stat("42 (a) R 1 (b)) T 1 2 3 4 5 6 7 8 9 10 250 150 0 0 20\n");
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->state, 'T');
  EXPECT_EQ(sample->cpu_time, seconds(4));  // 400 ticks of 10 ms
  EXPECT_TRUE(sample->stopped());
}

TEST(SamplerText, BrokenTextIsNoSample) {
  for (const auto* text :
       {"", "42", "42 (sh", "42 (sh)", "42 (sh) ", "42 (sh) R", "42 (sh) R 1 2 3"}) {
    EXPECT_FALSE(parse_stat(text)) << text;
  }
}

TEST_F(Sampler, MissingProcessIsAnError) { EXPECT_FALSE(ProcessSampler::open(0x7FFFFFFF)); }

}  // namespace
}  // namespace warmpool::daemon
