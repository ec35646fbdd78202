// What stands behind the door.
#pragma once

#include "pool/core.hpp"
#include "pool/pool.hpp"

namespace warmpool {

struct Pool::State : Core {
  using Core::Core;
};

// Bounds of Genesis::life: ids of tasks begin with it.
constexpr bool is_life(std::uint64_t life) { return life > 0 && life < (std::uint64_t{1} << 24); }

}  // namespace warmpool
