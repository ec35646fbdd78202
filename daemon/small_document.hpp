// What every document has, and those that are nothing but numbers.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace warmpool::daemon {

inline constexpr int kDocumentSchema = 1;

// {"schema":1, "name":number ...}
std::string small_document(
    std::initializer_list<std::pair<std::string_view, std::uint64_t>> members);

}  // namespace warmpool::daemon
