// The stock task types but exec.
#include "worker/stock/stock.hpp"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/worker/call.hpp"

namespace warmpool::worker::testing {
namespace {

using nlohmann::json;

void expect_for_good(const Answer& answer, std::string_view text) {
  EXPECT_EQ(Outcome::FailedForGood, answer.outcome) << answer.body;
  EXPECT_NE(std::string::npos, answer.body.find(text)) << answer.body;
}

TEST(Echo, GivesPayloadAndContentBack) {
  const Answer answer = Call("{\"a\":1}", Content::Json).run(stock::echo);
  EXPECT_EQ(Outcome::Done, answer.outcome);
  EXPECT_EQ("{\"a\":1}", answer.body);
  EXPECT_EQ(Content::Json, answer.content);
}

TEST(Sleep, SleepsAndSaysHowLong) {
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ("20", call(stock::sleep, " 20\n").body);
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(20));
}

TEST(Sleep, HeedsCancel) {
  Call sleeping("80000000");
  sleeping.cancel();
  EXPECT_EQ(Outcome::Failed, sleeping.run(stock::sleep).outcome);
}

TEST(Sleep, RefusesWhatIsNoTime) {
  for (const char* payload : {"", "soon", "-1", "1.5", "86400001", "99999999999999999999", "5 5"}) {
    expect_for_good(call(stock::sleep, payload), "milliseconds");
  }
}

TEST(Fail, FailsAsOftenAsAskedThenIsDone) {
  for (const char* payload : {"2", "{\"times\": 2}"}) {
    for (std::uint16_t failures = 0; failures < 4; ++failures) {
      Call failing(payload);
      failing.failures = failures;
      EXPECT_EQ(failures < 2 ? Outcome::Failed : Outcome::Done, failing.run(stock::fail).outcome);
    }
  }
  EXPECT_EQ(Outcome::Done, call(stock::fail, "0").outcome);
}

TEST(Fail, RefusesWhatIsNoNumber) {
  for (const char* payload : {"", "x", "-1", "1.5", "{}", "{\"times\":\"2\"}", "{\"times\":-1}",
                              "{\"times\":1,\"more\":2}", "[1]", "null"}) {
    expect_for_good(call(stock::fail, payload), "whole number");
  }
}

TEST(CrashDeathTest, EndsTheProcessAsAsked) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(call(stock::crash, "SIGKILL"), ::testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(call(stock::crash, "term"), ::testing::KilledBySignal(SIGTERM), "");
  EXPECT_EXIT(call(stock::crash, "6"), ::testing::KilledBySignal(SIGABRT), "");
  EXPECT_EXIT(call(stock::crash, "exit:0"), ::testing::ExitedWithCode(0), "");
  EXPECT_EXIT(call(stock::crash, "exit:255"), ::testing::ExitedWithCode(255), "");
}

TEST(Crash, RefusesWhatIsNoSignal) {
  for (const char* payload : {"", "SIGNONE", "0", "-9", "999", "exit:", "exit:256", "exit:-1"}) {
    expect_for_good(call(stock::crash, payload), "a signal");
  }
  EXPECT_EQ(Outcome::Failed, call(stock::crash, "SIGCONT").outcome);
}

// As sha256sum and wc see it.
json expected_digest(const std::string& path) {
  const std::string quoted = "'" + path + "'";
  std::istringstream counts(output_of("LC_ALL=C wc -lwc < " + quoted));
  std::uint64_t lines = 0, words = 0, bytes = 0;
  counts >> lines >> words >> bytes;
  return {{"path", path},
          {"bytes", bytes},
          {"lines", lines},
          {"words", words},
          {"sha256", output_of("sha256sum < " + quoted).substr(0, 64)}};
}

void expect_digest(const std::string& path) {
  const Answer answer = call(stock::file_digest, path);
  ASSERT_EQ(Outcome::Done, answer.outcome) << answer.body;
  EXPECT_EQ(Content::Json, answer.content);
  EXPECT_EQ(expected_digest(path), json::parse(answer.body));
}

std::string random_bytes(std::size_t size) {
  std::mt19937 random(7);
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

TEST(FileDigest, EqualsSha256sumAndWcOnTrickyFiles) {
  const Scratch scratch;
  const std::string_view tricky[] = {"",
                                     "\n",
                                     "one",
                                     "one two\n",
                                     "no newline at the end\nx",
                                     " \t\v\f\r\n ",
                                     "a\vb\fc\rd\te f",
                                     "\x01\x02 \x7f \x80\xff a\x01 \x01",
                                     "caf\xc3\xa9 na\xc3\xafve\n",
                                     "a\0b c\0 \0"};
  int number = 0;
  for (const std::string_view bytes : tricky) {
    expect_digest(scratch.write(std::to_string(++number), bytes));
  }
  expect_digest(scratch.write("nul", std::string(100'000, '\0')));
  expect_digest(scratch.write("a name", "x"));
  expect_digest(scratch.write("random", random_bytes(3'000'000)));
}

TEST(FileDigest, EqualsSha256sumAndWcOnALargeFileSlow) {
  const Scratch scratch;
  std::string text;
  const std::string piece = random_bytes(999'983);
  while (text.size() < 50'000'000) text += piece + "\nwords of a line\n";
  expect_digest(scratch.write("large", text));
}

TEST(FileDigest, ReadsFilesThatTellNoSize) {
  const Answer answer = call(stock::file_digest, "/proc/self/status");
  ASSERT_EQ(Outcome::Done, answer.outcome);
  EXPECT_GT(json::parse(answer.body)["lines"], 10);
}

TEST(FileDigest, ShowsAPathThatIsNoUtf8) {
  const Scratch scratch;
  const Answer answer = call(stock::file_digest, scratch.write("\xff", "x"));
  ASSERT_EQ(Outcome::Done, answer.outcome);
  EXPECT_TRUE(json::parse(answer.body)["path"].get<std::string>().ends_with("/\xEF\xBF\xBD"));
}

TEST(FileDigest, SaysWhenTheFileChangedMeanwhile) {
  const Scratch scratch;
  const std::string path = scratch.write("growing", std::string(1'000'000, 'x'));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    std::ofstream file(path, std::ios::app);
    while (!stop) file << 'y' << std::flush;
  });
  bool changed = false;
  for (int tries = 0; tries < 1000 && !changed; ++tries) {
    const json digest = json::parse(call(stock::file_digest, path).body);
    changed = digest.value("changed", false);
    EXPECT_GE(digest["bytes"], 1'000'000);
  }
  stop = true;
  writer.join();
  EXPECT_TRUE(changed);
}

TEST(FileDigest, RefusesWhatIsNoRegularFileWithoutWaiting) {
  const Scratch scratch;
  const std::string fifo = scratch.path("fifo");
  ASSERT_EQ(0, ::mkfifo(fifo.c_str(), 0600));
  expect_for_good(call(stock::file_digest, fifo), "a FIFO");
  expect_for_good(call(stock::file_digest, "/dev/zero"), "a device");
  expect_for_good(call(stock::file_digest, "/dev/null"), "a device");
  expect_for_good(call(stock::file_digest, scratch.path("")), "a directory");
}

TEST(FileDigest, SaysWhyItCannotRead) {
  const Scratch scratch;
  expect_for_good(call(stock::file_digest, scratch.path("none")), "No such file");
  expect_for_good(call(stock::file_digest, ""), "a path");
  expect_for_good(call(stock::file_digest, std::string_view("a\0b", 3)), "NUL");
  expect_for_good(call(stock::file_digest, "/" + std::string(5000, 'x')), "too long");
  std::filesystem::create_symlink("loop", scratch.path("loop"));
  expect_for_good(call(stock::file_digest, scratch.path("loop")), "symbolic links");
  const std::string secret = scratch.write("secret", "x");
  ASSERT_EQ(0, ::chmod(secret.c_str(), 0));
  // Root may read everything.
  const uid_t before = ::geteuid();
  ASSERT_EQ(0, ::seteuid(before == 0 ? 65534 : before));
  expect_for_good(call(stock::file_digest, secret), "Permission denied");
  ASSERT_EQ(0, ::seteuid(before));
}

TEST(FileDigest, HeedsCancel) {
  const Scratch scratch;
  Call digest(scratch.write("file", "x"));
  digest.cancel();
  EXPECT_EQ(Outcome::Failed, digest.run(stock::file_digest).outcome);
}

}  // namespace
}  // namespace warmpool::worker::testing
