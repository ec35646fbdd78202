// Each kind of broken promise must be found, and what is allowed must not.
#include "tests/campaign/judge.hpp"

#include <gtest/gtest.h>

namespace warmpool::campaign {
namespace {

Entry entry(std::vector<std::uint64_t> ids, std::vector<Told> told,
            Durability durability = Durability::Full) {
  Entry one;
  one.task.type = "work";
  one.task.key = "key";
  one.task.durability = durability;
  one.ids = std::move(ids);
  one.told = std::move(told);
  return one;
}

Told done(std::uint64_t id, std::uint64_t at = 100) {
  return {id, Verdict::Done, 1, 1, "result", at};
}

const Runs kRanOnce = {{1, {1, 1, 50}}, {2, {1, 1, 60}}};

std::uint64_t violations(const Entry& one, const Runs& runs = kRanOnce,
                         const Deaths* deaths = nullptr) {
  Report report("");
  judge({&one}, runs, report, deaths);
  return report.violations();
}

TEST(Judge, FindsNothingWhereEachIsToldOneEnd) {
  EXPECT_EQ(violations(entry({1}, {done(1)})), 0U);
  EXPECT_EQ(violations(entry({1}, {done(1), done(1, 200)})), 0U) << "told again, the same";
}

TEST(Judge, FindsALostTask) {
  EXPECT_EQ(violations(entry({1}, {})), 1U);
  EXPECT_EQ(violations(entry({}, {})), 1U) << "never acknowledged";
}

TEST(Judge, FindsAKeyThatBecameTwoTasks) {
  EXPECT_EQ(violations(entry({1, 2}, {done(2)})), 1U);
  EXPECT_EQ(violations(entry({1, 2}, {done(2)}, Durability::None)), 0U) << "was in memory only";
  auto cancelled = entry({1, 2}, {done(2)});
  cancelled.cancel_asked = true;
  EXPECT_EQ(violations(cancelled), 0U) << "the key was free";
}

TEST(Judge, FindsASecondCompletion) {
  auto other = done(1, 200);
  other.result = "of another run";
  EXPECT_EQ(violations(entry({1}, {done(1), other})), 1U);
}

TEST(Judge, FindsARunAfterTheEndWasTold) {
  EXPECT_EQ(violations(entry({1}, {done(1)}), {{1, {1, 1, 50}}, {1, {1, 2, 150}}}), 1U);
}

TEST(Judge, FindsAnEndThatNoRunLedTo) {
  EXPECT_EQ(violations(entry({1}, {done(1)}), {}), 1U);
  auto died = done(1);
  died.verdict = Verdict::Dead;
  EXPECT_EQ(violations(entry({1}, {died})), 1U) << "it was made to be done";
}

TEST(Judge, FindsACancelThatNobodyAskedFor) {
  auto told = done(1);
  told.verdict = Verdict::Cancelled;
  auto one = entry({1}, {told});
  EXPECT_EQ(violations(one), 1U);
  one.cancel_asked = true;
  EXPECT_EQ(violations(one), 0U);
}

TEST(Judge, JudgesEachRoundByItself) {
  auto died = done(1);
  died.verdict = Verdict::Dead;
  auto lived = done(1, 300);
  lived.round = 2;
  auto one = entry({1}, {died, lived});
  one.task.type = "reviving";
  const Runs runs = {{1, {1, 1, 50}}, {1, {2, 1, 200}}};
  EXPECT_EQ(violations(one, runs), 0U);
  const Runs old_round = {{1, {1, 1, 50}}, {1, {1, 2, 250}}, {1, {2, 1, 260}}};
  EXPECT_EQ(violations(one, old_round), 1U) << "the first round ran after its end";
  one.told.push_back(lived);
  one.told.back().result = "of another run";
  EXPECT_EQ(violations(one, runs), 1U);
}

TEST(Judge, FindsTwoRunsAtOnce) {
  const Runs one_by_one = {{1, {1, 1, 50, 7, 60}}, {1, {1, 2, 61, 8, 70}}};
  EXPECT_EQ(violations(entry({1}, {done(1)}), one_by_one), 0U);
  const Runs at_once = {{1, {1, 1, 50, 7, 60}}, {1, {1, 2, 55, 8, 70}}};
  EXPECT_EQ(violations(entry({1}, {done(1)}), at_once), 1U);
}

TEST(Judge, FindsARunThatNothingWasTheReasonFor) {
  const Runs twice = {{1, {1, 1, 50}}, {1, {1, 1, 60}}};
  auto one = entry({1}, {done(1)});
  one.submitted_at = 40;
  const Deaths none;
  EXPECT_EQ(violations(one, twice, &none), 1U);
  const Deaths before{.lives = {{30, 30}}, .workers = {{30, 30}}}, after{.lives = {{110, 110}}};
  EXPECT_EQ(violations(one, twice, &before), 1U);
  EXPECT_EQ(violations(one, twice, &after), 1U);
  const Deaths of_life{.lives = {{55, 55}}}, of_worker{.workers = {{55, 55}}};
  EXPECT_EQ(violations(one, twice, &of_life), 0U);
  EXPECT_EQ(violations(one, twice, &of_worker), 0U);
  one.task.type = "flaky";
  one.task.payload = "1";
  one.told[0].failures = 1;
  EXPECT_EQ(violations(one, twice, &none), 0U) << "it failed once, as it was made to";
}

TEST(Judge, FindsAChargeThatNothingWasTheReasonFor) {
  const Deaths none, of_worker{.workers = {{55, 55}}};
  auto failed = entry({1}, {done(1)});
  failed.told[0].failures = 1;
  EXPECT_EQ(violations(failed, kRanOnce, &none), 1U);
  auto crashed = entry({1}, {done(1)});
  crashed.told[0].crashes = 1;
  EXPECT_EQ(violations(crashed, kRanOnce, &none), 1U);
  EXPECT_EQ(violations(crashed, kRanOnce, &of_worker), 0U);
  crashed.task.type = "crashing";
  EXPECT_EQ(violations(crashed, kRanOnce, &none), 0U);
  crashed.told[0].crashes = 0;
  EXPECT_EQ(violations(crashed, kRanOnce, &none), 1U) << "its own crash is not charged";
}

}  // namespace
}  // namespace warmpool::campaign
