// A checksum guards payloads and results; the other columns are taken at their word where they can
// be true. What cannot be true would be an index beyond a table or an allocation without bound.
#include "daemon/store/file_row.hpp"

#include <sqlite3.h>

#include "daemon/store/body_file.hpp"

namespace warmpool::daemon {

void RowLimits::refuse(std::string text) {
  if (!fault_) fault_ = Error{SQLITE_CORRUPT, std::move(text)};
}

Result<void> RowLimits::verdict() const {
  if (fault_) return *fault_;
  return {};
}

std::int64_t FileRow::within(int column, std::int64_t least, std::int64_t most) const {
  const auto value = row_.integer(column);
  if (value >= least && value <= most) return value;
  refuse(column);
  return std::max<std::int64_t>(least, 0);
}

TaskId FileRow::task(int column) const {
  const auto value = bits(column);
  if (value != 0 && value >> kLifeShift <= limits_.life()) return {value};
  refuse(column);
  return {1};
}

void FileRow::refuse(int column) const {
  limits_.refuse("the store is damaged: in a row of " + std::string(table_) + " (" + row_.name(0) +
                 " " + std::to_string(row_.integer(0)) + ") " + row_.name(column) + " is " +
                 (is_null(column) ? "missing" : std::to_string(row_.integer(column))));
}

}  // namespace warmpool::daemon
