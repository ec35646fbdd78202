// Lines of submit.fifo by themselves: out of a stream of bytes, and into wishes.
#include "daemon/submit/submit_line.hpp"

#include <fstream>
#include <random>
#include <sstream>

#include <gtest/gtest.h>

#include "daemon/submit/line_buffer.hpp"
#include "pool/refusal.hpp"
#include "tests/support/places.hpp"

namespace warmpool::daemon {
namespace {

std::string page(const std::string& name) {
  std::ifstream file(test::source_file("docs/" + name));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

SubmitLine parsed(std::string_view line) {
  auto result = parse_submit_line(line);
  EXPECT_TRUE(result) << line << ": " << (result ? "" : result.error().text);
  return result ? std::move(*result) : SubmitLine{};
}

std::string fault_of(std::string_view line) {
  const auto result = parse_submit_line(line);
  return result ? "none" : result.error().text;
}

TEST(SubmitLine, NeedsATypeAndNothingElse) {
  const auto line = parsed(R"({"type":"echo"})");
  EXPECT_EQ(line.type, "echo");
  EXPECT_EQ(line.payload, "");
  EXPECT_FALSE(line.meta().priority);
  EXPECT_FALSE(line.meta().key);
  EXPECT_NE(fault_of("{}").find("\"type\" is missing"), std::string::npos);
}

TEST(SubmitLine, TakesEveryWish) {
  const auto line = parsed(
      R"( { "type" : "a.b", "payload":"x\ny", "content":"bytes", "priority":5, "timeout":"1m30s",
       "deadline":"1h", "expiry":"500ms", "retries":7, "crashes-max":2, "delay":"2s", "key":"k",
       "tenant":"t", "label":["one","two"], "durability":"none", "keep-result":true } )");
  const auto meta = line.meta();
  EXPECT_EQ(line.type, "a.b");
  EXPECT_EQ(line.payload, "x\ny");
  EXPECT_EQ(line.content, Content::Bytes);
  EXPECT_EQ(meta.priority, 5U);
  EXPECT_EQ(meta.timeout, seconds(90));
  EXPECT_EQ(meta.deadline, hours(1));
  EXPECT_EQ(meta.expiry, milliseconds(500));
  EXPECT_EQ(meta.retries, 7U);
  EXPECT_EQ(meta.crashes_max, 2U);
  EXPECT_EQ(meta.delay, seconds(2));
  EXPECT_EQ(meta.key, "k");
  EXPECT_EQ(meta.tenant, "t");
  EXPECT_EQ(meta.labels, (std::vector<std::string_view>{"one", "two"}));
  EXPECT_EQ(meta.durability, Durability::None);
  EXPECT_TRUE(line.keep_result);
}

TEST(SubmitLine, TakesTheFormsOfTheCommandLine) {
  EXPECT_EQ(parsed(R"({"type":"t","priority":"P0"})").wishes.priority, 0U);
  EXPECT_EQ(parsed(R"({"type":"t","priority":"12"})").wishes.priority, 12U);
  EXPECT_EQ(parsed(R"({"type":"t","label":"one"})").labels, std::vector<std::string>{"one"});
  EXPECT_EQ(parsed(R"({"type":"t","run-at":"1970-01-01T00:00:01Z"})").wishes.run_at->ns,
            1'000'000'000);
  EXPECT_TRUE(parsed(R"({"type":"t","run_at":"1970-01-01T00:00:01Z"})").wishes.run_at);
  EXPECT_TRUE(parsed(R"({"keep_result":true,"type":"t"})").keep_result);
}

TEST(SubmitLine, PassesAJsonPayloadOnByteByByte) {
  for (const std::string payload :
       {R"({"argv":["ls","-l"],"n":12345678901234567890123,"x":1.10})", R"([1, {"a":"]}\""}, 2])",
        "18446744073709551616", "true", "null", "[]", "{}"}) {
    const auto line = parsed(R"({"payload":)" + payload + R"(,"type":"exec"})");
    EXPECT_EQ(line.payload, payload);
    EXPECT_EQ(line.content, Content::Json) << payload;
    EXPECT_EQ(line.type, "exec") << payload;
  }
  EXPECT_EQ(parsed(R"({"type":"t","payload":"text"})").content, Content::Utf8);
  EXPECT_EQ(parsed(R"({"type":"t","payload":"a\u0000b"})").payload, std::string("a\0b", 3));
}

