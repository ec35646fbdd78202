// Which lanes of a type stand together: those that the same classes may run, in the same way.
#pragma once

#include <compare>
#include <cstdint>

#include "pool/ids.hpp"

namespace warmpool {

// Two heaps a class: of ordinary lanes, and of suspects, which need an empty worker.
enum class LaneKind : std::uint8_t { Ordinary, Suspect };

// `bound`: the one class that may run these; kNoClass: any that serves the type.
struct LaneGroup {
  ClassId bound = kNoClass;
  LaneKind kind = LaneKind::Ordinary;
  friend constexpr auto operator<=>(const LaneGroup&, const LaneGroup&) = default;
};

}  // namespace warmpool
