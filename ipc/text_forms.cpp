// Exact: a time of day is whole nanoseconds, and base64 has one form only.
#include "ipc/text_forms.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace warmpool::ipc {
namespace {

Error bad_wall(std::string_view text) {
  return {0, "\"" + std::string(text) +
                 "\" is no time; write it like 2026-11-23T07:00:00Z or "
                 "2026-11-23T08:00:00+01:00"};
}

// Reads exactly `digits` digits and, unless it is 0, the character `after`.
bool read_number(std::string_view& text, std::size_t digits, int& out) {
  if (text.size() < digits) return false;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + digits, out);
  if (failed != std::errc{} || end != text.data() + digits || text[0] == '-') return false;
  text.remove_prefix(digits);
  return true;
}

bool read_char(std::string_view& text, std::string_view allowed) {
  if (text.empty() || allowed.find(text[0]) == allowed.npos) return false;
  text.remove_prefix(1);
  return true;
}

// ".123456789" -> nanoseconds. True when there is none.
bool read_fraction(std::string_view& text, std::int64_t& ns) {
  if (!read_char(text, ".")) return true;
  std::int64_t unit = 100'000'000;
  std::size_t count = 0;
  for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), ++count) {
    ns += (text[0] - '0') * unit;
    unit /= 10;
  }
  return count > 0;
}

// "Z" or "+01:00" -> seconds east of UTC.
bool read_offset(std::string_view& text, int& seconds) {
  if (read_char(text, "Zz")) return true;
  const bool west = !text.empty() && text[0] == '-';
  int hour = 0, minute = 0;
  if (!read_char(text, "+-") || !read_number(text, 2, hour) || !read_char(text, ":") ||
      !read_number(text, 2, minute) || hour > 23 || minute > 59) {
    return false;
  }
  seconds = (west ? -1 : 1) * (hour * 3'600 + minute * 60);
  return true;
}

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

Result<WallTime> parse_wall(std::string_view text) {
  namespace chrono = std::chrono;
  std::string_view rest = text;
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offset = 0;
  std::int64_t fraction = 0;
  const bool read =
      read_number(rest, 4, year) && read_char(rest, "-") && read_number(rest, 2, month) &&
      read_char(rest, "-") && read_number(rest, 2, day) && read_char(rest, "Tt ") &&
      read_number(rest, 2, hour) && read_char(rest, ":") && read_number(rest, 2, minute) &&
      read_char(rest, ":") && read_number(rest, 2, second) && read_fraction(rest, fraction) &&
      read_offset(rest, offset) && rest.empty();
  const chrono::year_month_day date{chrono::year(year), chrono::month(static_cast<unsigned>(month)),
                                    chrono::day(static_cast<unsigned>(day))};
  // Nanoseconds in 64 bits end in 2262.
  if (!read || !date.ok() || year < 1970 || year > 2261 || hour > 23 || minute > 59 ||
      second > 60) {
    return bad_wall(text);
  }
  const std::int64_t days = chrono::sys_days{date}.time_since_epoch().count();
  const std::int64_t of_day = hour * 3'600 + minute * 60 + second - offset;
  return WallTime{(days * 86'400 + of_day) * 1'000'000'000 + fraction};
}

Result<std::uint64_t> parse_priority(std::string_view text) {
  if (text == "P0" || text == "p0") return 0;
  if (text == "P1" || text == "p1") return 10;
  if (text == "P2" || text == "p2") return 100;
  std::uint64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed != std::errc{} || end != text.data() + text.size() || number > 100) {
    return Error{0, "\"" + std::string(text) +
                        "\" is no priority; it is a number from 0 (first) to 100 (last), "
                        "P0 (0), P1 (10) or P2 (100)"};
  }
  return number;
}

std::string base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    unsigned group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= count ? kBase64[group >> (18 - 6 * i) & 63] : '=';
    }
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t at = 0; at < text.size(); at += 4) {
    unsigned group = 0;
    std::size_t padding = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      const char c = text[at + i];
      const std::size_t digit = kBase64.find(c);
      const bool may_pad = i >= 2 && at + 4 == text.size();
      if (c == '=' && may_pad) {
        ++padding;
      } else if (digit == kBase64.npos || padding > 0) {
        return std::nullopt;
      }
      group = group << 6 | (c == '=' ? 0U : static_cast<unsigned>(digit));
    }
    for (std::size_t i = 0; i + padding < 3; ++i) {
      bytes += static_cast<char>(group >> (16 - 8 * i) & 255);
    }
  }
  return bytes;
}

}  // namespace warmpool::ipc
