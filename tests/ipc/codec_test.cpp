#include "ipc/codec.hpp"

#include <gtest/gtest.h>

#include "ipc/fault.hpp"
#include "tests/ipc/recode.hpp"
#include "tests/ipc/samples.hpp"

namespace warmpool::ipc::test {
namespace {

template <class Meta>
Refusal refused(std::string_view bytes) {
  auto meta = decode<Meta>(bytes_of(bytes));
  return meta ? Refusal{} : refusal_of(meta.error());
}

std::string raw(std::initializer_list<int> bytes) {
  std::string text;
  for (int byte : bytes) text.push_back(static_cast<char>(byte));
  return text;
}

TEST(Encode, WritesNothingWhenAllIsDefault) {
  EXPECT_EQ(encoded(HelloMeta{}), "");
  EXPECT_EQ(encoded(SubmitMeta{}), "");
  EXPECT_EQ(encoded(SettledMeta{}), "");
  EXPECT_EQ(encoded(AssignMeta{}), "");
  EXPECT_EQ(encoded(FailedMeta{}), "");
}

TEST(Encode, LeavesOutDefaultsAtTheEndOnly) {
  EXPECT_EQ(encoded(SettledMeta{.verdict = Verdict::Done,
                                .cause = EndCause::Done,
                                .charged_failures = 2,
                                .charged_crashes = 0}),
            raw({0x93, 0, 0, 2}));
  SubmitMeta submit;
  submit.timeout = Duration{5};
  EXPECT_EQ(encoded(submit), raw({0x92, 0xc0, 5}));
}

TEST(Decode, NilAndAMissingFieldAndAnEmptyMetaAreTheDefault) {
  for (const std::string& bytes :
       {std::string(), raw({0x90}), raw({0x91, 0xc0}), raw({0x92, 0xc0, 0xc0})}) {
    auto meta = decode<FailedMeta>(bytes_of(bytes));
    ASSERT_TRUE(meta);
    EXPECT_EQ(meta->outcome, Outcome::Failed);
    EXPECT_EQ(meta->retry_after, Duration{});
  }
}

TEST(Decode, NamesTheFieldThatIsWrong) {
  auto meta = decode<SettledMeta>(bytes_of(raw({0x92, 0, 0xa1, 'x'})));
  ASSERT_FALSE(meta);
  EXPECT_NE(meta.error().text.find("settled: cause"), std::string::npos) << meta.error().text;
}

TEST(Decode, RefusesWhatIsNoArrayOfTheRightShape) {
  EXPECT_EQ(refused<SettledMeta>(raw({0x00})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0xc0})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0x80})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0xc1})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0x96, 0, 0, 0, 0, 0, 0})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0x91, 0, 0})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0x90, 0x90})), Refusal::BadMeta);
}

TEST(Decode, RefusesFloatsMapsBinariesAndExtensions) {
  EXPECT_EQ(refused<SettledMeta>(raw({0x91, 0xca, 0x7f, 0xc0, 0, 0})), Refusal::BadMeta);  // NaN
  EXPECT_EQ(refused<SettledMeta>(raw({0x91, 0xca, 0, 0, 0, 0})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0x91, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0x91, 0x80})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0x91, 0xc4, 1, 0})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0x91, 0xd4, 1, 0})), Refusal::BadMeta);
}

TEST(Decode, RefusesNumbersOutsideOfTheirRange) {
  EXPECT_TRUE(decode<SettledMeta>(bytes_of(raw({0x91, 4}))));
  EXPECT_EQ(refused<SettledMeta>(raw({0x91, 5})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0x91, 0xff})), Refusal::BadMeta);  // -1
  EXPECT_TRUE(decode<SettledMeta>(bytes_of(raw({0x93, 0, 0, 0xcd, 0xff, 0xff}))));
  EXPECT_EQ(refused<SettledMeta>(raw({0x93, 0, 0, 0xce, 0, 1, 0, 0})), Refusal::BadMeta);
  EXPECT_EQ(refused<FailedMeta>(raw({0x91, 0})), Refusal::BadMeta) << "failed is never done";
  EXPECT_TRUE(decode<ProgressMeta>(bytes_of(raw({0x91, 0xcd, 0x03, 0xe8}))));
  EXPECT_EQ(refused<ProgressMeta>(raw({0x91, 0xcd, 0x03, 0xe9})), Refusal::BadMeta);
}

