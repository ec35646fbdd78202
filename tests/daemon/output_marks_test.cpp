// Whose a piece of output is, where the worker says so within it.
#include "daemon/output/output_marks.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "daemon/output/output_pump.hpp"

namespace warmpool::daemon {
namespace {

using Pieces = std::vector<std::pair<std::uint64_t, std::string>>;

std::string mark(std::string_view digits) { return "\x1E" + std::string(digits) + "\x1F"; }
const std::string kSeven = mark("0000000000000007"), kNobody = mark("0000000000000000");

// Neighbours of one task are joined: where a read ended does not matter.
class Taken {
 public:
  OutputMarks::Take take() {
    return [this](TaskId task, std::string_view bytes) {
      EXPECT_FALSE(bytes.empty());
      if (pieces_.empty() || pieces_.back().first != task.value)
        pieces_.emplace_back(task.value, "");
      pieces_.back().second += bytes;
    };
  }
  const Pieces& pieces() const { return pieces_; }

 private:
  Pieces pieces_;
};

Pieces split(const std::string& bytes, std::size_t read_bytes) {
  OutputMarks marks;
  Taken taken;
  for (std::size_t at = 0; at < bytes.size(); at += read_bytes) {
    marks.split(std::string_view(bytes).substr(at, read_bytes), taken.take());
  }
  marks.end(taken.take());
  return taken.pieces();
}

TEST(OutputMarks, NameWhatFollowsThemWhereverAReadEnds) {
  const auto bytes = "before\n" + kSeven + "its own\n" + kNobody + "after\n" +
                     mark("00000000000000ff") + kSeven + "again";
  const Pieces expected{{0, "before\n"}, {7, "its own\n"}, {0, "after\n"}, {7, "again"}};
  for (std::size_t read_bytes = 1; read_bytes <= bytes.size(); ++read_bytes) {
    EXPECT_EQ(split(bytes, read_bytes), expected) << read_bytes;
  }
}

TEST(OutputMarks, WhatOnlyBeginsLikeOneIsOutput) {
  for (const auto& bytes : {std::string("\x1E"), mark("000000000000000"), mark("00000000000000007"),
                            mark("000000000000000G"), mark("000000000000000A"),
                            "\x1E" + kSeven.substr(1, 16) + "x", std::string("\x1E\x1E\x1E\n")}) {
    for (std::size_t read_bytes = 1; read_bytes <= bytes.size(); ++read_bytes) {
      EXPECT_EQ(split(bytes, read_bytes), (Pieces{{0, bytes}})) << read_bytes;
    }
  }
}

TEST(OutputMarks, OneMayBeginWithinWhatIsNone) {
  EXPECT_EQ(split("\x1E"
                  "00" +
                      kSeven + "x",
                  3),
            (Pieces{{0,
                     "\x1E"
                     "00"},
                    {7, "x"}}));
}

TEST(OutputMarks, AreForgottenWhereBytesAreMissing) {
  OutputMarks marks;
  Taken taken;
  marks.split(kSeven +
                  "seen\n\x1E"
                  "00",
              taken.take());
  marks.forget();
  marks.split("7\x1F whose?", taken.take());
  EXPECT_EQ(taken.pieces(), (Pieces{{7, "seen\n"}, {0, "7\x1F whose?"}}));
}

TEST(OutputMarks, AreSeenOnceTheyCame) {
  OutputMarks marks;
  Taken taken;
  marks.split("\x1E no mark", taken.take());
  EXPECT_FALSE(marks.seen());
  marks.split(kSeven, taken.take());
  EXPECT_TRUE(marks.seen());
}

}  // namespace
}  // namespace warmpool::daemon
