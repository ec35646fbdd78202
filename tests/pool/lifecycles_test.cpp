// The pictures of docs/protocol.md show exactly the rows of the tables. To draw them anew after a
// change of a table: WARMPOOL_ACCEPT=1.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "pool/breaker_machine.hpp"
#include "pool/recovery_machine.hpp"
#include "pool/slot_machine.hpp"
#include "pool/task_machine.hpp"
#include "tests/support/places.hpp"

namespace warmpool::test {
namespace {

const std::string kPage = source_file("docs/protocol.md");

template <class Rows>
std::string picture(const Rows& rows, std::string_view start) {
  std::string drawn = "```mermaid\nstateDiagram-v2\n  [*] --> " + std::string(start) + "\n";
  for (const auto& row : rows) {
    drawn += "  " + std::string(name_of(row.from)) + " --> " + std::string(name_of(row.to)) + ": " +
             std::string(name_of(row.on)) + "\n";
  }
  return drawn + "```\n";
}

std::string lifecycles() {
  return "## 11. Lifecycles\n\nDrawn from the tables in `pool/task_machine.hpp`, "
         "`pool/slot_machine.hpp`, `pool/breaker_machine.hpp` and `pool/recovery_machine.hpp`; a "
         "test "
         "compares.\n\n### A "
         "task\n\n*done*, *dead*, *cancelled* "
         "and "
         "*expired* are its verdicts; only a dead letter may be given another round.\n\n" +
         picture(kTaskRows, "recording") +
         "\n### A slot and its workers\n\n*recovery* is shown with its reason. Every state with a "
         "process ends by the exit of that process. A worker that is replaced while it works "
         "(restart, `max_tasks`,\n`max_age`) has a slot of its own beside that of its successor: "
         "the "
         "successor is shown as `worker-3.new` until it is ready, then takes the place `worker-3`, "
         "and the other one drains as\n`worker-3.old`.\n\n" +
         picture(kSlotRows, "gone") +
         "\n### A circuit breaker\n\nOf a task type. What each row means is in "
         "docs/daemon.md.\n\n" +
         picture(kBreakerRows, "closed") +
         "\n### The breaker over recovery\n\nOf a worker class. What each row means is in "
         "docs/daemon.md.\n\n" +
         picture(kRecoveryRows, "closed");
}

std::string read_page() {
  std::ifstream file(kPage);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Lifecycles, PicturesShowTheTables) {
  const std::string page = read_page();
  const auto at = page.find("## 11. Lifecycles");
  ASSERT_NE(at, std::string::npos);
  const auto end = std::min(page.find("\n## ", at), page.size());
  if (std::getenv("WARMPOOL_ACCEPT") != nullptr) {
    std::ofstream(kPage) << page.substr(0, at) << lifecycles() << page.substr(end);
    GTEST_SKIP() << "drawn anew; look at the difference and commit it";
  }
  EXPECT_EQ(page.substr(at, end - at), lifecycles());
}

}  // namespace
}  // namespace warmpool::test
