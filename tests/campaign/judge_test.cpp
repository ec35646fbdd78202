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

std::uint64_t violations(const Entry& one, const Runs& runs = kRanOnce) {
  Report report("");
  judge({&one}, runs, report);
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

}  // namespace
}  // namespace warmpool::campaign
