// A dead letter that was exported is the same task again.
#include "client/cli/letter.hpp"

#include <gtest/gtest.h>

namespace warmpool::cli {
namespace {

constexpr char kLine[] =
    R"({"id":7,"type":"echo","state":"dead","priority":5,"round":2,"retries":1,"crashes_max":2,)"
    R"("timeout_seconds":1.5,"deadline_seconds":60.0,"tenant":"t","durability":"relaxed",)"
    R"("accepted_at":"2026-11-23T07:00:00.000Z","labels":["a","b"],"attempts":[],)"
    R"("payload":{"content":"bytes","bytes":2,"base64":"AP8="}})";

std::string with(std::string_view from, std::string_view to) {
  std::string line = kLine;
  return line.replace(line.find(from), from.size(), to);
}

TEST(Letter, KeepsAllThatWasAskedFor) {
  const auto letter = parse_letter(kLine);
  ASSERT_TRUE(letter) << letter.error().text;
  const auto& options = letter->options;
  EXPECT_EQ(letter->task, TaskId{7});
  EXPECT_EQ(options.type, "echo");
  EXPECT_EQ(options.payload, std::string("\0\xff", 2));
  EXPECT_EQ(options.content, Content::Bytes);
  EXPECT_EQ(options.priority, 5U);
  EXPECT_EQ(options.retries, 1U);
  EXPECT_EQ(options.crashes_max, 2U);
  EXPECT_EQ(options.timeout, milliseconds(1500));
  EXPECT_EQ(options.deadline, seconds(60));
  EXPECT_FALSE(options.expiry);
  EXPECT_EQ(options.tenant, "t");
  EXPECT_EQ(options.durability, Durability::Relaxed);
  EXPECT_EQ(options.labels, (std::vector<std::string>{"a", "b"}));
}

TEST(Letter, WithoutAKeyItHasOneOfItsOwnRound) {
  const auto key = parse_letter(kLine)->options.key;
  EXPECT_EQ(parse_letter(kLine)->options.key, key);
  EXPECT_NE(parse_letter(with("\"round\":2", "\"round\":3"))->options.key, key);
  EXPECT_NE(parse_letter(with("\"id\":7", "\"id\":8"))->options.key, key);
  EXPECT_EQ(parse_letter(with("\"tenant\":\"t\"", "\"key\":\"mine\""))->options.key, "mine");
}

TEST(Letter, WhatIsNoneIsRefused) {
  EXPECT_FALSE(parse_letter("nonsense"));
  EXPECT_FALSE(parse_letter("[]"));
  EXPECT_FALSE(parse_letter("{}"));
  EXPECT_FALSE(parse_letter(with("\"dead\"", "\"done\"")));
  EXPECT_FALSE(parse_letter(with("\"base64\"", "\"other\""))) << "a payload that is not there";
  EXPECT_FALSE(parse_letter(with("AP8=", "A!8=")));
  EXPECT_FALSE(parse_letter(with("\"bytes\",", "\"stones\",")));
}

TEST(Letter, PagesSayWhereToGoOn) {
  std::string lines;
  bool whole = true;
  const std::string letters = std::string("{\"schema\":1,\"letters\":[") + kLine + "]";
  EXPECT_EQ(*letters_of(letters + R"(,"more":true,"next_after":7})", lines, whole), 7U);
  EXPECT_EQ(*letters_of(letters + R"(,"more":false})", lines, whole), 0U);
  EXPECT_TRUE(whole);
  EXPECT_EQ(lines, std::string(kLine) + "\n" + kLine + "\n");
  EXPECT_FALSE(letters_of("{}", lines, whole));
}

}  // namespace
}  // namespace warmpool::cli
