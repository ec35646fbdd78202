// A row of a file that anybody may have written, as values that memory can hold.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "daemon/store/sqlite.hpp"
#include "pool/ids.hpp"
#include "pool/time.hpp"
#include "pool/word.hpp"

namespace warmpool::daemon {

// What the rows of one store are held against, and the first that is not what it may be.
class RowLimits {
 public:
  // `now`: the last instant that the store has kept; `life`: the last life that has written to it.
  RowLimits(Instant now, std::uint64_t life) : now_(now), life_(life) {}

  // What has happened. With room for a clock that ran ahead; sums with durations do not overflow.
  Instant latest() const { return now_ + kDurationMax; }
  // What is planned.
  Instant latest_plan() const { return latest() + kDurationMax; }
  std::uint64_t life() const { return life_; }

  void refuse(std::string text);
  bool refused() const { return fault_.has_value(); }
  // Errors: Error::code is SQLite's for damage.
  Result<void> verdict() const;

 private:
  Instant now_;
  std::uint64_t life_;
  std::optional<Error> fault_;
};

// Every read is checked; where a value is refused a harmless one comes back and the limits know.
// Order: valid until the next step() of its statement.
class FileRow {
 public:
  FileRow(const Statement& row, std::string_view table, RowLimits& limits)
      : row_(row), table_(table), limits_(limits) {}

  template <class Number>
  Number number(int column, std::int64_t least = std::numeric_limits<Number>::min()) const {
    static_assert(sizeof(Number) < sizeof(std::int64_t));
    return static_cast<Number>(within(column, least, std::numeric_limits<Number>::max()));
  }
  template <class Word>
  Word word(int column) const {
    const auto value = row_.integer(column);
    if (value >= 0 && is_word<Word>(static_cast<std::uint64_t>(value))) {
      return static_cast<Word>(value);
    }
    refuse(column);
    return Words<Word>::rows.front().value;
  }
  // All 64 bits mean something: hashes, checksums, ids of workers.
  std::uint64_t bits(int column) const { return row_.number<std::uint64_t>(column); }
  bool flag(int column) const { return within(column, 0, 1) != 0; }
  TaskId task(int column) const;
  Instant past(int column) const { return {within(column, 0, limits_.latest().ns)}; }
  Instant plan(int column) const { return {within(column, 0, limits_.latest_plan().ns)}; }
  WallTime wall(int column) const {
    return {within(column, 0, std::numeric_limits<std::int64_t>::max())};
  }
  Duration duration(int column) const { return {within(column, 0, kDurationMax.ns)}; }
  std::int64_t within(int column, std::int64_t least, std::int64_t most) const;
  std::string_view text(int column) const { return row_.text(column); }
  ipc::Bytes bytes(int column) const { return row_.bytes(column); }
  bool is_null(int column) const { return row_.is_null(column); }
  void refuse(int column) const;

 private:
  const Statement& row_;
  std::string_view table_;
  RowLimits& limits_;
};

}  // namespace warmpool::daemon
