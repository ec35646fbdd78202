// How a closed vocabulary is written down: one row a word, found by number or by name.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace warmpool {

template <class Enum>
struct Word {
  Enum value;
  std::string_view name;
  std::string_view meaning;
};

template <class Enum>
struct Words;  // specialised below: static constexpr std::array<Word<Enum>, N> rows

template <class Enum>
constexpr std::string_view name_of(Enum value) {
  for (const auto& row : Words<Enum>::rows) {
    if (row.value == value) return row.name;
  }
  return "unknown";
}

template <class Enum>
constexpr std::optional<Enum> find_word(std::string_view name) {
  for (const auto& row : Words<Enum>::rows) {
    if (row.name == name) return row.value;
  }
  return std::nullopt;
}

template <class Enum>
constexpr bool is_word(std::uint64_t number) {
  for (const auto& row : Words<Enum>::rows) {
    if (static_cast<std::uint64_t>(row.value) == number) return true;
  }
  return false;
}

}  // namespace warmpool
