#include "ipc/frame.hpp"

#include <gtest/gtest.h>

#include "ipc/fault.hpp"
#include "tests/ipc/samples.hpp"

namespace warmpool::ipc::test {
namespace {

FrameRules client_rules() {
  return after_hello(before_hello(Party::Client, Party::Daemon), 1'000, feature::kAll);
}

Header submit_of(std::uint32_t body_bytes) {
  return {.body_bytes = body_bytes, .kind = Kind::Submit, .token = 1};
}

int code_of(const Result<void>& result) { return result ? 0 : result.error().code; }
int number(Refusal refusal) { return static_cast<int>(refusal); }

TEST(Header, IsTheSameAfterTheWire) {
  const Header header{
      0x01020304, 0x0506, Kind::Done, 0x08, 0x1112131415161718, 0x2122232425262728, 0x3132,
      0x4142,     0x5152, 0x61,       0x71};
  std::array<std::byte, kHeaderBytes> bytes{};
  encode_header(header, bytes);
  EXPECT_EQ(decode_header(bytes), header);
  EXPECT_EQ(bytes[0], std::byte{0x04});
  EXPECT_EQ(bytes[15], std::byte{0x11});
}

TEST(HeaderCheck, TakesABodyUpToTheLimitAndNotOneByteMore) {
  EXPECT_TRUE(check_header(submit_of(999), client_rules()));
  EXPECT_TRUE(check_header(submit_of(1'000), client_rules()));
  EXPECT_EQ(code_of(check_header(submit_of(1'001), client_rules())),
            number(Refusal::FrameTooLarge));
  EXPECT_EQ(code_of(check_header(submit_of(0x80000000), client_rules())),
            number(Refusal::FrameTooLarge));
  EXPECT_EQ(code_of(check_header(submit_of(0xffffffff), client_rules())),
            number(Refusal::FrameTooLarge));
}

TEST(HeaderCheck, TakesAHelloUpToItsOwnLimit) {
  const auto rules = before_hello(Party::Client, Party::Daemon);
  Header hello{.body_bytes = 4'095, .meta_bytes = 4'095, .kind = Kind::Hello};
  EXPECT_TRUE(check_header(hello, rules));
  hello.body_bytes = hello.meta_bytes = 4'096;
  EXPECT_TRUE(check_header(hello, rules));
  hello.body_bytes = hello.meta_bytes = 4'097;
  EXPECT_EQ(code_of(check_header(hello, rules)), number(Refusal::FrameTooLarge));
}

TEST(HeaderCheck, WantsHelloFirstAndOnlyOnce) {
  const auto first = before_hello(Party::Client, Party::Daemon);
  EXPECT_EQ(code_of(check_header(submit_of(0), first)), number(Refusal::HelloExpected));
  EXPECT_EQ(code_of(check_header({.kind = Kind::Ping}, first)), number(Refusal::HelloExpected));
  EXPECT_EQ(code_of(check_header({.kind = Kind::Hello}, client_rules())),
            number(Refusal::UnknownKind));
}

TEST(HeaderCheck, LetsAPeerExpectWelcomeOrError) {
  const auto first = before_hello(Party::Daemon, Party::Client);
  EXPECT_TRUE(check_header({.kind = Kind::Welcome}, first));
  EXPECT_TRUE(check_header({.kind = Kind::Error}, first));
  EXPECT_EQ(code_of(check_header({.kind = Kind::Pong}, first)), number(Refusal::HelloExpected));
}

TEST(HeaderCheck, TellsASpeakerOfHttpThatHelloIsExpected) {
  const std::string text = "GET / HTTP/1.1\r\nHost: localhost\r\n";
  const auto bytes = bytes_of(text);
  const Header header = decode_header(bytes.first<kHeaderBytes>());
  EXPECT_EQ(code_of(check_header(header, before_hello(Party::Client, Party::Daemon))),
            number(Refusal::HelloExpected));
}

TEST(HeaderCheck, RefusesEveryKindThatIsNotInTheTable) {
  for (int kind = 0; kind < 256; ++kind) {
    const auto value = static_cast<Kind>(kind);
    const bool known = find_kind(value) != nullptr;
    const int code = code_of(check_header({.kind = value}, client_rules()));
    if (!known) {
      EXPECT_EQ(code, number(Refusal::UnknownKind)) << kind;
    }
  }
}

TEST(HeaderCheck, LetsEachSampleThroughInItsDirectionOnly) {
  for (const Sample& one : samples()) {
    const std::string bytes = bytes_of_sample(one);
    const Header header = decode_header(bytes_of(bytes).first<kHeaderBytes>());
    FrameRules rules = rules_for(one);
    EXPECT_TRUE(check_header(header, rules)) << one.name;
    if (one.from == Party::Daemon || header.kind == Kind::Ping) continue;
    std::swap(rules.from, rules.to);
    EXPECT_FALSE(check_header(header, rules)) << one.name;
  }
}

TEST(HeaderCheck, RefusesAKindWhoseFeatureWasNotAgreed) {
  auto rules = after_hello(before_hello(Party::Daemon, Party::Worker), 1'000,
                           feature::kAll & ~feature::kRecall);
  EXPECT_EQ(code_of(check_header({.kind = Kind::Recall}, rules)), number(Refusal::UnknownKind));
  rules.features = feature::kRecall;
  EXPECT_TRUE(check_header({.kind = Kind::Recall}, rules));
}

TEST(HeaderCheck, RefusesEveryFlagThatAKindDoesNotHave) {
  for (const Sample& one : samples()) {
    const KindRow& row = *find_kind(one.header.kind);
    unsigned known = row.payload ? flag::kContentMask : 0U;
    for (const FlagRow& flag : row.flags) known |= flag.bit;
    for (unsigned bit = 1; bit < 256; bit <<= 1) {
      Header header = one.header;
      header.flags = static_cast<std::uint8_t>(bit);
      EXPECT_EQ(code_of(check_header(header, rules_for(one))),
                (known & bit) != 0 ? 0 : number(Refusal::BadFrame))
          << one.name << " flag " << bit;
    }
  }
}

TEST(HeaderCheck, RefusesAFieldThatAKindDoesNotUse) {
  Header header{.kind = Kind::Ping, .token = 1};
  EXPECT_TRUE(check_header(header, client_rules()));
  const auto refused = [&](auto set) {
    Header changed = header;
    set(changed);
    return code_of(check_header(changed, client_rules()));
  };
  const int bad = number(Refusal::BadFrame);
  EXPECT_EQ(refused([](Header& h) { h.id = 1; }), bad);
  EXPECT_EQ(refused([](Header& h) { h.round = 1; }), bad);
  EXPECT_EQ(refused([](Header& h) { h.attempt = 1; }), bad);
  EXPECT_EQ(refused([](Header& h) { h.type = 1; }), bad);
  EXPECT_EQ(refused([](Header& h) { h.credits = 1; }), bad);
  EXPECT_EQ(refused([](Header& h) { h.descriptors = 1; }), bad);
  EXPECT_EQ(refused([](Header& h) { h.body_bytes = 1; }), bad);
  EXPECT_EQ(refused([](Header& h) { h.body_bytes = h.meta_bytes = 1; }), bad);
}

TEST(HeaderCheck, RefusesAMetaThatIsLongerThanTheBody) {
  Header header = submit_of(10);
  header.meta_bytes = 10;
  EXPECT_TRUE(check_header(header, client_rules()));
  header.meta_bytes = 11;
  EXPECT_EQ(code_of(check_header(header, client_rules())), number(Refusal::BadFrame));
}

}  // namespace
}  // namespace warmpool::ipc::test
