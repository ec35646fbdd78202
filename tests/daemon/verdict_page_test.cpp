// docs/daemon.md has the table of verdicts as the core has it.
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

#include "pool/verdict.hpp"
#include "tests/support/places.hpp"

namespace warmpool {
namespace {

std::string follows(const VerdictRow& row) {
  if (row.act == Act::Nothing) return "nothing";
  if (row.act == Act::GiveNothing) return "is given nothing";
  return "is given nothing; killed after `dead_after`, as *" + std::string(name_of(row.cause)) +
         "*";
}

std::string verdicts_markdown() {
  std::string text = "| with | what is seen | health | what follows |\n|---|---|---|---|\n";
  for (const auto& row : kVerdictRows) {
    if (row.hand == Hand::Idle && row.sign == Sign::Slow) continue;  // it has nothing to be slow at
    const char* hand = row.hand == Hand::Idle ? "nothing in hand" : "a task";
    text += "| " + std::string(hand) + " | " + std::string(row.seen) + " | " +
            std::string(name_of(row.health)) + " | " + follows(row) + " |\n";
  }
  return text;
}

TEST(Verdict, PageHasTheTable) {
  std::ifstream file(test::source_file("docs/daemon.md"));
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_NE(page.find(verdicts_markdown()), std::string::npos) << verdicts_markdown();
}

}  // namespace
}  // namespace warmpool
