#include "client/cli/format.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "client/cli/context.hpp"
#include "client/cli/document.hpp"
#include "client/cli/json_text.hpp"
#include "client/cli/progress.hpp"

namespace warmpool::cli {
namespace {

TEST(Format, ShortDurationsKeepTwoUnitsAtMost) {
  EXPECT_EQ(short_duration({0}), "0s");
  EXPECT_EQ(short_duration({7}), "7ns");
  EXPECT_EQ(short_duration({850'000}), "850us");
  EXPECT_EQ(short_duration({12'340'000}), "12.3ms");
  EXPECT_EQ(short_duration(seconds(4)), "4s");
  EXPECT_EQ(short_duration(seconds(192)), "3m12s");
  EXPECT_EQ(short_duration(hours(2) + minutes(5)), "2h5m");
  EXPECT_EQ(short_duration(hours(147)), "6d3h");
  EXPECT_EQ(short_duration(seconds(-60)), "-1m");
}

TEST(Format, BytesHaveOneDigitBehindThePoint) {
  EXPECT_EQ(short_bytes(512), "512B");
  EXPECT_EQ(short_bytes(5'374'000), "5.1MiB");
  EXPECT_EQ(short_bytes(200U << 10), "200KiB");
}

TEST(Format, GroupsDigits) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1'234'567), "1,234,567");
}

TEST(Format, TimesOfDayGoBothWays) {
  const auto time = parse_wall("2026-11-23T07:00:00.25+01:00");
  ASSERT_TRUE(time);
  EXPECT_EQ(wall_text(*time), "2026-11-23T06:00:00.250Z");
  EXPECT_EQ(parse_wall("1970-01-01 00:00:01Z").value().ns, 1'000'000'000);
  EXPECT_EQ(parse_wall("2024-02-29T00:00:00-00:30").value().ns, 1'709'166'600'000'000'000);
  for (const char* bad : {"", "tomorrow", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
                          "2026-11-23T07:00:00", "2026-11-23T24:00:00Z", "2026-11-23T07:00:00Zx",
                          "2026-11-23T07:00:00.Z", "1969-01-01T00:00:00Z", "2026-1-2T00:00:00Z"}) {
    EXPECT_FALSE(parse_wall(bad)) << bad;
  }
}

TEST(Format, PrioritiesHaveNames) {
  EXPECT_EQ(parse_priority("P0").value(), 0U);
  EXPECT_EQ(parse_priority("P1").value(), 10U);
  EXPECT_EQ(parse_priority("P2").value(), 100U);
  EXPECT_EQ(parse_priority("42").value(), 42U);
  for (const char* bad : {"", "P3", "101", "-1", "1x"}) {
    EXPECT_FALSE(parse_priority(bad)) << bad;
  }
}

TEST(Format, IdsAreDecimal) {
  EXPECT_EQ(parse_id("1099511627777").value(), 1'099'511'627'777U);
  for (const char* bad : {"", "0", "0x10", "-1", "18446744073709551616"}) {
    EXPECT_FALSE(parse_id(bad)) << bad;
  }
}

TEST(Format, Base64GoesBothWays) {
  for (const char* text : {"", "f", "fo", "foo", "foob", "\xff\xfe"}) {
    EXPECT_EQ(from_base64(base64(text)), text);
  }
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  for (const char* bad : {"Z", "Zg=", "Zm9*", "=m9v", "Zg==Zg=="}) {
    EXPECT_FALSE(from_base64(bad)) << bad;
  }
}

TEST(Format, NearestWordIsNear) {
  EXPECT_EQ(nearest("sttaus", {"status", "stop"}), "status");
  EXPECT_EQ(nearest("zzz", {"status", "stop"}), "");
}

TEST(Format, TablesAlignAndLeaveOutWhatNobodyHas) {
  Table table({"NAME", "N", "NONE"});
  table.add({"a", "1", "-"});
  table.add({"größe", "100", "-"});
  EXPECT_EQ(table.text(false),
            "NAME     N\n"
            "a        1\n"
            "größe  100\n");
}

TEST(Json, StringsAreEscapedAndOtherBytesAreBase64) {
  EXPECT_EQ(json_string("a\"\\\n\x01ü"), "\"a\\\"\\\\\\n\\u0001ü\"");
  EXPECT_EQ(json_string("\xff"), "{\"base64\":\"/w==\"}");
}

TEST(JsonText, OfAnErrorStaysReadable) {
  EXPECT_EQ(readable_text("a\"\n\u00fc\U0001f600"), "a\"\n\u00fc\U0001f600");
  EXPECT_EQ(readable_text("no \xff\xc3; \xe2\x82"), "no \\xff\\xc3; \\xe2\\x82");
  EXPECT_EQ(error_document(2, 0, "there is no \xff; give another"),
            "{\"schema\":1,\"error\":{\"status\":2,\"code\":null,"
            "\"text\":\"there is no \\\\xff; give another\",\"hint\":\"give another\"}}");
}

TEST(Json, PayloadsAreWhatTheySayOrBase64) {
  EXPECT_EQ(json_payload(Content::Json, "{\"a\":\n 12345678901234567890123}"),
            "{\"a\":  12345678901234567890123}");
  EXPECT_EQ(json_payload(Content::Json, "not json"), "\"not json\"");
  EXPECT_EQ(json_payload(Content::Utf8, "x"), "\"x\"");
  EXPECT_EQ(json_payload(Content::Bytes, "x"), "{\"base64\":\"eA==\"}");
  EXPECT_EQ(json_payload(Content::Msgpack, "\x80"), "{\"base64\":\"gA==\"}");
}

TEST(Json, SchemaComesFirstAndOnce) {
  EXPECT_EQ(with_schema("{\"schema\":1,\"a\":2}"), "{\"schema\":1,\"a\":2}");
  EXPECT_EQ(with_schema("{\"a\":2}"), "{\"schema\":1,\"a\":2}");
  EXPECT_EQ(with_schema("{}"), "{\"schema\":1}");
  EXPECT_EQ(with_schema("[1]"), "{\"schema\":1,\"value\":[1]}");
}

TEST(Document, IsLaidOutByShape) {
  const auto document = nlohmann::ordered_json::parse(
      R"({"schema":1,"pid":7,"pool":{"size":2,"uptime_seconds":90,"worker_reuse_rate":0.995},
          "rows":[{"id":"a","rss_bytes":2048},{"id":"b","rss_bytes":null}],"none":[]})");
  EXPECT_EQ(document_text(document, false),
            "pid   7\n"
            "none  -\n"
            "\n"
            "pool\n"
            "  size               2\n"
            "  uptime             1m30s\n"
            "  worker reuse rate  99.50 %\n"
            "\n"
            "rows\n"
            "  ID     RSS\n"
            "  a   2.0KiB\n"
            "  b        -\n");
}

TEST(Progress, TellsWhatIsKnown) {
  ProgressState state{.done = 1'234, .failed = 3, .running = 64};
  state.elapsed = std::chrono::seconds(2);
  EXPECT_EQ(progress_text(state, 80), "1,234  617/s  3 failed  2s");
  state.total = 5'000;
  EXPECT_EQ(progress_text(state, 60),
            "1,234/5,000 [###          ]  24 %  617/s  3 failed  ETA 6.1s");
  EXPECT_LE(progress_text(state, 20).size(), 20U);
}

TEST(Progress, OfATaskHasTheEndOfWhatThereIsOfItsResult) {
  const std::string bar = "[###############               ]  50 %";
  EXPECT_EQ(progress_text(500, "", "", 80), bar);
  EXPECT_EQ(progress_text(500, "half way", "one\ntwo", 80), bar + "  half way  | one two");
  EXPECT_EQ(progress_text(500, "", "0123456789abcdefghijklmnopqrstuvwxyz", 60),
            bar + "  | ...lmnopqrstuvwxyz");
  EXPECT_EQ(progress_text(500, "", "0123456789", 45), bar) << "too little room to tell anything";
  // Not within a character, and nothing that a terminal acts on.
  EXPECT_EQ(
      progress_text(500, "", "0123456789\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4", 58),
      bar + "  | ...\u00e4\u00e4\u00e4\u00e4\u00e4\u00e4");
  EXPECT_EQ(plain_line("a\x1b[2Jb\u009b2Jc\x7f\td"), "a[2Jb2Jc d");
}

}  // namespace
}  // namespace warmpool::cli
