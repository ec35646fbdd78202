// Look-ups in the table of kinds. Every frame is looked up once, so by index and not by search.
#include "ipc/message.hpp"

#include <array>

#include "ipc/message_rows.hpp"

namespace warmpool::ipc {
namespace {

constexpr std::uint8_t kNoRow = 255;

constexpr std::array<std::uint8_t, 256> make_index() {
  std::array<std::uint8_t, 256> index{};
  index.fill(kNoRow);
  std::uint8_t row = 0;
  for (const KindRow& kind : rows::kKinds) index[static_cast<std::uint8_t>(kind.kind)] = row++;
  return index;
}
constexpr auto kIndex = make_index();

constexpr bool is_sorted_by_number() {
  int last = 0;
  for (const KindRow& row : rows::kKinds) {
    if (static_cast<int>(row.kind) <= last) return false;
    last = static_cast<int>(row.kind);
  }
  return true;
}
static_assert(is_sorted_by_number());

}  // namespace

std::span<const KindRow> kind_rows() { return rows::kKinds; }

const KindRow* find_kind(Kind kind) {
  const std::uint8_t row = kIndex[static_cast<std::uint8_t>(kind)];
  return row == kNoRow ? nullptr : &rows::kKinds[row];
}

std::string_view name_of(Kind kind) {
  const KindRow* row = find_kind(kind);
  return row == nullptr ? "unknown" : row->name;
}

}  // namespace warmpool::ipc
