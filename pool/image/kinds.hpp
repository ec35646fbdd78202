// How each type of the core is written down: the kinds that walk.hpp, reader.hpp and shape.hpp tell
// apart. A type that is none of them is taken apart into its fields.
#pragma once

#include <array>
#include <concepts>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "pool/image/fields.hpp"
#include "pool/options.hpp"
#include "pool/word.hpp"

namespace warmpool::image {

template <class T>
concept Number = std::integral<T> || std::is_enum_v<T>;

template <class T>
concept Text = std::same_as<T, std::string>;

template <class T>
struct IsList : std::false_type {};
template <class T>
struct IsList<std::vector<T>> : std::true_type {};
template <class T>
struct IsList<std::deque<T>> : std::true_type {};
template <class T>
concept List = IsList<T>::value;

template <class T>
struct IsArray : std::false_type {};
template <class T, std::size_t N>
struct IsArray<std::array<T, N>> : std::true_type {};
template <class T>
concept Array = IsArray<T>::value;

template <class T>
struct IsMap : std::false_type {};
template <class Key, class T>
struct IsMap<std::map<Key, T>> : std::true_type {};
template <class Key, class T>
struct IsMap<std::multimap<Key, T>> : std::true_type {};
template <class T>
concept Map = IsMap<T>::value;

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
concept Optional = IsOptional<T>::value;

template <class T>
struct IsVariant : std::false_type {};
template <class... T>
struct IsVariant<std::variant<T...>> : std::true_type {};
template <class T>
concept Variant = IsVariant<T>::value;

// Never empty in the core.
template <class T>
struct IsBox : std::false_type {};
template <class T>
struct IsBox<std::unique_ptr<T>> : std::true_type {};
template <class T>
concept Box = IsBox<T>::value;

// A lookup that is written in the order of its keys.
template <class T>
concept Lookup = requires(const T& lookup) {
  lookup.sorted();
};

// A slab: places one after the other, and beside them the fields.
template <class T>
concept Slab = requires(T& slab) {
  slab.add_place();
};

// Bits that cannot be referred to, as one number.
template <class T>
concept Packed = requires(T& bits) {
  bits.unpack(bits.pack());
};

// Those that have a table of rows.
template <class T>
concept Optioned = std::same_as<T, Options> || std::same_as<T, ClassOptions>;

inline std::span<const OptionRow<Options>> rows_of(const Options&) { return pool_option_rows(); }
inline std::span<const OptionRow<ClassOptions>> rows_of(const ClassOptions&) {
  return class_option_rows();
}

// What no decision needs and what may hold secrets: left out, and empty in what comes back.
inline bool is_left_out(std::string_view option) {
  return option == "command" || option == "environment";
}

// A word of a vocabulary, or a number of an enumeration without one.
template <class Enum>
bool is_known(std::uint64_t number) {
  if constexpr (requires { Words<Enum>::rows; }) {
    return is_word<Enum>(number);
  } else {
    return number < 64;
  }
}

}  // namespace warmpool::image
