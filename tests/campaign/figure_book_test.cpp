#include "tests/campaign/figure_book.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "tests/campaign/scratch.hpp"

namespace warmpool::campaign {
namespace {

TEST(FigureBook, KeepsWhatOthersHaveTaken) {
  const Scratch scratch;
  FigureBook first(scratch.path());
  EXPECT_TRUE(first.empty());
  first.put("crash seen, ms", {"1400", "1.5", "4.0", "9.0", Met::Yes, "load 0.10"});
  first.save();
  FigureBook second(scratch.path());
  second.put("faults undetected", {"4000", "-", "-", "1", Met::No, "load 3.00"});
  second.save();
  const auto table = FigureBook(scratch.path()).table();
  EXPECT_NE(table.find("| crash seen, ms | 1400 | 1.5 | 4.0 | 9.0 | p99 <= 5 | yes | load 0.10 |"),
            table.npos)
      << table;
  EXPECT_NE(table.find("| faults undetected | 4000 | - | - | 1 | 0 | no | load 3.00 |"), table.npos)
      << table;
  EXPECT_NE(table.find("| causes right | - | - | - | - | all | not taken | by: workers |"),
            table.npos)
      << table;
}

TEST(FigureBook, IsMissedByOneThatWasTakenAndIsNotMet) {
  FigureBook book("");
  EXPECT_FALSE(book.is_missed());
  book.put("causes right", {.met = Met::TooFew});
  EXPECT_FALSE(book.is_missed());
  book.put("faults undetected", {.met = Met::No});
  EXPECT_TRUE(book.is_missed());
}

TEST(FigureBook, PassesOverWhatItDoesNotKnow) {
  const Scratch scratch;
  std::ofstream(scratch.path() + "/figures.tsv") << "a figure of old\t1\t2\t3\t4\tyes\tload 0\n\n"
                                                    "crash seen, ms\t1\n";
  EXPECT_TRUE(FigureBook(scratch.path()).empty());
}

}  // namespace
}  // namespace warmpool::campaign
