// By shape and not by name: a daemon that is newer than this program shows its new figures too.
#include "client/cli/document.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "client/cli/format.hpp"

namespace warmpool::cli {

namespace {

using nlohmann::ordered_json;

struct Suffix {
  std::string_view end;
  std::int64_t ns;
};
constexpr std::array<Suffix, 5> kTimes{{{"_ns", 1},
                                        {"_us", 1'000},
                                        {"_ms", 1'000'000},
                                        {"_seconds", 1'000'000'000},
                                        {"_s", 1'000'000'000}}};

bool is_share(std::string_view name) {
  return name.ends_with("rate") || name.ends_with("ratio") || name == "utilization" ||
         name == "efficiency";
}

std::string real_text(double value) {
  char text[32];
  std::snprintf(text, sizeof text, std::abs(value) >= 100 ? "%.0f" : "%.3g", value);
  return text;
}

std::string number_text(std::string_view name, const ordered_json& value) {
  for (const auto& suffix : kTimes) {
    if (!name.ends_with(suffix.end)) continue;
    const double ns = value.get<double>() * static_cast<double>(suffix.ns);
    if (std::abs(ns) < 9e18) return short_duration({static_cast<std::int64_t>(ns)});
  }
  if (name.ends_with("bytes") && value.is_number_unsigned()) {
    return short_bytes(value.get<std::uint64_t>());
  }
  const double real = value.get<double>();
  if (is_share(name) && real >= 0 && real <= 1) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f %%", real * 100);
    return text;
  }
  return value.is_number_float() ? real_text(real) : value.dump();
}

bool is_rows(const ordered_json& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const auto& row) { return row.is_object(); });
}

bool is_nested(const ordered_json& value) { return is_rows(value) || value.is_object(); }

// The value carries its unit, so its name need not: "uptime_seconds" is "uptime".
std::string_view without_unit(std::string_view name) {
  for (const std::string_view unit : {"_ns", "_us", "_ms", "_seconds", "_s", "_bytes"}) {
    if (name.ends_with(unit)) return name.substr(0, name.size() - unit.size());
  }
  return name;
}

std::string title_of(std::string_view name) {
  std::string title(without_unit(name));
  for (char& c : title) {
    c = c == '_' ? ' ' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return title;
}

std::string plain(std::string_view full) {
  std::string name(without_unit(full));
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

std::string heading(const std::string& name, bool bold) {
  return bold ? "\x1b[1m" + plain(name) + "\x1b[0m\n" : plain(name) + "\n";
}

std::string indented(const std::string& text) {
  std::string all;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    all += (end > at ? "  " : "") + text.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return all;
}

std::string scalars_text(const ordered_json& object) {
  std::size_t width = 0;
  for (const auto& [name, value] : object.items()) {
    if (!is_nested(value) && name != "schema") width = std::max(width, plain(name).size());
  }
  std::string text;
  for (const auto& [name, value] : object.items()) {
    if (is_nested(value) || name == "schema") continue;
    const std::string shown = plain(name);
    text += shown + std::string(width - shown.size() + 2, ' ') + value_text(name, value) + "\n";
  }
  return text;
}

std::vector<std::string_view> all_columns(const ordered_json& rows) {
  std::vector<std::string_view> columns;
  for (const auto& row : rows) {
    for (const auto& item : row.items()) {
      const auto& name = item.key();
      const bool known = std::find(columns.begin(), columns.end(), name) != columns.end();
      if (!known && !item.value().is_structured()) columns.push_back(name);
    }
  }
  return columns;
}

}  // namespace

std::string value_text(std::string_view name, const ordered_json& value) {
  if (value.is_null()) return "-";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number()) return number_text(name, value);
  if (value.is_string())
    return value.get_ref<const std::string&>().empty() ? "-" : value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string list;
  for (const auto& one : value) {
    list += (list.empty() ? "" : ", ") + value_text(name, one);
  }
  return list.empty() ? "-" : list;
}

std::string rows_text(const ordered_json& rows, std::span<const std::string_view> columns,
                      bool bold) {
  const auto every = columns.empty() ? all_columns(rows) : std::vector<std::string_view>();
  if (columns.empty()) columns = every;
  std::vector<std::string> titles;
  for (const auto column : columns) {
    titles.push_back(title_of(column));
  }
  Table table(std::move(titles));
  for (const auto& row : rows) {
    std::vector<std::string> cells;
    for (const auto column : columns) {
      const auto found = row.find(std::string(column));
      cells.push_back(found == row.end() ? "-" : first_line(value_text(column, *found)));
    }
    table.add(std::move(cells));
  }
  return table.text(bold);
}

std::string document_text(const ordered_json& document, bool bold) {
  if (is_rows(document)) return rows_text(document, {}, bold);
  if (!document.is_object()) return value_text("", document) + "\n";
  std::string text = scalars_text(document);
  for (const auto& [name, value] : document.items()) {
    if (!is_nested(value)) continue;
    if (!text.empty()) text += "\n";
    text += heading(name, bold) + indented(document_text(value, bold));
  }
  return text;
}

}  // namespace warmpool::cli