TEST(Decode, TakesTimesInTheRangeOfInt64) {
  EXPECT_TRUE(decode<AssignMeta>(
      bytes_of(raw({0x91, 0xcf, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}))));
  EXPECT_EQ(refused<AssignMeta>(raw({0x91, 0xcf, 0x80, 0, 0, 0, 0, 0, 0, 0})), Refusal::BadMeta);
  auto least = decode<AssignMeta>(bytes_of(raw({0x91, 0xd3, 0x80, 0, 0, 0, 0, 0, 0, 0})));
  ASSERT_TRUE(least);
  EXPECT_EQ(least->timeout.ns, std::numeric_limits<std::int64_t>::min());
}

TEST(Decode, TakesAPositiveNumberInASignedFormat) {
  auto meta = decode<AssignMeta>(bytes_of(raw({0x93, 0, 0, 0xd1, 0, 7})));
  ASSERT_TRUE(meta);
  EXPECT_EQ(meta->failures, 7);
}

TEST(Decode, RefusesTextsThatAreNoUtf8OrHaveNul) {
  EXPECT_EQ(refused<TypeNameMeta>(raw({0x91, 0xa1, 0xff})), Refusal::BadUtf8);
  EXPECT_EQ(refused<TypeNameMeta>(raw({0x91, 0xa2, 0xc0, 0x80})), Refusal::BadUtf8);
  EXPECT_EQ(refused<TypeNameMeta>(raw({0x91, 0xa1, 0x00})), Refusal::BadUtf8);
  EXPECT_EQ(refused<SubmitMeta>(raw(
                {0x9a, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0, 0x91, 0xa1, 0xff})),
            Refusal::BadUtf8);
}

TEST(Decode, TakesANameUpToItsLimitAndNotOneByteMore) {
  const auto name = [](int bytes) {
    return raw({0x91, 0xda, bytes >> 8, bytes & 255}) +
           std::string(static_cast<std::size_t>(bytes), 'n');
  };
  EXPECT_TRUE(decode<TypeNameMeta>(bytes_of(name(254))));
  EXPECT_TRUE(decode<TypeNameMeta>(bytes_of(name(255))));
  EXPECT_EQ(refused<TypeNameMeta>(name(256)), Refusal::BadMeta);
}

TEST(Decode, RefusesHugeCountsBeforeAnythingIsAllocated) {
  EXPECT_EQ(refused<SettledMeta>(raw({0xdd, 0xff, 0xff, 0xff, 0xff})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0xdf, 0xff, 0xff, 0xff, 0xff})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0x91, 0xdb, 0xff, 0xff, 0xff, 0xff})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0x91, 0xc6, 0xff, 0xff, 0xff, 0xff})), Refusal::BadMeta);
  EXPECT_EQ(refused<SettledMeta>(raw({0x91, 0xc9, 0xff, 0xff, 0xff, 0xff, 1})), Refusal::BadMeta);
  EXPECT_EQ(refused<RequestMeta>(raw({0x92, 7, 0xdd, 0xff, 0xff, 0xff, 0xff})), Refusal::BadMeta);
}

TEST(Decode, RefusesDepth) {
  const std::string deep(1'000'000, '\x91');
  EXPECT_EQ(refused<SubmitMeta>(deep), Refusal::BadMeta);
  EXPECT_EQ(refused<RequestMeta>(deep), Refusal::BadMeta);
  EXPECT_EQ(refused<RequestMeta>(raw({0x92, 7, 0x91, 0x91, 1})), Refusal::BadMeta);
}

TEST(Decode, RefusesEveryTruncationOfEveryMeta) {
  for (const Sample& one : samples()) {
    for (std::size_t kept = 1; kept < one.meta.size(); ++kept) {
      auto cut = recode(one.header.kind, bytes_of(one.meta).first(kept));
      EXPECT_FALSE(cut) << one.name << " cut at " << kept;
    }
  }
}

