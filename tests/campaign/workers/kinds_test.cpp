// The table of kinds stands in the documentation as well.
#include <fstream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/campaign/workers/kind.hpp"
#include "tests/support/places.hpp"

namespace warmpool::campaign {
namespace {

// Rows whose first cell is the number of a kind: "| W01 | ... |".
std::multiset<std::string> documented() {
  std::ifstream page(test::source_file("docs/faults.md"));
  std::multiset<std::string> rows;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("| W")) rows.insert(line);
  }
  return rows;
}

TEST(Kinds, AreTheRowsOfTheirPage) {
  std::multiset<std::string> rows;
  for (const auto& kind : all_kinds()) {
    rows.insert("| " + kind.id + " | " + kind.fault + " | " + kind.expected + " | " +
                std::to_string(kind.share) + " |");
  }
  const auto page = documented();
  for (const auto& row : rows) {
    EXPECT_EQ(page.count(row), 1U) << "docs/faults.md lacks:\n" << row;
  }
  for (const auto& row : page) {
    EXPECT_EQ(rows.count(row), 1U) << "docs/faults.md has too much:\n" << row;
  }
}

}  // namespace
}  // namespace warmpool::campaign
