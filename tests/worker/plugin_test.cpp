// Handlers out of a shared object: what a plug-in may say, and what is wrong with those that cannot
// be used.
#include "worker/stock/plugin.hpp"

#include <cerrno>
#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/support/places.hpp"
#include "tests/worker/call.hpp"

namespace warmpool::worker::testing {
namespace {

const std::string kOdd = test::program("test-plugin-odd.so");
const std::string kDistance = test::program("example-plugin-distance.so");

// The handler of one type of a plug-in: all that a worker keeps of it.
Handler handler_of(const std::string& path) {
  Handlers handlers;
  const auto loaded = stock::load_plugin(path, handlers);
  EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().text);
  return handlers.empty() ? Handler() : handlers.begin()->second;
}

Answer ask(const std::string& path, std::string_view payload) {
  return Call(payload).run(handler_of(path));
}

std::string fault_of(const std::string& path, const char* odd = "") {
  ::setenv("ODD", odd, 1);
  Handlers handlers;
  const auto loaded = stock::load_plugin(path, handlers);
  ::unsetenv("ODD");
  EXPECT_FALSE(loaded);
  EXPECT_TRUE(handlers.empty());
  return loaded ? "" : loaded.error().text;
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(Plugin, GivesItsTypesAndIsToldOfEachTask) {
  Handlers handlers;
  ASSERT_TRUE(stock::load_plugin(kOdd, handlers));
  ASSERT_EQ(2U, handlers.size());
  EXPECT_EQ("odd.one", handlers.begin()->first);
  EXPECT_EQ("t 1 1 1 1", Call("x", Content::Utf8).run(handlers.begin()->second).body);
}

TEST(Plugin, SaysAllThatAHandlerMaySay) {
  EXPECT_EQ(Outcome::Done, ask(kOdd, "nothing").outcome);
  EXPECT_EQ("", ask(kOdd, "nothing").body);
  EXPECT_EQ("", ask(kOdd, "null").body);
  const auto later = ask(kOdd, "later");
  EXPECT_EQ(Outcome::RetryAfter, later.outcome);
  EXPECT_EQ(std::chrono::milliseconds(1), later.retry_after);
  EXPECT_EQ(Outcome::Held, ask(kOdd, "held").outcome);
}

TEST(Plugin, AnAnswerThatIsNoneFailsForGood) {
  for (const char* asked : {"content", "outcome"}) {
    const auto answer = ask(kOdd, asked);
    EXPECT_EQ(Outcome::FailedForGood, answer.outcome);
    EXPECT_TRUE(holds(answer.body, "unknown")) << answer.body;
  }
}

// What leaves a handler is the loop's to catch, as of any other handler (Answers.*).
TEST(Plugin, AnExceptionPassesThroughItsInterface) {
  EXPECT_THROW(ask(kOdd, "throw"), std::runtime_error);
  EXPECT_THROW(ask(kOdd, "throw-number"), int);
}

TEST(Plugin, HearsOfACancel) {
  const auto handler = handler_of(kOdd);
  Call call("wait");
  call.cancel();
  EXPECT_EQ(Outcome::Failed, call.run(handler).outcome);
}

TEST(Plugin, OneThatCannotBeUsedSaysWhatIsWrong) {
  EXPECT_TRUE(holds(fault_of("/no/such.so"), "there is no plug-in /no/such.so"));
  EXPECT_TRUE(holds(fault_of(test::source_file("README.md")), "cannot be loaded: "));
  EXPECT_TRUE(holds(fault_of("libc.so.6"), "there is no plug-in"));  // not one of the system's
  EXPECT_TRUE(
      holds(fault_of(kOdd, "version"), "has version 3 of worker/plugin.h, this worker has 1 to 2"));
  EXPECT_TRUE(holds(fault_of(kOdd, "types"), "has no types"));
  EXPECT_TRUE(holds(fault_of(kOdd, "null"), "says that it cannot serve"));
  EXPECT_TRUE(holds(fault_of(kOdd, "throw"), "threw while it was loaded: the model is not there"));
}

TEST(Plugin, ALibraryWithoutTheFunctionIsNone) {
  const auto libc =
      output_of("ldd " + test::program("warmpool-worker") +
                " | sed -n 's/.*=> \\(.*libm[.]so[^ ]*\\|.*libc[.]so[^ ]*\\) .*/\\1/p' | head -1");
  ASSERT_FALSE(libc.empty());
  EXPECT_TRUE(
      holds(fault_of(libc.substr(0, libc.find('\n'))), "has no function warmpool_plugin_get()"));
}

TEST(Plugin, TheExampleMeasuresDistances) {
  const auto distance = [](std::string_view lines) { return ask(kDistance, lines).body; };
  EXPECT_EQ("3", distance("kitten\nsitting\n"));
  EXPECT_EQ("3", distance("sitting\nkitten"));
  EXPECT_EQ("0", distance("same\nsame"));
  EXPECT_EQ("0", distance("\n"));
  EXPECT_EQ("4", distance("\nfour"));
  EXPECT_EQ("1000", distance(std::string(3000, 'a') + '\n' + std::string(2000, 'a')));
  EXPECT_EQ(Outcome::FailedForGood, ask(kDistance, "one line").outcome);
  Call unwanted("kitten\nsitting");
  unwanted.cancel();
  EXPECT_EQ(Outcome::Failed, unwanted.run(handler_of(kDistance)).outcome);
}

}  // namespace
}  // namespace warmpool::worker::testing
