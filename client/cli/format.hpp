// Values as people read and write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ipc/text_forms.hpp"
#include "pool/result.hpp"
#include "pool/time.hpp"

namespace warmpool::cli {

// Two units at most: "850us", "12.3ms", "4.2s", "3m12s", "2h5m", "6d3h".
std::string short_duration(Duration duration);
// "512B", "5.1MiB".
std::string short_bytes(std::uint64_t bytes);
// Up to the first line feed.
std::string first_line(std::string_view text);
// "1,234,567".
std::string grouped(std::uint64_t number);
// RFC 3339 with milliseconds, in UTC.
std::string wall_text(WallTime time);
using ipc::parse_priority;
using ipc::parse_wall;
// Decimal, not 0.
Result<std::uint64_t> parse_id(std::string_view text);
// What is wrong with it; empty: nothing. For options that are checked.
std::string wrong_id(const std::string& text);

using ipc::base64;
using ipc::from_base64;

// The nearest of `known` within a third of the length, or empty.
std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known);

// Columns aligned by their widest cell; numbers to the right. Widths count code points.
class Table {
 public:
  explicit Table(std::vector<std::string> titles) : titles_(std::move(titles)) {}
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  bool empty() const { return rows_.empty(); }
  // `bold`: titles in bold. Columns that are "-" in every row are left out.
  std::string text(bool bold) const;

 private:
  std::vector<std::string> titles_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace warmpool::cli
