// Which of several fitting workers is given the next task.
#pragma once

#include <memory>
#include <string_view>

#include "pool/slot_table.hpp"

namespace warmpool {

class Strategy {
 public:
  virtual ~Strategy() = default;
  // Order: `candidates` (indexes in the class) is not empty. May move the class's cursor.
  virtual std::uint16_t choose(WorkerClass& worker_class, const SlotTable& slots,
                               const SlotSet& candidates) const = 0;
};

// Bounds: a name from the row of the option `strategy`.
const Strategy& strategy_named(std::string_view name);

}  // namespace warmpool