TEST(Decode, SurvivesEveryChangeOfOneByteOfEveryMeta) {
  for (const Sample& one : samples()) {
    for (std::size_t at = 0; at < one.meta.size(); ++at) {
      std::string changed = one.meta;
      for (int byte = 0; byte < 256; ++byte) {
        changed[at] = static_cast<char>(byte);
        auto again = recode(one.header.kind, bytes_of(changed));
        const bool stable = !again || recode(one.header.kind, bytes_of(*again));
        EXPECT_TRUE(stable) << one.name;
      }
    }
  }
}

TEST(Decode, TakesLabelsUpToTheirLimits) {
  SubmitMeta meta;
  const std::string label(255, 'l');
  meta.labels.assign(32, label);
  const std::string most = encoded(meta);
  auto again = decode<SubmitMeta>(bytes_of(most));
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_EQ(again->labels, meta.labels);
  std::string more = encoded(SubmitMeta{.labels = {"x"}});
  more.replace(more.size() - 3, 3, raw({0xdc, 0, 33}) + std::string(33, '\xa0'));
  EXPECT_EQ(refused<SubmitMeta>(more), Refusal::BadMeta);
}

TEST(Request, WrongVerbsAndArgumentsAreRefusedWithoutBreakingTheConnection) {
  const auto soft = [](std::initializer_list<int> bytes) {
    return refused<RequestMeta>(raw(bytes)) == Refusal::BadArgument;
  };
  EXPECT_TRUE(soft({0x90})) << "no verb";
  EXPECT_EQ(refused<RequestMeta>(""), Refusal::BadArgument) << "no verb";
  EXPECT_TRUE(soft({0x91, 0})) << "no such verb";
  EXPECT_TRUE(soft({0x91, 17})) << "no such verb";
  EXPECT_TRUE(soft({0x91, 0xcd, 1, 1})) << "257 is not verb 1";
  EXPECT_TRUE(soft({0x91, 0xff})) << "verb -1";
  EXPECT_TRUE(soft({0x92, 1, 1})) << "status has no argument";
  EXPECT_TRUE(soft({0x91, 4})) << "show needs a task";
  EXPECT_TRUE(soft({0x92, 4, 0xc0})) << "show needs a task, nil is none";
  EXPECT_TRUE(soft({0x92, 4, 0xa1, 'x'})) << "a task is a number";
  EXPECT_TRUE(soft({0x92, 10, 1})) << "drain takes a flag";
  EXPECT_TRUE(soft({0x94, 9, 0xc0, 3, 1})) << "scale has no mode 3";
  EXPECT_TRUE(soft({0x94, 9, 0xc0, 0, 0xce, 0, 1, 0, 0})) << "65,536 workers";
  EXPECT_TRUE(soft({0x92, 7, 0x91, 0xc3})) << "a list of ids has numbers";
  EXPECT_TRUE(decode<RequestMeta>(bytes_of(raw({0x94, 9, 0xc0, 2, 0xcd, 0xff, 0xff}))));
}

TEST(Request, AnEmptyListIsNotAllTasks) {
  auto none = decode<RequestMeta>(bytes_of(raw({0x92, 7, 0x90})));
  ASSERT_TRUE(none);
  EXPECT_TRUE(std::holds_alternative<std::vector<std::uint64_t>>(none->arguments[0]));
  auto all = decode<RequestMeta>(bytes_of(raw({0x91, 7})));
  ASSERT_TRUE(all);
  EXPECT_TRUE(std::holds_alternative<std::monostate>(all->arguments[0]));
}

