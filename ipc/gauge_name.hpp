// What a gauge of a report may be called: the same for who says it and for who keeps it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace warmpool::ipc {

inline constexpr std::size_t kGaugeBytesMax = 32;

inline bool is_gauge_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  };
  return !name.empty() && name.size() <= kGaugeBytesMax &&
         std::all_of(name.begin(), name.end(), fits);
}

}  // namespace warmpool::ipc
