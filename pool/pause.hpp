// What a pause is about, in events, records and views.
#pragma once

#include "pool/ids.hpp"
#include "pool/word.hpp"

namespace warmpool {

// What a pause holds back.
enum class PauseScope : std::uint8_t { Type, Class, Pool };
template <>
struct Words<PauseScope> {
  static constexpr std::array<Word<PauseScope>, 3> rows{{
      {PauseScope::Type, "type", "tasks of one type"},
      {PauseScope::Class, "class", "the workers of one class; another class may run their tasks"},
      {PauseScope::Pool, "pool", "everything, types not yet seen included"},
  }};
};

// `type` and `worker_class` mean something only in their scope.
struct PauseTarget {
  PauseScope scope = PauseScope::Pool;
  TypeId type{};
  ClassId worker_class{};
  friend constexpr auto operator<=>(const PauseTarget&, const PauseTarget&) = default;
};

constexpr PauseTarget pause_of(TypeId type) { return {PauseScope::Type, type, {}}; }
constexpr PauseTarget pause_of(ClassId worker_class) {
  return {PauseScope::Class, {}, worker_class};
}
constexpr PauseTarget pause_of_pool() { return {}; }

}  // namespace warmpool
