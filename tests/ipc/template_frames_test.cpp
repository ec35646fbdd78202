#include "ipc/template_frames.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace warmpool::ipc {
namespace {

using Kind = TemplateAnswer::Kind;
using std::string_view_literals::operator""sv;

TEST(TemplateFrames, ARequestComesBackAsItWas) {
  const auto packet = encode(ForkRequest{7, "mark", {"A=1", "B=", "C=x=y"}});
  EXPECT_EQ("fork\0007\0mark\0A=1\0B=\0C=x=y\0"sv, packet);
  const auto request = parse_fork_request(packet);
  ASSERT_TRUE(request);
  EXPECT_EQ(7U, request->number);
  EXPECT_EQ("mark", request->mark);
  EXPECT_THAT(request->environment, testing::ElementsAre("A=1", "B=", "C=x=y"));
}

TEST(TemplateFrames, EveryAnswerComesBackAsItWas) {
  const TemplateAnswer answers[] = {{Kind::Ready, 1},
                                    {Kind::Unfit, 0, 0, "two threads"},
                                    {Kind::Forked, ~0ULL, 4194304},
                                    {Kind::Done, 1ULL << 63},
                                    {Kind::Failed, 9, 0, "fork: no memory"}};
  for (const auto& answer : answers) {
    const auto packet = encode(answer);
    const auto parsed = parse_template_answer(packet);
    ASSERT_TRUE(parsed) << packet;
    EXPECT_EQ(answer.kind, parsed->kind);
    EXPECT_EQ(answer.number, parsed->number);
    EXPECT_EQ(answer.pid, parsed->pid);
    EXPECT_EQ(answer.text, parsed->text);
  }
}

TEST(TemplateFrames, WhatIsNoAnswerIsRefused) {
  for (const auto packet :
       {""sv, "\0"sv, "ready"sv, "ready\0"sv, "ready\0001"sv, "ready\0one\0"sv,
        "ready\0001\0002\0"sv, "ready\000-1\0"sv, "ready\00018446744073709551616\0"sv,
        "Ready\0001\0"sv, "fork\0001\0m\0"sv, "forked\0001\0"sv, "forked\0001\000 2\0"sv,
        "failed\0001\0"sv, "done\0\0"sv}) {
    EXPECT_FALSE(parse_template_answer(packet)) << packet;
  }
}

TEST(TemplateFrames, WhatIsNoRequestIsRefused) {
  for (const auto packet : {""sv, "fork\0"sv, "fork\0001\0"sv, "fork\0x\0m\0"sv, "fork\0001\0m"sv,
                            "fork\0001\0m\0A\0"sv, "fork\0001\0m\0=1\0"sv, "done\0001\0"sv}) {
    EXPECT_FALSE(parse_fork_request(packet)) << packet;
  }
}

TEST(TemplateFrames, HaveBounds) {
  std::string many = "fork" + std::string(1, '\0');
  while (many.size() < kTemplateBytesMax) many += '\0';
  EXPECT_FALSE(parse_fork_request(many));
  const std::string text(kTemplateBytesMax, 'x');
  EXPECT_FALSE(parse_template_answer(encode(TemplateAnswer{Kind::Unfit, 0, 0, text})));
}

}  // namespace
}  // namespace warmpool::ipc
