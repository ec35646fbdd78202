// The table that says how a worker that died is replaced: how it is read, and what is refused.
#include "pool/recovery_rules.hpp"

#include <gtest/gtest.h>

#include "pool/options.hpp"

namespace warmpool::test {
namespace {

using S = RecoveryStrategy;

S chosen(std::string_view table, ExitCause cause, std::uint32_t deaths) {
  const auto rules = parse_recovery(table);
  return choose_recovery(*rules, cause, deaths);
}

std::string refusal(std::string_view table) {
  const auto rules = parse_recovery(table);
  return rules ? "" : rules.error().text;
}

TEST(RecoveryRules, TheFirstThatFitsApplies) {
  constexpr std::string_view table =
      "memory|out-of-memory: reset, wedged x2: recreate, * x4: custom, *: restart";
  EXPECT_EQ(chosen(table, ExitCause::Memory, 0), S::Reset);
  EXPECT_EQ(chosen(table, ExitCause::OutOfMemory, 9), S::Reset) << "before the rule for all";
  EXPECT_EQ(chosen(table, ExitCause::Wedged, 1), S::Restart);
  EXPECT_EQ(chosen(table, ExitCause::Wedged, 2), S::Recreate);
  EXPECT_EQ(chosen(table, ExitCause::Signalled, 3), S::Restart);
  EXPECT_EQ(chosen(table, ExitCause::Signalled, 4), S::Custom);
}

TEST(RecoveryRules, WhatNoneNamesIsRestarted) {
  EXPECT_EQ(chosen("memory: reset", ExitCause::Exited, 7), S::Restart);
  EXPECT_EQ(chosen("", ExitCause::Exited, 7), S::Restart);
}

TEST(RecoveryRules, MayStandInLinesOfTheirOwn) {
  EXPECT_EQ(chosen("\n  memory | protocol:reset,\n  *  x3 : recreate\n", ExitCause::Protocol, 0),
            S::Reset);
  EXPECT_EQ(chosen("\n  memory: reset,\n  *  x3 : recreate\n", ExitCause::Exited, 3), S::Recreate);
}

TEST(RecoveryRules, TheDefaultClearsThePlaceOfASlotThatFailed) {
  const auto options = default_class_options();
  EXPECT_EQ(chosen(options.recovery, ExitCause::Exited, 2), S::Restart);
  EXPECT_EQ(chosen(options.recovery, ExitCause::Exited, 3), S::Reset);
}

TEST(RecoveryRules, EachMistakeIsRefusedWithWhatMayBeGiven) {
  EXPECT_NE(refusal("memry: reset").find("'memry' is no cause of a death; give * for any"),
            std::string::npos);
  EXPECT_NE(refusal("memry: reset").find("spawn-failed"), std::string::npos);
  EXPECT_NE(refusal("requested: reset").find("no cause"), std::string::npos) << "that is no death";
  EXPECT_NE(refusal("memory|: reset").find("'' is no cause"), std::string::npos);
  EXPECT_NE(refusal("memory: rest").find("restart, reset, recreate, custom"), std::string::npos);
  EXPECT_NE(refusal("memory").find("give a cause, ':' and one of restart"), std::string::npos);
  EXPECT_NE(refusal("memory x0: reset").find("give x1 to x100"), std::string::npos);
  EXPECT_NE(refusal("memory x2y: reset").find("'x2y'"), std::string::npos);
  EXPECT_NE(refusal("memory: reset,").find("empty"), std::string::npos);
  EXPECT_NE(refusal("*: restart, memory: reset").find("can never apply"), std::string::npos);
  EXPECT_NE(refusal("* x2: restart, memory x3: reset").find("'memory x3: reset'"),
            std::string::npos);
  EXPECT_EQ(refusal("* x3: restart, memory x2: reset"), "") << "it applies at the second";
}

TEST(RecoveryRules, AreAnOptionThatNamesItself) {
  ClassOptions options = default_class_options();
  const auto set = set_option(options, "recovery", "wedged: kill");
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().text.find("recovery = 'wedged: kill': "), 0U) << set.error().text;
  options.name = "worker";
  options.command = {"worker"};
  ASSERT_TRUE(set_option(options, "recovery", "*: custom"));
  EXPECT_NE(check_options(options).error().text.find("recovery_command"), std::string::npos);
  ASSERT_TRUE(set_option(options, "recovery_command", "true"));
  EXPECT_TRUE(check_options(options));
  ASSERT_TRUE(set_option(options, "recovery_cooldown", "2m"));
  EXPECT_NE(check_options(options).error().text.find("recovery_cooldown_max (1m)"),
            std::string::npos)
      << check_options(options).error().text;
}

}  // namespace
}  // namespace warmpool::test
