// Options: every row has a sound default, and nonsense is refused by name.
#include "pool/options.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace warmpool::test {
namespace {

TEST(Options, EveryDefaultIsInRangeAndReadsBack) {
  Options options = default_options();
  for (const auto& row : pool_option_rows()) {
    const std::string text = option_text(options, row);
    EXPECT_TRUE(set_option(options, row.name, text)) << row.name << " = " << text;
    EXPECT_EQ(option_text(options, row), text) << row.name;
    EXPECT_FALSE(row.help.empty()) << row.name;
  }
  ClassOptions of_class = default_class_options();
  for (const auto& row : class_option_rows()) {
    if (row.kind == OptionKind::Texts) continue;
    EXPECT_TRUE(set_option(of_class, row.name, option_text(of_class, row))) << row.name;
  }
  TypeOptions of_type;
  for (const auto& row : type_option_rows()) {
    EXPECT_TRUE(row.default_text.empty()) << row.name;
    EXPECT_TRUE(set_option(of_type, row.name, option_text(of_type, row))) << row.name;
  }
  EXPECT_TRUE(check_options(options));
}

// What a type does not say is the pool's, so each of its options has a row of the pool's; but what
// its runs need is its own.
TEST(Options, OfATypeAreThePoolsByNameKindAndRange) {
  for (const auto& row : type_option_rows()) {
    if (row.name == "name" || row.name == "memory") continue;
    const auto pool = pool_option_rows();
    const auto same = std::ranges::find(pool, row.name, &OptionRow<Options>::name);
    ASSERT_NE(same, pool.end()) << row.name;
    EXPECT_EQ(same->kind, row.kind) << row.name;
    EXPECT_EQ(same->minimum, row.minimum) << row.name;
    EXPECT_EQ(same->maximum, row.maximum) << row.name;
    EXPECT_EQ(same->help, row.help) << row.name;
  }
}

TEST(Options, NamesAreUnique) {
  for (const auto& row : pool_option_rows()) {
    int times = 0;
    for (const auto& other : pool_option_rows()) times += other.name == row.name;
    EXPECT_EQ(times, 1) << row.name;
  }
}

TEST(Options, TimesNeedAUnit) {
  EXPECT_EQ(parse_duration("90s")->ns, seconds(90).ns);
  EXPECT_EQ(parse_duration("1h30m")->ns, minutes(90).ns);
  EXPECT_EQ(parse_duration("250us")->ns, microseconds(250).ns);
  EXPECT_EQ(parse_duration("0")->ns, 0);
  EXPECT_EQ(parse_duration("3660d")->ns, kDurationMax.ns);
  for (const char* wrong :
       {"", "5", "s", "5x", "-5s", "5 s", "3661d", "99999999999999999999s", "1.5s"}) {
    EXPECT_FALSE(parse_duration(wrong)) << wrong;
  }
}

TEST(Options, SizesTakeBothKindsOfUnits) {
  EXPECT_EQ(*parse_bytes("512MiB"), 512ULL << 20);
  EXPECT_EQ(*parse_bytes("1kB"), 1000U);
  EXPECT_EQ(*parse_bytes("7"), 7U);
  for (const char* wrong : {"", "MiB", "1TB", "-1", "1MiBx", "99999999999GiB"}) {
    EXPECT_FALSE(parse_bytes(wrong)) << wrong;
  }
}

TEST(Options, OutOfRangeNamesTheRange) {
  Options options = default_options();
  const auto set = set_option(options, "priority", "101");
  ASSERT_FALSE(set);
  EXPECT_NE(set.error().text.find("priority = '101'"), std::string::npos);
  EXPECT_NE(set.error().text.find("0 to 100"), std::string::npos);
}

TEST(Options, SpinIsOffAndMillisecondsAtMost) {
  Options options = default_options();
  EXPECT_EQ(options.spin, Duration{});
  EXPECT_TRUE(set_option(options, "spin", "50us"));
  EXPECT_EQ(options.spin, microseconds(50));
  for (const char* wrong : {"50", "11ms", "on", "-1us"}) {
    const auto set = set_option(options, "spin", wrong);
    ASSERT_FALSE(set) << wrong;
    EXPECT_NE(set.error().text.find("spin = '"), std::string::npos) << set.error().text;
  }
  EXPECT_EQ(options.spin, microseconds(50));
}

TEST(Options, UnknownNamesAndChoicesAreRefused) {
  Options options = default_options();
  EXPECT_FALSE(set_option(options, "nonsense", "1"));
  EXPECT_FALSE(set_option(options, "log_level", "loud"));
  EXPECT_FALSE(set_option(options, "log_level", ""));
  EXPECT_TRUE(set_option(options, "log_level", "debug"));
  ClassOptions of_class = default_class_options();
  EXPECT_FALSE(set_option(of_class, "types_later", "maybe"));
  EXPECT_TRUE(set_option(of_class, "types_later", "on"));
  EXPECT_TRUE(of_class.types_later);
}

TEST(Options, LimitsNeedNotBeSetAndMayBeUnlimited) {
  ClassOptions options = default_class_options();
  EXPECT_FALSE(options.nice || options.open_files || options.address_space || options.cpu_time);
  EXPECT_TRUE(set_option(options, "nice", "-5"));
  EXPECT_TRUE(set_option(options, "open_files", "4096"));
  EXPECT_TRUE(set_option(options, "address_space", "2GiB"));
  EXPECT_TRUE(set_option(options, "core_size", "unlimited"));
  EXPECT_TRUE(set_option(options, "cpu_time", "1h"));
  EXPECT_EQ(options.nice, -5);
  EXPECT_EQ(options.open_files, 4096U);
  EXPECT_EQ(options.address_space, 2ULL << 30);
  EXPECT_EQ(options.core_size, kUnlimited);
  EXPECT_EQ(options.cpu_time, hours(1));
  const auto text = [&](std::string_view name) {
    const auto rows = class_option_rows();
    return option_text(options, *std::ranges::find(rows, name, &OptionRow<ClassOptions>::name));
  };
  EXPECT_EQ(text("core_size"), "unlimited");
  EXPECT_EQ(text("address_space"), "2GiB");
  EXPECT_EQ(text("nice"), "-5");
  EXPECT_EQ(text("processes"), "");
  EXPECT_TRUE(set_option(options, "nice", ""));
  EXPECT_FALSE(options.nice);
  for (const auto& [name, wrong] : {std::pair{"nice", "20"},
                                    {"nice", "-21"},
                                    {"nice", "low"},
                                    {"nice", "unlimited"},
                                    {"open_files", "15"},
                                    {"address_space", "1MiB"},
                                    {"cpu_time", "5"},
                                    {"processes", "0"},
                                    {"core_size", "-1"}}) {
    EXPECT_FALSE(set_option(options, name, wrong)) << name << " = " << wrong;
  }
}

TEST(Options, MasksAreThreeOctalDigits) {
  EXPECT_EQ(*parse_mask("077"), 077U);
  EXPECT_EQ(*parse_mask("000"), 0U);
  for (const char* wrong : {"", "77", "0077", "088", "-77", "07x", " 77"}) {
    EXPECT_FALSE(parse_mask(wrong)) << wrong;
  }
  ClassOptions options = default_class_options();
  EXPECT_EQ(options.umask, "077");
  EXPECT_TRUE(set_option(options, "umask", "027"));
  EXPECT_FALSE(set_option(options, "umask", "63"));
  EXPECT_EQ(options.umask, "027");
}

TEST(Options, CpusAreNumbersAndRanges) {
  EXPECT_EQ(*parse_cpus("0"), std::vector{0});
  EXPECT_EQ(*parse_cpus("8,0-2,1"), (std::vector{0, 1, 2, 8}));
  EXPECT_EQ(*parse_cpus("1023"), std::vector{1023});
  for (const char* wrong : {"", ",", "0,", ",0", "3-1", "0-", "-1", "0--1", "1024", "0-2000", "a",
                            "0 1", "0-1-2", "99999999999"}) {
    EXPECT_FALSE(parse_cpus(wrong)) << wrong;
  }
  ClassOptions options = default_class_options();
  EXPECT_TRUE(set_option(options, "cpus", ""));
  EXPECT_FALSE(set_option(options, "cpus", "all"));
}

TEST(Options, DeadBeforeUnresponsiveIsRefused) {
  Options options = default_options();
  options.dead_after = seconds(10);
  const auto checked = check_options(options);
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().text.find("dead_after (10s)"), std::string::npos);
}