TEST(Request, TakesIdsUpToTheirLimit) {
  std::vector<std::uint64_t> ids(4'096, 1);
  EXPECT_TRUE(decode<RequestMeta>(bytes_of(encoded(RequestMeta{Verb::DeadRetry, {ids}}))));
  ids.push_back(1);
  const std::string more = encoded(RequestMeta{Verb::DeadRetry, {ids}});
  EXPECT_EQ(refused<RequestMeta>(more), Refusal::BadMeta);
}

TEST(Received, IsAWholeNumberOfIds) {
  std::string bytes;
  encode_received(std::vector<std::uint64_t>{1, 0x0102030405060708}, bytes);
  auto tasks = decode_received(bytes_of(bytes));
  ASSERT_TRUE(tasks);
  EXPECT_EQ(*tasks, (std::vector<std::uint64_t>{1, 0x0102030405060708}));
  EXPECT_TRUE(decode_received({}));
  EXPECT_FALSE(decode_received(bytes_of(bytes).first(9)));
}

Refusal submit_refused(const SubmitMeta& meta) {
  auto good = check_submit(meta);
  return good ? Refusal{} : refusal_of(good.error());
}

TEST(SubmitCheck, HoldsEachLimitExactly) {
  const Refusal good{};
  EXPECT_EQ(submit_refused({.priority = 100}), good);
  EXPECT_EQ(submit_refused({.priority = 101}), Refusal::BadPriority);
  EXPECT_EQ(submit_refused({.retries = 1'000}), good);
  EXPECT_EQ(submit_refused({.retries = 1'001}), Refusal::BadRetries);
  EXPECT_EQ(submit_refused({.crashes_max = 1'001}), Refusal::BadRetries);
  EXPECT_EQ(submit_refused({.timeout = Duration{1}}), good);
  EXPECT_EQ(submit_refused({.timeout = Duration{0}}), Refusal::BadTime);
  EXPECT_EQ(submit_refused({.timeout = Duration{-1}}), Refusal::BadTime);
  EXPECT_EQ(submit_refused({.timeout = kDurationMax}), good);
  EXPECT_EQ(submit_refused({.timeout = kDurationMax + Duration{1}}), Refusal::BadTime);
  EXPECT_EQ(submit_refused({.deadline = Duration{0}}), Refusal::BadTime);
  EXPECT_EQ(submit_refused({.expiry = Duration{0}}), Refusal::BadTime);
  EXPECT_EQ(submit_refused({.delay = Duration{0}}), good);
  EXPECT_EQ(submit_refused({.delay = Duration{-1}}), Refusal::BadTime);
  EXPECT_EQ(submit_refused({.run_at = WallTime{0}}), Refusal::BadTime);
  EXPECT_EQ(submit_refused({.delay = Duration{1}, .run_at = WallTime{1}}), Refusal::BadArgument);
}

TEST(SubmitCheck, AKeyHas1To255Bytes) {
  const std::string key(256, 'k');
  EXPECT_EQ(submit_refused({.key = ""}), Refusal::BadKey);
  EXPECT_EQ(submit_refused({.key = std::string_view(key).substr(0, 1)}), Refusal{});
  EXPECT_EQ(submit_refused({.key = std::string_view(key).substr(0, 255)}), Refusal{});
  EXPECT_EQ(submit_refused({.key = key}), Refusal::BadKey);
}

TEST(Utf8, TakesWhatTheStandardTakes) {
  for (const char* good : {"", "a", "plain text of some length", "ü", "€", "😀", "12345678ü", "\x7f",
                           "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                           "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << good;
  }
  for (const char* bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xe0\x9f\xbf", "\xe0\xa0", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf0\x90\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "\xff", "12345678\xff"}) {
    EXPECT_FALSE(is_utf8(bad));
  }
}

TEST(CutText, NeverCutsACharacter) {
  EXPECT_EQ(cut_text("abc", 5), "abc");
  EXPECT_EQ(cut_text("abc", 2), "ab");
  EXPECT_EQ(cut_text("aü", 2), "a");
  EXPECT_EQ(cut_text("aü", 3), "aü");
  EXPECT_EQ(cut_text("abcdefghijü", 11), "abcdefghij");
  EXPECT_EQ(cut_text("ab\xff"
                     "cd",
                     5),
            "ab");
  EXPECT_EQ(cut_text(std::string_view("ab\0cd", 5), 5), "ab");
}

}  // namespace
}  // namespace warmpool::ipc::test