TEST(SubmitLine, TakesBytesAsBase64) {
  const auto line = parsed(R"({"type":"t","payload":{"base64":"/wAB"}})");
  EXPECT_EQ(line.payload, std::string("\xff\0\x01", 3));
  EXPECT_EQ(line.content, Content::Bytes);
  EXPECT_NE(fault_of(R"({"type":"t","payload":{"base64":"/wA"}})").find("base64"),
            std::string::npos);
  EXPECT_EQ(parsed(R"({"type":"t","payload":{"base64":"x","y":1}})").content, Content::Json);
}

TEST(SubmitLine, SaysWhichMemberIsWrongAndWhatItMayBe) {
  const auto expect = [](std::string_view members, std::string_view part) {
    const auto fault = fault_of(R"({"type":"t",)" + std::string(members) + "}");
    EXPECT_NE(fault.find(part), std::string::npos) << fault;
  };
  expect(R"("timout":"5s")", "\"timout\" is not known; there are: type, payload");
  expect(R"("timeout":5)", "\"timeout\" is a time with its unit, in quotes");
  expect(R"("timeout":"5")", "\"timeout\" is wrong");
  expect(R"("retries":"3")", "\"retries\" is a whole number, without quotes");
  expect(R"("retries":-3)", "\"retries\" is a whole number");
  expect(R"("retries":1.5)", "\"retries\" is a whole number");
  expect(R"("priority":101)", "from 0 (first) to 100 (last)");
  expect(R"("run-at":"tomorrow")", "\"run-at\" is wrong");
  expect(R"("content":"xml")", "\"content\" is one of bytes, utf8, json, msgpack");
  expect(R"("content":[])", "\"content\" is one of");
  expect(R"("label":{"a":1})", "\"label\" is a text");
  expect(R"("label":["a",1])", "\"label\" is a text or a list of texts");
  expect(R"("key":7)", "\"key\" is a text");
  expect(R"("tenant":"a\u0000b")", "\"tenant\" has a NUL");
  expect(R"("tenant":")" + std::string(256, 'x') + '"', "\"tenant\" has more than 255 bytes");
  expect(R"("keep-result":"yes")", "\"keep-result\" is true or false");
  expect(R"("wait":true)", "nobody could be answered");
  expect(R"("type":"u")", "\"type\" is there twice");
  expect(R"("run-at":"1970-01-01T00:00:01Z","run_at":"1970-01-01T00:00:01Z")", "there twice");
}

TEST(SubmitLine, RefusesWhatIsNoObject) {
  std::string bytes = R"({"type":"t","payload":")";
  for (const std::string& line :
       {std::string(), std::string("nonsense"), std::string("{"), std::string("[]"),
        std::string("\"text\""), std::string("12"), std::string("null"),
        std::string(R"({"type":"t"} {"type":"t"})"), std::string(R"({"type":"t",})"),
        bytes + "\xff\"}", bytes + '\0' + "\"}", bytes + "\n\"}", std::string(100, '\0'),
        std::string(2000, '['), std::string(2000, '{'), std::string(R"({"type":"\ud800"})")}) {
    EXPECT_NE(fault_of(line).find("the line is no"), std::string::npos) << fault_of(line);
  }
}