TEST(Options, ClassesNeedNameCommandAndASizeWithinItsLimits) {
  ClassOptions options = default_class_options();
  EXPECT_FALSE(check_options(options));
  options.name = "a";
  EXPECT_FALSE(check_options(options));
  options.command = {"x"};
  EXPECT_TRUE(check_options(options));
  options.size = 51;
  EXPECT_FALSE(check_options(options));
  options.size = 20;
  options.concurrency = 2;
  EXPECT_TRUE(check_options(options)) << "credits suit it";
  options.credits = 1;
  EXPECT_FALSE(check_options(options)) << "credits below concurrency";
}

TEST(Options, CreditsAreManyUnlessAClassWantsEachTaskToFindAProcessOfItsOwn) {
  ClassOptions options = default_class_options();
  EXPECT_EQ(credits_of(options), 16U);
  options.concurrency = 40;
  EXPECT_EQ(credits_of(options), 40U);
  options.concurrency = 2;
  options.descendants = "kill";
  EXPECT_EQ(credits_of(options), 2U);
  options.descendants = "count";
  options.directory = "fresh";
  EXPECT_EQ(credits_of(options), 2U);
  options.credits = 8;
  EXPECT_EQ(credits_of(options), 8U) << "what is set holds";
  options.directory = "none";
  options.credits.reset();
  options.max_tasks = 1;
  EXPECT_EQ(credits_of(options), 2U);
  options.credits = 1;
  options.concurrency = 1;
  EXPECT_EQ(credits_of(options), 1U);
}

TEST(Options, DirectoriesOfAClassAreOneThingOrTheOther) {
  auto options = default_class_options();
  options.name = "builds";
  options.command = {"/bin/true"};
  ASSERT_TRUE(check_options(options));
  options.directory_prepare = {"fill"};
  auto checked = check_options(options);
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().text.find("directory = \"kept\" or \"fresh\""), std::string::npos);
  options.directory = "fresh";
  options.working_directory = "/srv";
  EXPECT_TRUE(check_options(options));
  options.directory = "kept";
  checked = check_options(options);
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().text.find("(/srv)"), std::string::npos);
  EXPECT_FALSE(set_option(options, "directory", "sometimes"));
}

TEST(Options, DurationsPrintInTheirLargestWholeUnit) {
  EXPECT_EQ(duration_text(seconds(90)), "90s");
  EXPECT_EQ(duration_text(hours(24)), "1d");
  EXPECT_EQ(duration_text(Duration{}), "0s");
  EXPECT_EQ(bytes_text(64ULL << 20), "64MiB");
  EXPECT_EQ(bytes_text(1000), "1000");
}

}  // namespace
}  // namespace warmpool::test
