// What is kept of a task beside its payload has a bound, whatever its runs leave.
#include "daemon/store/history.hpp"

#include <gtest/gtest.h>

namespace warmpool::daemon {
namespace {

// As docs/store.md says it of a dead letter.
constexpr std::size_t kHistoryBytesMax = 92 * 1024;

TEST(History, KeepsNoMoreThanItsBoundOfAnyNumberOfAttempts) {
  History history;
  const std::string error(100'000, 'e'), autopsy(kAutopsyBytesMax, 'a');
  for (std::uint16_t attempt = 1; attempt <= 1'000; ++attempt) {
    AttemptEntry entry;
    entry.attempt = attempt;
    history.add(std::move(entry), error, std::vector<std::string>(50, std::string(500, 'o')),
                autopsy);
  }
  std::size_t bytes = history.last_error().size();
  for (const auto& entry : history.attempts()) {
    bytes += entry.error.size() + entry.autopsy.size();
    for (const auto& line : entry.output) bytes += line.size();
  }
  EXPECT_LE(bytes, kHistoryBytesMax);
  EXPECT_EQ(history.attempts().size(), kFirstAttemptsKept + kLastAttemptsKept);
  EXPECT_EQ(history.attempts().back().autopsy, autopsy);
}

}  // namespace
}  // namespace warmpool::daemon
