// What a core decides by beside its tasks and workers: for recordings and those who read them.
#pragma once

#include <vector>

#include "pool/pool.hpp"

namespace warmpool {

struct PoolSettings {
  Genesis genesis;
  Options options;          // as they are now
  std::uint64_t generator;  // the state of the jitter's
  std::vector<ClassOptions> classes;
};

}  // namespace warmpool