TEST(SubmitLine, LivesWithDeepJson) {
  const std::string deep = std::string(2'000, '[') + std::string(2'000, ']');
  EXPECT_EQ(parsed(R"({"type":"t","payload":)" + deep + "}").payload, deep);
  EXPECT_NE(fault_of(R"({"type":"t","label":)" + deep + "}").find("label"), std::string::npos);
  EXPECT_NE(fault_of(R"({"type":)" + deep + "}").find("type"), std::string::npos);
}

TEST(SubmitLine, HasAtMost4096BytesWithItsLineFeed) {
  const std::string head = R"({"type":"t","payload":")";
  const auto line_of = [&](std::size_t bytes) {
    return head + std::string(bytes - head.size() - 2, 'x') + "\"}";
  };
  EXPECT_EQ(fault_of(line_of(4'095)), "none");
  EXPECT_NE(fault_of(line_of(4'096)).find("longer than 4,096 bytes"), std::string::npos);
}

// Whatever is made of a good line is a wish or a refusal with a text.
TEST(SubmitLine, LivesWithWhateverComes) {
  const std::string good =
      R"({"type":"a","payload":{"b":[1,"]"]},"label":["x"],"timeout":"5s","priority":"P1","key":"\n"})";
  std::mt19937 random(7);
  const auto draw = [&](std::size_t below) { return random() % below; };
  const std::string_view pieces = "{}[]\",:\\0aeu\x01\xff\n \t-.";
  for (int i = 0; i < 50'000; ++i) {
    std::string line = good;
    for (std::size_t edits = 1 + draw(4); edits > 0 && !line.empty(); --edits) {
      const auto at = draw(line.size());
      const auto piece = pieces.substr(draw(pieces.size()), 1);
      if (draw(3) == 0)
        line.erase(at, 1 + draw(5));
      else
        line.replace(at, draw(2), piece);
    }
    const auto result = parse_submit_line(line);
    if (!result) {
      EXPECT_FALSE(result.error().text.empty()) << line;
      EXPECT_LT(result.error().code, 300) << line;
    }
  }
}

TEST(SubmitLine, PageHasTheTable) {
  EXPECT_NE(page("daemon.md").find(submit_members_markdown()), std::string::npos)
      << submit_members_markdown();
}

// What the command line can say, a line can say, or is told why not.
TEST(SubmitLine, KnowsTheOptionsOfTheCommand) {
  const auto text = page("cli.md");
  const auto begin = text.find("## warmpool submit\n");
  std::istringstream lines(text.substr(begin, text.find("## warmpool map", begin) - begin));
  int options = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("  --")) continue;
    const auto name = line.substr(4, line.find(' ', 4) - 4);
    const auto fault = fault_of(R"({"type":"t",")" + name + R"(":{}})");
    EXPECT_EQ(fault.find("is not known"), std::string::npos) << fault;
    ++options;
  }
  EXPECT_GE(options, 15);
}

std::vector<std::string> lines_of(std::string_view bytes, std::size_t piece) {
  LineBuffer buffer(16, 1 << 16);
  std::vector<std::string> lines;
  const auto take = [&](std::optional<LineBuffer::Line> line) {
    if (!line) return false;
    lines.push_back((line->too_long ? "!" : "") + std::string(line->text));
    return true;
  };
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    buffer.add(bytes.substr(0, piece));
    while (take(buffer.take())) {
    }
  }
  take(buffer.take_rest());
  return lines;
}

TEST(LineBuffer, TakesLinesHoweverTheyCome) {
  const std::string bytes =
      "one\n\n123456789012345\n1234567890123456\nthe end of this is dropped\nlast";
  const std::vector<std::string> expected{
      "one", "", "123456789012345", "!1234567890123456", "!the end of this ", "last"};
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    EXPECT_EQ(lines_of(bytes, piece), expected) << piece;
  }
}

TEST(LineBuffer, HoldsLittleOfALineThatNeverEnds) {
  LineBuffer buffer(4'096, 65'536);
  int lines = 0;
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_FALSE(buffer.full());
    buffer.add(std::string(1'000, 'x'));
    while (buffer.take()) ++lines;
  }
  EXPECT_EQ(lines, 1) << "and it is told once";
  EXPECT_TRUE(buffer.has_rest());
  EXPECT_FALSE(buffer.take_rest());
  buffer.add("next\n");
  EXPECT_EQ(buffer.take()->text, "next");
}

}  // namespace
}  // namespace warmpool::daemon
