// What ctest runs of the simulator; CI runs millions of steps more with the program.
#include <gtest/gtest.h>

#include "pool/breaker_machine.hpp"
#include "pool/describe.hpp"
#include "pool/slot_machine.hpp"
#include "pool/task_machine.hpp"
#include "tests/sim/run.hpp"

namespace warmpool::sim {
namespace {

std::uint64_t hash_of(std::uint64_t seed) {
  Trace trace(false);
  (void)run_seed(seed, &trace);
  return trace.hash();
}

TEST(Simulator, GivesTheSameRunForTheSameSeed) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) EXPECT_EQ(hash_of(seed), hash_of(seed));
  EXPECT_NE(hash_of(1), hash_of(2));
}

TEST(Simulator, RunsTheSameWithAndWithoutATrace) {
  Trace trace(false);
  const auto traced = run_seed(7, &trace), plain = run_seed(7, nullptr);
  EXPECT_EQ(traced.figures.steps, plain.figures.steps);
  EXPECT_EQ(traced.figures.virtual_time, plain.figures.virtual_time);
}

TEST(Simulator, FindsNoBrokenRuleInASampleOfSeeds) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const RunResult result = run_seed(seed, nullptr);
    ASSERT_FALSE(result.violation)
        << "rule " << result.violation->rule << ", seed " << seed << " at " << describe(result.at)
        << ": " << result.violation->text << "\nreplay: warmpool-sim --seed " << seed << " --trace";
  }
}

TEST(Simulator, RefusesWordsOfConfigThatItDoesNotKnow) {
  EXPECT_TRUE(parse_forced("poison,hang,slots=2,credits=16"));
  const auto wrong = parse_forced("poison,hangs");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().text.find("'hangs' is unknown"), std::string::npos);
  EXPECT_FALSE(parse_forced("slots=0"));
}

TEST(Simulator, ForcesOnlyWhatWasAskedFor) {
  Scenario scenario = draw_scenario(3);
  force(scenario, *parse_forced("poison,slots=2"));
  EXPECT_TRUE(scenario.has(Fault::Poison));
  EXPECT_EQ(scenario.faults.count(), 1U);
  for (const auto& declared : scenario.classes) EXPECT_EQ(declared.options.size, 2U);
}

TEST(SimulatorSlow, TakesEveryRowOfEveryTransitionTable) {
  std::vector<std::uint64_t> slots(kSlotRows.size()), tasks(kTaskRows.size()),
      breakers(kBreakerRows.size()), recoveries(kRecoveryRows.size());
  for (std::uint64_t seed = 1; seed <= 1400; ++seed) {
    const RowHits hits = run_seed(seed, nullptr).figures.hits;
    for (std::size_t i = 0; i < slots.size(); ++i) slots[i] += hits.slots[i];
    for (std::size_t i = 0; i < tasks.size(); ++i) tasks[i] += hits.tasks[i];
    for (std::size_t i = 0; i < breakers.size(); ++i) breakers[i] += hits.breakers[i];
    for (std::size_t i = 0; i < recoveries.size(); ++i) recoveries[i] += hits.recoveries[i];
  }
  for (std::size_t i = 0; i < slots.size(); ++i) {
    EXPECT_GT(slots[i], 0U) << name_of(kSlotRows[i].from) << " --" << name_of(kSlotRows[i].on)
                            << "--> " << name_of(kSlotRows[i].to);
  }
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    EXPECT_GT(tasks[i], 0U) << name_of(kTaskRows[i].from) << " --" << name_of(kTaskRows[i].on)
                            << "--> " << name_of(kTaskRows[i].to);
  }
  for (std::size_t i = 0; i < breakers.size(); ++i) {
    EXPECT_GT(breakers[i], 0U) << name_of(kBreakerRows[i].from) << " --"
                               << name_of(kBreakerRows[i].on) << "--> "
                               << name_of(kBreakerRows[i].to);
  }
  for (std::size_t i = 0; i < recoveries.size(); ++i) {
    EXPECT_GT(recoveries[i], 0U) << name_of(kRecoveryRows[i].from) << " --"
                                 << name_of(kRecoveryRows[i].on) << "--> "
                                 << name_of(kRecoveryRows[i].to);
  }
}

}  // namespace
}  // namespace warmpool::sim
