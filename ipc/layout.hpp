// How shared memory is laid out, as rows: the tables of docs/protocol.md and docs/board.md are the
// same rows, and tests compare them with the structs.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace warmpool::ipc {

struct LayoutRow {
  std::size_t offset, bytes;
  std::string_view type;  // u8 .. u64, i32, i64: little-endian; "text N": UTF-8, zeros behind it
  std::string_view name, meaning;
};

// What a field of this C++ type is in a table; empty: no such field may be.
template <class Field>
consteval std::string_view layout_type() {
  if constexpr (std::is_same_v<Field, std::uint8_t>) return "u8";
  if constexpr (std::is_same_v<Field, std::uint16_t>) return "u16";
  if constexpr (std::is_same_v<Field, std::uint32_t>) return "u32";
  if constexpr (std::is_same_v<Field, std::uint64_t>) return "u64";
  if constexpr (std::is_same_v<Field, std::int32_t>) return "i32";
  if constexpr (std::is_same_v<Field, std::int64_t>) return "i64";
  if constexpr (std::is_same_v<Field, std::array<char, 64>>) return "text 64";
  if constexpr (std::is_same_v<Field, std::array<char, 72>>) return "text 72";
  if constexpr (std::is_same_v<Field, std::array<std::uint64_t, 5>>) return "5 u64";
  return {};
}

}  // namespace warmpool::ipc

// One row: offset, size, type and name come from the member itself.
#define WARMPOOL_LAYOUT_ROW(Struct, member, meaning)                               \
  ::warmpool::ipc::LayoutRow {                                                     \
    offsetof(Struct, member), sizeof(Struct::member),                              \
        ::warmpool::ipc::layout_type<decltype(Struct::member)>(), #member, meaning \
  }
