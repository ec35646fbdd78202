// A dead letter that was exported is the same task again.
#include "client/cli/letter.hpp"

#include <gtest/gtest.h>

#include "ipc/large_body.hpp"
#include "ipc/text_forms.hpp"

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

TEST(Letter, APassingKeyStandsForTheBytesOfAPayloadByDescriptor) {
  const auto passing = [](const std::string& line) {
    auto letter = parse_letter(line, 1);
    REQUIRE(letter && letter->options.large && !letter->has_own_key);
    EXPECT_TRUE(use_passing_key(letter->options));
    EXPECT_EQ(letter->options.key_use, KeyUse::Reconnect);
    return *letter->options.key;
  };
  EXPECT_NE(passing(kLine), *parse_letter(kLine)->options.key);
  EXPECT_EQ(passing(kLine), passing(kLine));
  EXPECT_NE(passing(kLine), passing(with("AP8=", "AP4=")));
  EXPECT_TRUE(parse_letter(with("\"tenant\":\"t\"", "\"key\":\"mine\""))->has_own_key);
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

TEST(Letter, OneWhosePayloadIsLostIsRefusedWithItsReason) {
  const auto letter = parse_letter(with("\"base64\":\"AP8=\"", "\"unreadable\":\"gone\""));
  ASSERT_FALSE(letter);
  EXPECT_NE(letter.error().text.find("gone"), std::string::npos) << letter.error().text;
}

// Of a large one the payload is decoded piece by piece, and never parsed as JSON.
TEST(Letter, ALargePayloadComesInADescriptor) {
  std::string payload(5'000'001, '\0');
  for (std::size_t at = 0; at < payload.size(); ++at)
    payload[at] = static_cast<char>(at * 7 + at / 251);
  const auto line = with("AP8=", ipc::base64(payload));
  const auto inlined = parse_letter(line);
  ASSERT_TRUE(inlined) << inlined.error().text;
  EXPECT_TRUE(inlined->options.payload == payload);
  const auto large = parse_letter(line, 1'000'000);
  ASSERT_TRUE(large) << large.error().text;
  EXPECT_EQ(large->options.payload, "");
  ASSERT_EQ(large->options.large_bytes, payload.size());
  const auto view = ipc::LargeView::of(large->options.large->get(), payload.size());
  ASSERT_TRUE(view) << view.error().text;
  EXPECT_TRUE(ipc::text_of(view->bytes()) == payload);
  EXPECT_FALSE(parse_letter(with("AP8=", std::string(2'000'000, '!')), 1'000));
}

TEST(Letter, PagesSayWhereToGoOn) {
  std::string lines;
  Without without;
  const std::string letters = std::string("{\"schema\":1,\"letters\":[") + kLine + "]";
  EXPECT_EQ(*letters_of(letters + R"(,"more":true,"next_after":7})", lines, without), 7U);
  EXPECT_EQ(*letters_of(letters + R"(,"more":false})", lines, without), 0U);
  EXPECT_TRUE(without.too_large.empty() && without.lost.empty());
  EXPECT_EQ(lines, std::string(kLine) + "\n" + kLine + "\n");
  EXPECT_FALSE(letters_of("{}", lines, without));
  const auto bare = [](const std::string& rest) {
    return R"({"letters":[{"id":8,"payload":{"content":"utf8","bytes":9)" + rest + "}}]}";
  };
  EXPECT_TRUE(letters_of(bare(""), lines, without));
  EXPECT_EQ(without.too_large, std::vector<std::uint64_t>{8});
  EXPECT_TRUE(letters_of(bare(R"(,"unreadable":"it was lost")"), lines, without));
  EXPECT_EQ(without.lost, std::vector<std::uint64_t>{8});
}

}  // namespace
}  // namespace warmpool::cli
