// A meta part as a flat list of values: what is between msgpack and the typed metas.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "ipc/bytes.hpp"
#include "pool/result.hpp"

namespace warmpool::ipc {

struct MetaValue {
  enum class Tag : std::uint8_t { Nil, Flag, Number, Negative, Text, List };
  Tag tag = Tag::Nil;
  std::uint64_t number = 0;  // Flag: 0 or 1; Negative: the bits of an int64
  std::string_view text{};
  std::uint32_t first = 0, count = 0;  // List: where in elements
};

inline constexpr std::size_t kMetaFieldsMax = 16;
inline constexpr std::size_t kMetaElementsMax = 4'096;  // of all lists of one meta

struct MetaValues {
  std::array<MetaValue, kMetaFieldsMax> fields;
  std::size_t count = 0;
  std::vector<MetaValue> elements;
};

// Bounds: at most `fields_max` fields (<= kMetaFieldsMax); lists hold no lists; texts are UTF-8
// without NUL. Errors: BadMeta or BadUtf8, naming the number of the field.
Result<void> read_values(Bytes meta, std::size_t fields_max, MetaValues& out);

}  // namespace warmpool::ipc
