// What the oracle remembers of a place whose start waits for memory.
#pragma once

#include "pool/ids.hpp"
#include "pool/time.hpp"

namespace warmpool::sim {

struct SeenHeld {
  SlotId slot{}, home{};
  ClassId worker_class{};
  Instant since{};
  bool successor = false;   // beside a worker that it is to replace
  bool recovering = false;  // after a death
};

}  // namespace warmpool::sim
