// Which events somebody wants.
#pragma once

#include <algorithm>
#include <bitset>
#include <optional>
#include <string_view>

#include "pool/notification.hpp"

namespace warmpool {

// Events that come with each task; nobody makes them while nobody listens (event::Listen).
constexpr bool is_flow(Notice notice) {
  return notice == Notice::TaskSubmitted || notice == Notice::TaskStarted ||
         notice == Notice::TaskProgress || notice == Notice::TaskCompleted ||
         notice == Notice::TaskCheckpointed;
}

// A bit for each Notice.
using NoticeSet = std::bitset<kNoticeRows.size()>;

// From names joined by ',', each a name or the beginning of some with '*' behind it; an empty text
// is all. Errors: nothing for a name that no event has.
inline std::optional<NoticeSet> parse_notices(std::string_view text) {
  NoticeSet set;
  if (text.empty()) return set.set();
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const auto word = text.substr(at, end - at);
    const bool open = word.ends_with('*');
    bool found = false;
    for (const auto& row : kNoticeRows) {
      const bool hit =
          open ? row.name.starts_with(word.substr(0, word.size() - 1)) : row.name == word;
      if (hit) set.set(static_cast<std::size_t>(row.notice));
      found = found || hit;
    }
    if (!found) return std::nullopt;
    at = end + 1;
  }
  return set;
}

}  // namespace warmpool
