// Everything here is a function of its arguments: no clock, no locale, no time zone. Times of day
// are UTC, because a table that is read in a log says the same everywhere.
#include "client/cli/format.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <utility>

namespace warmpool::cli {

namespace {

struct Unit {
  std::string_view name;
  std::int64_t ns;
};
constexpr std::array<Unit, 7> kUnits{{{"d", 86'400'000'000'000},
                                      {"h", 3'600'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"s", 1'000'000'000},
                                      {"ms", 1'000'000},
                                      {"us", 1'000},
                                      {"ns", 1}}};

// "4.2s": three digits that count, at most one behind the point.
std::string with_fraction(std::int64_t ns, const Unit& unit) {
  const std::int64_t tenths = ns / (unit.ns / 10);
  std::string text = std::to_string(tenths / 10);
  if (tenths < 1'000 && tenths % 10 != 0) text += "." + std::to_string(tenths % 10);
  return text + std::string(unit.name);
}

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

bool is_numeric(std::string_view text) {
  return !text.empty() && ((text[0] >= '0' && text[0] <= '9') || text == "-");
}

// Of two words: insertions, removals, replacements and swaps of neighbours.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> table(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      auto& cell = table[i][j];
      cell = std::max(i, j);
      if (i == 0 || j == 0) continue;
      const std::size_t replaced = table[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      cell = std::min({table[i - 1][j] + 1, table[i][j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) cell = std::min(cell, table[i - 2][j - 2] + 1);
    }
  }
  return table[a.size()][b.size()];
}

}  // namespace

std::string short_duration(Duration duration) {
  if (duration.ns < 0) return "-" + short_duration({-duration.ns});
  if (duration.ns == 0) return "0s";
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    const Unit& unit = kUnits[i];
    if (duration.ns < unit.ns) continue;
    if (unit.ns == 1) return std::to_string(duration.ns) + "ns";
    if (unit.ns <= 1'000'000'000) return with_fraction(duration.ns, unit);
    const std::int64_t rest = duration.ns % unit.ns / kUnits[i + 1].ns;
    std::string text = std::to_string(duration.ns / unit.ns) + std::string(unit.name);
    if (rest > 0) text += std::to_string(rest) + std::string(kUnits[i + 1].name);
    return text;
  }
  return "0s";
}

std::string short_bytes(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 6> names{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1'024 && unit + 1 < names.size(); ++unit) {
    value /= 1'024;
  }
  char text[32];
  const bool whole = unit == 0 || value >= 100;
  std::snprintf(text, sizeof text, whole ? "%.0f%s" : "%.1f%s", value, names[unit].data());
  return text;
}

std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  return text;
}

std::string wall_text(WallTime time) {
  namespace chrono = std::chrono;
  const chrono::sys_time<chrono::nanoseconds> point{chrono::nanoseconds{time.ns}};
  const auto day = chrono::floor<chrono::days>(point);
  const chrono::year_month_day date{day};
  const chrono::hh_mm_ss clock{chrono::floor<chrono::milliseconds>(point - day)};
  char text[64];
  std::snprintf(
      text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
      static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

Result<std::uint64_t> parse_id(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size() || number == 0) {
    return Error{0, "\"" + std::string(text) +
                        "\" is no task id; it is the number that submit prints, see: warmpool ls"};
  }
  return number;
}

std::string wrong_id(const std::string& text) {
  const auto id = parse_id(text);
  return id ? "" : id.error().text;
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& known) {
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const auto candidate : known) {
    const std::size_t apart = distance(word, candidate);
    if (apart < best_distance) {
      best = candidate;
      best_distance = apart;
    }
  }
  return best;
}

std::string Table::text(bool bold) const {
  std::vector<std::size_t> widths(titles_.size());
  std::vector<bool> shown(titles_.size()), numeric(titles_.size(), true);
  for (std::size_t column = 0; column < titles_.size(); ++column) {
    widths[column] = width(titles_[column]);
    for (const auto& row : rows_) {
      widths[column] = std::max(widths[column], width(row[column]));
      shown[column] = shown[column] || row[column] != "-";
      numeric[column] = numeric[column] && is_numeric(row[column]);
    }
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t column = 0; column < cells.size(); ++column) {
      if (!shown[column]) continue;
      const std::string padding(widths[column] - width(cells[column]), ' ');
      if (!text.empty()) text += "  ";
      text += numeric[column] ? padding + cells[column] : cells[column] + padding;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  };
  std::string all = bold ? "\x1b[1m" + line(titles_) + "\x1b[0m\n" : line(titles_) + "\n";
  for (const auto& row : rows_) {
    all += line(row) + "\n";
  }
  return all;
}

}  // namespace warmpool::cli
